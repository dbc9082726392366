import { Problem } from "../problem.ts";
import type { GraphTrainingOptions } from "./train-graph.ts";

/** Throws a `Problem` where the parts of a training do not fit together. */
export function checkTraining(options: GraphTrainingOptions): void {
  const { features, adjacency, task, model, width = 16, convolutions, dropout = 0 } = options;
  const nodes = adjacency.rows;
  const refuse = (reason: string) => {
    throw new Problem(`trainGraph: ${reason}`);
  };
  if (!["gcn", "hgcn", "hybonet"].includes(model))
    refuse(`there is no model "${model}"; take gcn, hgcn or hybonet`);
  const least = model === "hybonet" ? 2 : 1;
  if (!(Number.isInteger(width) && width >= least))
    refuse(`the width of ${model} is ${width}; take a whole number of at least ${least}`);
  if (!(Number.isInteger(convolutions) && convolutions >= 0))
    refuse(`there are ${convolutions} convolutions; take a whole number`);
  if (!(dropout >= 0 && dropout < 1)) refuse(`dropout is ${dropout}; take a share of at least 0 and below 1`);
  if (features.shape[0] !== nodes)
    refuse(`features are of ${features.shape[0]} nodes, the adjacency is of ${nodes}`);

  const parts = "links" in task ? task.links : task.nodes;
  for (const [part, ids] of Object.entries(parts) as [string, Uint32Array][]) {
    if (ids.length === 0)
      refuse(
        `${part} is empty; every part needs ${"links" in task ? "a pair" : "a node"}, so the graph may be too small`,
      );
    const beyond = ids.find((id) => id >= nodes);
    if (beyond !== undefined) refuse(`${part} has node ${beyond}; there are ${nodes}, from 0`);
  }
  if ("links" in task) return;
  const { labels, classes } = task;
  if (labels.length !== nodes) refuse(`there are ${labels.length} labels for ${nodes} nodes`);
  for (const ids of Object.values(task.nodes) as Uint32Array[]) {
    const node = ids.find((id) => !(labels[id] >= 0 && labels[id] < classes));
    if (node !== undefined)
      refuse(
        `node ${node} has the label ${labels[node]}; with ${classes} classes labels are 0 to ${classes - 1}`,
      );
  }
}
