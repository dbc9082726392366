import type { Graph } from "../engine/graph.ts";
import { initializer } from "../engine/graph.ts";
import { sizeOf } from "../engine/tensor.ts";
import type { Id } from "./channels/atoms.ts";
import type { Flow } from "./channels/flow.ts";
import { traceFlow } from "./channels/flow.ts";
import type { Kept } from "./channels/kept.ts";
import { keptWithout } from "./channels/kept.ts";
import type { Known } from "./channels/known.ts";
import { knownNumbers } from "./channels/known.ts";
import type { TracedStream } from "./channels.ts";
import { streamsOf } from "./channels.ts";
import { layerName } from "./layers.ts";
import { emptyAxes, withoutChannels } from "./shrink.ts";
import { shrinkBranches } from "./shrink-branches.ts";

export interface RemovedChannels {
  stream: string;
  /** How many channels the stream had. */
  count: number;
  /** Which of them went. */
  channels: readonly number[];
}

/** A channel whose filter is all zeros, but which stays. */
export interface StayingChannel {
  stream: string;
  channel: number;
  reason: string;
}

export interface ZeroShrinkResult {
  graph: Graph;
  /** Sums that lost a term which was always zero, by the names of their results. */
  branches: readonly string[];
  removed: readonly RemovedChannels[];
  stayed: readonly StayingChannel[];
  /** Which indices of the original's values stayed. */
  kept: Kept;
}

/**
 * Removes residual branches that are always zero (`shrinkBranches`), then every channel that no output depends on: wherever a node sums over the channel, the channel is exactly zero
 * there (zero filter, and everything on the way makes zeros of it) or the weights that read it are. The function stays
 * the same to rounding. At least one channel of every stream stays.
 */
export function shrinkZeros(original: Graph): ZeroShrinkResult {
  const { graph, removed: branches } = shrinkBranches(original);
  const flow = traceFlow(graph);
  const streams = streamsOf(flow);
  const candidates = new Set(streams.flatMap((s) => (s.blocked === undefined ? s.atoms : [])));
  let removed = new Set<Id>();
  let needs: Map<Id, string>;
  // What reads removed channels only becomes zero itself: go on until nothing new falls.
  for (let before = -1; ; ) {
    const known = knownNumbers(flow, keptWithout(flow, removed));
    needs = neededAtoms(flow, known);
    removed = new Set([...candidates].filter((atom) => removed.has(atom) || !needs.has(atom)));
    spareOneOfEach(flow, streams, removed);
    if (removed.size <= before) break;
    before = removed.size;
  }
  const kept = keptWithout(flow, removed);
  return {
    graph: withoutChannels(flow, kept),
    kept,
    branches,
    removed: streams.flatMap(({ name, count, atoms }) => {
      const channels = atoms.flatMap((atom, i) => (removed.has(atom) ? [i] : []));
      return channels.length ? [{ stream: name, count, channels }] : [];
    }),
    stayed: streams.flatMap((stream) =>
      stream.atoms.flatMap((atom, channel) => {
        if (removed.has(atom) || !hasZeroFilter(flow, stream, channel)) return [];
        const reason = stream.blocked ?? needs.get(atom) ?? "it is the last one of an axis";
        return [{ stream: stream.name, channel, reason }];
      }),
    ),
  };
}

/** Atoms whose removal would change a sum, with the first reason. */
function neededAtoms({ graph, atoms, contractions }: Flow, known: Known): Map<Id, string> {
  const needs = new Map<Id, string>();
  for (const { node, factors, ids } of contractions)
    for (const atom of new Set(ids.flatMap((id) => atoms.free(id)))) {
      const numbers = factors.map(({ input, axis }) => known.along(node.inputs[input], axis, atom));
      if (numbers.includes(0) || needs.has(atom)) continue;
      const reader = `${node.op} "${layerName(graph, node)}"`;
      const [constant] = numbers.filter((n) => n !== undefined);
      needs.set(
        atom,
        constant === undefined
          ? `${reader} reads changing values there`
          : `${reader} reads ${constant} there, not 0`,
      );
    }
  return needs;
}

/** Gives back one channel of every stream and of every axis that would lose all. */
function spareOneOfEach(flow: Flow, streams: readonly TracedStream[], removed: Set<Id>): void {
  for (const { atoms } of streams) if (atoms.every((atom) => removed.has(atom))) removed.delete(atoms[0]);
  for (;;) {
    const empty = emptyAxes(flow, keptWithout(flow, removed));
    if (empty.length === 0) return;
    for (const { value, axis } of empty)
      for (const atom of flow.atoms.free(flow.axes.get(value)![axis][0])) removed.delete(atom);
  }
}

/** Whether a weight that writes the channel is all zeros there. */
function hasZeroFilter({ graph }: Flow, { members }: TracedStream, channel: number): boolean {
  return members.some(({ name, axis, role, positions }) => {
    const { shape, data } = initializer(graph, name)!;
    if (role !== "writer" || data.length === shape[axis] || positions[channel].length === 0) return false;
    const inner = sizeOf(shape.slice(axis + 1));
    for (let row = 0; row < data.length; row += shape[axis] * inner)
      for (const p of positions[channel])
        for (let i = 0; i < inner; i++) if (data[row + p * inner + i] !== 0) return false;
    return true;
  });
}
