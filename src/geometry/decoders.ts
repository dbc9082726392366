import type { Value } from "../engine/graph.ts";
import {
  add,
  asinh,
  clip,
  concat,
  cosh,
  div,
  gemm,
  mul,
  neg,
  reshape,
  sinh,
  sub,
} from "../engine/operators/index.ts";
import { withScope } from "../engine/scope.ts";
import { constantFill, normal } from "../nn/initializers.ts";
import type { Layers } from "../nn/layers.ts";
import type { Curvature } from "./curvature.ts";
import { rootOf, safeNorm } from "./curvature.ts";
import { lorentzInnerPairs, lorentzLift, MAX_RADIUS } from "./lorentz.ts";
import { poincareToLorentz } from "./poincare.ts";

/**
 * Log-odds (r − d²)/t of an edge between points at squared distance d²: the probability is 1/(e^((d² − r)/t) + 1), the
 * Fermi–Dirac distribution (Krioukov et al. 2010). Logits, so that the loss can be computed without overflow.
 */
export function fermiDirac(squaredDistance: Value, { r = 2, t = 1 } = {}): Value {
  return div(sub(r, squaredDistance), t);
}

/**
 * Class scores 2 + 2⟨x, cⱼ⟩ + bⱼ of points x [batch, n+1]: minus the squared Lorentzian distance to a prototype of each
 * class (Chen et al. 2022). [batch, classes]; curvature −1. Parameters `weight` [classes, n], the prototypes' spatial
 * parts, and `bias`.
 */
export function lorentzPrototypes(build: Layers, name: string, x: Value, classes: number): Value {
  return withScope(x.graph, name, () => {
    const width = x.shape[x.shape.length - 1];
    const table = build.weight(`${name}.weight`, [classes, width - 1], width, normal(1 / Math.sqrt(width)));
    const bias = build.weight(`${name}.bias`, [classes], width, constantFill(0));
    return add(mul(lorentzInnerPairs(x, lorentzLift(table)), 2), add(bias, 2));
  });
}

/**
 * Multinomial logistic regression on the hyperboloid (Bdeir et al. 2024; Shimizu et al. 2021 for the ball): the logit of a
 * class is |z| times the signed distance of x [batch, n+1] from the class's hyperplane, which lies `offset` from the
 * origin across z. [batch, classes]. Parameters `weight` (z) [classes, n] and `offset` [classes].
 */
export function lorentzMlr(
  build: Layers,
  name: string,
  x: Value,
  classes: number,
  curvature: Curvature = 1,
): Value {
  return withScope(x.graph, name, () => {
    const n = x.shape[x.shape.length - 1] - 1;
    const z = build.weight(`${name}.weight`, [classes, n], n, normal(1 / Math.sqrt(n)));
    const offset = build.weight(`${name}.offset`, [classes, 1], n, constantFill(0));
    const root = rootOf(curvature);
    const size = safeNorm(z);
    const shift = clip(mul(offset, root), -MAX_RADIUS, MAX_RADIUS);
    // The plane's normal (sinh(√c·a), cosh(√c·a)·z/|z|) with the sign of time turned, so that a plain product is ⟨·, ·⟩.
    const normals = concat([neg(sinh(shift)), mul(div(z, size), cosh(shift))], 1);
    const heights = mul(gemm(x, normals, { transB: true }), root);
    return mul(asinh(heights), reshape(div(size, root), [1, classes]));
  });
}

/** The same for points p [batch, n] of the ball. */
export function poincareMlr(
  build: Layers,
  name: string,
  p: Value,
  classes: number,
  curvature: Curvature = 1,
): Value {
  return lorentzMlr(build, name, poincareToLorentz(p, curvature), classes, curvature);
}
