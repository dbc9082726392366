import type { ValueType } from "../engine/graph.ts";
import type { Shape } from "../engine/tensor.ts";
import type { Cost } from "../sparsity/accounting.ts";
import { accountModel } from "../sparsity/accounting.ts";
import { lookForGroups } from "../sparsity/groups/kinds.ts";
import { loadModel } from "./load-model.node.ts";

export interface CostSummary {
  parameters: number;
  /** Share of the parameters that are exactly zero. */
  sparsity: number;
  /** Multiply-accumulates for one sample. */
  macs: number;
  /** Memory of the weights. */
  bytes: number;
}

export interface LayerInspection extends CostSummary {
  name: string;
  op: string;
  /** Of the output, for one sample. */
  shape: Shape;
  /** Filters or neurons to choose among; null where the layer cannot shrink. */
  groups: number | null;
  /** The layer whose choice this one follows, e.g. behind a residual sum. */
  sharedWith: string | null;
}

export interface ModelInspection {
  fileBytes: number;
  inputs: (ValueType & { name: string })[];
  outputs: (ValueType & { name: string })[];
  layers: LayerInspection[];
  total: CostSummary;
}

/** What an .onnx file holds, layer by layer. `dimensions` are the lengths of open dimensions other than the batch. */
export async function inspectFile(
  path: string,
  dimensions?: Readonly<Record<string, number>>,
): Promise<ModelInspection> {
  const { graph, bytes } = await loadModel(path, { dimensions });
  const { layers, total } = accountModel(graph);
  const groups = new Map(
    lookForGroups(graph, "filter").sets.flatMap(({ name, layers: members, partition }) =>
      members.map((member) => [
        member,
        { groups: partition.groups, sharedWith: member === name ? null : name },
      ]),
    ),
  );
  const typed = (name: string) => ({ name, ...graph.types.get(name)! });
  return {
    fileBytes: bytes,
    inputs: graph.inputs.map(typed),
    outputs: graph.outputs.map(typed),
    layers: layers.map(({ name, op, outputShape, ...cost }) => ({
      name,
      op,
      shape: outputShape,
      ...summary(cost),
      ...(groups.get(name) ?? { groups: null, sharedWith: null }),
    })),
    total: summary(total),
  };
}

function summary({ parameters, nonZeros, macs, bytes }: Cost): CostSummary {
  return { parameters, sparsity: parameters ? 1 - nonZeros / parameters : 0, macs, bytes };
}
