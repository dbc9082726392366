import { checkCurvature } from "./curvature.ts";
import { MAX_RADIUS } from "./lorentz.ts";
import type { Manifold, Vector } from "./manifold.ts";

/**
 * The hyperboloid ⟨x, x⟩ = −1/c on plain arrays, time coordinate first. Formulas as in lorentz.ts: none subtracts large
 * squares, and points get their time coordinate from the others.
 */
export function lorentzPoints(c = 1): Manifold {
  checkCurvature(c);
  const root = Math.sqrt(c);
  /** The longest spatial part, as in lorentz.ts: of points that may be stored in single precision. */
  const longest = Math.sinh(MAX_RADIUS) * Math.min(1, 1 / root);

  /** sinh²(√c·d/2). */
  const haversine = (x: Vector, y: Vector): number => {
    const [nx, ny] = [spaceNorm(x), spaceNorm(y)];
    const along = Math.sinh((Math.asinh(root * nx) - Math.asinh(root * ny)) / 2);
    if (nx === 0 || ny === 0) return along * along;
    let across = 0;
    for (let i = 1; i < x.length; i++) across += (x[i] / nx - y[i] / ny) ** 2;
    return along * along + (c * nx * ny * across) / 4;
  };
  const angleOf = (x: Vector, y: Vector) => 2 * Math.asinh(Math.sqrt(haversine(x, y)));
  const project = (x: Vector) => {
    const size = spaceNorm(x);
    if (size > longest) for (let i = 1; i < x.length; i++) x[i] *= longest / size;
    x[0] = Math.sqrt(1 / c + Math.min(size, longest) ** 2);
  };
  /** Makes v orthogonal to x through its time coordinate. */
  const makeTangent = (x: Vector, v: Vector) => {
    v[0] = spaceDot(x, v) / timeOf(x, c);
  };
  const inner = (x: Vector, v: Vector, w: Vector) => {
    const radius = spaceNorm(x);
    const [vx, wx] = radius === 0 ? [0, 0] : [spaceDot(x, v) / radius, spaceDot(x, w) / radius];
    let across = 0;
    for (let i = 1; i < v.length; i++) {
      const direction = radius === 0 ? 0 : x[i] / radius;
      across += (v[i] - vx * direction) * (w[i] - wx * direction);
    }
    return across + (vx * wx) / (1 + c * radius ** 2);
  };
  const length = (x: Vector, v: Vector) => Math.sqrt(inner(x, v, v));
  /** Coordinate `i` of the unit tangent vector at x toward y. */
  const direction = (x: Vector, y: Vector, i: number, angle: number) =>
    (root * (y[i] - x[i] - 2 * Math.sinh(angle / 2) ** 2 * x[i])) / Math.sinh(angle);

  return {
    name: "lorentz",
    coordinates: (n) => n + 1,
    project,
    distance: (x, y) => angleOf(x, y) / root,
    length,
    exp: (x, v, out) => {
      const angle = root * length(x, v);
      const bounded = Math.min(angle, MAX_RADIUS);
      const [near, far] = [Math.cosh(bounded), angle === 0 ? 1 : Math.sinh(bounded) / angle];
      for (let i = 1; i < x.length; i++) out[i] = near * x[i] + far * v[i];
      project(out);
    },
    log: (x, y, out) => {
      const angle = angleOf(x, y);
      for (let i = 1; i < x.length; i++)
        out[i] = angle === 0 ? 0 : (angle / root) * direction(x, y, i, angle);
      makeTangent(x, out);
      return angle / root;
    },
    transport: (x, y, v, out) => {
      const angle = angleOf(x, y);
      const leaving = new Float64Array(x.length);
      if (angle > 0) for (let i = 1; i < x.length; i++) leaving[i] = direction(x, y, i, angle);
      const share = inner(x, v, leaving);
      for (let i = 1; i < x.length; i++)
        out[i] = v[i] - share * (angle > 0 ? direction(y, x, i, angle) + leaving[i] : 0);
      makeTangent(y, out);
    },
    gradient: (x, g, out) => {
      // The metric's inverse turns the sign of time; what is left along x is no direction of the surface.
      const along = c * (x[0] * g[0] + spaceDot(x, g));
      for (let i = 1; i < x.length; i++) out[i] = g[i] + along * x[i];
      makeTangent(x, out);
    },
    fromOrigin: (u, out) => {
      const angle = root * Math.hypot(...u);
      const scale = angle === 0 ? 1 : Math.sinh(Math.min(angle, MAX_RADIUS)) / angle;
      for (let i = u.length; i > 0; i--) out[i] = scale * u[i - 1];
      project(out);
    },
    toBall: (x, out) => {
      const scale = root / (1 + root * timeOf(x, c));
      for (let i = 1; i < x.length; i++) out[i - 1] = scale * x[i];
    },
  };
}

function spaceDot(x: Vector, y: Vector): number {
  let sum = 0;
  for (let i = 1; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

function spaceNorm(x: Vector): number {
  return Math.sqrt(spaceDot(x, x));
}

function timeOf(x: Vector, c: number): number {
  return Math.sqrt(1 / c + spaceDot(x, x));
}
