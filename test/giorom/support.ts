import { readFileSync } from "node:fs";
import type { Graph } from "../../src/engine/graph.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { sizeOf } from "../../src/engine/tensor.ts";
import type { StepperConfig } from "../../src/giorom/config.ts";
import { windowFeatures } from "../../src/giorom/features.ts";
import type { PlaneMap } from "../../src/giorom/neighborhood.ts";
import { allocateFeeds, fillFeeds, neighborhoods, sizeFor } from "../../src/giorom/neighborhood.ts";
import type { Setting } from "../../src/giorom/setting.ts";
import { random } from "../../src/random.ts";

export type Matrix = number[][];

/** The oracles of the GIOROM spec, section 7. */
export const vectors = JSON.parse(
  readFileSync(new URL("../vectors/giorom.json", import.meta.url), "utf8"),
) as {
  features: {
    window: Matrix[];
    target_pos: Matrix;
    pos_noise: Matrix[];
    stats: Record<"v_mean" | "v_std" | "a_mean" | "a_std", number[]>;
    noise_std: number;
    bounds: [number, number];
    radius: number;
    vel_features: Matrix;
    boundary_features: Matrix;
    target_norm_acc: Matrix;
    check_denorm_next_pos_minus_noise: Matrix;
  };
  interaction_layer: { send: number[]; recv: number[]; agg: Matrix; x_out: Matrix; e_out: Matrix };
  gno: { neighbours: number[][]; rel: Record<string, Matrix>; abs: Record<string, Matrix> };
  gno_quadrature: { exact: number[]; n: number[]; mean_err: number[]; sum_norm: number[] };
  spectral_conv2d: { out: Matrix[] };
  linear_attention: { out: Matrix };
  mls_affine: { Xs: Matrix; Xq: Matrix; A: Matrix; t: number[]; h: number; u_expected: Matrix };
  mls_nonlinear: { u: Matrix };
  splat2d: { Xs: Matrix; us: Matrix; Xq: Matrix; density: number[]; u: Matrix };
  adamax: { theta0: number[]; grads: Matrix; lr: number; theta2: number[] };
  tiny_model: {
    positions_window: Matrix[];
    conn_radius: number;
    gno_radius: number;
    bounds: [number, number];
    v_std: number;
    a_std: number;
    params: { name: string; shape: number[]; k0: number; offset: number; scale: number }[];
    edges_recv_send: [number, number][];
    grid_pairs_gridnode_particle: [number, number][];
    out: Matrix;
    loss: number;
    grad: { name: string; sum: number; l2: number }[];
  };
};

export const flat = (nested: unknown): number[] =>
  (nested as number[]).flat(Number.POSITIVE_INFINITY as 5) as unknown as number[];

/** The vectors' filler: numbers in ±0.5 that follow from their place and `k0` (spec, conventions). */
export function pattern(shape: readonly number[], k0: number): Float64Array {
  return Float64Array.from({ length: sizeOf(shape) }, (_, k) => {
    let h = (k0 + k + 1) >>> 0;
    h ^= h >>> 16;
    h = Math.imul(h, 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h, 0xc2b2ae35);
    h ^= h >>> 16;
    return (h >>> 0) / 2 ** 32 - 0.5;
  });
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  // A NaN must not pass as small.
  for (let i = 0; i < a.length; i++) worst = Math.abs(a[i] - b[i]) <= worst ? worst : Math.abs(a[i] - b[i]);
  return worst;
}

/** Overwrites a parameter; throws where there is none of that size. */
export function setParameter(graph: Graph, name: string, values: ArrayLike<number>): void {
  const t = graph.parameters.get(name);
  if (!t || t.data.length !== values.length)
    throw new Error(`${name}: ${t?.data.length ?? "no"} numbers in the graph, ${values.length} given`);
  t.data.set(values);
}

/** A value as the feed of the reference evaluation. */
export const numeric = (shape: readonly number[], data: ArrayLike<number>) => ({
  shape,
  data: Float64Array.from(data),
});

export const asNumeric = (feeds: Readonly<Record<string, Tensor>>) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, t]) => [name, numeric(t.shape, Array.from(t.data, Number))]),
  );

/** What a network is fed of windows side by side, with `spare` rows, edges and pairs more than they need. */
export function feedsFor(
  config: StepperConfig,
  setting: Setting,
  windows: Float64Array[][],
  spare = 0,
  trains = false,
  plane?: PlaneMap,
) {
  const { of, grid } = neighborhoods(config, setting, plane);
  const hoods = windows.map((w) => of(w[w.length - 1]));
  const need = sizeFor(hoods, config);
  const size = Object.fromEntries(
    Object.entries(need).map(([key, n]) => [key, key === "windows" ? n : n + spare]),
  ) as unknown as typeof need;
  const feeds = allocateFeeds(config, size, trains);
  fillFeeds(feeds, hoods, config, setting, grid);
  let row = 0;
  for (const w of windows) {
    windowFeatures(w, setting, feeds.features.data as Float32Array, row);
    row += w[0].length / config.dim;
  }
  return { feeds, size };
}

/** Three frames of points that move a little. */
export function cloud(seed: number, count: number): Float64Array[] {
  const { uniform } = random(seed);
  const start = Float64Array.from({ length: 2 * count }, () => 0.2 + 0.6 * uniform());
  const second = start.map((x) => x + 0.02 * (uniform() - 0.5));
  return [start, second, second.map((x) => x + 0.02 * (uniform() - 0.5))];
}
