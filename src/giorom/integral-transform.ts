import type { Value } from "../engine/graph.ts";
import { mul } from "../engine/operators/index.ts";
import type { Layers } from "../nn/layers.ts";
import { kernel } from "./dense.ts";
import type { Incidence } from "./incidence.ts";
import { collect, spread } from "./incidence.ts";

/** Pairs of a query and a source that lies within a radius of it. */
export interface Pairs {
  /** What the kernel sees of a pair, [pairs, d] or [pairs, 2 d]: best the vector (y_source − x_query)/radius. */
  geometry: Value;
  /** [pairs, 1]: 1/(sources of the query) for a mean, a quadrature weight for an integral, 0 for spare pairs. */
  weights: Value;
  sources: Incidence;
  queries: Incidence;
}

export interface TransformOptions {
  /** Of the kernel's layers; the last is what it gives. */
  widths: readonly number[];
  /** The kernel sees the source's features too: k(·, f). Default false. */
  nonlinear?: boolean;
  /** The kernel multiplies the features: k(·) ⊙ f. Default true. */
  multiply?: boolean;
}

/**
 * Graph neural operator: Σ over the sources of a query of weight · k(geometry[, f]) [⊙ f], 0 where there are none; features
 * [sources, width] give [queries, last width] (GIOROM spec 3.6; Li et al. 2020, eq. 7). The published code gives the kernel
 * the source's position alone, so that it cannot tell where the query is; here the geometry is relative to the query.
 */
export function integralTransform(
  build: Layers,
  name: string,
  features: Value,
  { geometry, weights, sources, queries }: Pairs,
  { widths, nonlinear = false, multiply = true }: TransformOptions,
): Value {
  const k = kernel(build, name, nonlinear ? [geometry, { rows: features, to: sources }] : [geometry], widths);
  return collect(mul(multiply ? mul(k, spread(features, sources)) : k, weights), queries);
}
