import type { Node, Value } from "../graph.ts";
import { hardSigmoid, mul } from "../operators/elementwise.ts";

/**
 * 1 where x > 0, else 0, as a float. Times 3e38 every normal number is above 1 or below 0, and the session sets the
 * others to zero (denormals), so this is exact for finite x and several times faster than a comparison and a choice.
 */
export function positive(x: Value): Value {
  return hardSigmoid(x, { alpha: 3e38, beta: 0 });
}

/** The backward pass of ReLU: `Where(Greater(y, 0), dy, 0)`; undefined for any other choice. */
export function reluMaskRule(
  comparison: Node | undefined,
  y: Value | undefined,
  dy: Value | undefined,
  otherwise: Value | undefined,
): Value | undefined {
  if (comparison?.op !== "Greater" || !y || !dy || !otherwise) return undefined;
  const { graph } = y;
  const zero = (name: string) => {
    const known = graph.constants.get(name);
    return known?.data.length === 1 && Number(known.data[0]) === 0;
  };
  if (!zero(comparison.inputs[1]) || !zero(otherwise.name) || y.shape.join() !== dy.shape.join())
    return undefined;
  return mul(dy, positive(y));
}
