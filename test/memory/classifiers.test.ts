import { expect, test } from "vitest";
import {
  createNaiveBayesClassifier,
  createNaiveBayesMemory,
} from "../../src/memory/baselines/naive-bayes.ts";
import { createRidgeClassifier, createRidgeMemory } from "../../src/memory/baselines/ridge.ts";
import { random } from "../../src/random.ts";
import { subset } from "./support.ts";

const rng = random(5);
const dense = (pattern: readonly number[], n: number) =>
  Array.from({ length: n }, (_, j) => Number(pattern.includes(j)));

test("naive Bayes: the odds of three messages, by hand", () => {
  // Words: 0 = "offer", 1 = "meeting", 2 = "now". Spam: {0, 2}, {0}; work: {1}.
  const mail = createNaiveBayesClassifier(3);
  expect(mail.classify([0])).toEqual({ label: undefined, scores: [] });
  mail.learn([0, 2], "spam");
  mail.learn([0], "spam");
  mail.learn([1], "work");
  // P(spam) = 2/3, its words (2+1)/(2+2), (0+1)/4, (1+1)/4; P(work) = 1/3, (0+1)/(1+2), (1+1)/3, 1/3.
  const { label, scores } = mail.classify([0]);
  expect(label).toBe("spam");
  expect(scores.map((s) => s.label)).toEqual(["spam", "work"]);
  expect(Math.exp(scores[0].score)).toBeCloseTo(((2 / 3) * 3 * 3 * 2) / 4 ** 3, 12);
  expect(Math.exp(scores[1].score)).toBeCloseTo(((1 / 3) * 1 * 1 * 2) / 3 ** 3, 12);
  expect(mail.classify([1]).label).toBe("work");
  // α = ½: P(word | spam) = 2.5/3, 0.5/3, 1.5/3.
  const half = createNaiveBayesClassifier(3, 0.5);
  half.learn([0, 2], "spam");
  half.learn([0], "spam");
  expect(Math.exp(half.classify([0]).scores[0].score)).toBeCloseTo((2.5 * 2.5 * 1.5) / 3 ** 3, 12);
});

test("naive Bayes as a memory: the odds of each input by counting items, itself left out", () => {
  const n = 12;
  const items = Array.from({ length: 20 }, () => subset(rng, n, 4));
  const memory = createNaiveBayesMemory(n, 0.3);
  for (const item of items) memory.learn(item);
  const smooth = (hits: number, of: number) => (hits + 0.3) / (of + 0.6);
  for (let trial = 0; trial < 30; trial++) {
    const cue = subset(rng, n, 4);
    const odds = Array.from({ length: n }, (_, j) => {
      const joint = [true, false].map((on) => {
        const those = items.filter((item) => item.includes(j) === on);
        let p = smooth(those.length, items.length);
        for (let i = 0; i < n; i++)
          if (i !== j) {
            const share = smooth(those.filter((item) => item.includes(i)).length, those.length);
            p *= cue.includes(i) ? share : 1 - share;
          }
        return p;
      });
      return joint[0] / joint[1];
    });
    const answer = memory.recognize(cue, 4);
    const others = odds.filter((_, j) => !answer.includes(j));
    // Equal odds may differ in the last digits.
    expect(Math.min(...answer.map((j) => odds[j]))).toBeGreaterThan((1 - 1e-9) * Math.max(...others));
  }
});

/** Ridge by descent along the gradient of Σ (y − W'x − c)² + λ Σ W²: no products of matrices, no factorisation. */
function descend(x: number[][], y: number[], penalty: number) {
  const w = new Array<number>(x[0].length).fill(0);
  let c = 0;
  const rate = 0.5 / (penalty + x.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 1), 0));
  for (let step = 0; step < 40_000; step++) {
    const error = x.map((row, i) => c + row.reduce((sum, v, j) => sum + v * w[j], 0) - y[i]);
    c -= rate * error.reduce((a, b) => a + b, 0);
    for (let j = 0; j < w.length; j++)
      w[j] -= rate * (penalty * w[j] + error.reduce((sum, e, i) => sum + e * x[i][j], 0));
  }
  return (pattern: readonly number[]) => c + pattern.reduce((sum, j) => sum + w[j], 0);
}

test.for([
  { name: "more items than inputs", items: 24, inputs: 7 },
  { name: "more inputs than items", items: 6, inputs: 15 },
])("ridge: the minimum that descent finds, $name", ({ items, inputs }) => {
  const patterns = Array.from({ length: items }, (_, i) => subset(rng, inputs, 1 + (i % 4)));
  const labels = patterns.map((_, i) => ["a", "b", "c"][i % 3]);
  const ridge = createRidgeClassifier(inputs, 2);
  expect(ridge.classify([0])).toEqual({ label: undefined, scores: [] });
  for (const [i, pattern] of patterns.entries()) ridge.learn(pattern, labels[i]);
  const x = patterns.map((pattern) => dense(pattern, inputs));
  const expected = ["a", "b", "c"].map((label) =>
    descend(
      x,
      labels.map((l) => Number(l === label)),
      2,
    ),
  );
  for (let trial = 0; trial < 10; trial++) {
    const cue = subset(rng, inputs, 3);
    const { label, scores } = ridge.classify(cue);
    for (const [c, { score }] of scores.entries())
      expect(Math.abs(score - expected[c](cue))).toBeLessThan(1e-8);
    expect(label).toBe(scores.toSorted((p, q) => q.score - p.score)[0].label);
  }
  // What is learnt afterwards counts.
  const [before] = ridge.classify([0]).scores;
  ridge.learn([0], "a");
  expect(ridge.classify([0]).scores[0].score).toBeGreaterThan(before.score);
});

test("ridge as a memory: next to no penalty gives back all that is independent, a large one only what is common", () => {
  const items = Array.from({ length: 10 }, () => subset(rng, 40, 5));
  const exact = (penalty: number) => {
    const memory = createRidgeMemory(40, penalty);
    for (const item of items) memory.learn(item);
    return items.filter((item) => memory.recognize(item, 5).join() === item.join()).length;
  };
  expect(exact(1e-6)).toBe(10);
  expect(exact(1e6)).toBeLessThan(3);
});
