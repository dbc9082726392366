import type { Graph, Node } from "../../engine/graph.ts";
import { cloneGraph, freshName } from "../../engine/graph.ts";
import { toNumbers } from "../../engine/tensor.ts";
import type { Atoms, Ids } from "./atoms.ts";
import { createAtoms, FIXED } from "./atoms.ts";
import "./contraction.ts";
import { blockAll } from "./elementwise.ts";
import "./layout.ts";
import "./reduction.ts";
import type { Axes, Factor, FlowCall } from "./rule.ts";
import { findChannelRule } from "./rule.ts";
import "./windows.ts";

/** Where a node sums over an axis, so that its indices end there. */
export interface Contraction {
  node: Node;
  factors: readonly Factor[];
  /** The indices that are summed over. */
  ids: Ids;
}

/** Which indices of which values belong together, for a whole graph. */
export interface Flow {
  graph: Graph;
  atoms: Atoms;
  /** Of every value. */
  axes: ReadonlyMap<string, Axes>;
  contractions: readonly Contraction[];
}

/**
 * Follows every index of every axis through the graph. Equal constants that several nodes share are taken apart first,
 * for two layers that happen to have the same means must not be tied by it.
 */
export function traceFlow(original: Graph): Flow {
  const graph = unshareConstants(original);
  const atoms = createAtoms();
  const axes = new Map<string, Axes>();
  const contractions: Contraction[] = [];

  for (const name of graph.inputs)
    axes.set(
      name,
      graph.types
        .get(name)!
        .shape.map((length) => atoms.fresh(length, `it is tied to the graph's input "${name}"`)),
    );
  for (const [name, { shape }] of [...graph.parameters, ...graph.constants])
    axes.set(
      name,
      shape.map((length) => (length === 1 ? [FIXED] : atoms.fresh(length))),
    );

  for (const node of graph.nodes) {
    const call = flowCall(graph, node, atoms, axes, contractions);
    const rule = findChannelRule(node.op);
    const results = rule ? rule.flow(call) : blockAll(call, "is an operator without a rule");
    node.outputs.forEach((name, k) => {
      axes.set(name, results[k]);
      results[k].forEach((ids, axis) => {
        if (ids.length === 1) atoms.block(ids[0], `it is all that axis ${axis} of "${name}" has`);
      });
    });
  }
  for (const name of graph.outputs)
    for (const ids of axes.get(name)!)
      for (const id of ids) atoms.block(id, `it is tied to the graph's output "${name}"`);
  return { graph, atoms, axes, contractions };
}

function flowCall(
  graph: Graph,
  node: Node,
  atoms: Atoms,
  axes: ReadonlyMap<string, Axes>,
  contractions: Contraction[],
): FlowCall {
  const label = `${node.op} "${node.name}"`;
  const inputs = node.inputs.map((name) => axes.get(name));
  const tie = (a: Ids, b: Ids) =>
    a.forEach((id, i) => {
      atoms.unify(id, b[i], `${label} ties it to an axis that cannot shrink`);
    });
  const idsOf = ({ input, axis, ids }: Factor) => ids ?? inputs[input]![axis];
  return {
    node,
    attributes: node.attributes,
    inputs,
    outputShapes: node.outputs.map((name) => graph.types.get(name)!.shape),
    atoms,
    label,
    constant: (i) => constantNumbers(graph, node, i),
    tie,
    block: (ids, reason) => {
      for (const id of ids) atoms.block(id, `${label} ${reason}`);
    },
    contract: (...factors) => {
      const ids = idsOf(factors[0]);
      for (const other of factors.slice(1)) tie(ids, idsOf(other));
      contractions.push({ node, factors, ids });
    },
  };
}

/** The numbers of a constant input of a node. */
export function constantNumbers(graph: Graph, node: Node, i: number): number[] | undefined {
  const found = graph.constants.get(node.inputs[i] ?? "");
  return found && Array.from(toNumbers(found));
}

/** A copy in which every constant that has axes is read by one node only; arrays are shared. */
function unshareConstants(original: Graph): Graph {
  const graph = cloneGraph(original);
  const seen = new Set<string>();
  for (const node of graph.nodes)
    node.inputs.forEach((name, i) => {
      const t = graph.constants.get(name);
      if (!t || t.shape.length === 0) return;
      if (!seen.has(name)) return void seen.add(name);
      const copy = freshName(graph, name);
      graph.constants.set(copy, t);
      graph.types.set(copy, graph.types.get(name)!);
      node.inputs[i] = copy;
    });
  return graph;
}
