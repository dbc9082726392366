/** Coordinates of one point or tangent vector. Arithmetic is in double precision whatever they are stored in. */
export type Vector = Float32Array | Float64Array;

export const SPACES = ["lorentz", "poincare", "euclidean"] as const;

export type Space = (typeof SPACES)[number];

/**
 * A space on plain arrays: what optimisers, embeddings and plots need. The same maps on graphs, for networks,
 * are in lorentz.ts and poincare.ts. Results go to `out`, which may be the vector `v` or `g`.
 */
export interface Manifold {
  readonly name: Space;
  /** Numbers that one point of an n-dimensional space takes. */
  coordinates(n: number): number;
  /** Moves a point that left the space back into it. */
  project(x: Vector): void;
  distance(x: Vector, y: Vector): number;
  /** Length of a tangent vector at x. */
  length(x: Vector, v: Vector): number;
  exp(x: Vector, v: Vector, out: Vector): void;
  /** The tangent vector at x whose `exp` is y; returns its length, the distance. */
  log(x: Vector, y: Vector, out: Vector): number;
  /** Parallel transport of v from x to y. */
  transport(x: Vector, y: Vector, v: Vector, out: Vector): void;
  /** The Riemannian gradient at x of a function whose partial derivatives are g. */
  gradient(x: Vector, g: Vector, out: Vector): void;
  /** The point at distance |u| from the origin in the direction of u, n numbers. */
  fromOrigin(u: Vector, out: Vector): void;
  /** The point in the Poincaré disk or ball, for plots: coordinates below 1 in length. */
  toBall(x: Vector, out: Vector): void;
}
