import type { Graph, Node } from "../graph.ts";
import { consumers, producers } from "../graph.ts";
import { apply, numberAttribute } from "../operators/operator.ts";
import { replay } from "../replay.ts";
import { sameShape } from "../shapes.ts";
import { removeDeadNodes } from "../simplify.ts";

/**
 * The graph with sums x + scatter(0, updates), which the backward pass of `GatherElements` makes where something else
 * reads its input too, as scatter(x, updates): one pass over memory in place of three. Where x has zeros at the same
 * indices, because the backward pass of `ScatterElements` has put them there, the updates simply take their place.
 */
export function scatterIntoSums(graph: Graph): Graph {
  const producer = producers(graph);
  const readers = consumers(graph);
  const shapeOf = (name: string) => graph.types.get(name)!.shape;
  const isZero = (name: string): boolean => {
    const known = graph.constants.get(name);
    if (known) return known.data.every((v) => Number(v) === 0);
    const node = producer.get(name);
    return node?.op === "Expand" && isZero(node.inputs[0]);
  };
  const scatter = (name: string, reduction: string): Node | undefined => {
    const node = producer.get(name);
    return node?.op === "ScatterElements" && (node.attributes.reduction ?? "none") === reduction
      ? node
      : undefined;
  };
  const axisOf = ({ attributes }: Node) => numberAttribute(attributes, "axis", 0);
  const merged = new Map<string, { inputs: string[]; attributes: Node["attributes"] }>();
  for (const { op, inputs, outputs } of graph.nodes) {
    if (op !== "Sum" || inputs.length !== 2) continue;
    for (const [name, other] of [inputs, [...inputs].reverse()]) {
      const added = scatter(name, "add");
      if (!added || !isZero(added.inputs[0]) || readers.get(name)!.length > 1) continue;
      if (![name, other].every((operand) => sameShape(shapeOf(operand), shapeOf(outputs[0])))) continue;
      const [, indices, updates] = added.inputs;
      const cleared = scatter(other, "none");
      const axis = axisOf(added);
      const replaces =
        cleared?.inputs[1] === indices &&
        isZero(cleared.inputs[2]) &&
        axisOf(cleared) === axis &&
        // One index a line: no two updates meet.
        shapeOf(indices).at(axis) === 1;
      merged.set(outputs[0], {
        inputs: [replaces ? cleared.inputs[0] : other, indices, updates],
        attributes: { ...added.attributes, reduction: replaces ? "none" : "add" },
      });
      break;
    }
  }
  if (merged.size === 0) return graph;
  const lowered = replay(graph, {
    node: ({ outputs: [name] }, _, target, current) => {
      const node = merged.get(name);
      const inputs = node?.inputs.map(current);
      return inputs && apply(target, "ScatterElements", inputs, node!.attributes, { name });
    },
  });
  removeDeadNodes(lowered);
  return lowered;
}
