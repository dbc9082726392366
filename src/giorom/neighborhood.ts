import type { Tensor } from "../engine/tensor.ts";
import { zeros } from "../engine/tensor.ts";
import type { Dim } from "../physics/particles.ts";
import type { Neighbors } from "../physics/radius-graph.ts";
import { radiusNeighbors } from "../physics/radius-graph.ts";
import type { StepperConfig } from "./config.ts";
import type { FnoOptions } from "./fno.ts";
import type { LatentGrid } from "./latent-grid.ts";
import { gridOf } from "./latent-grid.ts";
import { waveCount, wavesAt } from "./particle-waves.ts";
import type { Setting } from "./setting.ts";
import { type SplinePairs, splinePairs } from "./splines.ts";
import type { StepperSize } from "./stepper.ts";
import { featureCount } from "./stepper.ts";

/** Who hears whom around one set of particles. */
export interface Neighborhood {
  /** [points, dim]. */
  positions: Float64Array;
  /** Particles within the radius of each, itself included; missing without rounds of messages. */
  edges?: Neighbors;
  /** Latent nodes within the latent radius of each particle, and where the grid sees the particles, [points, latent dim]. */
  pairs?: Neighbors | SplinePairs;
  places?: Float64Array;
}

/** v1's learned map to a plane as it is now: rows of `weight`, [2, 3], and `bias`, [2]. */
export type PlaneMap = () => { weight: Float32Array; bias: Float32Array };

export interface Neighborhoods {
  grid?: LatentGrid;
  of(positions: Float64Array): Neighborhood;
}

/** Finds neighbourhoods for a network in a setting. */
export function neighborhoods(config: StepperConfig, setting: Setting, plane?: PlaneMap): Neighborhoods {
  const { dim, layers, latent } = config;
  const flat = latent !== undefined && latent.dim < dim;
  const grid = gridOf(config, setting.bounds);
  return {
    grid,
    of: (positions) => {
      const found: Neighborhood = { positions };
      if (layers[0] + layers[1] > 0) found.edges = radiusNeighbors(positions, dim, setting.radius);
      if (latent && grid) {
        found.places = flat ? onPlane(positions, plane!) : positions;
        found.pairs =
          latent.transfer === "splines"
            ? splinePairs(found.places, grid)
            : radiusNeighbors(grid.positions, latent.dim as Dim, setting.latentRadius, found.places);
      }
      return found;
    },
  };
}

function onPlane(positions: Float64Array, plane: PlaneMap): Float64Array {
  const { weight, bias } = plane();
  return Float64Array.from({ length: (positions.length / 3) * 2 }, (_, i) => {
    const [at, row] = [3 * (i >> 1), 3 * (i & 1)];
    return Math.tanh(
      bias[i & 1] +
        weight[row] * positions[at] +
        weight[row + 1] * positions[at + 1] +
        weight[row + 2] * positions[at + 2],
    );
  });
}

/** The least shapes that hold these windows side by side: one spare edge and one spare pair stand for none. */
export function sizeFor(windows: readonly Neighborhood[], config: StepperConfig): StepperSize {
  const { dim, latent } = config;
  let [points, edges, degree, pairs, perPoint, perNode] = [0, 1, 1, 1, 1, 1];
  for (const w of windows) {
    points += w.positions.length / dim;
    if (w.edges) {
      edges += w.edges.senders.length;
      degree = Math.max(degree, longestRow(w.edges));
    }
    if (w.pairs && latent) {
      pairs += w.pairs.senders.length;
      perPoint = Math.max(perPoint, longestRow(w.pairs));
      perNode = Math.max(perNode, ...counts(w.pairs, latent.size ** latent.dim));
    }
  }
  return { windows: windows.length, points, edges, degree, pairs, perPoint, perNode };
}

export const fits = (need: StepperSize, size: StepperSize): boolean =>
  (Object.keys(size) as (keyof StepperSize)[]).every((key) => need[key] <= size[key]);

function longestRow({ starts }: Neighbors): number {
  let longest = 0;
  for (let i = 1; i < starts.length; i++) longest = Math.max(longest, starts[i] - starts[i - 1]);
  return longest;
}

function counts({ senders }: Neighbors, rows: number): Uint32Array {
  const found = new Uint32Array(rows);
  for (const j of senders) found[j]++;
  return found;
}

/** Zero-filled inputs of a stepper's graph. */
export function allocateFeeds(
  config: StepperConfig,
  size: StepperSize,
  trains = false,
): Record<string, Tensor> {
  const { dim, latent, types, layers, waves } = config;
  const { windows, points, edges, degree, pairs, perNode, perPoint } = size;
  const real = (...shape: number[]) => zeros(shape);
  const whole = (...shape: number[]) => zeros(shape, "int32");
  const feeds: Record<string, Tensor> = { features: real(points, featureCount(config)) };
  if (types > 0) feeds.types = whole(points);
  if (layers[0] + layers[1] > 0)
    Object.assign(feeds, {
      incoming: whole(points, degree),
      senders: whole(edges),
      receivers: whole(edges),
      messageWeights: real(edges, 1),
      edges: real(edges, dim + 1),
      ...(trains && { outgoing: whole(points, degree) }),
    });
  if (waves) {
    feeds.waves = real(points, windows * waveCount(dim, waves));
    feeds.shares = real(points, 1);
  }
  if (latent) {
    Object.assign(feeds, {
      pairPoints: whole(pairs),
      pointPairs: whole(points, perPoint),
      pairNodes: whole(pairs),
      nodePairs: whole(windows * latent.size ** latent.dim, perNode),
      encodeWeights: real(pairs, 1),
      decodeWeights: real(pairs, 1),
    });
    if (latent.transfer !== "splines" && latent.dim === dim) feeds.pairGeometry = real(pairs, dim);
    if (latent.transfer !== "splines" && latent.dim !== dim)
      Object.assign(feeds, {
        positions: real(points, dim),
        inverseRadius: real(1, 1),
        pairPlaces: real(pairs, latent.dim),
      });
    if (trains && latent.processor.kind === "transformer") feeds.seed = zeros([], "int32");
  }
  return feeds;
}

/**
 * Writes edges and pairs of windows into the inputs, all but `features`, `types` and `seed`, which are the caller's. What is left of the feeds' shapes
 * carries weight 0.
 */
export function fillFeeds(
  feeds: Readonly<Record<string, Tensor>>,
  windows: readonly Neighborhood[],
  config: StepperConfig,
  setting: Setting,
  grid?: LatentGrid,
): void {
  if (feeds.edges) fillEdges(feeds, windows, config, setting.radius);
  if (config.waves) fillWaves(feeds, windows, config.waves, setting.bounds);
  if (grid) fillPairs(feeds, windows, config, setting.latentRadius, grid);
}

const reals = (t: Tensor) => t.data as Float32Array;
const wholes = (t: Tensor) => t.data as Int32Array;

function fillEdges(
  feeds: Readonly<Record<string, Tensor>>,
  windows: readonly Neighborhood[],
  { dim, aggregation }: StepperConfig,
  radius: number,
): void {
  const [geometry, weights] = [reals(feeds.edges), reals(feeds.messageWeights)];
  const [senders, receivers] = [wholes(feeds.senders), wholes(feeds.receivers)];
  const incoming = slotsOf(feeds.incoming);
  const outgoing = feeds.outgoing && slotsOf(feeds.outgoing);
  const spare = senders.length - 1;
  incoming.clear(spare);
  outgoing?.clear(spare);
  let e = 0;
  let first = 0;
  for (const { positions, edges } of windows) {
    const { starts, senders: from } = edges!;
    const points = starts.length - 1;
    for (let i = 0; i < points; i++)
      for (let at = starts[i]; at < starts[i + 1]; at++, e++) {
        const j = from[at];
        let squared = 0;
        for (let k = 0; k < dim; k++) {
          const offset = (positions[j * dim + k] - positions[i * dim + k]) / radius;
          geometry[e * (dim + 1) + k] = offset;
          squared += offset * offset;
        }
        const q = (geometry[e * (dim + 1) + dim] = Math.sqrt(squared));
        weights[e] = aggregation === "mean" ? 1 / ((1 + q) * (starts[i + 1] - starts[i])) : 1;
        senders[e] = first + j;
        receivers[e] = first + i;
        incoming.add(first + i, e);
        outgoing?.add(first + j, e);
      }
    first += points;
  }
  weights.fill(0, e);
  senders.fill(0, e);
  receivers.fill(0, e);
}

function fillPairs(
  feeds: Readonly<Record<string, Tensor>>,
  windows: readonly Neighborhood[],
  config: StepperConfig,
  radius: number,
  grid: LatentGrid,
): void {
  const dim = grid.bounds.length;
  const nodes = grid.positions.length / dim;
  const [encode, decode] = [reals(feeds.encodeWeights), reals(feeds.decodeWeights)];
  const [pairPoints, pairNodes] = [wholes(feeds.pairPoints), wholes(feeds.pairNodes)];
  const pointPairs = slotsOf(feeds.pointPairs);
  const nodePairs = slotsOf(feeds.nodePairs);
  const flat = dim < config.dim;
  const geometry = flat ? feeds.pairPlaces : feeds.pairGeometry;
  pointPairs.clear(pairPoints.length - 1);
  nodePairs.clear(pairPoints.length - 1);
  let p = 0;
  let first = 0;
  windows.forEach(({ positions, places, pairs }, w) => {
    const { starts, senders } = pairs!;
    const points = starts.length - 1;
    const perNode = counts(pairs!, nodes);
    for (let i = 0; i < points; i++)
      for (let at = starts[i]; at < starts[i + 1]; at++, p++) {
        const node = senders[at];
        for (let k = 0; geometry && k < dim; k++) {
          const from = flat ? 0 : places![i * dim + k];
          reals(geometry)[p * dim + k] = (flat ? 1 : -1) * ((grid.positions[node * dim + k] - from) / radius);
        }
        encode[p] = "scatter" in pairs! ? pairs.scatter[at] : 1 / perNode[node];
        decode[p] = "gather" in pairs! ? pairs.gather[at] : 1 / (starts[i + 1] - starts[i]);
        pairPoints[p] = first + i;
        pairNodes[p] = w * nodes + node;
        pointPairs.add(first + i, p);
        nodePairs.add(w * nodes + node, p);
      }
    if (feeds.positions) reals(feeds.positions).set(positions, first * config.dim);
    first += points;
  });
  for (const unused of [encode, decode, pairPoints, pairNodes]) unused.fill(0, p);
  if (feeds.inverseRadius) reals(feeds.inverseRadius)[0] = 1 / radius;
}

function fillWaves(
  feeds: Readonly<Record<string, Tensor>>,
  windows: readonly Neighborhood[],
  options: FnoOptions,
  bounds: Setting["bounds"],
): void {
  const [waves, shares] = [reals(feeds.waves).fill(0), reals(feeds.shares).fill(0)];
  const own = waveCount(bounds.length, options);
  let row = 0;
  windows.forEach(({ positions }, w) => {
    const found = wavesAt(positions, bounds, options);
    const points = positions.length / bounds.length;
    for (let i = 0; i < points; i++)
      waves.set(found.subarray(i * own, (i + 1) * own), ((row + i) * windows.length + w) * own);
    shares.fill(1 / points, row, row + points);
    row += points;
  });
}

/** Rows of places for edges, filled from the left. */
function slotsOf({ data, shape: [rows, most] }: Tensor) {
  const slots = data as Int32Array;
  const used = new Uint32Array(rows);
  return {
    clear: (spare: number) => slots.fill(spare),
    add: (row: number, edge: number) => {
      slots[row * most + used[row]++] = edge;
    },
  };
}
