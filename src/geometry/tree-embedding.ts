import type { Relations } from "../data/relations.ts";
import { ancestorsOf } from "../data/relations.ts";
import { Problem } from "../problem.ts";
import { deriveSeed, random } from "../random.ts";
import type { Manifold } from "./manifold.ts";

export interface TreeEmbeddingOptions {
  dimension: number;
  epochs?: number;
  /** Length of a step along a gradient of length 1. Default 0.05. */
  learningRate?: number;
  /** Unrelated nodes that each pair is compared with. Default 50. */
  negatives?: number;
  /** First epochs, with a hundredth of the learning rate: directions are found near the origin. Default 20. */
  burnIn?: number;
  seed?: number;
  onEpoch?: (epoch: number, loss: number) => void;
}

/**
 * Embeds a hierarchy so that related nodes are nearer than unrelated ones (Nickel and Kiela 2017, eq. 5): for each pair
 * (u, v) in random order one step of Riemannian gradient descent on −log(e^−d(u,v) / Σ e^−d(u,v′)), v′ being v and random
 * nodes that are no ancestors of u. The gradient of a distance is minus the unit tangent vector toward the other point, in
 * every space, so that this is one program for all of them.
 *
 * @returns one point a node. Throws a `Problem` where the learning rate is so large that they leave the space.
 */
export function embedTree(
  manifold: Manifold,
  relations: Relations,
  options: TreeEmbeddingOptions,
): Float64Array[] {
  const epochs = embedEpochs(manifold, relations, options);
  for (;;) {
    const { done, value } = epochs.next();
    if (done) return value;
  }
}

/** `embedTree` epoch by epoch: gives the number of each, from 0, when it is over, and in the end the points. */
export function* embedEpochs(
  manifold: Manifold,
  relations: Relations,
  options: TreeEmbeddingOptions,
): Generator<number, Float64Array[]> {
  const { dimension, epochs = 300, learningRate = 0.05, negatives = 50, burnIn = 20, seed = 0 } = options;
  const { names, pairs } = relations;
  for (const [name, value, least] of [
    ["dimension", dimension, 1],
    ["epochs", epochs, 0],
    ["negatives", negatives, 1],
    ["burnIn", burnIn, 0],
  ] as const)
    if (!(Number.isInteger(value) && value >= least))
      throw new Problem(`embedTree: ${name} is ${value}; take a whole number of at least ${least}`);
  if (!(learningRate > 0 && Number.isFinite(learningRate)))
    throw new Problem(`embedTree: learningRate is ${learningRate}; take a number above 0`);
  const related = ancestorsOf(relations).map((list) => new Set(list));
  const width = manifold.coordinates(dimension);
  const start = random(deriveSeed(seed, "start"));
  const points = names.map(() => {
    const x = new Float64Array(width);
    manifold.fromOrigin(
      Float64Array.from({ length: dimension }, () => (2 * start.uniform() - 1) * 1e-3),
      x,
    );
    return x;
  });
  const others = new Uint32Array(1 + negatives);
  const distances = new Float64Array(1 + negatives);
  const toward = Array.from(others, () => new Float64Array(width));
  const sum = new Float64Array(width);
  const back = new Float64Array(width);
  const count = pairs.length / 2;

  for (let epoch = 0; epoch < epochs; epoch++) {
    const rng = random(deriveSeed(seed, "epoch", epoch));
    const rate = epoch < burnIn ? learningRate / 100 : learningRate;
    let loss = 0;
    for (const pair of rng.permutation(count)) {
      const u = pairs[2 * pair];
      // Below all others: there is nothing that it should be farther from.
      if (related[u].size === names.length - 1) continue;
      const x = points[u];
      others[0] = pairs[2 * pair + 1];
      for (let i = 1; i <= negatives; i++) {
        do others[i] = rng.integer(names.length);
        while (others[i] === u || related[u].has(others[i]));
      }
      let total = 0;
      for (let i = 0; i <= negatives; i++) {
        distances[i] = manifold.log(x, points[others[i]], toward[i]);
        total += Math.exp(distances[0] - distances[i]);
      }
      loss += Math.log(total);
      sum.fill(0);
      for (let i = 0; i <= negatives; i++) {
        if (distances[i] === 0) continue;
        const slope = (i === 0 ? 1 : 0) - Math.exp(distances[0] - distances[i]) / total;
        const step = (rate * slope) / distances[i];
        for (let k = 0; k < width; k++) sum[k] += step * toward[i][k];
        const y = points[others[i]];
        manifold.log(y, x, back);
        for (let k = 0; k < width; k++) back[k] *= step;
        manifold.exp(y, back, y);
      }
      manifold.exp(x, sum, x);
    }
    if (!Number.isFinite(loss))
      throw new Problem(
        `embedTree: points left the space in epoch ${epoch + 1}; take a learning rate below ${learningRate}`,
      );
    options.onEpoch?.(epoch, loss / count);
    yield epoch;
  }
  return points;
}

/** Reconstruction of the relations from distances alone. */
export interface Reconstruction {
  /** Mean over all pairs (u, v) of v's rank by distance from u, among v and the nodes unrelated to u; 1 is best. */
  meanRank: number;
  /** Mean over the nodes of the average precision with which nearness finds their ancestors; 1 is best. */
  map: number;
}

/** Mean rank and MAP as Nickel and Kiela (2017, section 4.1) compute them. */
export function reconstruction(
  relations: Relations,
  distance: (u: number, v: number) => number,
): Reconstruction {
  let [ranks, pairs, precisions, nodes] = [0, 0, 0, 0];
  ancestorsOf(relations).forEach((ancestors, u) => {
    if (ancestors.length === 0) return;
    const positive = new Set(ancestors);
    const all = relations.names.flatMap((_, v) =>
      v === u ? [] : [{ related: positive.has(v), at: distance(u, v) }],
    );
    const lost = all.find((v) => Number.isNaN(v.at));
    if (lost) throw new Problem(`reconstruction: a distance from "${relations.names[u]}" is no number`);
    all
      // Of equally far nodes the unrelated come first, so that a collapsed embedding earns nothing.
      .sort((a, b) => a.at - b.at || Number(a.related) - Number(b.related));
    let [found, precision] = [0, 0];
    all.forEach(({ related }, place) => {
      if (!related) return;
      ranks += place + 1 - found;
      found++;
      precision += found / (place + 1);
    });
    pairs += found;
    precisions += precision / found;
    nodes++;
  });
  return { meanRank: ranks / pairs, map: precisions / nodes };
}
