import type { Graph, Value } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { exportModel } from "../../engine/onnx/export.ts";
import { decodeModel } from "../../engine/onnx/proto.ts";
import {
  add,
  concat,
  cos,
  gather,
  gelu,
  mul,
  reduceSum,
  sin,
  slice,
  sub,
} from "../../engine/operators/index.ts";
import { apply } from "../../engine/operators/operator.ts";
import { openSession, toRuntime } from "../../engine/runtime.ts";
import type { SessionOptions } from "../../engine/session.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { tensor, zeros } from "../../engine/tensor.ts";
import { layers } from "../../nn/layers.ts";
import { train } from "../../nn/trainer.ts";
import type { Dim } from "../../physics/particles.ts";
import { radiusNeighbors } from "../../physics/radius-graph.ts";
import { farthestPoints } from "../../physics/sampling.ts";
import { Problem } from "../../problem.ts";
import { deriveSeed, random } from "../../random.ts";
import { kernel } from "../dense.ts";
import type { Positions } from "../features.ts";
import { pick } from "../sample.ts";
import type { DecoderTrainingOptions } from "./kernel-decoder.ts";
import type { Rows } from "./rows.ts";
import { splatRows } from "./splat.ts";
import type { Geometry } from "./weightings.ts";
import { neighborsOf } from "./weightings.ts";

/** Decoders whose network runs in every frame, so that they cannot be baked (GIOROM spec 3.10). */
export const FRAME_NETWORKS = {
  /** D1′, the paper's kernel: the mean over a ball of a network of each source. It does not see where the query is. */
  ball: "mean over a ball of a network of the sources' old places and displacements",
  /** D3, the TMLR version: splat and gather, then an MLP that also sees waves of the query's place. */
  splat: "splat and gather, then a network of what arrives and of the query's place",
} as const;

export type FrameNetwork = keyof typeof FRAME_NETWORKS;

/** Radius of the ball in spacings of the sources; several of them have to be in it. */
const BALL = 2;
const DRAWS = 8;

/** A displacement in box lengths that is brought to 1. */
const TYPICAL = 0.05;
const CONTENT = 3;
const WAVES = 3;
export const FRAME_NETWORK_KEY = "filigree.giorom.frame-decoder";

interface Size {
  sources: number;
  queries: number;
  /** Most sources of a query. */
  most: number;
}

/**
 * Displacements of queries, [queries, dim], from `references` and `displacements` of the sources, [sources, dim], each query's
 * `columns` and `weights` among them, [queries, most], and its own place, [queries, dim].
 */
function frameNetwork(kind: FrameNetwork, dim: Dim, { sources, queries, most }: Size, seed = 0): Graph {
  const graph = createGraph(`giorom-${kind}-decoder`);
  const build = layers(graph, seed);
  const put = (name: string, ...shape: number[]) => input(graph, name, shape, { batched: false });
  const u = put("displacements", sources, dim);
  const columns = input(graph, "columns", [queries, most], { dtype: "int32", batched: false });
  const weights = put("weights", queries, most, 1);
  const arriving = (values: Value) => reduceSum(mul(gather(values, columns), weights), [1]);
  let found: Value;
  if (kind === "ball") {
    const old = put("references", sources, dim);
    // Old places and displacements say the same as old and new places, whose difference drowns in them.
    found = arriving(kernel(build, "kernel", [old, mul(u, 1 / TYPICAL)], [128, 256, dim]));
  } else {
    const content = gelu(build.linear("content", u, CONTENT));
    const mean = arriving(concat([content, u], 1));
    const place = put("places", queries, dim);
    const waves = Array.from({ length: WAVES }, (_, l) => mul(place, 2 ** l * Math.PI));
    const seen = [mean, ...waves.map((w) => sin(w)), ...waves.map((w) => cos(w))];
    // The published network adds its result to a mean displacement and calls that a position; here it adds to the mean alone.
    found = add(slice(mean, { 1: { start: CONTENT } }), kernel(build, "mlp", seen, [64, 64, dim]));
  }
  output(apply(graph, "Identity", [found], {}, { name: "found" })[0], { batched: false });
  return graph;
}

function rowsFor(kind: FrameNetwork, geometry: Geometry): Rows {
  if (kind === "splat") return splatRows(geometry, { draws: DRAWS });
  const { dim, sources, queries } = geometry;
  const { squaredDistances, k } = neighborsOf({ dim, sources, queries: sources }, 2);
  const spacing = squaredDistances.reduce((a, d) => a + Math.sqrt(d), 0) / (squaredDistances.length / k);
  const { starts, senders } = radiusNeighbors(sources, dim, BALL * spacing, queries);
  const weights = new Float32Array(senders.length);
  for (let q = 0; q + 1 < starts.length; q++)
    weights.fill(1 / (starts[q + 1] - starts[q]), starts[q], starts[q + 1]);
  return { sources: sources.length / dim, starts, columns: senders, weights };
}

const longest = ({ starts }: Rows) =>
  starts.reduce((most, start, q) => (q === 0 ? 1 : Math.max(most, start - starts[q - 1])), 1);

/** Rows of `chosen` queries with weight 0 in the places that are left over. */
function padRows(rows: Rows, chosen: ArrayLike<number>, columns: Int32Array, weights: Float32Array): void {
  const most = columns.length / chosen.length;
  columns.fill(0);
  weights.fill(0);
  for (let i = 0; i < chosen.length; i++)
    for (let e = rows.starts[chosen[i]], at = i * most; e < rows.starts[chosen[i] + 1]; e++, at++) {
      columns[at] = rows.columns[e];
      weights[at] = rows.weights[e];
    }
}

const QUERIES = 256;

/** Trains on true displacements of random frames, as the kernel decoder is trained; gives the .onnx file. */
export async function trainFrameNetwork(
  kind: FrameNetwork,
  { dim, trajectories, ratio = 0.2, steps = 2500, seed, threads, signal, onStep }: DecoderTrainingOptions,
): Promise<Uint8Array> {
  const samples = trajectories.map((frames) => {
    const chosen = farthestPoints(frames[0], dim, Math.round((ratio * frames[0].length) / dim));
    const geometry: Geometry = { dim, sources: pick(frames[0], dim, chosen), queries: frames[0] };
    return { frames, chosen, geometry, rows: rowsFor(kind, geometry) };
  });
  const size: Size = {
    sources: Math.max(...samples.map(({ chosen }) => chosen.length)),
    queries: QUERIES,
    most: Math.max(...samples.map(({ rows }) => longest(rows))),
  };
  const model = frameNetwork(kind, dim, size, seed);
  const feeds: Record<string, Tensor> = {
    displacements: zeros([size.sources, dim]),
    columns: zeros([QUERIES, size.most], "int32"),
    weights: zeros([QUERIES, size.most, 1]),
    ...(kind === "ball" ? { references: zeros([size.sources, dim]) } : { places: zeros([QUERIES, dim]) }),
    targets: zeros([QUERIES, dim]),
    scale: zeros([]),
  };
  const real = (name: string) => feeds[name].data as Float32Array;
  const source = {
    stepsPerEpoch: steps,
    *feeds(_: number, from: number) {
      for (let step = from; step < steps; step++) {
        const rng = random(deriveSeed(seed, kind, step));
        const { frames, chosen, geometry, rows } = samples[rng.integer(samples.length)];
        const now = frames[1 + rng.integer(frames.length - 1)];
        const asked = Uint32Array.from({ length: QUERIES }, () => rng.integer(now.length / dim));
        padRows(rows, asked, feeds.columns.data as Int32Array, real("weights"));
        real("displacements").set(pick(now, dim, chosen).map((x, i) => x - geometry.sources[i]));
        if (kind === "ball") real("references").set(geometry.sources);
        else real("places").set(pick(frames[0], dim, asked));
        const targets = pick(now, dim, asked).map(
          (x, i) => x - frames[0][asked[Math.floor(i / dim)] * dim + (i % dim)],
        );
        real("targets").set(targets);
        real("scale")[0] =
          1 /
          Math.max(
            targets.reduce((a, x) => a + x * x, 0),
            1e-9,
          );
        yield feeds;
      }
    },
  };
  await train(
    model,
    ([found], graph) => {
      const off = sub(found, input(graph, "targets", [QUERIES, dim]));
      return { loss: mul(reduceSum(mul(off, off)), input(graph, "scale", [])) };
    },
    source,
    {
      epochs: 1,
      optimizer: { kind: "adam" },
      learningRate: 1e-3,
      schedule: { kind: "cosine", floor: 0.01 },
      threads,
      signal,
      onStep,
    },
  );
  const graph = frameNetwork(kind, dim, { sources: 2, queries: 3, most: 4 });
  for (const name of graph.parameters.keys()) graph.parameters.set(name, model.parameters.get(name)!);
  return exportModel(graph, {
    metadata: { [FRAME_NETWORK_KEY]: JSON.stringify({ kind, dim }) },
    dimensions: {
      displacements: ["sources", dim],
      references: ["sources", dim],
      columns: ["queries", "most"],
      weights: ["queries", "most", 1],
      places: ["queries", dim],
      found: ["queries", dim],
    },
  });
}

export interface FrameNetworkDecoder {
  /** Positions of the queries, [queries, dim]. */
  decode(displacements: Positions): Promise<Float32Array>;
  release(): Promise<void>;
}

/** A trained network for one reference configuration. */
export async function openFrameNetwork(
  bytes: Uint8Array,
  geometry: Geometry,
  options: SessionOptions = {},
): Promise<FrameNetworkDecoder> {
  const { bake, release } = await openFrameNetworkFile(bytes, options);
  try {
    return { ...bake(geometry), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** A trained network that decodes from one reference configuration after another. */
export async function openFrameNetworkFile(bytes: Uint8Array, options: SessionOptions = {}) {
  const text = decodeModel(bytes).metadata[FRAME_NETWORK_KEY];
  if (text === undefined)
    throw new Problem("not a decoder of frames: its metadata have no entry filigree.giorom.frame-decoder");
  const { kind, dim } = JSON.parse(text) as { kind: FrameNetwork; dim: Dim };
  const session = await openSession(bytes, options);
  return {
    bake: (geometry: Geometry): Pick<FrameNetworkDecoder, "decode"> => {
      if (geometry.dim !== dim)
        throw new Problem(`the decoder is for ${dim}D, the points are in ${geometry.dim}D`);
      const rows = rowsFor(kind, geometry);
      const queries = geometry.queries.length / dim;
      const most = longest(rows);
      const columns = zeros([queries, most], "int32");
      const weights = zeros([queries, most, 1]);
      padRows(
        rows,
        Uint32Array.from({ length: queries }, (_, q) => q),
        columns.data,
        weights.data,
      );
      const real = (values: Positions) =>
        tensor("float32", [values.length / dim, dim], Float32Array.from(values));
      const fixed =
        kind === "ball" ? { references: real(geometry.sources) } : { places: real(geometry.queries) };
      return {
        decode: async (displacements) => {
          const feeds = { ...fixed, columns, weights, displacements: real(displacements) };
          const inputs = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toRuntime(t)]));
          const found = (await session.run(inputs)).found.data as Float32Array;
          return found.map((u, i) => u + geometry.queries[i]);
        },
      };
    },
    release: () => session.release(),
  };
}
