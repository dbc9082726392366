import type { Graph } from "../graph.ts";
import { distribution } from "../operators/gelu.ts";
import { apply } from "../operators/operator.ts";
import { replay } from "../replay.ts";
import { withScope } from "../scope.ts";

/**
 * Spells GELU as x·Φ(x) by the Φ(x) that its gradient reads, so that a training step computes it once. The plain
 * spelling, which ONNX Runtime fuses into one operator, is for inference.
 */
export function shareGelu(graph: Graph): Graph {
  if (!graph.nodes.some((n) => n.op === "Gelu")) return graph;
  return replay(graph, {
    node: (node, inputs, target) => {
      if (node.op !== "Gelu") return undefined;
      const x = inputs[0]!;
      const share = withScope(target, `lower/${node.name}`, () => distribution(x, node.attributes));
      return apply(target, "Mul", [x, share], {}, { name: node.outputs[0] });
    },
  });
}
