import { join } from "node:path";
import type { RunOutcome } from "../../sparsity/tickets/experiment.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { writeWhole } from "../files.node.ts";
import { formatMany } from "../format.ts";
import { html } from "../report/html.ts";
import { htmlTable, page } from "../report/page.ts";
import { svgFile } from "../report/plot-svg.ts";
import { describeTask } from "./describe-task.ts";
import type { PhaseCell } from "./phase-diagram.ts";
import { phaseCells, phaseDiagram } from "./phase-diagram.ts";

/** Writes `phase-diagram.svg` in the directory of a sweep, and by default there `report.html`; returns their paths. */
export async function writeSweep(
  settings: ExperimentSettings,
  directory: string,
  outcomes: readonly RunOutcome[],
  report = join(directory, "report.html"),
): Promise<{ report: string; diagram: string }> {
  const diagram = join(directory, "phase-diagram.svg");
  const cells = phaseCells(settings, outcomes);
  const drawing = phaseDiagram(cells);
  await writeWhole(diagram, svgFile(drawing));
  const bases = outcomes.filter((o) => o.name === "base");
  await writeWhole(
    report,
    page({
      title: "Grokking tickets: phase diagram",
      subtitle: `${describeTask(settings)}; ${formatMany(bases.length, "seed")}`,
      sections: [
        {
          heading: "When tickets generalise, by their size and weight decay",
          note: `Steps until the network generalises for good, median of the seeds: the stronger the colour, the sooner. ×: never in ${settings.steps} steps, in most seeds. "2 of 3": in the others never. Tickets are of base networks trained with weight decay ${settings.weightDecay}, which generalised after ${bases.map((o) => o.times.generalisedForGood ?? "never").join(", ")} steps.`,
          content: html`<figure>${drawing}</figure>`,
        },
        { heading: "Every seed", content: cellTable(cells) },
        { heading: "Settings", content: html`<pre>${JSON.stringify(settings, undefined, 1)}</pre>` },
      ],
    }),
  );
  return { report, diagram };
}

function cellTable(cells: readonly PhaseCell[]) {
  const number = (heading: string) => ({ heading, align: "right" as const });
  return htmlTable({
    columns: [
      number("pruned, %"),
      number("weight decay"),
      number("generalises for good after, each seed"),
      number("best test accuracy, %"),
    ],
    rows: cells.map(({ ratio, decay, times, bestTest }) => [
      Math.round(100 * ratio),
      decay,
      times.map((t) => t ?? "never").join(", "),
      bestTest.map((v) => Math.round(100 * v)).join(", "),
    ]),
  });
}
