import { Problem } from "../problem.ts";
import type { Graph, Node, Value, ValueType } from "./graph.ts";
import { createGraph, valueNamed } from "./graph.ts";
import { apply } from "./operators/operator.ts";
import type { Tensor } from "./tensor.ts";

export interface ReplayOptions {
  /** New length of axis 0 of every batched input. */
  batch?: number;
  /** Replaces a parameter or constant; by default it is shared with the original. */
  tensor?: (name: string, tensor: Tensor) => Tensor;
  /** What nodes read in place of a parameter, e.g. the parameter times a mask; undefined leaves it. */
  parameter?: (parameter: Value) => Value | undefined;
  /** What nodes read in place of any of their inputs. */
  input?: (target: Graph, value: Value | undefined) => Value | undefined;
  /**
   * Builds something else in place of a node; undefined keeps the node. `inputs` are values of the new graph, and
   * `current` gives the one that stands for any earlier value of the old graph.
   */
  node?: (
    node: Node,
    inputs: readonly (Value | undefined)[],
    target: Graph,
    current: (name: string) => Value | undefined,
  ) => Value[] | undefined;
}

/**
 * Builds a graph again, node by node, with changes: another batch, other tensors, other nodes. Every shape is inferred
 * afresh. Names are kept, so parameters of the two graphs correspond; only results of a node beyond its first may get others.
 * Throws a `Problem` for a batch that is no whole number above 0.
 */
export function replay(
  graph: Graph,
  { batch, tensor = (_, t) => t, parameter, input = (_, v) => v, node: replace }: ReplayOptions = {},
): Graph {
  if (batch !== undefined && !(Number.isInteger(batch) && batch > 0))
    throw new Problem(`a batch of ${batch} samples: give a whole number, 1 or more`);
  const target = createGraph(graph.name);
  target.batched = new Set(graph.batched);
  const put = (name: string, type: ValueType) =>
    target.types.set(name, { dtype: type.dtype, shape: type.shape });
  for (const name of graph.inputs) {
    const { dtype, shape } = graph.types.get(name)!;
    target.inputs.push(name);
    put(name, {
      dtype,
      shape: batch !== undefined && graph.batched.has(name) ? [batch, ...shape.slice(1)] : shape,
    });
  }
  for (const kind of ["parameters", "constants"] as const)
    for (const [name, original] of graph[kind]) {
      const t = tensor(name, original) as Tensor<"float32">;
      target[kind].set(name, t);
      put(name, t);
    }
  // A replaced node's results may carry other names: follow them.
  const values = new Map<string, Value>();
  const current = (name: string) =>
    name === "" ? undefined : (values.get(name) ?? valueNamed(target, name));
  if (parameter)
    for (const name of graph.parameters.keys()) {
      const effective = parameter(valueNamed(target, name));
      if (effective) values.set(name, effective);
    }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => input(target, current(name)));
    const results =
      replace?.(node, inputs, target, current) ??
      apply(target, node.op, inputs, node.attributes, {
        name: node.outputs[0],
        outputCount: node.outputs.length,
      });
    node.outputs.forEach((name, i) => {
      if (results[i]) values.set(name, results[i]);
    });
  }
  target.outputs = graph.outputs.map((name) => current(name)!.name);
  for (const [i, name] of graph.outputs.entries())
    if (graph.batched.has(name)) target.batched.add(target.outputs[i]);
  return target;
}

/** The same model for another batch size, a whole number above 0. */
export function rebatch(graph: Graph, batch: number): Graph {
  return replay(graph, { batch });
}
