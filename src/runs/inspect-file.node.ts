import type { ValueType } from "../engine/graph.ts";
import type { Shape } from "../engine/tensor.ts";
import type { Cost } from "../sparsity/accounting.ts";
import { accountModel } from "../sparsity/accounting.ts";
import { peakActivationBytes } from "../sparsity/activations.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import { findGroups, lookForGroups } from "../sparsity/groups/kinds.ts";
import { createLedger } from "../sparsity/groups/ledger.ts";
import { groupSizes } from "../sparsity/groups.ts";
import { measureLayers } from "./layer-latency.ts";
import { loadModelFile } from "./load-model.node.ts";

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
  /** Milliseconds of the layer alone, see `measureLayers`; null where they were not asked for. */
  latencyMs: number | null;
}

export interface ModelInspection {
  fileBytes: number;
  inputs: (ValueType & { name: string })[];
  outputs: (ValueType & { name: string })[];
  layers: LayerInspection[];
  total: CostSummary;
  /** The most memory that values of one sample take at once. */
  activationBytes: number;
}

export interface SetInspection {
  name: string;
  /** Layers that lose something with a group. */
  layers: readonly string[];
  groups: number;
  /** Weights of a group: the least and the most. */
  weights: readonly [number, number];
  /** What the network saves when one group goes and all others stay: the least and the most. */
  parameters: readonly [number, number];
  macs: readonly [number, number];
  /** Whether a zero group leaves the file: channels, heads and branches do, patterns of single weights stay as zeros. */
  removable: boolean;
  /** Names of the groups, where they have any. */
  names?: readonly string[];
}

/** The groups of a kind in an .onnx file, set by set. Throws a `Problem` where there are none. */
export async function inspectGroups(
  path: string,
  kind: GroupChoice,
  dimensions?: Readonly<Record<string, number>>,
): Promise<SetInspection[]> {
  const { graph } = await loadModelFile(path, { dimensions });
  const sets = findGroups(graph, kind);
  const ledgers = {
    parameters: createLedger(graph, sets, "parameters"),
    macs: createLedger(graph, sets, "macs"),
  };
  let start = 0;
  return sets.map(({ name, layers, partition, stream, branches }) => {
    const own = Array.from({ length: partition.groups }, (_, j) => start + j);
    start += partition.groups;
    const saved = (measure: keyof typeof ledgers) =>
      range(
        own.map((j) => {
          const ledger = ledgers[measure];
          const before = ledger.cost();
          ledger.remove(j);
          const after = ledger.cost();
          ledger.restore(j);
          return before - after;
        }),
      );
    return {
      name,
      layers,
      groups: partition.groups,
      weights: range([...groupSizes(partition)]),
      parameters: saved("parameters"),
      macs: saved("macs"),
      removable: stream !== undefined || branches !== undefined,
      ...(branches && { names: branches.map((b) => b.name) }),
    };
  });
}

function range(values: readonly number[]): [number, number] {
  return values.reduce(
    ([low, high], v) => [Math.min(low, v), Math.max(high, v)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

export interface InspectFileOptions {
  /** Lengths of open dimensions other than the batch. */
  dimensions?: Readonly<Record<string, number>>;
  /** Samples a run that every layer is timed at; by default none is. */
  latencyBatch?: number;
}

/** What an .onnx file holds, layer by layer. */
export async function inspectFile(
  path: string,
  { dimensions, latencyBatch }: InspectFileOptions = {},
): Promise<ModelInspection> {
  const { graph, bytes } = await loadModelFile(path, { dimensions });
  const { layers, total } = accountModel(graph);
  const times = latencyBatch === undefined ? undefined : await measureLayers(graph, latencyBatch);
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
    layers: layers.map(({ name, op, outputShape, ...cost }, i) => ({
      name,
      op,
      shape: outputShape,
      ...summary(cost),
      ...(groups.get(name) ?? { groups: null, sharedWith: null }),
      latencyMs: times ? times[i] : null,
    })),
    total: summary(total),
    activationBytes: peakActivationBytes(graph),
  };
}

function summary({ parameters, nonZeros, macs, bytes }: Cost): CostSummary {
  return { parameters, sparsity: parameters ? 1 - nonZeros / parameters : 0, macs, bytes };
}
