import type { Graph, Node } from "../engine/graph.ts";
import { constant, createGraph, freshName, initializer, input, output } from "../engine/graph.ts";
import { apply } from "../engine/operators/operator.ts";
import { rebatch } from "../engine/replay.ts";
import { sizeOf, tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { random } from "../random.ts";
import type { AxisOf } from "../sparsity/accounting.ts";
import { productsOf } from "../sparsity/accounting.ts";
import type { Id } from "../sparsity/channels/atoms.ts";
import type { Flow } from "../sparsity/channels/flow.ts";
import { traceFlow } from "../sparsity/channels/flow.ts";
import { keptShape, keptWithout } from "../sparsity/channels/kept.ts";
import { streamsOf } from "../sparsity/channels.ts";
import type { GroupSet } from "../sparsity/groups/group-set.ts";
import type { Ledger } from "../sparsity/groups/ledger.ts";
import { channelLedger } from "../sparsity/groups/ledger.ts";
import { resized } from "../sparsity/shrink.ts";
import { measureLatency } from "./latency.ts";
import { timesAlone } from "./layer-latency.ts";

export interface LatencyTableOptions {
  batch: number;
  /** Width of the runtime's kernels: in between, a layer takes as long as at the next multiple. */
  block: number;
}

/** What a layer takes at several widths of the channels that it reads and writes. */
interface LayerTable {
  /** For each thing that varies, the axes whose lengths say how far, the sums of them measured, ascending, and a block's. */
  scales: { axes: readonly AxisOf[]; lengths: readonly number[]; step: number }[];
  /** Milliseconds, the last scale running fastest. */
  ms: readonly number[];
}

/** Shares of the channels that are measured; each rounded up to a block. */
const SHARES = [0.125, 0.25, 0.5, 0.75, 1];

/**
 * Measures every layer that multiplies, alone, at a grid of widths, and prices groups by it: what the network takes with
 * some of its channels gone, in milliseconds on one thread. Everything else the network does counts as it is. Layers
 * alone are slower or faster than in a network, so compare what the table promises with a measurement of the whole.
 */
export async function measureLedger(
  original: Graph,
  sets: readonly GroupSet[],
  { batch, block }: LatencyTableOptions,
): Promise<Ledger> {
  if (sets.some((s) => s.stream === undefined))
    throw new Problem(
      "a budget in ms needs groups that leave the network as channels: filter, zero-invariant, channel, neuron or head",
    );
  const graph = rebatch(original, batch);
  const flow = traceFlow(graph);
  const streams = new Map(streamsOf(flow).map((s) => [s.name, s]));
  const setOf = new Map<Id, number>();
  sets.forEach(({ stream }, i) => {
    for (const atom of streams.get(stream!)!.atoms) setOf.set(atom, i);
  });
  const tables: LayerTable[] = [];
  const known = new Map<string, readonly number[]>();
  for (const { node, axes } of productsOf(flow.graph)) {
    const scales = scalesOf(flow, axes, setOf);
    if (scales.length === 0) continue;
    const points = scales.map(({ atoms }) => gridOf(atoms.length, block));
    const variants = combinations(points).map((counts) =>
      isolated(flow, node, new Set(scales.flatMap(({ atoms }, i) => atoms.slice(counts[i])))),
    );
    // Layers of equal shapes take equally long.
    const key = JSON.stringify([node.op, node.attributes, variants.map((v) => [...v.types.values()])]);
    const ms = known.get(key) ?? rising(await timesAlone(variants), points);
    known.set(key, ms);
    const table = scales.map(({ axes: own, atoms }, i) => {
      const lengths = points[i].map((count) => {
        const kept = keptWithout(flow, new Set(atoms.slice(count)));
        return own.reduce((sum, { value, axis }) => sum + kept(value, axis).length, 0);
      });
      return { axes: own, lengths, step: (block * lengths.at(-1)!) / atoms.length };
    });
    tables.push({ scales: table, ms });
  }
  const [whole] = await measureLatency([original], { batch, threads: 1, runs: 9, atLeast: 30 });
  const rest = Math.max(0, whole - tables.reduce((sum, t) => sum + t.ms.at(-1)!, 0));
  return channelLedger(graph, sets, () => [
    { axes: [], worth: () => rest },
    ...tables.map(({ scales, ms }) => {
      const counts = scales.map((s) => s.axes.length);
      return {
        axes: scales.flatMap((s) => s.axes),
        worth: (all: readonly number[]) => {
          let from = 0;
          const lengths = counts.map((n) => all.slice(from, (from += n)).reduce((a, b) => a + b, 0));
          return interpolate(scales, ms, lengths);
        },
      };
    }),
  ]);
}

/** What of a layer varies: its axes, joined where the same channels are on them, with their channels. */
function scalesOf(
  { axes: idsOf, atoms }: Flow,
  axes: readonly AxisOf[],
  setOf: ReadonlyMap<Id, number>,
): { axes: AxisOf[]; atoms: Id[] }[] {
  const scales: { axes: AxisOf[]; atoms: Set<Id> }[] = [];
  for (const place of axes) {
    const own = new Set(
      idsOf.get(place.value)![place.axis].flatMap((id) => atoms.roots(id).filter((r) => setOf.has(r))),
    );
    if (own.size === 0) continue;
    const same = scales.find((s) => [...own].some((atom) => s.atoms.has(atom)));
    if (same) {
      same.axes.push(place);
      for (const atom of own) same.atoms.add(atom);
    } else scales.push({ axes: [place], atoms: own });
  }
  // Interleaved, so that a share of all is a share of each set that meets here.
  return scales.map((s) => ({ axes: s.axes, atoms: interleaved([...s.atoms], setOf) }));
}

function interleaved(atoms: readonly Id[], setOf: ReadonlyMap<Id, number>): Id[] {
  const bySet = new Map<number, Id[]>();
  for (const atom of atoms) {
    const list = bySet.get(setOf.get(atom)!) ?? [];
    bySet.set(setOf.get(atom)!, list);
    list.push(atom);
  }
  const rank = new Map([...bySet.values()].flatMap((list) => list.map((atom, i) => [atom, i / list.length])));
  return [...atoms].sort((a, b) => rank.get(a)! - rank.get(b)!);
}

function gridOf(count: number, block: number): number[] {
  const points = SHARES.map((share) => Math.min(count, Math.ceil((share * count) / block) * block));
  return [...new Set(points)];
}

function combinations(points: readonly (readonly number[])[]): number[][] {
  return points.reduce<number[][]>((all, list) => all.flatMap((c) => list.map((p) => [...c, p])), [[]]);
}

/** One node with the widths that are left, its initialisers random, as a graph of its own. */
function isolated(flow: Flow, node: Node, removed: ReadonlySet<Id>): Graph {
  const { graph } = flow;
  const kept = keptWithout(flow, removed);
  const target = createGraph("layer");
  const rng = random(0);
  const inputs = node.inputs.map((name) => {
    if (name === "") return undefined;
    const { dtype, shape } = graph.types.get(name)!;
    const left = keptShape(kept, name, shape);
    if (!initializer(graph, name))
      return input(target, freshName(target, "x"), left, { dtype, batched: false });
    const values = Float32Array.from({ length: sizeOf(left) }, () => rng.normal());
    return constant(target, tensor("float32", left, values), name);
  });
  const results =
    resized(graph, kept, node, inputs, target) ??
    apply(target, node.op, inputs, node.attributes, { name: node.outputs[0] });
  output(results[0], { batched: false });
  return target;
}

/** Times that never fall as widths grow: what measurements do now and then, and work does not. */
function rising(ms: readonly number[], points: readonly (readonly number[])[]): number[] {
  const result = [...ms];
  let step = 1;
  for (const list of points.toReversed()) {
    for (let i = 0; i < result.length; i++)
      if (Math.floor(i / step) % list.length > 0) result[i] = Math.max(result[i], result[i - step]);
    step *= list.length;
  }
  return result;
}

/** Multilinear between the measured lengths, at whole blocks; below the least as at the least. */
function interpolate(
  scales: LayerTable["scales"],
  ms: readonly number[],
  lengths: readonly number[],
): number {
  let corners: [index: number, weight: number][] = [[0, 1]];
  scales.forEach(({ lengths: grid, step }, i) => {
    const blocks = Math.ceil(lengths[i] / step - 1e-9) * step;
    const at = Math.min(grid.at(-1)!, Math.max(grid[0], blocks));
    const high = grid.findIndex((g) => g >= at);
    const low = Math.max(0, high - 1);
    const share = high === low ? 1 : (at - grid[low]) / (grid[high] - grid[low]);
    corners = corners.flatMap(([index, weight]): [number, number][] => [
      [index * grid.length + low, weight * (1 - share)],
      [index * grid.length + high, weight * share],
    ]);
  });
  return corners.reduce((sum, [index, weight]) => sum + weight * ms[index], 0);
}
