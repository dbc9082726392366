import { checkCurvature } from "./curvature.ts";
import type { Manifold, Vector } from "./manifold.ts";

export interface PoincarePointsOptions {
  /** Points stay this far, over √c, from the edge. Default 1e-5, radius 12.2/√c (Nickel and Kiela 2017). */
  margin?: number;
}

/** The Poincaré ball |p| < 1/√c on plain arrays. */
export function poincarePoints(c = 1, { margin = 1e-5 }: PoincarePointsOptions = {}): Manifold {
  checkCurvature(c);
  const root = Math.sqrt(c);
  const gap = (x: Vector) => {
    const radius = root * norm(x);
    return Math.max((1 - radius) * (1 + radius), Number.MIN_VALUE);
  };
  const project = (x: Vector) => {
    const radius = root * norm(x);
    if (radius > 1 - margin) for (let i = 0; i < x.length; i++) x[i] *= (1 - margin) / radius;
  };
  /** a·x ⊕ b·y. */
  const add = (a: number, x: Vector, b: number, y: Vector, out: Vector) => {
    const xy = 2 * c * a * b * dot(x, y);
    const x2 = c * a * a * dot(x, x);
    const y2 = c * b * b * dot(y, y);
    const below = 1 + xy + x2 * y2;
    const [ofX, ofY] = [(a * (1 + xy + y2)) / below, (b * (1 - x2)) / below];
    for (let i = 0; i < x.length; i++) out[i] = ofX * x[i] + ofY * y[i];
  };

  return {
    name: "poincare",
    coordinates: (n) => n,
    project,
    distance: (x, y) => {
      let chord = 0;
      for (let i = 0; i < x.length; i++) chord += (x[i] - y[i]) ** 2;
      return (2 / root) * Math.asinh((root * Math.sqrt(chord)) / Math.sqrt(gap(x) * gap(y)));
    },
    length: (x, v) => (2 * norm(v)) / gap(x),
    exp: (x, v, out) => {
      const size = root * norm(v);
      add(1, x, size === 0 ? 1 / gap(x) : Math.tanh(size / gap(x)) / size, v, out);
      project(out);
    },
    log: (x, y, out) => {
      const gapX = gap(x);
      add(-1, x, 1, y, out);
      const size = root * norm(out);
      const half = Math.atanh(Math.min(size, 1 - 2 ** -53));
      const scale = size === 0 ? 1 : (gapX * half) / size;
      for (let i = 0; i < out.length; i++) out[i] *= scale;
      return (2 * half) / root;
    },
    transport: (x, y, v, out) => {
      const scale = gap(y) / gap(x);
      // The gyration gyr[y, −x]v in closed form, as in poincare.ts.
      const [yv, xv, yx] = [c * dot(y, v), -c * dot(x, v), -c * dot(y, x)];
      const [y2, x2] = [c * dot(y, y), c * dot(x, x)];
      const ofY = (2 * (xv - yv * x2 + 2 * yx * xv)) / (1 + 2 * yx + y2 * x2);
      const ofX = (-2 * (xv * y2 + yv)) / (1 + 2 * yx + y2 * x2);
      for (let i = 0; i < v.length; i++) out[i] = scale * (v[i] + ofY * y[i] - ofX * x[i]);
    },
    gradient: (x, g, out) => {
      const scale = gap(x) ** 2 / 4;
      for (let i = 0; i < g.length; i++) out[i] = scale * g[i];
    },
    fromOrigin: (u, out) => {
      const size = root * norm(u);
      const scale = size === 0 ? 0.5 : Math.tanh(size / 2) / size;
      for (let i = 0; i < u.length; i++) out[i] = scale * u[i];
      project(out);
    },
    toBall: (x, out) => {
      for (let i = 0; i < x.length; i++) out[i] = root * x[i];
    },
  };
}

function dot(x: Vector, y: Vector): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

function norm(x: Vector): number {
  return Math.sqrt(dot(x, x));
}
