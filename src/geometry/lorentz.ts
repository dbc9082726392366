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
  minimum,
  mul,
  neg,
  reduceSum,
  reduceSumSquare,
  sinh,
  slice,
  split,
  sqrt,
  sub,
  tanh,
  transpose,
} from "../engine/operators/index.ts";
import type { Operand } from "../engine/operators/operator.ts";
import type { Curvature } from "./curvature.ts";
import { inverseOf, rootOf, safeNorm, safeRoot } from "./curvature.ts";

/** Radii are limited to this over √c, so that products of two coordinates stay finite in single precision. */
export const MAX_RADIUS = 40;

/** √c times the length that spatial parts are limited to: where c < 1, they are larger at the same radius. */
function longest(c: Curvature): Operand {
  const root = rootOf(c);
  const unit = Math.sinh(MAX_RADIUS);
  return typeof root === "number" ? unit * Math.min(root, 1) : mul(minimum(root, 1), unit);
}

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
  const limit = longest(c);
  const farthest = typeof limit === "number" ? Math.asinh(limit) : asinh(limit);
  return lorentzLift(mul(u, div(sinh(minimum(angle, farthest)), angle)), c);
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

/** exp at x of a tangent vector v at x, both [..., n+1]; what would lie beyond the largest radius is pulled back to it. */
export function lorentzExp(x: Value, v: Value, c: Curvature = 1): Value {
  const [xs, vs] = [spaceOf(x), spaceOf(v)];
  const angle = mul(safeRoot(tangentSquare(xs, vs, c)), rootOf(c));
  const bounded = clip(angle, undefined, MAX_RADIUS);
  return lorentzLift(pulledBack(add(mul(xs, cosh(bounded)), mul(vs, div(sinh(bounded), angle))), c), c);
}

/** Spatial parts can be up to twice as far out as they may be; at this scale their squares do not overflow. */
const SHRUNK = 2 ** -56;

function pulledBack(space: Value, c: Curvature): Value {
  const size = mul(mul(safeNorm(mul(space, SHRUNK)), rootOf(c)), 1 / SHRUNK);
  return mul(space, minimum(div(longest(c), size), 1));
}

/** ⟨v, v⟩ of a tangent vector at x, from spatial parts: across x it is Euclidean, along x smaller by 1/(1 + c|x|²). */
function tangentSquare(xs: Value, vs: Value, c: Curvature): Value {
  const radius = safeNorm(xs);
  const [along, across] = alongAndAcross(vs, div(xs, radius));
  const shrinking = add(mul(mul(radius, radius), c), 1);
  return add(dot(across, across), div(mul(along, along), shrinking));
}

/** v as a multiple of a unit vector, and the rest. */
function alongAndAcross(v: Value, unit: Value): [along: Value, across: Value] {
  const along = dot(v, unit);
  return [along, sub(v, mul(unit, along))];
}

/** log at x: the tangent vector at x that `lorentzExp` maps to y, [..., n+1]. */
export function lorentzLog(x: Value, y: Value, c: Curvature = 1): Value {
  const half = halfAngle(x, y, c);
  const distance = div(mul(half, 2), rootOf(c));
  return tangent(x, mul(direction(spaceOf(x), spaceOf(y), half, c), distance));
}

/** Spatial part of the unit tangent vector at x toward y; half = √c·d/2. */
function direction(xs: Value, ys: Value, half: Value, c: Curvature): Value {
  // (y − cosh(2·half)·x)/sinh(2·half), where cosh(2·half) = 1 + 2·sinh²(half), whose square may overflow.
  const toward = sub(div(sub(ys, xs), sinh(mul(half, 2))), mul(xs, tanh(half)));
  return mul(toward, rootOf(c));
}

/** The tangent vector at x with a given spatial part: its time coordinate is what makes it orthogonal to x. */
function tangent(x: Value, space: Value): Value {
  const [time, xs] = lorentzParts(x);
  return concat([div(dot(xs, space), time), space], space.shape.length - 1);
}

/**
 * Parallel transport of a tangent vector v at x to y along the geodesic between them, [..., n+1]:
 * v + √c·tanh(√c·d/2)·⟨v, t⟩·(x + y) with t the unit vector at x toward y. Single precision knows a vector at radius ρ to
 * about 1e-7·e^ρ of its length; nothing here adds to that.
 */
export function lorentzTransport(x: Value, y: Value, v: Value, c: Curvature = 1): Value {
  const [xs, ys, vs] = [spaceOf(x), spaceOf(y), spaceOf(v)];
  const half = halfAngle(x, y, c);
  const root = rootOf(c);
  const radius = safeNorm(xs);
  const unit = div(xs, radius);
  // t is (y − x)/sinh(√c·d) − x·tanh(√c·d/2), times √c: x, which is large, has no part in what is across it.
  const [vAlong, vAcross] = alongAndAcross(vs, unit);
  const [along, across] = alongAndAcross(sub(ys, xs), unit);
  const shorter = div(root, sinh(mul(half, 2)));
  const turn = mul(tanh(half), root);
  const tAlong = sub(mul(along, shorter), mul(radius, turn));
  const shrinking = add(mul(mul(radius, radius), c), 1);
  const share = add(mul(dot(vAcross, across), shorter), div(mul(vAlong, tAlong), shrinking));
  return tangent(y, add(vs, mul(add(xs, ys), mul(turn, share))));
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
