import { expect, test } from "vitest";
import { reconstruction } from "../../protocols/support/sparsey/damaged-cues.ts";
import { similarityCurve } from "../../protocols/support/sparsey/similarity-curve.ts";
import { createHopfieldMemory } from "../../src/memory/baselines/hopfield.ts";
import { createModernHopfieldMemory } from "../../src/memory/baselines/modern-hopfield.ts";
import { createNearestMemory } from "../../src/memory/baselines/nearest.ts";
import type { PatternMemory } from "../../src/memory/baselines/pattern-memory.ts";
import { createSparseDistributedMemory } from "../../src/memory/baselines/sparse-distributed.ts";
import { createWillshawMemory } from "../../src/memory/baselines/willshaw.ts";
import { random } from "../../src/random.ts";
import { subset } from "./support.ts";

const N = 40;
const S = 5;
const rng = random(3);
const items = Array.from({ length: 30 }, () => subset(rng, N, S));
const cues = Array.from({ length: 50 }, () => subset(rng, N, S));
const dense = (pattern: readonly number[]) =>
  Array.from({ length: N }, (_, j) => Number(pattern.includes(j)));
const X = items.map(dense);

/** The largest of a list of values, the first of equals, in rising order. */
const top = (values: number[]) =>
  values
    .map((value, j) => ({ value, j }))
    .sort((a, b) => b.value - a.value || a.j - b.j)
    .slice(0, S)
    .map(({ j }) => j)
    .sort((a, b) => a - b);

const times = (W: number[][], x: number[]) => W.map((row) => row.reduce((sum, w, j) => sum + w * x[j], 0));
const matrix = (entry: (i: number, j: number) => number) =>
  Array.from({ length: N }, (_, i) => Array.from({ length: N }, (_, j) => entry(i, j)));

function filled(memory: PatternMemory): PatternMemory {
  for (const item of items) memory.learn(item);
  return memory;
}

test("Willshaw: the matrix written out", () => {
  const W = matrix((i, j) => Math.max(...X.map((x) => x[i] * x[j])));
  const memory = filled(createWillshawMemory(N));
  for (const cue of cues) expect(memory.recognize(cue, S)).toEqual(top(times(W, dense(cue))));
});

test("Hopfield: the covariance matrix written out, update by update", () => {
  const f = S / N;
  const W = matrix((i, j) => (i === j ? 0 : X.reduce((sum, x) => sum + (x[i] - f) * (x[j] - f), 0)));
  // Rounded, so that equal fields are equal in both ways of adding.
  const step = (state: number[]) => top(times(W, dense(state)).map((h) => Math.round(1e9 * h)));
  const once = filled(createHopfieldMemory(N, { activity: f, steps: 1 }));
  const settled = filled(createHopfieldMemory(N, { activity: f }));
  for (const cue of cues) {
    expect(once.recognize(cue, S)).toEqual(step(cue));
    let state = cue;
    for (let i = 0; i < 20; i++) state = step(state);
    expect(settled.recognize(cue, S)).toEqual(state);
  }
});

test("modern Hopfield: the softmax written out; with a small β it blurs", () => {
  for (const beta of [0.3, 4]) {
    const memory = filled(createModernHopfieldMemory(N, beta));
    for (const cue of cues) {
      const probe = dense(cue);
      const weights = X.map((x) => Math.exp(beta * x.reduce((sum, bit, j) => sum + bit * probe[j], 0)));
      const values = dense([]).map((_, j) => X.reduce((sum, x, i) => sum + x[j] * weights[i], 0));
      const answer = memory.recognize(cue, S);
      const others = values.filter((_, j) => !answer.includes(j));
      // Equal values may differ in the last digits, so that either may be chosen.
      expect(Math.min(...answer.map((j) => values[j]))).toBeGreaterThan((1 - 1e-9) * Math.max(...others));
    }
  }
  const exact = (beta: number) => {
    const memory = filled(createModernHopfieldMemory(N, beta));
    return items.filter((item) => memory.recognize(item, S).join() === item.join()).length;
  };
  expect(exact(4)).toBe(items.length);
  expect(exact(0.3)).toBeLessThan(items.length / 2);
});

test("nearest: Jaccard's measure by sets, also after the store has grown", () => {
  const memory = createNearestMemory(N);
  expect(memory.nearest([1])).toBe(-1);
  expect(memory.recognize([1], S)).toEqual([]);
  const many = Array.from({ length: 150 }, (_, i) => subset(rng, N, 1 + (i % 7)));
  for (const item of many) memory.learn(item);
  expect(memory.items).toBe(150);
  const jaccard = (a: readonly number[], b: readonly number[]) =>
    a.filter((j) => b.includes(j)).length / new Set([...a, ...b]).size;
  for (const cue of cues) {
    const near = many.map((item) => jaccard(item, cue));
    expect(memory.nearest(cue)).toBe(near.indexOf(Math.max(...near)));
    expect(memory.recognize(cue, S)).toEqual(many[memory.nearest(cue)]);
  }
});

test("sparse distributed memory: few items come back whole, too many do not", () => {
  const memory = () => createSparseDistributedMemory(N, { locations: 400, seed: 1 });
  const exact = (stored: readonly number[][]) => {
    const some = memory();
    for (const item of stored) some.learn(item);
    return stored.filter((item) => some.recognize(item, S).join() === item.join()).length / stored.length;
  };
  expect(exact(items.slice(0, 4))).toBe(1);
  expect(exact(Array.from({ length: 400 }, () => subset(rng, N, S)))).toBeLessThan(0.5);
});

test("P7: from damaged cues it completes more than a Willshaw and a Hopfield net of its size; nothing it never saw", () => {
  for (const cue of ["4 of 12 dropped", "2 moved", "4 moved"] as const) {
    const robust = reconstruction(0, "robust", cue);
    expect(robust).toBeGreaterThan(reconstruction(0, "Willshaw", cue));
    expect(robust).toBeGreaterThan(reconstruction(0, "Hopfield", cue));
    expect(reconstruction(0, "modern Hopfield", cue)).toBe(1);
    expect(reconstruction(0, "robust", cue, { stored: false })).toBe(0);
  }
});

test("P2: the similarity curve is that of the closed form; uniform draws stay at chance", () => {
  for (const preset of ["classic", "graded", "capacity", "uniform"] as const) {
    const { measured, expected } = similarityCurve(0, preset, 300);
    expect(Math.max(...measured.map((x, i) => Math.abs(x - expected[i])))).toBeLessThan(0.5);
    if (preset === "uniform") expect(Math.max(...measured)).toBeLessThan(3.5);
    else expect(measured[12] - measured[2]).toBeGreaterThan(15);
  }
});
