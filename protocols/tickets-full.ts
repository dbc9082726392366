/**
 * grokking.md section 2: the published configurations, each with every control that its verdicts need, over three seeds.
 * Every part goes on where it was stopped, and leaves its figures in docs/results/tickets-full.json beside those of the
 * others.
 *
 * usage: tickets-full.js [part, default all] [worker processes, default 1]
 */
import { join } from "node:path";
import { executeExperiment } from "../src/runs/tickets/experiment-pool.node.ts";
import { analyzeMasks } from "../src/runs/tickets/mask-analysis.node.ts";
import { summarizeExperiment } from "../src/runs/tickets/ticket-summary.ts";
import { writeReport } from "../src/runs/tickets/write-report.node.ts";
import type { ExperimentSettings } from "../src/sparsity/tickets/settings.ts";
import { FULL } from "../src/sparsity/tickets/settings.ts";
import { earlierResults, ROOT, writeResults } from "./support/results.ts";

/** A control is given up at ten times the ticket's time: every verdict is decided by then. */
const PARTS: Record<string, ExperimentSettings> = {
  mlp: { ...FULL, giveUp: { times: 10, least: 4000 } },
};

const chosen = process.argv[2] && process.argv[2] !== "all" ? [process.argv[2]] : Object.keys(PARTS);
const workers = Number(process.argv[3] ?? 1);
const seeds = [0, 1, 2];
for (const part of chosen) {
  const settings = PARTS[part];
  const directory = join(ROOT, "runs", "protocols", `tickets-full-${part}`);
  const { outcomes } = await executeExperiment(settings, directory, {
    seeds,
    workers,
    resume: true,
    onRun: ({ seed, name, times, steps, seconds }) =>
      console.log(
        `${part} seed ${seed} ${name}: ${times.generalisedForGood ?? `not in ${steps}`}, ${seconds.toFixed(0)} s`,
      ),
  });
  console.log(await writeReport(settings, directory, outcomes));
  const { parts = {} } = (await earlierResults<{ parts: Record<string, object> }>("tickets-full")) ?? {};
  parts[part] = {
    settings,
    seeds,
    ...summarizeExperiment(settings, outcomes),
    analysis: await analyzeMasks(settings, directory, seeds),
    steps: outcomes.reduce((a, o) => a + o.steps, 0),
    seconds: outcomes.reduce((a, o) => a + o.seconds, 0),
  };
  await writeResults("tickets-full", "npm run protocol -- tickets-full", { parts });
}
