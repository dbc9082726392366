import type { Graph } from "../engine/graph.ts";
import { exportModel } from "../engine/onnx/export.ts";
import { decodeModel } from "../engine/onnx/proto.ts";
import { Problem } from "../problem.ts";
import type { StepperConfig } from "./config.ts";
import type { Setting } from "./setting.ts";
import type { StepperSize } from "./stepper.ts";
import { stepper } from "./stepper.ts";

/** Entry of the file's metadata that holds, as JSON, all that a rollout needs beside the network. */
const KEY = "filigree.giorom";

export interface StepperDescription {
  config: StepperConfig;
  setting: Setting;
}

/** Any small size: the file leaves lengths open that depend on the particles, and no constant in it does. */
const SIZE: StepperSize = { windows: 1, points: 2, edges: 3, degree: 4, pairs: 5, perPoint: 6, perNode: 7 };

/** Names of open dimensions by the input's own name; the rest are as in the graph. */
const OPEN: Readonly<Record<string, readonly string[]>> = {
  features: ["points"],
  types: ["points"],
  positions: ["points"],
  incoming: ["points", "degree"],
  senders: ["edges"],
  receivers: ["edges"],
  messageWeights: ["edges"],
  edges: ["edges"],
  pairPoints: ["pairs"],
  pairNodes: ["pairs"],
  encodeWeights: ["pairs"],
  decodeWeights: ["pairs"],
  pairGeometry: ["pairs"],
  pairPlaces: ["pairs"],
  pointPairs: ["points", "per_point"],
  waves: ["points"],
  shares: ["points"],
  accelerations: ["points"],
};

/**
 * A time stepper as an .onnx file of standard operators, for any number of particles, edges and pairs. `trained` is any graph
 * with the network's parameters.
 */
export function exportStepper(trained: Graph, { config, setting }: StepperDescription): Uint8Array {
  const graph = stepper(config, SIZE);
  for (const name of graph.parameters.keys()) graph.parameters.set(name, trained.parameters.get(name)!);
  const dimensions = Object.fromEntries(
    [...graph.inputs, ...graph.outputs].map((name) => {
      const { shape } = graph.types.get(name)!;
      const open = name === "nodePairs" ? [shape[0], "per_node"] : (OPEN[name] ?? []);
      return [name, shape.map((length, axis) => open[axis] ?? length)];
    }),
  );
  return exportModel(graph, { dimensions, metadata: { [KEY]: JSON.stringify({ config, setting }) } });
}

/** What an .onnx file says of the stepper in it; a `Problem` for other files. */
export function describeStepper(bytes: Uint8Array): StepperDescription {
  const text = decodeModel(bytes).metadata[KEY];
  if (text === undefined)
    throw new Problem("not a particle simulator: its metadata have no entry filigree.giorom");
  return JSON.parse(text) as StepperDescription;
}
