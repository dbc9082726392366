import type { Graph, Node, Value } from "../engine/graph.ts";
import { constant } from "../engine/graph.ts";
import { apply } from "../engine/operators/operator.ts";
import { replay } from "../engine/replay.ts";
import { sameShape } from "../engine/shapes.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import type { Id } from "./channels/atoms.ts";
import type { Flow } from "./channels/flow.ts";
import { constantNumbers, traceFlow } from "./channels/flow.ts";
import type { Kept } from "./channels/kept.ts";
import { keptShape, keptTensor, keptWithout } from "./channels/kept.ts";
import { findChannelRule } from "./channels/rule.ts";
import { streamsOf } from "./channels.ts";

/**
 * Removes channels: `keep` holds for every stream that shall lose some (see `analyzeChannels`) one truth value a channel.
 * The result computes what `graph` computes when these channels are zero wherever they are summed over: in the weights of
 * their readers or, for a product without weights (queries with keys), in themselves. Inputs and outputs keep their names
 * and shapes.
 *
 * Throws a `Problem` where a stream is unknown or blocked, or nothing of it or of some value would be left.
 */
export function shrink(graph: Graph, keep: ReadonlyMap<string, ArrayLike<boolean | number>>): Graph {
  const flow = traceFlow(graph);
  const streams = new Map(streamsOf(flow).map((s) => [s.name, s]));
  const removed = new Set<Id>();
  for (const [name, kept] of keep) {
    const stream = streams.get(name);
    if (!stream)
      throw new Problem(`shrink: there is no stream "${name}"; there are ${[...streams.keys()].join(", ")}`);
    if (kept.length !== stream.count)
      throw new Problem(`shrink: stream "${name}" has ${stream.count} channels, its mask ${kept.length}`);
    const gone = stream.atoms.filter((_, i) => !kept[i]);
    if (gone.length > 0 && stream.blocked !== undefined)
      throw new Problem(`shrink: no channel of stream "${name}" can be removed: ${stream.blocked}`);
    if (gone.length === stream.count)
      throw new Problem(`shrink: stream "${name}" would lose all its channels; keep at least one`);
    for (const atom of gone) removed.add(atom);
  }
  const kept = keptWithout(flow, removed);
  const [empty] = emptyAxes(flow, kept);
  if (empty)
    throw new Problem(
      `shrink: nothing of axis ${empty.axis} of "${empty.value}" would be left; keep one of its channels`,
    );
  return withoutChannels(flow, kept);
}

/** Axes that nothing would be left of. */
export function emptyAxes({ axes }: Flow, kept: Kept): { value: string; axis: number }[] {
  return [...axes].flatMap(([value, all]) =>
    all.flatMap((ids, axis) => (ids.length > 0 && kept(value, axis).length === 0 ? [{ value, axis }] : [])),
  );
}

/** The traced graph with what is kept. */
export function withoutChannels(flow: Flow, kept: Kept): Graph {
  const { graph } = flow;
  const result = replay(graph, {
    tensor: (name) => keptTensor(graph, name, kept)!,
    node: (node, inputs, target) => resized(graph, kept, node, inputs, target),
  });
  shareConstants(result);
  return result;
}

/** Joins constants that the analysis took apart and that stayed the same, and drops those that nothing reads. */
function shareConstants(graph: Graph): void {
  const names = new Map<Tensor, string>();
  for (const [name, t] of graph.constants) if (!names.has(t)) names.set(t, name);
  for (const node of graph.nodes)
    node.inputs.forEach((name, i) => {
      const t = graph.constants.get(name);
      if (t) node.inputs[i] = names.get(t)!;
    });
  const used = new Set([...graph.nodes.flatMap((n) => n.inputs), ...graph.outputs]);
  for (const name of [...graph.constants.keys()])
    if (!used.has(name)) {
      graph.constants.delete(name);
      graph.types.delete(name);
    }
}

/** The node of the traced graph at what is kept of its inputs, in `target`; undefined where it stays as it is. */
export function resized(
  graph: Graph,
  kept: Kept,
  node: Node,
  inputs: readonly (Value | undefined)[],
  target: Graph,
): Value[] | undefined {
  const shapeOf = (name: string) => graph.types.get(name)?.shape;
  const narrow = (name: string) => {
    const shape = shapeOf(name);
    return shape && keptShape(kept, name, shape);
  };
  const outputs = node.outputs.map((name) => narrow(name)!);
  const changed = [...node.inputs, ...node.outputs].some(
    (name) => name !== "" && !sameShape(shapeOf(name)!, narrow(name)!),
  );
  if (!changed) return undefined;
  const changes =
    findChannelRule(node.op)!.resize?.({
      node,
      attributes: node.attributes,
      before: node.inputs.map(shapeOf),
      inputs: node.inputs.map(narrow),
      outputs,
      constant: (i) => constantNumbers(graph, node, i),
      kept,
    }) ?? {};
  const operands = [...inputs];
  for (const [i, t] of Object.entries(changes.inputs ?? {})) operands[Number(i)] = constant(target, t);
  const results = apply(target, node.op, operands, changes.attributes ?? node.attributes, {
    name: node.outputs[0],
    outputCount: node.outputs.length,
  });
  results.forEach((value, k) => {
    if (!sameShape(value.shape, outputs[k]))
      throw new Error(
        `${node.op} "${node.name}" has shape [${value.shape}] after shrinking, its readers expect [${outputs[k]}]`,
      );
  });
  return results;
}
