import type { Graph, Node, Value } from "./graph.ts";
import { producers, valueNamed } from "./graph.ts";
import { sum } from "./operators/arithmetic.ts";
import { findOperator, scalar } from "./operators/operator.ts";
import { expand } from "./operators/repeat.ts";
import { withScope } from "./scope.ts";
import { sizeOf } from "./tensor.ts";

/**
 * Adds the backward pass of `loss` to its graph and returns ∂loss/∂v for every `v` of `wrt` (same shape and dtype as v;
 * zeros where the loss does not depend on v). Reverse-mode differentiation, graph to graph: every rule adds ordinary
 * operators, so the result can be differentiated again.
 *
 * Throws where `loss` is not a single number, or where a path to a `wrt` value runs through an operator without a
 * gradient rule (the node is named).
 */
export function gradients(loss: Value, wrt: readonly Value[]): Value[] {
  const { graph } = loss;
  if (sizeOf(loss.shape) !== 1)
    throw new Error(`the loss "${loss.name}" has shape [${loss.shape}]; it must be a single number`);
  const depends = dependents(graph, wrt);
  const pending = new Map<string, Value[]>([[loss.name, [expand(scalar(graph, 1, loss.dtype), loss.shape)]]]);
  const producerOf = producers(graph);
  const collect = (name: string): Value | undefined => {
    const parts = pending.get(name);
    if (!parts) return undefined;
    const total = parts.length === 1 ? parts[0] : sum(...parts);
    pending.set(name, [total]);
    return total;
  };
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((o) => pending.has(o)) || !node.inputs.some((i) => depends.has(i))) continue;
    withScope(graph, `gradient/${node.name}`, () => {
      const parts = nodeGradients(graph, node, node.outputs.map(collect), depends);
      node.inputs.forEach((name, i) => {
        const part = parts[i];
        if (!part || !depends.has(name)) return;
        const expected = graph.types.get(name)!.shape;
        if (part.shape.join() !== expected.join())
          throw new Error(
            `gradient rule of ${node.op} gives shape [${part.shape}] for an input of shape [${expected}] at node "${node.name}"`,
          );
        const list = pending.get(name);
        if (list) list.push(part);
        else pending.set(name, [part]);
      });
    });
  }
  return wrt.map((v) => {
    if (producerOf.has(v.name) || graph.types.has(v.name))
      return collect(v.name) ?? expand(scalar(graph, 0, v.dtype), v.shape);
    throw new Error(`"${v.name}" is not a value of graph "${graph.name}"`);
  });
}

/** Names of the values that depend on `wrt` through floating-point paths. */
function dependents(graph: Graph, wrt: readonly Value[]): Set<string> {
  const found = new Set(wrt.map((v) => v.name));
  for (const node of graph.nodes)
    if (node.inputs.some((i) => found.has(i)))
      for (const o of node.outputs) if (graph.types.get(o)!.dtype.startsWith("float")) found.add(o);
  return found;
}

function nodeGradients(
  graph: Graph,
  node: Node,
  dys: (Value | undefined)[],
  depends: Set<string>,
): (Value | undefined)[] {
  const operator = findOperator(node.op);
  if (!operator?.gradient) throw new Error(`operator ${node.op} (node "${node.name}") has no gradient rule`);
  return operator.gradient({
    graph,
    inputs: node.inputs.map((name) => (name === "" ? undefined : valueNamed(graph, name)) as Value),
    outputs: node.outputs.map((name) => valueNamed(graph, name)),
    gradients: dys,
    attributes: node.attributes,
    wanted: node.inputs.map((name) => depends.has(name)),
  });
}
