import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { TASKS } from "../../sparsity/tickets/tasks.ts";

/** Task and model of an experiment in a few words. */
export function describeTask({ task, p, model }: ExperimentSettings): string {
  return `${TASKS[task]}${task === "s5" ? "" : `, p = ${p}`}; ${model}`;
}
