import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { hasModulus, isModular, SUBJECTS } from "../../sparsity/tickets/settings.ts";

/** Task and model of an experiment in a few words. */
export function describeTask({ task, p, model }: ExperimentSettings): string {
  return (
    [SUBJECTS[task], ...(hasModulus(task) ? [`p = ${p}`] : [])].join(", ") +
    (isModular(task) ? `; ${model}` : "")
  );
}
