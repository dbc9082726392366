import { basename } from "node:path";
import type { Command } from "commander";
import { densityOf } from "../memory/mac.ts";
import type { Memory } from "../memory/memory.ts";
import type { Frame } from "../memory/network.ts";
import { planField } from "../memory/planner.ts";
import { PRESETS, type PresetName } from "../memory/rules.ts";
import { Problem } from "../problem.ts";
import { readBytes } from "../runs/files.node.ts";
import { formatBytes, formatCount, formatShare, significant } from "../runs/format.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, wholeNumber } from "./command.ts";
import { parsePattern, readEpisodes } from "./episodes.ts";
import { startProgress } from "./progress.ts";
import { table } from "./table.ts";

/** How the lines of a file are turned into patterns; kept in the memory's notes. */
const ENCODERS = ["text", "patterns"] as const;
const BINS = 10;

export function sparseyCommand(): Command {
  const command = createCommand("sparsey", {
    summary: "one-shot memory in sparse distributed codes: plan, learn, recognize, recall",
    examples: [
      "filigree sparsey plan --items 1000 --inputs 784 --active 40",
      "filigree sparsey learn notes.txt -o notes.mem",
      "filigree sparsey recognize notes.mem new-notes.txt",
    ],
  });
  for (const sub of [planCommand, learnCommand, recognizeCommand, recallCommand, inspectCommand])
    command.addCommand(sub());
  return command;
}

interface PlanOptions extends JsonOption {
  items: number;
  inputs: number;
  active: number;
  q?: number;
  k?: number;
  accuracy: number;
  freezeAt: number;
}

const share = (text: string) => Number(text);

function planCommand(): Command {
  return createCommand("plan", {
    summary: "say how large a field must be, and what it will do, before anything is stored",
    examples: ["filigree sparsey plan --items 1000 --inputs 784 --active 40"],
    keys: {
      q: "modules",
      k: "cells a module",
      weights: "bottom-up weights, one bit each",
      bytes: "what they take",
      density: "share of weights that are 1 in the end",
      accuracy: "share of winners that come back with all items stored",
      freezesAfter: "items until the field freezes",
      capacity: "items that it holds at the wanted accuracy",
    },
  })
    .requiredOption("--items <n>", "patterns to be stored", wholeNumber(1))
    .requiredOption("--inputs <n>", "binary inputs of a pattern", wholeNumber(1))
    .requiredOption("--active <n>", "active inputs of a pattern", wholeNumber(1))
    .option("--q <n>", "modules; 24 if not given", wholeNumber(1))
    .option("--k <n>", "cells a module; the fewest that do if not given", wholeNumber(1))
    .option("--accuracy <share>", "winners that must come back", share, 0.97)
    .option("--freeze-at <density>", "density at which learning ends", share, 0.5)
    .action((options: PlanOptions) => {
      const plan = planField(options);
      const text = [
        `${plan.q} modules of ${plan.k} cells: ${formatCount(plan.weights)} weights, ${formatBytes(plan.bytes)}`,
        `with ${formatCount(options.items)} items: density ${formatShare(plan.density)}, ${formatShare(plan.accuracy)} of the winners come back`,
        `holds ${formatCount(plan.capacity)} items at ${formatShare(options.accuracy)}; freezes after ${formatCount(plan.freezesAfter!)}`,
        "for random patterns; similar ones share codes, which saves room and blurs them",
      ].join("\n");
      emit(options, plan, text);
    });
}

interface LearnOptions extends JsonOption {
  output: string;
  from?: string;
  encoder: (typeof ENCODERS)[number];
  inputs: number;
  q?: number;
  k?: number;
  preset: PresetName;
  seed: number;
  sequences?: boolean;
}

function learnCommand(): Command {
  return createCommand("learn", {
    summary: "store the lines of a file, each once, in a new memory or on top of one",
    examples: [
      "filigree sparsey learn notes.txt -o notes.mem",
      "filigree sparsey learn melodies.txt -o melodies.mem --encoder patterns --inputs 128 --sequences",
    ],
    keys: {
      items: "lines stored",
      classes: "classes in the memory",
      density: "share of weights that are 1, level by level",
      frozen: "share of frozen macs, level by level",
      uniqueCodes: "different codes of these lines",
      familiarity: `how many lines had a familiarity in each tenth from 0 to 1`,
      bytes: "size of the file",
    },
  })
    .argument("<file>", "one item a line, after a class and a tab where it has one")
    .requiredOption("-o, --output <file>", "where the memory goes")
    .option("--from <memory>", "go on with a saved memory; it knows its encoder and size")
    .option("--encoder <kind>", "text, or patterns: numbers of active inputs", choice(ENCODERS), "text")
    .option("--inputs <n>", "inputs of a pattern", wholeNumber(1), 2048)
    .option("--q <n>", "modules; 24 if not given", wholeNumber(1))
    .option("--k <n>", "cells a module; 16 if not given", wholeNumber(1))
    .option("--preset <name>", "constants", choice(Object.keys(PRESETS) as PresetName[]), "robust")
    .option("--seed <n>", "of all chance", wholeNumber(0), 0)
    .option("--sequences", "lines follow one another; an empty line begins a new sequence")
    .action(async (file: string, options: LearnOptions) => {
      const { createMemory } = await import("../memory/memory.ts");
      const { loadMemory, saveMemory } = await import("../runs/saved-memory.node.ts");
      const { encoder, inputs, q, k, preset, seed } = options;
      const memory = options.from
        ? await loadMemory(options.from)
        : createMemory({ inputs, levels: [{ q, k }], preset, seed, notes: { encoder } });
      const episodes = await readEpisodes(file, memory, options.sequences === true);
      const items = episodes.reduce((sum, episode) => sum + episode.patterns.length, 0);
      const codes = new Set<string>();
      const familiarity = new Array<number>(BINS).fill(0);
      const progress = startProgress({ label: "storing", total: items, unit: "items" });
      let done = 0;
      for (const { patterns, label } of episodes) {
        for (const { code, familiarity: g } of memory.learnSequence(patterns, { label })) {
          codes.add(code.join());
          if (g !== undefined) familiarity[Math.min(BINS - 1, Math.floor(g * BINS))]++;
        }
        done += patterns.length;
        const { macs } = memory.network;
        const frozen = macs.filter((mac) => mac.frozen).length;
        progress.update(
          done,
          `density ${significant(densityOf(macs[0]))}${frozen > 0 ? `, ${frozen} of ${macs.length} macs frozen` : ""}`,
        );
      }
      progress.end();
      await saveMemory(options.output, memory);
      const { density, frozen } = memory.report();
      const bytes = memory.toBytes().length;
      const classes = memory.labels.names;
      const text = [
        `${formatCount(items)} items stored in ${basename(options.output)}, ${formatBytes(bytes)}`,
        `${formatCount(codes.size)} different codes; density ${density.map(formatShare).join(", ")}; frozen ${frozen.map(formatShare).join(", ")}`,
        ...(classes.length > 0 ? [`classes: ${classes.join(", ")}`] : []),
        "",
        "familiarity when it came  items",
        ...familiarity.map(
          (n, b) => `${(b / BINS).toFixed(1)} to ${((b + 1) / BINS).toFixed(1)}  ${String(n).padStart(21)}`,
        ),
      ].join("\n");
      emit(options, { items, classes, density, frozen, uniqueCodes: codes.size, familiarity, bytes }, text);
    });
}

function recognizeCommand(): Command {
  return createCommand("recognize", {
    summary: "say how familiar the lines of a file are, and of which class",
    examples: ["filigree sparsey recognize notes.mem new-notes.txt"],
    keys: { items: "list of { line, familiarity, orderFamiliarity, label }" },
  })
    .argument("<memory>", "a saved memory")
    .argument("<file>", "one item a line, as for learn")
    .option("--sequences", "lines follow one another; an empty line begins a new sequence")
    .action(async (path: string, file: string, options: JsonOption & { sequences?: boolean }) => {
      const { memory, episodes } = await open(path, file, options.sequences === true);
      const rows = episodes.flatMap(({ patterns, lines }) => {
        const frames = memory.recognizeSequence(patterns);
        return frames.map((frame, i) => ({
          line: lines[i],
          familiarity: frame.familiarity ?? null,
          orderFamiliarity: frame.orderFamiliarity ?? null,
          label: labelOf(memory, frame) ?? null,
        }));
      });
      const columns = [
        { heading: "familiarity", align: "right" as const },
        { heading: "class" },
        { heading: "item" },
      ];
      const cells = rows.map(({ line, familiarity, label }) => [
        familiarity === null ? "–" : familiarity.toFixed(3),
        label ?? "–",
        line.length > 80 ? `${line.slice(0, 79)}…` : line,
      ]);
      emit(options, { items: rows }, table(columns, cells));
    });
}

function labelOf(memory: Memory, frame: Frame): string | undefined {
  return memory.labels.names.length > 0 ? memory.classifyCode(frame.code).label : undefined;
}

interface RecallOptions extends JsonOption {
  length: number;
}

function recallCommand(): Command {
  return createCommand("recall", {
    summary: "complete a pattern, or replay a sequence from its first frame",
    examples: ['filigree sparsey recall melodies.mem "3 17 42 80" --length 16'],
    keys: { frames: "list of { active, familiarity }: the numbers of the active inputs, frame by frame" },
  })
    .argument("<memory>", "a saved memory of patterns")
    .argument("<pattern>", "numbers of active inputs")
    .option("--length <n>", "frames to replay, the first included", wholeNumber(1), 1)
    .action(async (path: string, pattern: string, options: RecallOptions) => {
      const { loadMemory } = await import("../runs/saved-memory.node.ts");
      const memory = await loadMemory(path);
      if (memory.options.notes?.encoder === "text")
        throw new Problem(`${path}: holds texts, which cannot be read back from their pieces; use recognize`);
      const cue = parsePattern(pattern, "the pattern");
      const frames = memory.recall(cue, { length: options.length }).map(({ active, frame }) => ({
        active,
        familiarity: frame.familiarity ?? null,
      }));
      emit(options, { frames }, frames.map(({ active }) => active.join(" ")).join("\n"));
    });
}

function inspectCommand(): Command {
  return createCommand("inspect", {
    summary: "describe a saved memory",
    examples: ["filigree sparsey inspect notes.mem"],
    keys: {
      inputs: "inputs of a pattern",
      frames: "frames learnt",
      classes: "classes and how many items of each",
      levels: "list of { macs, q, k, weights, density, frozen, deadCells }",
      bytes: "size of the file",
    },
  })
    .argument("<memory>", "a saved memory")
    .action(async (path: string, options: JsonOption) => {
      const { memoryFromBytes } = await import("../memory/memory.ts");
      const saved = await readBytes(path);
      const memory = memoryFromBytes(saved, path);
      const report = memory.report();
      const { names, items } = memory.labels;
      const classes = names.map((name, c) => ({ name, items: items[c] }));
      const levels = memory.network.levels.map(({ macs: [{ q, k }] }, l) => ({
        macs: report.macs[l],
        q,
        k,
        weights: report.weights[l],
        density: report.density[l],
        frozen: report.frozen[l],
        deadCells: report.deadCells[l],
      }));
      const { inputs } = memory.options;
      const result = { inputs, frames: report.frames, classes, levels, bytes: saved.length };
      const right = (heading: string) => ({ heading, align: "right" as const });
      const text = [
        `${formatCount(report.frames)} frames of ${formatCount(inputs)} inputs in ${formatBytes(saved.length)}`,
        ...(names.length > 0 ? [`classes: ${classes.map((c) => `${c.name} (${c.items})`).join(", ")}`] : []),
        "",
        table(
          ["level", "macs", "modules", "cells", "weights", "density", "frozen", "dead cells"].map(right),
          levels.map((level, l) => [
            l + 1,
            level.macs,
            level.q,
            level.k,
            formatCount(level.weights),
            formatShare(level.density),
            formatShare(level.frozen),
            formatShare(level.deadCells),
          ]),
        ),
      ].join("\n");
      emit(options, result, text);
    });
}

async function open(path: string, file: string, sequences: boolean) {
  const { loadMemory } = await import("../runs/saved-memory.node.ts");
  const memory = await loadMemory(path);
  return { memory, episodes: await readEpisodes(file, memory, sequences) };
}
