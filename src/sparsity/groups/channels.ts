import { neededNodes } from "../../engine/evaluate.ts";
import type { Graph, Node } from "../../engine/graph.ts";
import { consumers, initializer, producers } from "../../engine/graph.ts";
import { normalizeAxis, numberAttribute } from "../../engine/operators/operator.ts";
import type { Flow } from "../channels/flow.ts";
import type { ChannelMember, TracedStream } from "../channels.ts";
import { streamPartition } from "../channels.ts";
import { layerName } from "../layers.ts";
import type { GroupSet } from "./group-set.ts";
import { nameApart } from "./group-set.ts";

/** Streams that can lose channels, in graph order; of those that cut the same axes another way the first. */
function choose(streams: readonly TracedStream[]): TracedStream[] {
  const chosen = new Set<string>();
  return streams.filter(({ name, blocked, crosses }) => {
    if (blocked !== undefined || crosses.some((other) => chosen.has(other))) return false;
    chosen.add(name);
    return true;
  });
}

function setsOf(
  { graph }: Flow,
  streams: readonly TracedStream[],
  members: "writers" | "readers" | "all",
): GroupSet[] {
  const without = members === "all" ? sharedSlices(streams) : undefined;
  const sets = streams.flatMap((stream) => {
    const partition = streamPartition(graph, stream, { members, without });
    if (partition.parts.length === 0) return [];
    return [{ name: stream.layers[0] ?? stream.name, layers: stream.layers, partition, stream: stream.name }];
  });
  return nameApart(sets);
}

/**
 * Slices that groups of filters with their readers cannot have, for groups are disjoint: what a layer's filters are made of
 * belongs to these, and what several streams read to the first.
 */
function sharedSlices(streams: readonly TracedStream[]): Set<ChannelMember> {
  const all = streams.flatMap((stream) => stream.members);
  const owners = new Map<string, ChannelMember[]>();
  const own = (member: ChannelMember) =>
    owners.set(member.name, [...(owners.get(member.name) ?? []), member]);
  for (const member of all) if (member.role === "writer") own(member);
  const shared = new Set<ChannelMember>();
  for (const member of all) {
    const others = (owners.get(member.name) ?? []).filter((other) => other !== member);
    if (others.some((other) => meet(other, member))) shared.add(member);
    else if (member.role === "reader") own(member);
  }
  return shared;
}

/**
 * Whether two members hold some of the same weights: rows and columns of one parameter always do, those of one axis where
 * their indices meet, which behind a concatenation they do not.
 */
function meet(a: ChannelMember, b: ChannelMember): boolean {
  if (a.axis !== b.axis) return true;
  const indices = new Set(a.positions.flat());
  return b.positions.some((list) => list.some((p) => indices.has(p)));
}

/** What a channel is made of: filters, bias, scale and shift, over all layers that a sum or a depthwise filter couples. */
export function filters(flow: Flow, streams: readonly TracedStream[]): GroupSet[] {
  return setsOf(flow, choose(streams), "writers");
}

/** Filters with the slices of their readers, but for slices that are part of other filters here: groups are disjoint. */
export function zeroInvariant(flow: Flow, streams: readonly TracedStream[]): GroupSet[] {
  return setsOf(flow, choose(streams), "all");
}

/** What layers do with an input channel: the slices of all that read it, under the name of the first. */
export function inputChannels(flow: Flow, streams: readonly TracedStream[]): GroupSet[] {
  const { graph } = flow;
  return nameApart(
    setsOf(flow, choose(streams), "readers").map((set) => {
      const layers = [
        ...new Set(
          set.partition.parts.map(({ parameter }) =>
            layerName(graph, graph.nodes.find((n) => n.inputs.includes(parameter))!),
          ),
        ),
      ];
      return { ...set, name: layers[0], layers };
    }),
  );
}

/**
 * Heads of attention: channels that a softmax of scores runs over without mixing them, and that a product of two computed
 * values with it keeps apart as well. A head's group is its rows of the queries', keys' and values' weights and its
 * columns of the output's.
 */
export function heads(flow: Flow, streams: readonly TracedStream[]): GroupSet[] {
  const { graph, atoms, axes } = flow;
  const users = consumers(graph);
  const found = new Set<number>();
  for (const node of graph.nodes) {
    if (node.op !== "Softmax" || !mixes(graph, users, node)) continue;
    const [scores] = node.inputs;
    const rank = axes.get(scores)!.length;
    const along = normalizeAxis(numberAttribute(node.attributes, "axis", -1), rank);
    axes.get(scores)!.forEach((ids, axis) => {
      if (axis !== along) for (const id of ids) for (const atom of atoms.free(id)) found.add(atom);
    });
  }
  const own = streams.filter((s) => s.atoms.every((atom) => found.has(atom)));
  return setsOf(flow, choose(own), "all");
}

/** Whether a softmax's result, perhaps reshaped or masked, is a factor of a product whose other factor is computed too. */
function mixes(graph: Graph, users: ReadonlyMap<string, Node[]>, softmax: Node): boolean {
  const passing = new Set([
    "Reshape",
    "Transpose",
    "Dropout",
    "Cast",
    "Identity",
    "Where",
    "Mul",
    "Unsqueeze",
    "Squeeze",
  ]);
  const open = [...softmax.outputs];
  for (const value of open)
    for (const node of users.get(value) ?? []) {
      if (node.op === "MatMul" || node.op === "Einsum")
        return node.inputs.every((name) => name === value || !initializer(graph, name));
      if (passing.has(node.op)) open.push(...node.outputs.filter((o) => !open.includes(o)));
    }
  return false;
}

/**
 * Hidden neurons of linear layers, gated pairs (SwiGLU) as one: channels that matrix products write and read, none of
 * which reads what another has written, as the layers of a residual stream do. The columns that read a neuron belong to it.
 */
export function neurons(flow: Flow, streams: readonly TracedStream[]): GroupSet[] {
  const { graph } = flow;
  const makers = producers(graph);
  const users = consumers(graph);
  const productOf = (parameter: string) => {
    const [node] = users.get(parameter) ?? [];
    return node?.op === "Transpose" ? users.get(node.outputs[0])?.[0] : node;
  };
  const own = streams.filter(({ members, crosses, blocked }) => {
    if (blocked !== undefined || crosses.length > 0) return false;
    const weights = members.filter(({ name }) => initializer(graph, name)!.shape.length > 1);
    const nodes = weights.map(({ name }) => productOf(name));
    if (!nodes.every((node) => node?.op === "Gemm" || node?.op === "MatMul")) return false;
    const of = (role: "writer" | "reader") =>
      nodes.filter((_, i) => weights[i].role === role).map((node) => node!);
    const [writers, readers] = [of("writer"), of("reader")];
    return (
      writers.length > 0 &&
      readers.length > 0 &&
      writers.every((writer) => {
        const before = neededNodes(
          graph,
          writer.inputs.filter((name) => makers.has(name)),
        );
        return writers.every((other) => !before.has(other.name));
      })
    );
  });
  return setsOf(flow, choose(own), "all");
}
