import { cpus } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { formatSeconds } from "../runs/format.ts";
import type { TicketSummary } from "../runs/tickets/ticket-summary.ts";
import { meanOf, summarizeExperiment } from "../runs/tickets/ticket-summary.ts";
import type { ExperimentSettings } from "../sparsity/tickets/experiment.ts";
import { FULL, QUICK } from "../sparsity/tickets/experiment.ts";
import type { TaskName } from "../sparsity/tickets/tasks.ts";
import { TASKS } from "../sparsity/tickets/tasks.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, wholeNumber } from "./command.ts";
import { INTERRUPTED, onInterrupt } from "./interrupt.ts";
import { note, startProgress } from "./progress.ts";
import { table } from "./table.ts";

interface TicketOptions extends JsonOption {
  task: TaskName;
  p?: number;
  model: ExperimentSettings["model"];
  quick?: boolean;
  seeds: number;
  steps?: number;
  processes: number;
  runs: string;
  resume?: boolean;
}

export function ticketsCommand(): Command {
  return createCommand("tickets", {
    summary: "train a network that groks, find its ticket, and hold it against every control",
    examples: ["filigree tickets --quick", "filigree tickets --task modadd --p 67 --model mlp --seeds 3"],
    keys: {
      directory: "folder of the experiment: settings.json, seed-<n>/<run>.json, report.html",
      report: "path of the page",
      finished: "false where Ctrl-C stopped it; go on with --resume",
      seconds: "time this call has taken",
      runs: "[{ name, label, generalised, memorised, tau, bestTest, steps }], each a list over the seeds",
      verdicts: "[{ says, holds, of, because }]: in how many seeds a claim holds",
    },
  })
    .option(
      "--task <name>",
      Object.entries(TASKS)
        .map(([name, says]) => `${name}: ${says}`)
        .join("; "),
      choice(Object.keys(TASKS) as TaskName[]),
      "modadd",
    )
    .option("--p <n>", "modulus; 31 with --quick, else 67", wholeNumber(2, 1000))
    .option("--model <name>", "mlp or transformer", choice(["mlp", "transformer"]), "mlp")
    .option("--quick", "the small setting: a minute or two on two cores")
    .option("--seeds <n>", "how many seeds, from 0", wholeNumber(1), 1)
    .option(
      "--steps <n>",
      "limit of each run; the base has 2.5 times as many, 3.5 with --quick",
      wholeNumber(1),
    )
    .option(
      "--processes <n>",
      "runs at a time; as many as there are cores if not given",
      wholeNumber(1, 256),
      cpus().length,
    )
    .option("--runs <folder>", "folder of the experiment's directory", "runs")
    .option("--resume", "go on with what is there")
    .action(async (options: TicketOptions) => {
      const settings = settingsOf(options);
      const directory = join(
        options.runs,
        `tickets-${settings.task}${settings.task === "s5" ? "" : `-${settings.p}`}-${settings.model}`,
      );
      const { executeExperiment, runCount } = await import("../runs/tickets/experiment-pool.node.ts");
      const { writeReport } = await import("../runs/tickets/write-report.node.ts");
      const seeds = Array.from({ length: options.seeds }, (_, i) => i);
      const started = performance.now();
      const interrupt = onInterrupt("stopping; what is done stays");
      const progress = startProgress({
        label: "tickets",
        total: seeds.length * runCount(settings),
        unit: "runs",
      });
      let done = 0;
      try {
        const { outcomes, finished } = await executeExperiment(settings, directory, {
          seeds,
          resume: options.resume,
          processes: options.processes,
          signal: interrupt.signal,
          onRun: ({ seed, name, times, steps, bestTest }) => {
            const time = times.generalisedForGood;
            note(
              `seed ${seed}  ${name.padEnd(18)} ${time === undefined ? `not in ${steps} steps (best ${Math.round(100 * bestTest)} %)` : `generalises after ${time} steps`}`,
            );
            progress.update(++done);
          },
          onStep: ({ seed, name }, step) => progress.update(done, `seed ${seed} ${name}, step ${step}`),
        });
        progress.end();
        const seconds = (performance.now() - started) / 1000;
        const summary = summarizeExperiment(settings, outcomes);
        const report = finished ? await writeReport(settings, directory, outcomes) : undefined;
        emit(options, { directory, report, finished, seconds, ...summary }, textOf(summary, seconds, report));
        if (finished) return;
        note(`stopped; go on by repeating the command with --resume`);
        process.exitCode = INTERRUPTED;
      } finally {
        progress.end();
        interrupt.dispose();
      }
    });
}

function settingsOf({ task, p, model, quick, steps }: TicketOptions): ExperimentSettings {
  const preset = quick ? QUICK : FULL;
  const widths = model === "transformer" ? { width: 128, hidden: 128 } : {};
  return {
    ...preset,
    task,
    model,
    p: p ?? preset.p,
    ...widths,
    ...(steps && { steps, baseSteps: Math.round((steps * preset.baseSteps) / preset.steps) }),
  };
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
