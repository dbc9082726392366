import type { Graph } from "../graph.ts";
import { producers } from "../graph.ts";
import { apply } from "../operators/operator.ts";
import { replay } from "../replay.ts";
import { broadcastShapes, sameShape } from "../shapes.ts";
import { removeDeadNodes } from "../simplify.ts";

/** Operators that repeat their operands by themselves. */
const BROADCASTING = new Set(["Add", "Sub", "Mul", "Div", "Sum"]);

/**
 * The graph without the `Expand` nodes that only feed operators which broadcast: the backward pass of every sum and mean
 * has one, and it costs more than the operator that reads it.
 */
export function broadcastInPlace(graph: Graph): Graph {
  const producer = producers(graph);
  const unexpanded = (name: string) => {
    const node = producer.get(name);
    return node?.op === "Expand" ? node.inputs[0] : name;
  };
  const shapeOf = (name: string) => graph.types.get(name)!.shape;
  const shortened = new Map<string, string[]>();
  for (const { op, inputs, outputs } of graph.nodes) {
    if (!BROADCASTING.has(op)) continue;
    const operands = [...inputs];
    for (const [i, name] of inputs.entries()) {
      operands[i] = unexpanded(name);
      // Another operand has to give the result its shape.
      if (!sameShape(broadcastShapes(...operands.map(shapeOf)), shapeOf(outputs[0]))) operands[i] = name;
    }
    if (operands.some((name, i) => name !== inputs[i])) shortened.set(outputs[0], operands);
  }
  if (shortened.size === 0) return graph;
  const lowered = replay(graph, {
    node: ({ op, attributes, outputs: [name] }, _, target, current) => {
      const operands = shortened.get(name)?.map(current);
      return operands && apply(target, op, operands, attributes, { name });
    },
  });
  removeDeadNodes(lowered);
  return lowered;
}
