/** grokking.md sections 4 and 5: the small setting with every control, over seeds, against the pass marks. */
import { join } from "node:path";
import { executeExperiment } from "../src/runs/tickets/experiment-pool.node.ts";
import { analyzeMasks } from "../src/runs/tickets/mask-analysis.node.ts";
import { summarizeExperiment } from "../src/runs/tickets/ticket-summary.ts";
import { writeReport } from "../src/runs/tickets/write-report.node.ts";
import { QUICK } from "../src/sparsity/tickets/settings.ts";
import { ROOT, writeResults } from "./support/results.ts";

const seeds = [0, 1, 2, 3, 4];
const directory = join(ROOT, "runs", "protocols", "tickets-quick");
const { outcomes } = await executeExperiment(QUICK, directory, {
  seeds,
  workers: 2,
  resume: true,
  onRun: ({ seed, name, times, steps }) =>
    console.log(`seed ${seed} ${name}: ${times.generalisedForGood ?? `not in ${steps}`}`),
});
const summary = summarizeExperiment(QUICK, outcomes);
console.log(await writeReport(QUICK, directory, outcomes));
await writeResults("tickets-quick", "npm run protocol -- tickets-quick", {
  settings: QUICK,
  seeds,
  ...summary,
  analysis: await analyzeMasks(QUICK, directory, seeds),
  stepsOfRuns: outcomes.reduce((a, o) => a + o.steps, 0),
});
