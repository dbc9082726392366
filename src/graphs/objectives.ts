import type { Graph, Value } from "../engine/graph.ts";
import { constant, input, valueNamed } from "../engine/graph.ts";
import {
  add,
  binaryCrossEntropyWithLogits,
  concat,
  crossEntropy,
  div,
  gather,
  gatherElements,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reduceSumSquare,
  relu,
  reshape,
  sub,
} from "../engine/operators/index.ts";
import { curvatureOf, safeNorm } from "../geometry/curvature.ts";
import { fermiDirac } from "../geometry/decoders.ts";
import { lorentzParts } from "../geometry/lorentz.ts";
import { poincareDistance, poincareExp0 } from "../geometry/poincare.ts";
import type { Objective } from "../nn/training-step.ts";
import type { GraphModel } from "./networks.ts";
import { selection } from "./sparse-matrix.ts";
import { sparseProduct } from "./sparse-product.ts";

/** Rows of the embeddings, one of each pair. */
type Pick = (table: Value) => Value;

/**
 * Scores [pairs] of pairs of embedded nodes, higher where an edge is more likely: 2 + 2⟨x, y⟩ on the hyperboloid (minus
 * the squared Lorentzian distance), else the logits of the Fermi–Dirac decoder with r = 2, t = 1, of the ball's distance
 * for HGCN and of the distance of unit vectors for GCN.
 */
function linkScores(model: GraphModel, embeddings: Value, first: Pick, second: Pick): Value {
  const flat = (v: Value) => reshape(v, [-1]);
  if (model === "hybonet") {
    const [time, space] = lorentzParts(embeddings);
    const products = mul(first(embeddings), second(concat([neg(time), space], 1)));
    return mul(add(reduceSum(products, [1]), 1), 2);
  }
  if (model === "gcn") {
    const unit = div(embeddings, safeNorm(embeddings));
    return flat(fermiDirac(reduceSumSquare(sub(first(unit), second(unit)), [1])));
  }
  const c = curvatureOf(valueNamed(embeddings.graph, "curvature"));
  const points = poincareExp0(embeddings, c);
  const distance = poincareDistance(first(points), second(points), c);
  return flat(fermiDirac(mul(distance, distance)));
}

/** Scores of constant pairs [u, v, u, v, …] of the embeddings' rows. */
export function scorePairs(model: GraphModel, embeddings: Value, pairs: ArrayLike<number>): Value {
  const side = (k: number): Pick => {
    const rows = Array.from({ length: pairs.length / 2 }, (_, i) => pairs[2 * i + k]);
    return (table) => sparseProduct(selection(rows, table.shape[0]), table);
  };
  return linkScores(model, embeddings, side(0), side(1));
}

/**
 * Mean over edges and non-edges of relu(margin − s(edge) + s): an edge and a non-edge are compared, and the edge with
 * itself, which adds margin/2 (Chen et al. 2022). Two lists of equal length.
 */
export function marginLoss(positive: Value, negative: Value, margin: number): Value {
  return mul(add(reduceMean(relu(add(sub(negative, positive), margin))), margin), 0.5);
}

/**
 * Link prediction from embeddings: the edges `pairs` against as many pairs fed as int32 `negatives` [pairs, 2]. HyboNet
 * has the margin loss, the others a cross-entropy for edges plus one for non-edges.
 */
export function linkObjective(
  model: GraphModel,
  pairs: ArrayLike<number>,
  { margin }: { margin: number },
): Objective {
  return ([embeddings], graph) => {
    const count = pairs.length / 2;
    const negatives = input(graph, "negatives", [count, 2], { dtype: "int32", batched: false });
    const side = (k: number): Pick => {
      const rows = reshape(gather(negatives, [k], 1), [count]);
      return (table) => gather(table, rows);
    };
    const positive = scorePairs(model, embeddings, pairs);
    const negative = linkScores(model, embeddings, side(0), side(1));
    if (model === "hybonet") return { loss: marginLoss(positive, negative, margin) };
    return {
      loss: add(binaryCrossEntropyWithLogits(positive, 1), binaryCrossEntropyWithLogits(negative, 0)),
    };
  };
}

/** Mean over nodes and classes of relu(margin − logit of the true class + logit): never below margin/classes. */
export function classMarginLoss(logits: Value, labels: Value, margin: number): Value {
  const truth = gatherElements(logits, reshape(labels, [-1, 1]), 1);
  return reduceMean(relu(add(sub(logits, truth), margin)));
}

/** Node classification of the nodes `nodes` from logits of all: margin loss for HyboNet, cross-entropy for the others. */
export function nodeObjective(
  model: GraphModel,
  nodes: ArrayLike<number>,
  labels: ArrayLike<number>,
  { margin }: { margin: number },
): Objective {
  return ([logits], graph: Graph) => {
    const chosen = sparseProduct(selection(nodes, logits.shape[0]), logits);
    const truth = constant(graph, {
      dtype: "int32",
      shape: [nodes.length],
      data: Int32Array.from(nodes, (i) => labels[i]),
    });
    return {
      loss: model === "hybonet" ? classMarginLoss(chosen, truth, margin) : crossEntropy(chosen, truth),
    };
  };
}
