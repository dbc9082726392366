/**
 * When tickets of the small setting generalise, by the share of weights that is pruned and by weight decay: the median of
 * three seeds as a phase diagram. Goes on where it was stopped.
 *
 * usage: tickets-sweep.js [worker processes, default 2]
 */
import { join } from "node:path";
import { executeExperiment } from "../src/runs/tickets/experiment-pool.node.ts";
import { phaseCells, phaseDiagram } from "../src/runs/tickets/phase-diagram.ts";
import type { ExperimentSettings } from "../src/sparsity/tickets/settings.ts";
import { QUICK } from "../src/sparsity/tickets/settings.ts";
import { writeFigure } from "./support/figures.ts";
import { ROOT, writeResults } from "./support/results.ts";

const settings: ExperimentSettings = {
  ...QUICK,
  sweep: { ratios: [0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9], decays: [0, 0.03, 0.1, 0.3, 1, 3] },
};
const seeds = [0, 1, 2];
const { outcomes } = await executeExperiment(settings, join(ROOT, "runs", "protocols", "tickets-sweep"), {
  seeds,
  workers: Number(process.argv[2] ?? 2),
  resume: true,
  onRun: ({ seed, name, times, steps }) =>
    console.log(`seed ${seed} ${name}: ${times.generalisedForGood ?? `not in ${steps}`}`),
});
const cells = phaseCells(settings, outcomes);
await writeFigure("tickets-phase-diagram", phaseDiagram(cells));
await writeResults("tickets-sweep", "npm run protocol -- tickets-sweep", { settings, seeds, cells });
