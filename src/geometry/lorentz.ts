/**
 * The hyperboloid {x : ⟨x, x⟩ = −1/c, x₀ > 0} with ⟨x, y⟩ = −x₀y₀ + Σ xᵢyᵢ, in the graph. Points and tangent vectors lie
 * along the last axis, the time coordinate first; axes before it broadcast.
 *
 * Single precision stores the spatial part of a point at any radius to 7 digits, but x₀² − |x|² = 1/c is lost from
 * radius 9 on. So nothing here subtracts large squares: distances come from the spatial parts by the haversine form of
 * the hyperbolic law of cosines, and results get their time coordinate from their spatial part.
 */
import type { Value } from "../engine/graph.ts";
import {
  add,
  asinh,
  clip,
  concat,
  cosh,
  div,
  matmul,
  mul,
  neg,
  reduceSum,
  reduceSumSquare,
  sinh,
  slice,
  split,
  sqrt,
  sub,
  transpose,
} from "../engine/operators/index.ts";
import type { Curvature } from "./curvature.ts";
import { inverseOf, rootOf, safeNorm, safeRoot } from "./curvature.ts";

/** Radii are limited to this over √c, so that products of two time coordinates stay finite in single precision. */
export const MAX_RADIUS = 40;

const dot = (x: Value, y: Value) => reduceSum(mul(x, y), [-1], { keepDims: true });

/** Time [..., 1] and spatial part [..., n] of x [..., n+1]. */
export function lorentzParts(x: Value): [time: Value, space: Value] {
  const last = x.shape.length - 1;
  const [time, space] = split(x, [1, x.shape[last] - 1], last);
  return [time, space];
}

/** x without its time coordinate: [..., n+1] → [..., n]. */
function spaceOf(x: Value): Value {
  return slice(x, { [x.shape.length - 1]: { start: 1 } });
}

/** The point with a given spatial part: (√(1/c + |s|²), s); [..., n] → [..., n+1]. */
export function lorentzLift(space: Value, c: Curvature = 1): Value {
  const time = sqrt(add(reduceSumSquare(space, [-1], { keepDims: true }), inverseOf(c)));
  return concat([time, space], space.shape.length - 1);
}

/** The point of the hyperboloid with the spatial part of x, which may have drifted off. */
export function lorentzProject(x: Value, c: Curvature = 1): Value {
  return lorentzLift(spaceOf(x), c);
}

/** ⟨x, y⟩ along the last axis, which is kept with length 1. */
export function lorentzInner(x: Value, y: Value): Value {
  const [x0, xs] = lorentzParts(x);
  const [y0, ys] = lorentzParts(y);
  return sub(dot(xs, ys), mul(x0, y0));
}

/** ⟨xᵢ, yⱼ⟩ of all pairs: [..., p, n+1] and [..., q, n+1] → [..., p, q]. */
export function lorentzInnerPairs(x: Value, y: Value): Value {
  const [time, space] = lorentzParts(y);
  const last = y.shape.length - 1;
  const axes = y.shape.map((_, i) => (i < last - 1 ? i : i === last ? last - 1 : last));
  return matmul(x, transpose(concat([neg(time), space], last), axes));
}

/** exp at the origin (1/√c, 0, …): tangent vectors, given by their spatial part, to points; [..., n] → [..., n+1]. */
export function lorentzExp0(u: Value, c: Curvature = 1): Value {
  const angle = mul(safeNorm(u), rootOf(c));
  return lorentzLift(mul(u, div(sinh(clip(angle, undefined, MAX_RADIUS)), angle)), c);
}

/** log at the origin: the spatial part of the tangent vector that `lorentzExp0` maps to x; [..., n+1] → [..., n]. */
export function lorentzLog0(x: Value, c: Curvature = 1): Value {
  const space = spaceOf(x);
  const stretch = mul(safeNorm(space), rootOf(c));
  return mul(space, div(asinh(stretch), stretch));
}

/** Geodesic distance [..., 1]; its gradient at x = y is 0. */
export function lorentzDistance(x: Value, y: Value, c: Curvature = 1): Value {
  return div(mul(halfAngle(x, y, c), 2), rootOf(c));
}

/** √c·d/2, from sinh²(√c·d/2) = sinh²((ρ − ρ′)/2) + sinh ρ · sinh ρ′ · |x̂ − ŷ|²/4: a sum without a negative term. */
function halfAngle(x: Value, y: Value, c: Curvature): Value {
  const root = rootOf(c);
  const [xs, ys] = [spaceOf(x), spaceOf(y)];
  const [nx, ny] = [safeNorm(xs), safeNorm(ys)];
  const [sx, sy] = [mul(nx, root), mul(ny, root)];
  const along = sinh(mul(sub(asinh(sx), asinh(sy)), 0.5));
  const across = mul(reduceSumSquare(sub(div(xs, nx), div(ys, ny)), [-1], { keepDims: true }), 0.25);
  return asinh(safeRoot(add(mul(along, along), mul(mul(sx, sy), across))));
}

/**
 * Squared Lorentzian distance ⟨x − y, x − y⟩ = −2/c − 2⟨x, y⟩ (Law et al. 2019), [..., 1]. It is (4/c)·sinh²(√c·d/2), so
 * it orders pairs as the distance does; below radius 5 it costs no digits to speak of.
 */
export function lorentzSquaredDistance(x: Value, y: Value, c: Curvature = 1): Value {
  return mul(add(lorentzInner(x, y), inverseOf(c)), -2);
}

/** exp at x of a tangent vector v at x, both [..., n+1]. */
export function lorentzExp(x: Value, v: Value, c: Curvature = 1): Value {
  const [xs, vs] = [spaceOf(x), spaceOf(v)];
  const angle = mul(safeRoot(tangentInner(xs, vs, vs, c)), rootOf(c));
  const bounded = clip(angle, undefined, MAX_RADIUS);
  return lorentzLift(add(mul(xs, cosh(bounded)), mul(vs, div(sinh(bounded), angle))), c);
}

/**
 * ⟨v, w⟩ of tangent vectors at x, from their spatial parts: across x it is Euclidean, along x smaller by 1/(1 + c|x|²).
 */
function tangentInner(xs: Value, vs: Value, ws: Value, c: Curvature): Value {
  const radius = safeNorm(xs);
  const direction = div(xs, radius);
  const [v, w] = [dot(vs, direction), dot(ws, direction)];
  const across = dot(sub(vs, mul(direction, v)), sub(ws, mul(direction, w)));
  return add(across, div(mul(v, w), add(mul(mul(radius, radius), c), 1)));
}

/** log at x: the tangent vector at x that `lorentzExp` maps to y, [..., n+1]. */
export function lorentzLog(x: Value, y: Value, c: Curvature = 1): Value {
  const half = halfAngle(x, y, c);
  const distance = div(mul(half, 2), rootOf(c));
  return tangent(x, mul(direction(spaceOf(x), spaceOf(y), half, c), distance));
}

/** Spatial part of the unit tangent vector at x toward y; half = √c·d/2. */
function direction(xs: Value, ys: Value, half: Value, c: Curvature): Value {
  // y − cosh(2·half)·x, where cosh(2·half) = 1 + 2·sinh²(half).
  const back = sinh(half);
  const toward = sub(sub(ys, xs), mul(xs, mul(mul(back, back), 2)));
  return mul(toward, div(rootOf(c), sinh(mul(half, 2))));
}

/** The tangent vector at x with a given spatial part: its time coordinate is what makes it orthogonal to x. */
function tangent(x: Value, space: Value): Value {
  const [time, xs] = lorentzParts(x);
  return concat([div(dot(xs, space), time), space], space.shape.length - 1);
}

/**
 * Parallel transport of a tangent vector v at x to y along the geodesic between them, [..., n+1]: the geodesic's own
 * direction turns into its direction at y, what is orthogonal to it stays.
 */
export function lorentzTransport(x: Value, y: Value, v: Value, c: Curvature = 1): Value {
  const [xs, ys, vs] = [spaceOf(x), spaceOf(y), spaceOf(v)];
  const half = halfAngle(x, y, c);
  const leaving = direction(xs, ys, half, c);
  const arriving = neg(direction(ys, xs, half, c));
  return tangent(y, add(vs, mul(sub(arriving, leaving), tangentInner(xs, vs, leaving, c))));
}

/**
 * The point nearest to points x [..., k, n+1] in the sum of squared Lorentzian distances under weights [..., m, k] (Law et
 * al. 2019; Chen et al. 2022), one for each row of weights: [..., m, n+1]. Rows must sum to 1.
 */
export function lorentzMidpoint(weights: Value, x: Value, c: Curvature = 1): Value {
  return lorentzNormalize(matmul(weights, x), c);
}

/** Scales a weighted mean of points, which lies inside the cone, to the hyperboloid. */
export function lorentzNormalize(mean: Value, c: Curvature = 1): Value {
  // −⟨m, m⟩ ≥ 1/c for a mean; half of it as the bound cuts off rounding errors alone.
  const least = mul(neg(lorentzInner(mean, mean)), c);
  return lorentzLift(div(spaceOf(mean), sqrt(clip(least, 0.5))), c);
}
