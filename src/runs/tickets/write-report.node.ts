import { join } from "node:path";
import type { RunOutcome } from "../../sparsity/tickets/experiment.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { writeWhole } from "../files.node.ts";
import { analyzeMasks } from "./mask-analysis.node.ts";
import { ticketReport } from "./ticket-report.ts";
import { summarizeExperiment } from "./ticket-summary.ts";

/** Writes the page of an experiment, by default as `report.html` in its directory; returns its path. */
export async function writeReport(
  settings: ExperimentSettings,
  directory: string,
  outcomes: readonly RunOutcome[],
  path = join(directory, "report.html"),
): Promise<string> {
  const seeds = [...new Set(outcomes.map((o) => o.seed))].sort((a, b) => a - b);
  const analysis = await analyzeMasks(settings, directory, seeds);
  await writeWhole(path, ticketReport(settings, outcomes, summarizeExperiment(settings, outcomes), analysis));
  return path;
}
