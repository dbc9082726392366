import type { Graph, Node } from "../engine/graph.ts";
import { consumers, initializer } from "../engine/graph.ts";
import { numbersAttribute } from "../engine/operators/operator.ts";
import { permutationOf } from "../engine/operators/transpose.ts";
import { sizeOf } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import type { Id } from "./channels/atoms.ts";
import type { Flow } from "./channels/flow.ts";
import { traceFlow } from "./channels/flow.ts";
import type { GroupPart, GroupPartition, LabelledPart } from "./groups.ts";
import { layerName } from "./layers.ts";

/** One axis of a parameter or constant that runs over the channels of a stream. */
export interface ChannelMember {
  /** Name of the parameter or constant. */
  name: string;
  axis: number;
  /** Whether it is a parameter. */
  trainable: boolean;
  /** Writers hold what a channel is made of (filters, bias, scale, …); a reader's slice is multiplied with it and summed. */
  role: "writer" | "reader";
  /** For every channel, the indices along the axis that belong to it; none where the member sees other channels only. */
  positions: readonly (readonly number[])[];
}

/**
 * Channels that the same layers write. Channel i of all members lives and dies as one: behind a residual sum or a
 * depthwise convolution these are many layers, behind a grouped convolution input i of every group.
 */
export interface ChannelStream {
  /** The first layer that writes it. */
  name: string;
  /** All layers that write it, in graph order. */
  layers: readonly string[];
  /** How many channels there are. */
  count: number;
  members: readonly ChannelMember[];
  /** Why none of them can be removed; absent where they can. */
  blocked?: string;
  /** Names of streams that cut the same axes another way: heads and the features of every head. Choose one of them. */
  crosses: readonly string[];
}

export interface ChannelAnalysis {
  streams: readonly ChannelStream[];
}

/** A stream with the atoms behind its channels. */
export interface TracedStream extends ChannelStream {
  atoms: readonly Id[];
}

/** Which channels of a graph belong together, and which could be removed. Works on any inference graph. */
export function analyzeChannels(graph: Graph): ChannelAnalysis {
  return { streams: streamsOf(traceFlow(graph)).map(({ atoms: _, ...stream }) => stream) };
}

/** The streams of a traced graph, in graph order. */
export function streamsOf(flow: Flow): TracedStream[] {
  const places = placesOf(flow);
  const bundles = new Map<string, Id[]>();
  for (const [atom, list] of places) {
    const key = signatureOf(flow, atom, list);
    const bundle = bundles.get(key);
    if (bundle) bundle.push(atom);
    else bundles.set(key, [atom]);
  }
  const streams = [...bundles.values()].map((atoms) => streamOf(flow, places, atoms));
  const told = streams.filter((s) => s.blocked === undefined || s.members.some((m) => m.trainable));
  nameApart(told);
  return withCrossings(flow, told);
}

/** Where an atom lies: indices along one axis of an initialiser. */
interface Place {
  name: string;
  axis: number;
  role: ChannelMember["role"];
  positions: number[];
}

/** Initialisers that are transposed and read in no other way, by the names of the results. */
function turnedWeights(graph: Graph): Map<string, { name: string; perm: number[] }> {
  const found = new Map<string, { name: string; perm: number[] }>();
  for (const [name, [node, ...others]] of consumers(graph)) {
    const weight = initializer(graph, name);
    if (node.op !== "Transpose" || others.length > 0 || !weight) continue;
    const perm = permutationOf(weight.shape.length, numbersAttribute(node.attributes, "perm"));
    found.set(node.outputs[0], { name, perm });
  }
  return found;
}

/** The places of every atom, initialisers in the order in which nodes read them. */
function placesOf({ graph, atoms, axes, contractions }: Flow): Map<Id, Place[]> {
  const turned = turnedWeights(graph);
  const read = new Set(
    contractions.flatMap(({ node, factors }) =>
      factors.map(({ input, axis }) => {
        const value = node.inputs[input];
        const weight = turned.get(value);
        return weight ? `${weight.name}\n${weight.perm[axis]}` : `${value}\n${axis}`;
      }),
    ),
  );
  const places = new Map<Id, Place[]>();
  const names = new Set(
    graph.nodes.flatMap((node) =>
      node.inputs.filter((name) => initializer(graph, name)?.dtype.startsWith("float")),
    ),
  );
  for (const name of names)
    axes.get(name)!.forEach((ids, axis) => {
      const role = read.has(`${name}\n${axis}`) ? "reader" : "writer";
      ids.forEach((id, index) => {
        for (const atom of atoms.roots(id)) {
          const list = places.get(atom) ?? [];
          places.set(atom, list);
          const last = list.at(-1);
          if (last?.name === name && last.axis === axis) last.positions.push(index);
          else list.push({ name, axis, role, positions: [index] });
        }
      });
    });
  return places;
}

/** Weights that write: those with more than one number an index, or where there are none whatever writes. */
function writersOf({ graph }: Flow, places: readonly Place[]): Place[] {
  const writers = places.filter((p) => p.role === "writer");
  const weights = writers.filter(({ name, axis }) => {
    const { shape } = initializer(graph, name)!;
    return sizeOf(shape) > shape[axis];
  });
  return weights.length ? weights : writers;
}

/** Equal for atoms of one stream: the same writers, each with as many indices in runs of the same length. */
function signatureOf(flow: Flow, atom: Id, places: readonly Place[]): string {
  const writers = writersOf(flow, places);
  const parts = (writers.length ? writers : places).map(({ name, axis, role, positions }) => {
    let run = 1;
    while (positions[run] === positions[0] + run) run++;
    return `${name}\n${axis}\n${role}\n${positions.length}\n${run}`;
  });
  return `${flow.atoms.reason(atom) ?? ""}\n${parts.join("\n")}`;
}

function streamOf(flow: Flow, places: ReadonlyMap<Id, readonly Place[]>, atoms: readonly Id[]): TracedStream {
  const { graph } = flow;
  const members = new Map<string, ChannelMember & { positions: number[][] }>();
  const writers = new Set<string>();
  atoms.forEach((atom, channel) => {
    for (const { name, axis, role, positions } of places.get(atom)!) {
      const key = `${name}\n${axis}`;
      let member = members.get(key);
      if (!member) {
        const trainable = graph.parameters.has(name);
        member = { name, axis, trainable, role, positions: atoms.map(() => []) };
        members.set(key, member);
      }
      member.positions[channel] = positions;
    }
    for (const { name } of writersOf(flow, places.get(atom)!)) writers.add(name);
  });
  const layers = [...new Set([...writers].map((name) => layerName(graph, readerOf(graph, name))))];
  const first = [...members.values()][0];
  const name = layers[0] ?? `input of ${layerName(graph, readerOf(graph, first.name))}`;
  const blocked = flow.atoms.reason(atoms[0]);
  return {
    name,
    layers,
    count: atoms.length,
    members: [...members.values()],
    ...(blocked !== undefined && { blocked }),
    crosses: [],
    atoms,
  };
}

function readerOf(graph: Graph, name: string): Node {
  return graph.nodes.find((node) => node.inputs.includes(name))!;
}

/** Gives streams of one name a number. */
function nameApart(streams: TracedStream[]): void {
  const used = new Set<string>();
  for (const stream of streams) {
    const base = stream.name;
    for (let i = 2; used.has(stream.name); i++) stream.name = `${base}:${i}`;
    used.add(stream.name);
  }
}

function withCrossings({ graph, atoms, axes }: Flow, streams: readonly TracedStream[]): TracedStream[] {
  const streamOfAtom = new Map(streams.flatMap((s) => s.atoms.map((atom) => [atom, s.name] as const)));
  const crossings = new Map<string, Set<string>>(streams.map((s) => [s.name, new Set()]));
  for (const name of [...graph.parameters.keys(), ...graph.constants.keys()])
    for (const id of axes.get(name)!.flat()) {
      const names = atoms.free(id).map((atom) => streamOfAtom.get(atom)!);
      for (const a of names) for (const b of names) if (a !== b) crossings.get(a)?.add(b);
    }
  return streams.map((s) => ({ ...s, crosses: [...crossings.get(s.name)!] }));
}

export interface PartitionOptions {
  /**
   * `writers` (default): what a channel is made of. `readers`: the slices that are multiplied with it. `all`: both; zeros
   * then stay zeros behind any activation with f(0) = 0.
   */
  members?: "writers" | "readers" | "all";
  /** Members to leave out, because other groups have their weights. */
  without?: ReadonlySet<ChannelMember>;
}

/**
 * The channels of a stream as groups of weights: group i is channel i in all of its parameters. Throws a `Problem` where
 * they cannot be removed.
 */
export function streamPartition(
  graph: Graph,
  stream: ChannelStream,
  { members = "writers", without = new Set() }: PartitionOptions = {},
): GroupPartition {
  if (stream.blocked !== undefined)
    throw new Problem(`channels of "${stream.name}" cannot be removed: ${stream.blocked}`);
  const roles = { writers: ["writer"], readers: ["reader"], all: ["writer", "reader"] }[members];
  const chosen = stream.members.filter((m) => m.trainable && roles.includes(m.role) && !without.has(m));
  return {
    groups: stream.count,
    parts: chosen.map((member) => regularPart(graph, member) ?? labelledPart(graph, member)),
  };
}

/** The member's axis as [outer, channels, inner] with channel j of the stream at `offset + j`, where it has this pattern. */
function regularPart(graph: Graph, { name, axis, positions }: ChannelMember): GroupPart | undefined {
  const { shape } = initializer(graph, name)!;
  const first = positions.findIndex((p) => p.length > 0);
  const own = positions[first];
  let run = 1;
  while (own[run] === own[0] + run) run++;
  const channels = shape[axis] / run / (own.length / run);
  const offset = ((own[0] / run) % channels) - first;
  const inside = (j: number) => offset + j >= 0 && offset + j < channels;
  const regular = positions.every((list, j) =>
    inside(j)
      ? list.length === own.length &&
        list.every((p, i) => p === (Math.floor(i / run) * channels + offset + j) * run + (i % run))
      : list.length === 0,
  );
  if (!regular || !Number.isInteger(channels)) return undefined;
  return {
    parameter: name,
    outer: sizeOf(shape.slice(0, axis)) * (own.length / run),
    channels,
    inner: sizeOf(shape.slice(axis + 1)) * run,
    ...(offset !== 0 && { offset }),
  };
}

/** Channels in any order, a channel shuffle's for example. */
function labelledPart(graph: Graph, { name, axis, positions }: ChannelMember): LabelledPart {
  const { shape } = initializer(graph, name)!;
  const channelAt = new Int32Array(shape[axis]).fill(-1);
  positions.forEach((list, channel) => {
    for (const p of list) channelAt[p] = channel;
  });
  const inner = sizeOf(shape.slice(axis + 1));
  return {
    parameter: name,
    labels: Int32Array.from(
      { length: sizeOf(shape) },
      (_, i) => channelAt[Math.floor(i / inner) % shape[axis]],
    ),
  };
}
