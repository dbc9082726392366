import { describe, expect, test } from "vitest";
import { MODELS } from "../../../src/nn/models/index.ts";
import { Problem } from "../../../src/problem.ts";
import { random } from "../../../src/random.ts";
import { encodeMasks } from "../../../src/sparsity/tickets/mask-file.ts";
import type { Masks, Scope, Weights } from "../../../src/sparsity/tickets/masks.ts";
import {
  composeMasks,
  density,
  jaccardDistance,
  keepLargest,
  loadWeights,
  magnitudeMasks,
  maskWeights,
  prunable,
  randomMasks,
  shuffleMasks,
  weightsOf,
} from "../../../src/sparsity/tickets/masks.ts";
import { smallerTicket } from "../../../src/sparsity/tickets/smaller-ticket.ts";
import { tinyMlp, vectors } from "./vectors.ts";

const flat = (masks: Masks) => [...masks.values()].map((m) => Array.from(m));
const one = (...bits: number[]): Masks => new Map([["w", Uint8Array.from(bits)]]);

test("magnitude masks of the vectors, globally and by layer, with ties", () => {
  const { weights, cases } = vectors.magnitudeMask;
  const all: Weights = new Map(
    weights.map((w: number[][], i: number) => [`w${i}`, Float32Array.from(w.flat())]),
  );
  for (const { k, scope, masks } of cases)
    expect(flat(magnitudeMasks(all, k, scope))).toEqual(masks.map((m: number[][]) => m.flat()));
});

test("among equal scores the first go; all or nothing goes where asked", () => {
  const scores = new Map([
    ["a", [1, 2, 1]],
    ["b", [1, 0]],
  ]);
  expect(flat(keepLargest(scores, 0.4))).toEqual([
    [0, 1, 1],
    [1, 0],
  ]);
  expect(flat(keepLargest(scores, 0.6))).toEqual([
    [0, 1, 0],
    [1, 0],
  ]);
  expect(flat(keepLargest(scores, 1))).toEqual([
    [0, 0, 0],
    [0, 0],
  ]);
  expect(flat(keepLargest(scores, 0))).toEqual([
    [1, 1, 1],
    [1, 1],
  ]);
  expect(flat(keepLargest(scores, 0.5, "local"))).toEqual([
    [0, 1, 1],
    [1, 0],
  ]);
});

test("the lowest go, as sorting by score and then by place has it, for many ties and infinite scores", () => {
  const rng = random(3);
  for (let trial = 0; trial < 200; trial++) {
    const n = 1 + rng.integer(60);
    const draw = () => (rng.uniform() < 0.1 ? Number.NEGATIVE_INFINITY : rng.integer(trial % 2 ? 6 : 1000));
    const scores = Array.from({ length: n }, draw);
    const ratio = rng.uniform();
    const order = [...scores.keys()].sort((a, b) =>
      scores[a] === scores[b] ? a - b : scores[a] < scores[b] ? -1 : 1,
    );
    const gone = new Set(order.slice(0, Math.floor(ratio * n)));
    expect(flat(keepLargest(new Map([["w", scores]]), ratio))).toEqual([
      scores.map((_, i) => Number(!gone.has(i))),
    ]);
  }
});

test("scores that are no numbers and ratios outside 0..1 are refused", () => {
  expect(() => keepLargest(new Map([["w", [1, Number.NaN]]]), 0.5)).toThrow(Problem);
  expect(() => keepLargest(new Map([["w", [1, 2]]]), 1.5)).toThrow(Problem);
});

test("a scope that there is not is refused", () => {
  expect(() => magnitudeMasks(new Map([["w", new Float32Array(2)]]), 0.5, "layer" as Scope)).toThrow(
    'no pruning scope "layer"; take global or local',
  );
});

test("Jaccard distance: the vectors, and two independent masks", () => {
  const { a, b, distance, emptyBoth, expected } = vectors.jaccard;
  expect(jaccardDistance(one(...a), one(...b))).toBeCloseTo(distance, 12);
  expect(jaccardDistance(one(...a), one(...a))).toBe(0);
  expect(jaccardDistance(one(1, 0), one(0, 1))).toBe(1);
  expect(jaccardDistance(one(0, 0), one(0, 0))).toBe(emptyBoth);
  const weights: Weights = new Map([["w", new Float32Array(60_000)]]);
  for (const [rho, mean] of Object.entries(expected)) {
    const draw = (seed: number) => randomMasks(weights, 1 - Number(rho), seed);
    const distances = Array.from({ length: 6 }, (_, i) => jaccardDistance(draw(2 * i), draw(2 * i + 1)));
    expect(distances.reduce((a, b) => a + b) / 6).toBeCloseTo(mean as number, 2);
  }
});

test("shuffled masks keep the count of every layer and move it", () => {
  const { model } = tinyMlp();
  const masks = randomMasks(new Map([...model.parameters].map(([n, t]) => [n, t.data])), 0.5, 4);
  const moved = shuffleMasks(masks, 9);
  expect(density(moved)).toEqual(density(masks));
  expect(density(masks).total).toBe(0.5);
  expect(jaccardDistance(masks, moved)).toBeGreaterThan(0.3);
  expect(flat(shuffleMasks(masks, 9))).toEqual(flat(moved));
});

test("composition keeps what lives in all", () => {
  expect(flat(composeMasks(one(1, 1, 0, 1), one(1, 0, 1, 1), one(0, 1, 1, 1)))).toEqual([[0, 0, 0, 1]]);
});

test("a mask that has nothing on a parameter lets all of it live", () => {
  const both = composeMasks(one(1, 0), new Map([["v", Uint8Array.of(0, 1)]]));
  expect(Object.fromEntries([...both].map(([n, m]) => [n, [...m]]))).toEqual({ w: [1, 0], v: [0, 1] });
});

test("weights of another model are refused by name", () => {
  const { model } = tinyMlp();
  expect(() => loadWeights(model, new Map([["embed", new Float32Array(3)]]))).toThrow(
    /"embed" has shape \[4,5\]/,
  );
});

describe("masks of another model are refused by name", () => {
  const { model } = tinyMlp();
  const weights = weightsOf(model);
  const short: Masks = new Map([["embed", new Uint8Array(3)]]);
  const foreign: Masks = new Map([["fc1.weight", new Uint8Array(3)]]);
  const own = randomMasks(weights, 0.5, 1);

  test.each<[string, (masks: Masks) => unknown, RegExp]>([
    ["maskWeights", (masks) => maskWeights(weights, masks), /in the weights, the masks hold/],
    ["jaccardDistance", (masks) => jaccardDistance(masks, own), /the first, the second masks hold/],
    ["jaccardDistance, turned", (masks) => jaccardDistance(own, masks), /the first, the second masks hold/],
    ["smallerTicket", (masks) => smallerTicket(model, masks), /in the model, the masks hold/],
    ["encodeMasks", (masks) => encodeMasks(masks, model), /in the model, the masks hold/],
  ])("%s", (_, use, words) => {
    for (const masks of [short, foreign]) {
      expect(() => use(masks)).toThrow(words);
      expect(() => use(masks)).toThrow(Problem);
    }
    expect(() => use(own)).not.toThrow();
  });

  test("composeMasks", () => {
    expect(() => composeMasks(own, short)).toThrow(/"embed" has shape \[20\] in the masks before them/);
  });

  test("loadWeights: weights that lack something, or have more", () => {
    const { embed, ...others } = Object.fromEntries(weights);
    expect(() => loadWeights(model, new Map(Object.entries(others)))).toThrow(
      "the weights hold nothing of it",
    );
    expect(() => loadWeights(model, new Map([...weights, ["more", embed]]))).toThrow(
      '"more" is not in the model',
    );
  });
});

test("what one prunes are matrices and kernels, not biases and normalisations", () => {
  const model = MODELS.resnet20({ inputShape: [3, 8, 8], classes: 10, seed: 0 });
  const all = weightsOf(model);
  const matrices = prunable(all, model);
  const named = ["stem.conv.weight", "fc.weight", "stem.bn.weight", "stem.bn.bias", "fc.bias"];
  expect(named.map((name) => matrices.has(name))).toEqual([true, true, false, false, false]);
  expect([...matrices.values()].reduce((n, w) => n + w.length, 0)).toBe(270_896);
  expect([...magnitudeMasks(matrices, 0.5).keys()]).toEqual([...matrices.keys()]);
  const grokking = tinyMlp().model;
  expect(() => prunable(weightsOf(grokking), model)).toThrow('"embed" is not in the model');
  expect(prunable(weightsOf(grokking), grokking)).toEqual(weightsOf(grokking));
});
