import type { Value } from "../../../engine/graph.ts";
import { add, mul, neg, sigmoid, softplus, sub } from "../../../engine/operators/index.ts";

/** Of the approximation: Molchanov, Ashukha and Vetrov 2017, eq. 14. */
const K = [0.63576, 1.8732, 1.48695] as const;

/**
 * KL(N(θ, αθ²) ‖ log-uniform) up to a constant, from ln α, element by element:
 * k₁(1 − σ(k₂ + k₃ ln α)) + ½ ln(1 + 1/α). It is 0 where α is infinite.
 */
export function logUniformPenalty(logAlpha: Value): Value {
  const [k1, k2, k3] = K;
  const bend = mul(sub(1, sigmoid(add(mul(logAlpha, k3), k2))), k1);
  return add(bend, mul(softplus(neg(logAlpha)), 0.5));
}
