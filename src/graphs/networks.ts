import type { Graph, Value } from "../engine/graph.ts";
import { createGraph, input, output } from "../engine/graph.ts";
import { div, dropout, minimum, mul, relu, reshape } from "../engine/operators/index.ts";
import { withScope } from "../engine/scope.ts";
import type { Curvature } from "../geometry/curvature.ts";
import { learnableCurvature, rootOf, safeNorm } from "../geometry/curvature.ts";
import { lorentzPrototypes } from "../geometry/decoders.ts";
import { lorentzNormalize } from "../geometry/lorentz.ts";
import { lorentzLinear } from "../geometry/lorentz-layers.ts";
import { mobiusAdd, poincareExp0, poincareLog0, poincareProject } from "../geometry/poincare.ts";
import type { Initializer } from "../nn/initializers.ts";
import { constantFill, xavierUniform } from "../nn/initializers.ts";
import type { Layers } from "../nn/layers.ts";
import { layers } from "../nn/layers.ts";
import type { SparseMatrix } from "./sparse-matrix.ts";
import { sparseProduct } from "./sparse-product.ts";

export type GraphModel = "gcn" | "hgcn" | "hybonet";

export interface GraphNetworkOptions {
  model: GraphModel;
  /** [nodes, features] of the input `features`; for HyboNet points, see `lorentzFeatures`. */
  features: readonly number[];
  adjacency: SparseMatrix;
  /** Width of all layers; HyboNet counts the time coordinate. Default 16. */
  width?: number;
  /** Graph convolutions. */
  convolutions: number;
  /** Class scores instead of embeddings. */
  classes?: number;
  activation?: "relu" | "none";
  /**
   * Share of the numbers before each matrix that is dropped in training. Those of the input are for whoever feeds it: see
   * `droppedInput`.
   */
  dropout?: number;
  /** Adds the dropout, and an int32 scalar input `seed`. Parameters are the same without. */
  training?: boolean;
  seed?: number;
}

/**
 * A network over all nodes of one graph, which is part of it. The output is [nodes, width]: for `gcn` Euclidean
 * embeddings, for `hgcn` tangent vectors at the origin of the ball of the last curvature (parameter `curvature`), for
 * `hybonet` points of the hyperboloid; or [nodes, classes] with `classes`.
 */
export function graphNetwork(options: GraphNetworkOptions): Graph {
  const { features, training = false, seed = 0 } = options;
  const graph = createGraph(options.model);
  const x = input(graph, "features", features, { batched: false });
  const drops = training && (options.dropout ?? 0) > 0;
  const step = drops ? input(graph, "seed", [], { dtype: "int32", batched: false }) : undefined;
  const place: Place = {
    ...options,
    build: layers(graph, seed),
    width: options.width ?? 16,
    drop: (v, layer) => (step && layer > 1 ? dropout(v, options.dropout!, step, { stream: layer }) : v),
    act: (v) => (options.activation === "relu" ? relu(v) : v),
  };
  output(BUILDERS[options.model](place, x), { batched: false });
  return graph;
}

interface Place extends GraphNetworkOptions {
  build: Layers;
  width: number;
  drop(v: Value, layer: number): Value;
  act(v: Value): Value;
}

const BUILDERS: Record<GraphModel, (place: Place, x: Value) => Value> = { gcn, hgcn, hybonet };

/** Graph convolutions act(Â(x Wᵀ + b)), the last of them to the class scores (Kipf and Welling 2017). */
function gcn(place: Place, x: Value): Value {
  const { build, width, convolutions, classes, adjacency, drop, act } = place;
  const layer = (name: string, i: number, features: number) =>
    sparseProduct(adjacency, build.linear(name, drop(x, i), features, { initializer: xavierUniform }));
  for (let i = 1; i <= convolutions; i++) x = act(layer(`conv${i}`, i, width));
  return classes === undefined ? x : layer("classes", convolutions + 1, classes);
}

/** Lorentz linear layers, each followed by the midpoint of every node's neighbourhood (Chen et al. 2022). */
function hybonet(place: Place, x: Value): Value {
  const { build, width, convolutions, classes, adjacency, drop, act } = place;
  for (let i = 1; i <= convolutions; i++) {
    const name = `conv${i}`;
    const before = (v: Value) => drop(i === 1 ? v : act(v), i);
    x = lorentzNormalize(sparseProduct(adjacency, lorentzLinear(build, name, x, width, { before })));
  }
  return classes === undefined ? x : lorentzPrototypes(build, "classes", x, classes);
}

/**
 * HGCN (Chami et al. 2019) in the Poincaré ball, aggregating in the tangent space at the origin, a trained curvature for
 * every layer. Points are carried as the tangent vectors they are the image of, since that is what the matrix, the mean
 * and the activation work on: exp₀ and log₀ between them cancel, and what is left of them is the bias.
 */
function hgcn(place: Place, x: Value): Value {
  const { build, width, convolutions, classes, adjacency, drop, act } = place;
  let c: Curvature = learnableCurvature(build, convolutions > 0 ? "conv1.curvature" : "curvature");
  x = within(x, c);
  for (let i = 1; i <= convolutions; i++) {
    const name = `conv${i}`;
    const moved = withScope(x.graph, name, () => {
      const product = build.linear(name, drop(x, i), width, { bias: false, initializer: wide });
      const bias = reshape(build.weight(`${name}.bias`, [width], width, constantFill(0)), [1, width]);
      const point = mobiusAdd(onBall(product, c), onBall(bias, c), c);
      return poincareLog0(poincareProject(point, c), c);
    });
    const mean = within(sparseProduct(adjacency, moved), c);
    c = learnableCurvature(build, i < convolutions ? `conv${i + 1}.curvature` : "curvature");
    x = within(act(mean), c);
  }
  return classes === undefined ? x : build.linear("classes", x, classes);
}

const onBall = (u: Value, c: Curvature) => poincareProject(poincareExp0(u, c), c);

/** Radius of the projection of HGCN's authors: points beyond are pulled back to 1 − 4e-3 of the ball. */
const FARTHEST = Math.atanh(1 - 4e-3);

/** log₀ ∘ project ∘ exp₀. */
function within(u: Value, c: Curvature): Value {
  return mul(u, minimum(div(FARTHEST, mul(safeNorm(u), rootOf(c))), 1));
}

/** Xavier's uniform with gain √2. */
const wide: Initializer = (shape, fanIn, rng) => {
  const t = xavierUniform(shape, fanIn, rng);
  for (let i = 0; i < t.data.length; i++) t.data[i] *= Math.SQRT2;
  return t;
};
