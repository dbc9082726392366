import type { Graph, Value } from "../engine/graph.ts";
import { createGraph, input, output, valueNamed } from "../engine/graph.ts";
import { add, gather, mul, neg, reshape, sub, tanh } from "../engine/operators/index.ts";
import { apply } from "../engine/operators/operator.ts";
import { tensor } from "../engine/tensor.ts";
import { xavierUniform } from "../nn/initializers.ts";
import type { Layers } from "../nn/layers.ts";
import { layers } from "../nn/layers.ts";
import type { LatentConfig, StepperConfig } from "./config.ts";
import { encoder, kernel } from "./dense.ts";
import { fno } from "./fno.ts";
import { graphAttention } from "./graph-attention.ts";
import type { Incidence } from "./incidence.ts";
import { collect, spread } from "./incidence.ts";
import type { Pairs } from "./integral-transform.ts";
import { integralTransform } from "./integral-transform.ts";
import type { Edges } from "./interaction.ts";
import { interaction } from "./interaction.ts";
import { latentGrid } from "./latent-grid.ts";
import { operatorTransformer } from "./operator-transformer.ts";
import { particleFno, waveCount } from "./particle-waves.ts";
import { unet } from "./unet.ts";

/** The static shapes of a stepper's graph; several windows of particles lie side by side as one graph without edges between. */
export interface StepperSize {
  windows: number;
  /** Particles of all windows together. */
  points: number;
  edges: number;
  /** Most edges of one particle. */
  degree: number;
  /** Pairs of a particle and a latent node within the latent radius. */
  pairs: number;
  perNode: number;
  perPoint: number;
}

/** The least: for a graph whose parameters alone matter. */
export const SMALLEST: StepperSize = {
  windows: 1,
  points: 1,
  edges: 1,
  degree: 1,
  pairs: 1,
  perNode: 1,
  perPoint: 1,
};

/** Width of the embedding of particle types. */
const TYPE_WIDTH = 16;

/** Numbers that describe a particle beside its type: past velocities and the distances to both walls of every axis. */
export const featureCount = ({ dim, history }: StepperConfig): number => dim * (history + 2);

/**
 * The time stepper (GIOROM spec 3.6): what is known of particles and their neighbourhoods, as `neighborhood.ts` lays it out, gives
 * normalised accelerations [points, dim].
 *
 * @param trains Adds the inputs that only the backward pass and dropout need.
 */
export function stepper(
  config: StepperConfig,
  size: StepperSize,
  { seed = 0, trains = false }: { seed?: number; trains?: boolean } = {},
): Graph {
  const graph = createGraph("giorom");
  const build = sharingLayers(graph, seed);
  const { dim, hidden, types, latent } = config;
  const real = (name: string, ...shape: number[]) => input(graph, name, shape, { batched: false });
  const whole = (name: string, ...shape: number[]) =>
    input(graph, name, shape, { batched: false, dtype: "int32" });
  const { points } = size;

  const features = real("features", points, featureCount(config));
  const parts = [features];
  if (types > 0) {
    const table = build.weight("types.weight", [types, TYPE_WIDTH], types, xavierUniform);
    parts.unshift(gather(table, whole("types", points)));
  }
  let x = encoder(build, "node", parts, hidden);
  const rounds = config.layers[0] + config.layers[1];
  const edges = rounds > 0 ? edgesOf() : undefined;
  let e = edges && encoder(build, "edge", [real("edges", size.edges, dim + 1)], hidden);
  const exchange = (name: string, count: number) => {
    for (let i = 0; i < count; i++) {
      const before = x;
      ({ x, e } =
        config.aggregation === "attention"
          ? graphAttention(build, `${name}.${i}`, { x, e: e! }, edges!, config.heads ?? 3)
          : interaction(build, `${name}.${i}`, { x, e: e! }, edges!));
      if (config.selfLinear) x = add(x, build.linear(`${name}.${i}.self`, mul(before, 0.7), hidden));
    }
  };
  const acceleration = () => encoder(build, "acceleration", [x], hidden, { features: dim, norm: false });

  exchange("before", config.layers[0]);
  if (latent) x = throughGrid(latent);
  if (config.waves) {
    const waves = {
      waves: real("waves", points, size.windows * waveCount(dim, config.waves)),
      shares: real("shares", points, 1),
      windows: size.windows,
      dim,
    };
    x = add(x, particleFno(build, "waves", x, hidden, config.waves, waves));
  }
  exchange("after", config.layers[1]);
  output(apply(graph, "Identity", [acceleration()], {}, { name: "accelerations" })[0], { batched: false });
  return graph;

  function edgesOf(): Edges {
    const incoming = whole("incoming", points, size.degree);
    const outgoing = trains ? whole("outgoing", points, size.degree) : undefined;
    return {
      senders: { index: whole("senders", size.edges), slots: outgoing },
      receivers: { index: whole("receivers", size.edges), slots: incoming },
      weights: real("messageWeights", size.edges, 1),
    };
  }

  function throughGrid(via: LatentConfig): Value {
    const nodes = size.windows * via.size ** via.dim;
    const ofPoints = {
      index: whole("pairPoints", size.pairs),
      slots: whole("pointPairs", points, size.perPoint),
    };
    const ofNodes = { index: whole("pairNodes", size.pairs), slots: whole("nodePairs", nodes, size.perNode) };
    const encodeWeights = real("encodeWeights", size.pairs, 1);
    const decodeWeights = real("decodeWeights", size.pairs, 1);
    const carried = via.carries === "state" ? x : acceleration();
    if (via.transfer === "splines") {
      const given = spread(build.linear("encode", carried, via.channels), ofPoints);
      const got = spread(process(via, collect(mul(given, encodeWeights), ofNodes)), ofNodes);
      const fromGrid = collect(mul(got, decodeWeights), ofPoints);
      return add(x, kernel(build, "projection", [fromGrid], [...via.projection, hidden]));
    }
    const geometry = pairGeometry(via, ofPoints);
    const encode: Pairs = { geometry, weights: encodeWeights, sources: ofPoints, queries: ofNodes };
    const decode: Pairs = {
      geometry: neg(geometry),
      weights: decodeWeights,
      sources: ofNodes,
      queries: ofPoints,
    };
    const onGrid = integralTransform(build, "encode", carried, encode, {
      widths: [...via.encodeHidden, via.channels],
      nonlinear: true,
      multiply: false,
    });
    const fromGrid = integralTransform(build, "decode", process(via, onGrid), decode, {
      widths: [...via.decodeHidden, hidden],
    });
    return add(x, kernel(build, "projection", [fromGrid], [...via.projection, hidden]));
  }

  /** (particle − node)/radius for every pair. */
  function pairGeometry(via: LatentConfig, ofPoints: Incidence): Value {
    if (via.dim === dim) {
      if (config.unusedMap) {
        build.weight("plane.weight", [2, 3], 3);
        build.weight("plane.bias", [2], 3);
      }
      return real("pairGeometry", size.pairs, dim);
    }
    const flat = mul(planeMap(build, real("positions", points, dim)), real("inverseRadius", 1, 1));
    return sub(spread(flat, ofPoints), real("pairPlaces", size.pairs, via.dim));
  }

  function process(via: LatentConfig, onGrid: Value): Value {
    const { processor } = via;
    const tokens = via.size ** via.dim;
    if (processor.kind !== "transformer") {
      const grid = [size.windows, ...new Array<number>(via.dim).fill(via.size), via.channels];
      const image = reshape(onGrid, grid);
      const z =
        processor.kind === "fno"
          ? fno(build, "fno", image, hidden, processor)
          : unet(build, "unet", image, hidden, processor);
      return reshape(z, [size.windows * tokens, hidden]);
    }
    const places = latentGrid(
      via.size,
      Array.from({ length: via.dim }, () => [0, 1] as const),
    ).positions;
    const z = operatorTransformer(
      build,
      "transformer",
      reshape(onGrid, [size.windows, tokens, via.channels]),
      hidden,
      tensor("float32", [tokens, via.dim], Float32Array.from(places)),
      processor,
      trains ? input(graph, "seed", [], { dtype: "int32", batched: false }) : undefined,
    );
    return reshape(z, [size.windows * tokens, hidden]);
  }
}

/** Layers whose weights are shared by all that ask for the same name: v1 reads accelerations off twice. */
function sharingLayers(graph: Graph, seed: number): Layers {
  const build = layers(graph, seed);
  return {
    ...build,
    weight: (name, ...rest) =>
      graph.parameters.has(name) ? valueNamed(graph, name) : build.weight(name, ...rest),
  };
}

/** v1's learned map of 3D positions to a plane. */
function planeMap(build: Layers, positions: Value): Value {
  return tanh(build.linear("plane", positions, 2));
}
