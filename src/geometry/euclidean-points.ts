import type { Manifold } from "./manifold.ts";

/** Flat space behind the same interface: what the curved ones are compared with. It has no disk to be drawn in. */
export const euclideanPoints: Manifold = {
  name: "euclidean",
  coordinates: (n) => n,
  project: () => {},
  distance: (x, y) => {
    let square = 0;
    for (let i = 0; i < x.length; i++) square += (x[i] - y[i]) ** 2;
    return Math.sqrt(square);
  },
  length: (_, v) => Math.hypot(...v),
  exp: (x, v, out) => {
    for (let i = 0; i < x.length; i++) out[i] = x[i] + v[i];
  },
  log: (x, y, out) => {
    let square = 0;
    for (let i = 0; i < x.length; i++) {
      out[i] = y[i] - x[i];
      square += out[i] ** 2;
    }
    return Math.sqrt(square);
  },
  transport: (_, __, v, out) => out.set(v),
  gradient: (_, g, out) => out.set(g),
  fromOrigin: (u, out) => out.set(u),
  toBall: () => {
    throw new Error("flat space has no Poincaré disk");
  },
};
