import { cpus } from "node:os";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { Problem } from "../problem.ts";
import { formatSeconds } from "../runs/format.ts";
import type { PhaseCell } from "../runs/tickets/phase-diagram.ts";
import type { TicketSummary } from "../runs/tickets/ticket-summary.ts";
import { meanOf, summarizeExperiment } from "../runs/tickets/ticket-summary.ts";
import type { ExperimentSettings, SubjectName } from "../sparsity/tickets/settings.ts";
import {
  DIGITS,
  FULL,
  hasModulus,
  isModular,
  POLYNOMIAL,
  QUICK,
  SUBJECTS,
} from "../sparsity/tickets/settings.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, wholeNumber } from "./command.ts";
import { INTERRUPTED, onInterrupt } from "./interrupt.ts";
import { startLiveView } from "./live-view.ts";
import { note, startProgress } from "./progress.ts";
import { table } from "./table.ts";

const SWEEP_DECAYS = [0, 0.03, 0.1, 0.3, 1, 3];
const SWEEP_RATIOS = [0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9];

interface TicketOptions extends JsonOption {
  task: SubjectName;
  p?: number;
  model: ExperimentSettings["model"];
  blocks?: number;
  quick?: boolean;
  seeds: number;
  steps?: number;
  workers: number;
  runs: string;
  resume?: boolean;
  sweep?: boolean;
  watch?: boolean;
  ratios?: number[];
  decays?: number[];
}

/** For `.option`: numbers from `min` up to below `end`, with commas between them. */
function numbers(min: number, end: number): (text: string) => number[] {
  return (text) => {
    const values = text.split(",").map((t) => (t.trim() === "" ? Number.NaN : Number(t)));
    if (!values.every((v) => v >= min && v < end) || new Set(values).size < values.length)
      throw new InvalidArgumentError(
        `expected different numbers from ${min} to below ${end}, with commas between them`,
      );
    return values;
  };
}

export function ticketsCommand(): Command {
  return createCommand("tickets", {
    summary: "train a network that groks, find its ticket, and hold it against every control",
    examples: [
      "filigree tickets --quick",
      "filigree tickets --task modadd --p 67 --model mlp --seeds 3",
      "filigree tickets --quick --sweep --seeds 3",
    ],
    keys: {
      directory: "folder of the experiment: settings.json, seed-<n>/<run>.json, report.html",
      report: "path of the page",
      finished: "false where Ctrl-C stopped it; go on with --resume",
      seconds: "time this call has taken",
      runs: "[{ name, label, generalised, memorised, tau, bestTest, steps }], each a list over the seeds",
      verdicts: "[{ says, holds, of, because }]: in how many seeds a claim holds",
      diagram: "path of the phase diagram, with --sweep",
      cells:
        "with --sweep, instead of runs and verdicts: [{ ratio, decay, times, bestTest, median }], null: never",
    },
  })
    .option(
      "--task <name>",
      Object.entries(SUBJECTS)
        .map(([name, says]) => `${name}: ${says}`)
        .join("; "),
      choice(Object.keys(SUBJECTS) as SubjectName[]),
      "modadd",
    )
    .option("--p <n>", "modulus; 31 with --quick, else 67", wholeNumber(2, 1000))
    .option("--model <name>", "mlp or transformer", choice(["mlp", "transformer"]), "mlp")
    .option("--blocks <n>", "blocks of the transformer; 1 if not given", wholeNumber(1, 16))
    .option("--quick", "the small setting of the modular tasks: a minute or two on two cores")
    .option("--seeds <n>", "how many seeds, from 0", wholeNumber(1), 1)
    .option("--steps <n>", "limit of each run; that of the base changes by the same factor", wholeNumber(1))
    .option(
      "--workers <n>",
      "worker processes, each with a run at a time; as many as there are cores if not given",
      wholeNumber(1, 256),
      cpus().length,
    )
    .option(
      "--ratios <list>",
      "shares of weights that tickets lose; with --sweep 0 is the dense network",
      numbers(0, 1),
    )
    .option(
      "--sweep",
      "instead of the controls: tickets of every ratio under every weight decay, drawn as a phase diagram",
    )
    .option("--decays <list>", `weight decays of --sweep; ${SWEEP_DECAYS} if not given`, numbers(0, 1000))
    .option("--runs <folder>", "folder of the experiment's directory", "runs")
    .option("--watch", "show mask and spectrum of a network while it trains")
    .option("--resume", "go on with what is there")
    .action(async (options: TicketOptions) => {
      const settings = settingsOf(options);
      const directory = join(options.runs, directoryName(settings));
      const { executeExperiment, runCount } = await import("../runs/tickets/experiment-pool.node.ts");
      const seeds = Array.from({ length: options.seeds }, (_, i) => i);
      const started = performance.now();
      const interrupt = onInterrupt("stopping; what is done stays");
      const total = seeds.length * runCount(settings);
      const view = options.watch ? startLiveView(total) : undefined;
      const progress = view ?? startProgress({ label: "tickets", total, unit: "runs" });
      let done = 0;
      try {
        const { outcomes, finished } = await executeExperiment(settings, directory, {
          seeds,
          resume: options.resume,
          workers: options.workers,
          signal: interrupt.signal,
          onRun: ({ seed, name, times, steps, bestTest }) => {
            view?.over({ seed, name });
            const time = times.generalisedForGood;
            note(
              `seed ${seed}  ${name.padEnd(18)} ${time === undefined ? `not in ${steps} steps (best ${Math.round(100 * bestTest)} %)` : `generalises after ${time} steps`}`,
            );
            progress.update(++done);
          },
          onStep: ({ seed, name }, step) => progress.update(done, `seed ${seed} ${name}, step ${step}`),
          onSnapshot: view?.snapshot,
        });
        progress.end();
        const seconds = (performance.now() - started) / 1000;
        const found = { directory, finished, seconds };
        if (settings.sweep) {
          const { writeSweep } = await import("../runs/tickets/sweep-report.node.ts");
          const { phaseCells } = await import("../runs/tickets/phase-diagram.ts");
          const written = finished ? await writeSweep(settings, directory, outcomes) : undefined;
          const cells = phaseCells(settings, outcomes);
          emit(options, { ...found, ...written, cells }, sweepText(cells, seconds, written?.report));
        } else {
          const { writeReport } = await import("../runs/tickets/write-report.node.ts");
          const report = finished ? await writeReport(settings, directory, outcomes) : undefined;
          const summary = summarizeExperiment(settings, outcomes);
          emit(options, { ...found, report, ...summary }, textOf(summary, seconds, report));
        }
        if (finished) return;
        note(`stopped; go on by repeating the command with --resume`);
        process.exitCode = INTERRUPTED;
      } finally {
        progress.end();
        interrupt.dispose();
      }
    });
}

function directoryName({ task, p, model, blocks, sweep }: ExperimentSettings): string {
  return [
    "tickets",
    ...(sweep ? ["sweep"] : []),
    task,
    ...(hasModulus(task) ? [p] : []),
    model,
    ...(blocks ? [blocks] : []),
  ].join("-");
}

function settingsOf(options: TicketOptions): ExperimentSettings {
  const { task, p, model, blocks, quick, steps, ratios, sweep, decays } = options;
  if (decays && !sweep) throw new Problem("--decays is for --sweep; add it, or leave --decays away");
  if (!isModular(task) && model !== "mlp")
    throw new Problem(`task ${task} is for --model mlp; leave --model away`);
  if (blocks && model !== "transformer")
    throw new Problem("--blocks is for --model transformer; add it, or leave --blocks away");
  if (quick && !isModular(task))
    throw new Problem(
      `--quick is for the modular tasks, and ${task} has but one setting; leave --quick away`,
    );
  if (p !== undefined && !hasModulus(task))
    throw new Problem(`--p is for tasks with a modulus, and ${task} has none; leave --p away`);
  const presets = { mnist: DIGITS, polynomial: POLYNOMIAL };
  const preset = isModular(task) ? (quick ? QUICK : FULL) : presets[task];
  const widths = model === "transformer" ? { width: 128, hidden: 128 } : {};
  return {
    ...preset,
    task,
    model,
    p: p ?? preset.p,
    ...widths,
    // A network of one block is the same with and without.
    ...(blocks && blocks > 1 && { blocks }),
    ...(ratios && !sweep && { ratios: [...new Set([...ratios, preset.ratio])].sort((a, b) => a - b) }),
    ...(sweep && { sweep: { ratios: ratios ?? SWEEP_RATIOS, decays: decays ?? SWEEP_DECAYS } }),
    ...(steps && { steps, baseSteps: Math.round((steps * preset.baseSteps) / preset.steps) }),
  };
}

function sweepText(cells: readonly PhaseCell[], seconds: number, report: string | undefined): string {
  const ratios = [...new Set(cells.map((c) => c.ratio))];
  const decays = [...new Set(cells.map((c) => c.decay))];
  const cellOf = (ratio: number, decay: number) => cells.find((c) => c.ratio === ratio && c.decay === decay);
  return [
    "median steps until the network generalises for good",
    table(
      [
        { heading: "weight decay" },
        ...ratios.map((r) => ({
          heading: r === 0 ? "dense" : `${Math.round(100 * r)} %`,
          align: "right" as const,
        })),
      ],
      decays.map((decay) => [
        String(decay),
        ...ratios.map((ratio) => {
          const cell = cellOf(ratio, decay);
          return cell ? String(cell.median ?? "never") : "";
        }),
      ]),
    ),
    "",
    `${formatSeconds(seconds)}${report ? `; ${report}` : ""}`,
  ].join("\n");
}

function textOf({ runs, verdicts }: TicketSummary, seconds: number, report: string | undefined): string {
  const right = (heading: string) => ({ heading, align: "right" as const });
  const show = (values: readonly (number | null)[], digits: number) => {
    const m = meanOf(values);
    return m
      ? m.mean.toFixed(digits) + (m.count < values.length ? ` (${m.count} of ${values.length})` : "")
      : "never";
  };
  return [
    table(
      [{ heading: "run" }, right("memorised"), right("generalised"), right("τ"), right("best test, %")],
      runs.map((r) => [
        r.label,
        show(r.memorised, 0),
        show(r.generalised, 0),
        show(r.tau, 1),
        show(
          r.bestTest.map((v) => 100 * v),
          0,
        ),
      ]),
    ),
    "",
    ...verdicts.map(({ says, holds, of }) => `${holds === of ? "✓" : "✗"} ${says} (${holds} of ${of})`),
    "",
    `${formatSeconds(seconds)}${report ? `; ${report}` : ""}`,
  ].join("\n");
}
