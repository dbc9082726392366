import { expect, test } from "vitest";
import { random } from "../../src/random.ts";
import { createRanking, GROUP_RANKINGS } from "../../src/sparsity/ranking.ts";

const partition = {
  groups: 4,
  parts: [
    { parameter: "w", outer: 3, channels: 4, inner: 1 },
    { parameter: "b", outer: 1, channels: 4, inner: 1 },
  ],
};
const rng = random(5);
const draw = () => ({
  w: Float32Array.from({ length: 12 }, () => rng.normal()),
  b: Float32Array.from({ length: 4 }, () => rng.normal()),
});
const weights = draw();
const batches = [draw(), draw(), draw()];
const norms = Float64Array.from({ length: 4 }, (_, j) =>
  Math.hypot(weights.b[j], ...[0, 1, 2].map((o) => weights.w[4 * o + j])),
);

/** Element by element, from the definitions. */
const byHand = (f: (w: number, g: number) => number) =>
  Float64Array.from({ length: 4 }, (_, j) =>
    batches.reduce(
      (sum, g) =>
        sum +
        f(weights.b[j], g.b[j]) +
        [0, 1, 2].reduce((s, o) => s + f(weights.w[4 * o + j], g.w[4 * o + j]), 0),
      0,
    ),
  );

test.each([
  ["taylor", (w: number, g: number) => Math.abs(w * g)],
  ["hessian", (w: number, g: number) => w * w * g * g],
] as const)("%s sums its saliency over weights, biases and batches", (kind, f) => {
  const ranking = createRanking(kind, partition);
  for (const g of batches) ranking.observe!(weights, g);
  const wanted = byHand(f);
  const scores = ranking.scores(norms);
  scores.forEach((score, j) => expect(score).toBeCloseTo(wanted[j], 12));
  const resumed = createRanking(kind, partition);
  resumed.restore(ranking.state());
  expect(resumed.scores(norms)).toEqual(scores);
});

test("for a quadratic loss whose Hessian is its gradients' square, the saliency ranks as the loss itself does", () => {
  // loss(w) = ½Σ g²w² rises by ½g²w² as a weight of a minimum at w is removed (LeCun et al. 1989).
  const ranking = createRanking("hessian", partition);
  ranking.observe!(weights, batches[0]);
  const rise = [0, 1, 2, 3].map(
    (j) =>
      (weights.b[j] * batches[0].b[j]) ** 2 / 2 +
      [0, 1, 2].reduce((s, o) => s + (weights.w[4 * o + j] * batches[0].w[4 * o + j]) ** 2 / 2, 0),
  );
  ranking.scores(norms).forEach((score, j) => expect(score / 2).toBeCloseTo(rise[j], 12));
});

test("random scores depend on the seed alone, and differ between seeds", () => {
  const scores = (seed: number) => [...createRanking("random", partition, seed).scores(norms)];
  expect(scores(1)).toEqual(scores(1));
  expect(new Set([1, 2, 3, 4, 5, 6].map((s) => scores(s).join())).size).toBeGreaterThan(1);
});

test.each(GROUP_RANKINGS)("%s: only dead groups are worth nothing", (kind) => {
  const some = Float64Array.of(2, 0, 1, 3);
  const scores = createRanking(kind, partition).scores(some);
  expect([...scores].map((s) => s > 0)).toEqual([true, false, true, true]);
});
