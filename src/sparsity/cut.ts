import type { Graph } from "../engine/graph.ts";
import { initializer } from "../engine/graph.ts";
import { keptPart } from "./channels/kept.ts";
import type { GroupPartition } from "./groups.ts";
import { forEachRun, nominalSizes, zeroGroups } from "./groups.ts";
import type { KAnnealOptions } from "./k-anneal.ts";
import { shrinkZeros } from "./shrink-zeros.ts";

/** A network without what is dead for good. */
export interface Cut {
  graph: Graph;
  /** Where each element of its parameters, and of its constants that training changes, stood in the original. */
  origins: ReadonlyMap<string, Int32Array>;
}

/** Which groups of each layer live, 1 or 0 each; undefined: all. */
export type Living = readonly (ArrayLike<number> | undefined)[];

/**
 * Takes out of a network what these dead groups leave without influence for good, and nothing else: its weights do not
 * matter, a group that merely happens to be zero stays. The result has arrays of its own, filled with 0; `gather` fills them.
 */
export function cutDead(original: Graph, layers: KAnnealOptions["layers"], living: Living): Cut {
  // Nothing may follow from the numbers that training goes on to change.
  const pattern = {
    ...original,
    parameters: new Map(
      [...original.parameters].map(([name, t]) => [name, { ...t, data: t.data.map(() => Number.NaN) }]),
    ),
  };
  const arrays = Object.fromEntries([...pattern.parameters].map(([name, t]) => [name, t.data]));
  layers.forEach(({ partition }, i) => {
    if (living[i]) zeroGroups(partition, arrays, Uint8Array.from(living[i]));
  });
  const { graph, kept } = shrinkZeros(pattern);
  const origins = new Map<string, Int32Array>();
  const own = (tensors: Graph["parameters"] | Graph["constants"], name: string) => {
    const { shape, data } = initializer(original, name)!;
    const places = keptPart({ dtype: "int32", shape, data: indices(data.length) }, name, kept);
    origins.set(name, places.data as Int32Array);
    tensors.set(name, { dtype: "float32", shape: places.shape, data: new Float32Array(places.data.length) });
  };
  for (const name of graph.parameters.keys()) own(graph.parameters, name);
  for (const { op, inputs } of graph.nodes)
    if (op === "BatchNormalization") for (const name of inputs.slice(3, 5)) own(graph.constants, name);
  return { graph, origins };
}

function indices(length: number): Int32Array {
  const all = new Int32Array(length);
  for (let i = 0; i < length; i++) all[i] = i;
  return all;
}

/** Copies to an array of the smaller network its elements of the original's. */
export function gather(from: Float32Array, origin: Int32Array, to: Float32Array): void {
  for (let i = 0; i < origin.length; i++) to[i] = from[origin[i]];
}

/** The reverse; what was taken out is 0. */
export function scatter(from: Float32Array, origin: Int32Array, to: Float32Array): void {
  to.fill(0);
  for (let i = 0; i < origin.length; i++) to[origin[i]] = from[i];
}

/** The same groups under the same numbers, with those of their weights that stayed. */
export function cutPartition(partition: GroupPartition, { origins }: Cut): GroupPartition {
  const labels = new Map<string, Int32Array>();
  for (const part of partition.parts) {
    const origin = origins.get(part.parameter);
    if (!origin) continue;
    let own = labels.get(part.parameter);
    if (!own) labels.set(part.parameter, (own = new Int32Array(1 + (origin.at(-1) ?? -1)).fill(-1)));
    forEachRun(part, partition.groups, (j, from, to) => own.fill(j, from, to));
  }
  const parts = [...labels].map(([parameter, own]) => ({
    parameter,
    labels: origins.get(parameter)!.map((place) => own[place]),
  }));
  return { groups: partition.groups, parts, nominalSizes: nominalSizes(partition) };
}
