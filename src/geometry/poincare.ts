/**
 * The Poincaré ball {p : |p| < 1/√c} in the graph; points along the last axis, axes before it broadcast.
 *
 * Single precision ends at radius 17/√c, where 1 − √c·|p| is the last bit, and a distance has two digits left at radius
 * 12/√c. Networks therefore keep away from the edge (`poincareProject`); the hyperboloid has no such edge (lorentz.ts).
 */
import type { Value } from "../engine/graph.ts";
import {
  add,
  asinh,
  atanh,
  clip,
  concat,
  div,
  matmul,
  minimum,
  mul,
  neg,
  reduceSum,
  reduceSumSquare,
  sqrt,
  sub,
  tanh,
  transpose,
} from "../engine/operators/index.ts";
import type { Curvature } from "./curvature.ts";
import { rootOf, safeNorm } from "./curvature.ts";
import { lorentzParts } from "./lorentz.ts";

/** Largest |p|·√c below 1 in single precision. */
const EDGE = 1 - 2 ** -24;

const dot = (x: Value, y: Value) => reduceSum(mul(x, y), [-1], { keepDims: true });
const square = (x: Value) => reduceSumSquare(x, [-1], { keepDims: true });

/** 1 − c|p|², as (1 − √c|p|)(1 + √c|p|): near the edge the square would cost a digit. Never below 2⁻²⁴. */
function gap(p: Value, c: Curvature): Value {
  const radius = mul(safeNorm(p), rootOf(c));
  return mul(sub(1, clip(radius, undefined, EDGE)), add(radius, 1));
}

/**
 * p, pulled back to |p| ≤ (1 − margin)/√c where it is beyond. The default is that of the HGCN authors for single
 * precision: radius 6.2/√c.
 */
export function poincareProject(p: Value, c: Curvature = 1, margin = 4e-3): Value {
  return mul(p, minimum(div(1 - margin, mul(safeNorm(p), rootOf(c))), 1));
}

/** Möbius addition x ⊕ y (Ganea et al. 2018, section 2.3). */
export function mobiusAdd(x: Value, y: Value, c: Curvature = 1): Value {
  const xy = mul(mul(dot(x, y), c), 2);
  const x2 = mul(square(x), c);
  const y2 = mul(square(y), c);
  const numerator = add(mul(x, add(add(xy, y2), 1)), mul(y, sub(1, x2)));
  return div(numerator, clip(add(add(xy, mul(x2, y2)), 1), 1e-15));
}

/** exp at the origin: tangent vectors to points of the ball. */
export function poincareExp0(u: Value, c: Curvature = 1): Value {
  const angle = mul(safeNorm(u), rootOf(c));
  return mul(u, div(tanh(angle), angle));
}

/** log at the origin. */
export function poincareLog0(p: Value, c: Curvature = 1): Value {
  const radius = mul(safeNorm(p), rootOf(c));
  return mul(p, div(atanh(clip(radius, undefined, EDGE)), radius));
}

/** M ⊗ p = exp₀(M·log₀ p) for points p [batch, n] and M [m, n] (Ganea et al. 2018, section 3.2): [batch, m]. */
export function mobiusMatvec(m: Value, p: Value, c: Curvature = 1): Value {
  return poincareExp0(matmul(poincareLog0(p, c), transpose(m, [1, 0])), c);
}

/** Geodesic distance [..., 1]. */
export function poincareDistance(x: Value, y: Value, c: Curvature = 1): Value {
  const chord = mul(safeNorm(sub(x, y)), rootOf(c));
  const half = asinh(div(chord, sqrt(mul(gap(x, c), gap(y, c)))));
  return div(mul(half, 2), rootOf(c));
}

/** exp at x of a tangent vector v (in the coordinates of the ball; its length is 2|v|/(1 − c|x|²)). */
export function poincareExp(x: Value, v: Value, c: Curvature = 1): Value {
  const norm = mul(safeNorm(v), rootOf(c));
  return mobiusAdd(x, mul(v, div(tanh(div(norm, gap(x, c))), norm)), c);
}

/** log at x: the tangent vector that `poincareExp` maps to y. */
export function poincareLog(x: Value, y: Value, c: Curvature = 1): Value {
  const direction = mobiusAdd(neg(x), y, c);
  const norm = mul(safeNorm(direction), rootOf(c));
  return mul(direction, mul(gap(x, c), div(atanh(clip(norm, undefined, EDGE)), norm)));
}

/** Parallel transport of v from x to y along the geodesic: the gyration gyr[y, −x]v by λ_x/λ_y (Ganea et al. 2018). */
export function poincareTransport(x: Value, y: Value, v: Value, c: Curvature = 1): Value {
  return mul(gyration(y, neg(x), v, c), div(gap(y, c), gap(x, c)));
}

/** gyr[u, v]w = −(u ⊕ v) ⊕ (u ⊕ (v ⊕ w)), in closed form (Ungar 2008). */
function gyration(u: Value, v: Value, w: Value, c: Curvature): Value {
  const [uw, vw, uv] = [dot(u, w), dot(v, w), dot(u, v)].map((d) => mul(d, c));
  const [u2, v2] = [mul(square(u), c), mul(square(v), c)];
  const a = add(sub(vw, mul(uw, v2)), mul(mul(uv, vw), 2));
  const b = neg(add(mul(vw, u2), uw));
  const d = add(add(mul(uv, 2), mul(u2, v2)), 1);
  return add(w, mul(div(add(mul(u, a), mul(v, b)), d), 2));
}

/** The same point on the hyperboloid: [..., n] → [..., n+1]. An isometry. */
export function poincareToLorentz(p: Value, c: Curvature = 1): Value {
  const under = gap(p, c);
  const time = div(add(mul(square(p), c), 1), mul(under, rootOf(c)));
  return concat([time, div(mul(p, 2), under)], p.shape.length - 1);
}

/** The same point of the ball: [..., n+1] → [..., n]. An isometry. */
export function lorentzToPoincare(x: Value, c: Curvature = 1): Value {
  const [time, space] = lorentzParts(x);
  return div(space, add(mul(time, rootOf(c)), 1));
}
