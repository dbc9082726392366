import type { Graph, Node, Value } from "../graph.ts";
import { valueNamed } from "../graph.ts";
import { hardSigmoid } from "../operators/activations.ts";

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
