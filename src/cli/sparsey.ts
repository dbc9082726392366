import { basename } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Memory } from "../memory/memory.ts";
import type { Frame } from "../memory/network.ts";
import { MOST_CELLS, planField } from "../memory/planner.ts";
import { PRESETS, type PresetName } from "../memory/rules.ts";
import { watchLearning } from "../memory/watch-learning.ts";
import { Problem } from "../problem.ts";
import { checkWritable, readBytes } from "../runs/files.node.ts";
import { formatBytes, formatCount, formatMany, formatShare, significant } from "../runs/format.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, wholeNumber } from "./command.ts";
import { type Episode, parsePattern, readEpisodes } from "./episodes.ts";
import { note, startProgress } from "./progress.ts";
import { table } from "./table.ts";

/** How the lines of a file are turned into patterns; kept in the memory's notes. */
const ENCODERS = ["text", "patterns"] as const;
/** More would not fit into memory with so many cells. */
const MOST_INPUTS = 2 ** 24;
const FREEZE_AT = "density at which learning ends, or never";
/** Cells a module of a small memory. */
const FEWEST_CELLS = 16;

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
  freezeAt: Freeze;
}

/** For `.option`: a share between 0 and 1. */
function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1))
    throw new InvalidArgumentError("expected a share between 0 and 1, such as 0.5");
  return value;
}

type Freeze = number | "never";
const freeze = (text: string): Freeze => (text === "never" ? text : share(text));
const densityOfFreezing = (at: Freeze) => (at === "never" ? null : at);

function planCommand(): Command {
  return createCommand("plan", {
    summary: "say how large a field must be, and what it will do, before anything is stored",
    examples: ["filigree sparsey plan --items 1000 --inputs 784 --active 40"],
    keys: {
      q: "modules",
      k: "cells a module",
      weights: "bottom-up weights, one bit each",
      bytes: "what they take",
      stored: "items that are stored: all, or those that come before the field freezes",
      density: "share of weights that are 1 in the end",
      accuracy: "share of winners that come back of those stored, in the end",
      freezesAfter: "items until the field freezes, where it does",
      capacity: "items that it holds at the wanted accuracy",
    },
  })
    .requiredOption("--items <n>", "patterns to be stored", wholeNumber(1))
    .requiredOption("--inputs <n>", "binary inputs of a pattern", wholeNumber(1))
    .requiredOption("--active <n>", "active inputs of a pattern", wholeNumber(1))
    .option("--q <n>", "modules; 24 if not given", wholeNumber(1))
    .option("--k <n>", "cells a module; the fewest that do if not given", wholeNumber(2, MOST_CELLS))
    .option("--accuracy <share>", "winners that must come back", share, 0.97)
    .option("--freeze-at <density>", FREEZE_AT, freeze, 0.5)
    .action((options: PlanOptions) => {
      const plan = planField({ ...options, freezeAt: densityOfFreezing(options.freezeAt) });
      const { items } = options;
      const capacity = `holds ${formatMany(plan.capacity, "item")} at ${formatShare(options.accuracy)}`;
      const text = [
        `${plan.q} modules of ${plan.k} cells: ${formatCount(plan.weights)} weights, ${formatBytes(plan.bytes)}`,
        `with ${formatMany(plan.stored, "item")}: density ${formatShare(plan.density)}, ${formatShare(plan.accuracy)} of the winners come back`,
        ...(plan.stored < items
          ? [
              `it freezes then: the other ${formatCount(items - plan.stored)} will not be stored; leave out --k, or set --freeze-at`,
            ]
          : []),
        plan.freezesAfter === undefined
          ? `${capacity}; never freezes`
          : `${capacity}; freezes after ${formatCount(plan.freezesAfter)}`,
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
  freezeAt: Freeze;
  sequences?: boolean;
}

/** What a memory that exists has settled. */
const SETTLED = ["encoder", "inputs", "q", "k", "preset", "seed", "freezeAt"];

function learnCommand(): Command {
  return createCommand("learn", {
    summary: "store the lines of a file, each once, in a new memory or on top of one",
    examples: [
      "filigree sparsey learn notes.txt -o notes.mem",
      "filigree sparsey learn melodies.txt -o melodies.mem --encoder patterns --inputs 128 --sequences",
    ],
    keys: {
      items: "lines of the file",
      stored: "lines that were stored: all, unless the memory froze",
      classes: "classes in the memory",
      density: "share of weights that are 1, level by level",
      frozen: "share of frozen macs, level by level",
      uniqueCodes: "different codes of these lines",
      uniqueCodesOfMacs: "the same of each mac",
      familiarity: "how many lines had a familiarity in each tenth from 0 to 1",
      bytes: "size of the file",
    },
  })
    .argument("<file>", "one item a line, after a class and a tab where it has one; - is standard input")
    .requiredOption("-o, --output <file>", "where the memory goes")
    .option("--from <memory>", "go on with a saved memory; it knows its encoder and size")
    .option("--encoder <kind>", "text, or patterns: numbers of active inputs", choice(ENCODERS), "text")
    .option("--inputs <n>", "inputs of a pattern", wholeNumber(2, MOST_INPUTS), 2048)
    .option("--q <n>", "modules; 24 if not given", wholeNumber(1))
    .option("--k <n>", "cells a module; as many as this file needs if not given", wholeNumber(1, MOST_CELLS))
    .option("--freeze-at <density>", FREEZE_AT, freeze, 0.5)
    .option("--preset <name>", "constants", choice(Object.keys(PRESETS) as PresetName[]), "robust")
    .option("--seed <n>", "of all chance", wholeNumber(0), 0)
    .option("--sequences", "lines follow one another; an empty line begins a new sequence")
    .action(async (file: string, options: LearnOptions, command: Command) => {
      const { loadMemory, saveMemory } = await import("../runs/saved-memory.node.ts");
      const settled = SETTLED.find((name) => command.getOptionValueSource(name) === "cli");
      if (options.from && settled)
        throw new Problem(
          `learn: ${options.from} has settled its ${settled === "freezeAt" ? "freezing" : settled}; leave that option out with --from`,
        );
      await checkWritable(options.output, file);
      const earlier = options.from ? await loadMemory(options.from) : undefined;
      const { encoder, inputs } = earlier ? sourceOf(earlier) : options;
      const episodes = await readEpisodes(file, { encoder, inputs }, options.sequences === true);
      const memory = earlier ?? (await memoryFor(episodes, options));
      const items = episodes.reduce((sum, episode) => sum + episode.patterns.length, 0);
      const watch = watchLearning(memory);
      const progress = startProgress({ label: "storing", total: items, unit: "items" });
      for (const { patterns, label } of episodes) {
        memory.learnSequence(patterns, { label }).forEach(watch.add);
        const { seen, uniqueCodes, density, frozen } = watch.report();
        progress.update(
          seen,
          `${formatMany(uniqueCodes, "code")}, density ${density.map(significant).join(", ")}${frozen.some(Boolean) ? `, ${frozen.map(formatShare).join(", ")} frozen` : ""}`,
        );
      }
      progress.end();
      await saveMemory(options.output, memory);
      const { stored, uniqueCodes, uniqueCodesOfMacs, familiarity, density, frozen } = watch.report();
      const bytes = memory.toBytes().length;
      const classes = memory.labels.names;
      if (stored < items && frozen.some((some) => some > 0))
        note(
          `${formatCount(items - stored)} of ${formatMany(items, "item")} not stored: the memory is full and has frozen; store all of them in a new one with more cells (--k), or set --freeze-at`,
        );
      const text = [
        `${formatMany(stored, "item")} stored in ${basename(options.output)}, ${formatBytes(bytes)}`,
        `${formatMany(uniqueCodes, "different code")}; density ${density.map(formatShare).join(", ")}; frozen ${frozen.map(formatShare).join(", ")}`,
        ...(classes.length > 0 ? [`classes: ${classes.join(", ")}`] : []),
        "",
        "familiarity when it came  items",
        ...familiarity.map(
          (n, tenth) =>
            `${(tenth / 10).toFixed(1)} to ${((tenth + 1) / 10).toFixed(1)}  ${String(n).padStart(21)}`,
        ),
      ].join("\n");
      const codes = { uniqueCodes, uniqueCodesOfMacs };
      emit(options, { items, stored, classes, density, frozen, ...codes, familiarity, bytes }, text);
    });
}

/** A new memory with as many cells as these patterns need, were they random; similar ones need fewer. */
async function memoryFor(
  episodes: readonly Episode[],
  { encoder, inputs, q, k, preset, seed, freezeAt: freezing }: LearnOptions,
): Promise<Memory> {
  const freezeAt = densityOfFreezing(freezing);
  const { createMemory } = await import("../memory/memory.ts");
  const sizes = episodes.flatMap(({ patterns }) => patterns.map((pattern) => pattern.length));
  const mean = Math.round(sizes.reduce((a, b) => a + b, 0) / sizes.length);
  const active = Math.min(Math.max(1, mean), inputs - 1);
  const enough = () => planField({ items: sizes.length, inputs, active, freezeAt }).k;
  return createMemory({
    inputs,
    levels: [{ q, k: k ?? Math.max(FEWEST_CELLS, enough()) }],
    preset,
    seed,
    rules: { freezeAt },
    notes: { encoder },
  });
}

function recognizeCommand(): Command {
  return createCommand("recognize", {
    summary: "say how familiar the lines of a file are, and of which class",
    examples: ["filigree sparsey recognize notes.mem new-notes.txt"],
    keys: { items: "list of { line, familiarity, orderFamiliarity, label }" },
  })
    .argument("<memory>", "a saved memory")
    .argument("<file>", "one item a line, as for learn; - is standard input")
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
      const cue = parsePattern(pattern, "the pattern", memory.options.inputs);
      const frames = memory.recall(cue, { length: options.length }).map(({ active, frame }) => ({
        active,
        familiarity: frame.familiarity ?? null,
      }));
      if (frames.every(({ active }) => active.length === 0))
        note(`nothing comes back: familiarity ${(frames[0]?.familiarity ?? 0).toFixed(3)}`);
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
  return { memory, episodes: await readEpisodes(file, sourceOf(memory), sequences) };
}

function sourceOf({ options: { inputs, notes } }: Memory) {
  return { inputs, encoder: notes?.encoder };
}
