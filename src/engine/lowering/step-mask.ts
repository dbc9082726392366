import type { Graph, Node, Value } from "../graph.ts";
import { producers, valueNamed } from "../graph.ts";
import { hardSigmoid } from "../operators/activations.ts";
import { apply } from "../operators/operator.ts";
import { replay } from "../replay.ts";
import { withScope } from "../scope.ts";
import { sameShape } from "../shapes.ts";
import { removeDeadNodes } from "../simplify.ts";

/**
 * 1 where x > 0, else 0, as a float. Times 3e38 every normal number is above 1 or below 0, and the session sets the
 * others to zero (denormals), so this is exact for finite x and several times faster than a comparison and a choice.
 */
export function positive(x: Value): Value {
  return hardSigmoid(x, { alpha: 3e38, beta: 0 });
}

/** The y of a ReLU's backward pass, `Where(Greater(y, 0), dy, 0)`; undefined for any other choice. */
export function positiveOperand(
  comparison: Node | undefined,
  graph: Graph,
  otherwise: Value | undefined,
): Value | undefined {
  const zero = (name: string | undefined) => {
    const known = name === undefined ? undefined : graph.constants.get(name);
    return known?.data.length === 1 && Number(known.data[0]) === 0;
  };
  if (comparison?.op !== "Greater" || !zero(comparison.inputs[1]) || !zero(otherwise?.name)) return undefined;
  return valueNamed(graph, comparison.inputs[0]);
}

/**
 * The graph with the backward pass of ReLU as a product with 0 or 1. Only there: a choice that guards against infinities
 * elsewhere must stay one.
 */
export function maskRelu(graph: Graph): Graph {
  const producer = producers(graph);
  const inGradient = ({ op, name }: Node) => op === "Where" && name.startsWith("gradient/");
  if (!graph.nodes.some(inGradient)) return graph;
  const lowered = replay(graph, {
    node: (node, inputs, target) => {
      if (!inGradient(node)) return undefined;
      const [condition, , otherwise] = node.inputs;
      const y = positiveOperand(producer.get(condition), graph, valueNamed(graph, otherwise));
      const dy = inputs[1]!;
      if (!y || producer.get(y.name)?.op !== "Relu" || !sameShape(y.shape, dy.shape)) return undefined;
      const mask = withScope(target, `lower/${node.name}`, () => positive(valueNamed(target, y.name)));
      return apply(target, "Mul", [dy, mask], {}, { name: node.outputs[0] });
    },
  });
  // The comparisons, which ONNX Runtime would still compute.
  removeDeadNodes(lowered);
  return lowered;
}
