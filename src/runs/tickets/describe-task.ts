import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { hasModulus, isModular, SUBJECTS } from "../../sparsity/tickets/settings.ts";
import { formatMany } from "../format.ts";

/** Task and model of an experiment in a few words. */
export function describeTask({ task, p, model, blocks }: ExperimentSettings): string {
  const network = blocks ? `${model} of ${formatMany(blocks, "block")}` : model;
  return (
    [SUBJECTS[task], ...(hasModulus(task) ? [`p = ${p}`] : [])].join(", ") +
    (isModular(task) ? `; ${network}` : "")
  );
}
