import type { Value } from "../engine/graph.ts";
import { div, sqrt } from "../engine/operators/arithmetic.ts";
import { clip, reduceSumSquare, softplus } from "../engine/operators/index.ts";
import type { Operand } from "../engine/operators/operator.ts";
import { constantFill } from "../nn/initializers.ts";
import type { Layers } from "../nn/layers.ts";
import { Problem } from "../problem.ts";

/**
 * c > 0, the space's sectional curvature being −c: a number, or a scalar of the graph that trains. The hyperboloid then
 * holds the points with ⟨x, x⟩ = −1/c, the ball those with |p| < 1/√c.
 */
export type Curvature = Operand;

/** Throws a `Problem` where a number is no curvature. */
export function checkCurvature(c: number): void {
  if (!(c > 0 && Number.isFinite(c)))
    throw new Problem(`the curvature is −c with c = ${c}; take a number above 0`);
}

/** Flatter than this, 1/c leaves single precision. */
const FLATTEST = 1e-12;

/** A curvature that trains: softplus of the parameter `name`, so that it stays positive. */
export function learnableCurvature(build: Layers, name: string, start = 1): Value {
  checkCurvature(start);
  // The inverse of softplus, log(eˢ − 1), without eˢ.
  return curvatureOf(build.weight(name, [], 1, constantFill(start + Math.log(-Math.expm1(-start)))));
}

/** The value of a trained curvature, from its parameter. */
export function curvatureOf(parameter: Value): Value {
  return clip(softplus(parameter), FLATTEST);
}

export function rootOf(c: Curvature): Operand {
  if (typeof c !== "number") return sqrt(c);
  checkCurvature(c);
  return Math.sqrt(c);
}

/** 1/c. */
export function inverseOf(c: Curvature): Operand {
  if (typeof c !== "number") return div(1, c);
  checkCurvature(c);
  return 1 / c;
}

/** Squared norms below this are taken for 0: its root, 1e-15, can be divided by in single precision. */
const TINY = 1e-30;

/** |x| over the last axis, which is kept; at least 1e-15, and with gradient 0 at the zero vector. */
export function safeNorm(x: Value): Value {
  return safeRoot(reduceSumSquare(x, [-1], { keepDims: true }));
}

/** √x for x ≥ 0, whose gradient is 0, not infinite, at 0. */
export function safeRoot(x: Value): Value {
  return sqrt(clip(x, TINY));
}
