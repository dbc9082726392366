import type { Graph } from "../../engine/graph.ts";
import { consumers } from "../../engine/graph.ts";
import { bytesPerElement, sizeOf } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { AxisOf } from "../accounting.ts";
import { accountModel, productsOf } from "../accounting.ts";
import type { Id } from "../channels/atoms.ts";
import type { Flow } from "../channels/flow.ts";
import { traceFlow } from "../channels/flow.ts";
import { streamsOf } from "../channels.ts";
import { groupSizes } from "../groups.ts";
import type { GroupSet } from "./group-set.ts";

/** What a network may be asked to save; MACs are of one sample, bytes the memory of the weights. */
export const MEASURES = ["groups", "parameters", "macs", "bytes"] as const;
export type Measure = (typeof MEASURES)[number];

/** What a network costs while some of its groups are gone. Groups are numbered through all sets; all live at first. */
export interface Ledger {
  cost(): number;
  remove(group: number): void;
  restore(group: number): void;
}

/** A part of the cost that depends on the lengths of some axes. */
export interface Term {
  axes: readonly AxisOf[];
  worth(lengths: readonly number[]): number;
}

/**
 * How much the groups cost together with everything around them. Throws a `Problem` where zero groups save none of it, and
 * for a measure that there is not.
 */
export function createLedger(graph: Graph, sets: readonly GroupSet[], measure: Measure): Ledger {
  if (!MEASURES.includes(measure))
    throw new Problem(`there is no measure "${measure}"; take ${MEASURES.join(", ")}`);
  if (measure === "groups")
    return additiveLedger(
      0,
      sets.map(({ partition }) => new Float64Array(partition.groups).fill(1)),
    );
  if (sets.every((s) => s.stream !== undefined))
    return channelLedger(graph, sets, (flow) => termsOf(flow, measure));
  const costs = sets.map((set) =>
    set.branches ? branchCosts(graph, set, measure) : weightCosts(graph, set, measure),
  );
  const total = accountModel(graph).total[measure];
  const free = costs.reduce((sum, c) => c.reduce((a, b) => a - b, sum), total);
  return additiveLedger(free, costs);
}

/** Costs that add up: `fixed`, and one for each living group. */
function additiveLedger(fixed: number, costs: readonly Float64Array[]): Ledger {
  const all = new Float64Array(costs.reduce((n, c) => n + c.length, 0));
  let start = 0;
  for (const own of costs) {
    all.set(own, start);
    start += own.length;
  }
  let cost = all.reduce((sum, c) => sum + c, fixed);
  return {
    cost: () => cost,
    remove: (group) => {
      cost -= all[group];
    },
    restore: (group) => {
      cost += all[group];
    },
  };
}

/** Weights that stay in place as zeros: neither stored nor multiplied by what knows about zeros, but no file is smaller. */
function weightCosts(graph: Graph, { partition }: GroupSet, measure: Measure): Float64Array {
  if (measure === "bytes")
    throw new Problem(
      "groups of this kind stay in the file as zeros, it does not shrink; give a budget of parameters or macs",
    );
  if (measure === "parameters") return groupSizes(partition);
  const users = consumers(graph);
  const products = productsOf(graph);
  const parameters = new Set(partition.parts.map(({ parameter }) => parameter));
  const macs = new Map(
    [...parameters].map((name) => {
      const transposed = (users.get(name) ?? [])
        .filter((n) => n.op === "Transpose")
        .flatMap((n) => n.outputs);
      const read = new Set([name, ...transposed]);
      const all = products
        .filter(({ node }) => node.inputs.some((input) => read.has(input)))
        .reduce((sum, { axes, samples }) => sum + macsOf(graph, axes) / samples, 0);
      return [name, all / sizeOf(graph.parameters.get(name)!.shape)];
    }),
  );
  return groupSizes(partition, (name) => macs.get(name)!);
}

function macsOf(graph: Graph, axes: readonly AxisOf[]): number {
  return axes.reduce((product, { value, axis }) => product * graph.types.get(value)!.shape[axis], 1);
}

/** Whole residual branches: what only they hold and do. */
function branchCosts(graph: Graph, { branches, partition }: GroupSet, measure: Measure): Float64Array {
  if (measure === "parameters") return groupSizes(partition);
  const users = consumers(graph);
  const products = productsOf(graph);
  return Float64Array.from(branches!, ({ nodes, parameters }) => {
    const own = new Set(nodes);
    if (measure === "macs")
      return products.reduce(
        (sum, { node, axes, samples }) => sum + (own.has(node) ? macsOf(graph, axes) / samples : 0),
        0,
      );
    const constants = [...graph.constants].filter(
      ([name, t]) => t.dtype.startsWith("float") && (users.get(name) ?? []).every((n) => own.has(n)),
    );
    return [...parameters.map((name) => graph.parameters.get(name)!), ...constants.map(([, t]) => t)].reduce(
      (sum, { dtype, data }) => sum + data.length * bytesPerElement(dtype),
      0,
    );
  });
}

function termsOf(flow: Flow, measure: Exclude<Measure, "groups">): Term[] {
  const { graph } = flow;
  const product = (lengths: readonly number[]) => sizeOf(lengths);
  const axesOf = (value: string) => graph.types.get(value)!.shape.map((_, axis) => ({ value, axis }));
  if (measure === "macs")
    return productsOf(graph).map(({ axes, samples }) => ({
      axes,
      worth: (lengths) => product(lengths) / samples,
    }));
  const stored = [...graph.parameters, ...(measure === "bytes" ? graph.constants : [])].filter(([, t]) =>
    t.dtype.startsWith("float"),
  );
  // The trace has taken shared constants apart; those that no axis changes are one again in the file.
  const seen = new Set<object>();
  return stored.flatMap(([value, t]) => {
    const whole = t.shape.every((_, axis) =>
      flow.axes.get(value)![axis].every((id) => flow.atoms.free(id).length === 0),
    );
    if (whole && seen.has(t)) return [];
    seen.add(t);
    const unit = measure === "bytes" ? bytesPerElement(t.dtype) : 1;
    return [{ axes: axesOf(value), worth: (lengths) => unit * product(lengths) }];
  });
}

/**
 * Costs of channels, which do not add up: a layer's work is the product of what it reads and what it writes. Exact for
 * whatever channels are gone, in time proportional to the axes that a group lies on.
 */
export function channelLedger(
  graph: Graph,
  sets: readonly GroupSet[],
  price: (flow: Flow) => Term[],
): Ledger {
  const flow = traceFlow(graph);
  const streams = new Map(streamsOf(flow).map((s) => [s.name, s]));
  const groupOf = new Map<Id, number>();
  let groups = 0;
  for (const { stream } of sets) for (const atom of streams.get(stream!)!.atoms) groupOf.set(atom, groups++);

  /** Of every group the indices it lies on, as pairs of an axis' number and an index. */
  const places: number[][] = Array.from({ length: groups }, () => []);
  const axisNumbers = new Map<string, number>();
  const missing: Uint16Array[] = [];
  const lengths: number[] = [];
  const readers: number[][] = [];
  const numberOf = ({ value, axis }: AxisOf): number => {
    const key = `${value}\n${axis}`;
    let number = axisNumbers.get(key);
    if (number !== undefined) return number;
    number = lengths.length;
    axisNumbers.set(key, number);
    const ids = flow.axes.get(value)![axis];
    ids.forEach((id, index) => {
      for (const root of flow.atoms.roots(id)) {
        const group = groupOf.get(root);
        if (group !== undefined) places[group].push(number!, index);
      }
    });
    missing.push(new Uint16Array(ids.length));
    lengths.push(ids.length);
    readers.push([]);
    return number;
  };
  const terms = price(flow).map(({ axes, worth }) => ({ axes: axes.map(numberOf), worth }));
  const worthOf = ({ axes, worth }: (typeof terms)[number]) => worth(axes.map((a) => lengths[a]));
  const worths = terms.map(worthOf);
  terms.forEach(({ axes }, t) => {
    for (const a of new Set(axes)) readers[a].push(t);
  });
  let cost = worths.reduce((a, b) => a + b, 0);

  const change = (group: number, by: 1 | -1) => {
    const touched = new Set<number>();
    const list = places[group];
    for (let i = 0; i < list.length; i += 2) {
      const [axis, index] = [list[i], list[i + 1]];
      const before = missing[axis][index];
      missing[axis][index] += by;
      if ((before === 0) === (missing[axis][index] === 0)) continue;
      lengths[axis] -= by;
      for (const t of readers[axis]) touched.add(t);
    }
    for (const t of touched) {
      cost -= worths[t];
      worths[t] = worthOf(terms[t]);
      cost += worths[t];
    }
  };
  return { cost: () => cost, remove: (group) => change(group, 1), restore: (group) => change(group, -1) };
}
