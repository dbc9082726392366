import { expect, test } from "vitest";
import { agreement, createMemory } from "../../src/memory/memory.ts";
import {
  coverChance,
  densityDeviation,
  expectedAccuracy,
  expectedDensity,
  freezePoint,
  planField,
} from "../../src/memory/planner.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";
import { subset, vectors } from "./support.ts";

test("the closed forms are those of the vectors", () => {
  const { N, S, K, rows, cover } = vectors.capacityUniform;
  const load = { inputs: N, active: S, k: K };
  for (const { M, accuracyPerCM, density } of rows) {
    expect(expectedAccuracy(load, M)).toBeCloseTo(accuracyPerCM, 6);
    expect(expectedDensity(load, M)).toBeCloseTo(density, 6);
  }
  const chance = coverChance(N, S);
  for (const { n, p } of cover) expect(Math.abs(chance(n) - p)).toBeLessThan(1e-9);
  for (const { N: inputs, S: active, K: k, theta, M } of vectors.freeze)
    expect(freezePoint({ inputs, active, k }, theta)).toBe(M);
});

test("what is planned is what happens", () => {
  const plan = planField({ items: 120, inputs: 100, active: 10, q: 12 });
  expect(plan.accuracy).toBeGreaterThanOrEqual(0.97);
  expect(plan.capacity).toBeGreaterThanOrEqual(120);
  const memory = createMemory({
    inputs: 100,
    levels: [{ q: 12, k: plan.k }],
    preset: "uniform",
    rules: { freezeAt: null },
  });
  const store = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => {
      const item = subset(random(from + i), 100, 10);
      return { item, code: memory.learn(item).code };
    });
  const accuracy = (stored: ReturnType<typeof store>) =>
    stored.reduce((sum, { item, code }) => sum + agreement(memory.recognize(item).code, code), 0) /
    stored.length;
  const first = store(0, 120);
  expect(memory.report().density[0]).toBeCloseTo(plan.density, 2);
  expect(Math.abs(accuracy(first) - plan.accuracy)).toBeLessThan(0.01);
  // Far beyond its capacity it fails as foretold.
  store(120, 3 * plan.capacity);
  const over = expectedAccuracy({ inputs: 100, active: 10, k: plan.k }, 3 * plan.capacity);
  expect(over).toBeLessThan(0.7);
  expect(Math.abs(accuracy(first) - over)).toBeLessThan(0.04);
});

test.for([400, 600])(
  "large patterns: the chance that others cover %i of 800 inputs is that counted",
  (active) => {
    const rng = random(9);
    const chance = coverChance(800, active);
    const n = active === 400 ? 8 : 5;
    let covered = 0;
    const trials = 600;
    for (let trial = 0; trial < trials; trial++) {
      // Which inputs are wanted does not matter: the first.
      const missing = new Set(Array.from({ length: active }, (_, j) => j));
      for (let i = 0; i < n; i++) for (const j of rng.permutation(800).subarray(0, active)) missing.delete(j);
      covered += Number(missing.size === 0) / trials;
    }
    expect(covered).toBeGreaterThan(0.1);
    expect(covered).toBeLessThan(0.9);
    // Three standard errors.
    expect(Math.abs(chance(n) - covered)).toBeLessThan(3 * Math.sqrt(0.25 / trials));
  },
);

test("plans for large patterns are made at once", () => {
  const { accuracy, capacity } = planField({ items: 3, inputs: 100_000, active: 50_000 });
  expect(accuracy).toBeGreaterThan(0.97);
  expect(capacity).toBeGreaterThanOrEqual(3);
  expect(planField({ items: 1000, inputs: 20_000, active: 2000, freezeAt: null }).capacity).toBeGreaterThan(
    999,
  );
});

test("where it freezes early, the plan is about what is stored until then", () => {
  const size = { inputs: 784, active: 40, q: 8, k: 16 };
  const plan = planField({ ...size, items: 500 });
  expect(plan.stored).toBe(plan.freezesAfter);
  expect(plan.density).toBeCloseTo(0.5, 2);
  const memory = createMemory({ inputs: 784, levels: [{ q: 8, k: 16 }], preset: "robust" });
  const frames = Array.from({ length: 500 }, (_, i) => memory.learn(subset(random(i), 784, 40)));
  const stored = frames.filter(({ macs }) => macs[0].store).length;
  expect(Math.abs(stored - plan.stored)).toBeLessThan(0.05 * plan.stored);
  expect(memory.report().density[0]).toBeCloseTo(plan.density, 2);
  // Never freezing, the same field would forget nearly all of them.
  expect(planField({ ...size, items: 500, freezeAt: null }).density).toBeGreaterThan(0.75);
});

test("no chance freezes a planned field before its last pattern", () => {
  const wanted = { items: 20, inputs: 400, active: 200, q: 12 };
  const { k } = planField(wanted);
  const runs = (cells: number) =>
    Array.from({ length: 40 }, (_, seed) => {
      const memory = createMemory({ inputs: 400, levels: [{ q: 12, k: cells }], preset: "uniform", seed });
      const rng = random(seed);
      const frames = Array.from({ length: 20 }, () => memory.learn(subset(rng, 400, 200)));
      return {
        stored: frames.filter(({ macs }) => macs[0].store).length,
        density: memory.report().density[0],
      };
    });
  expect(runs(k).map(({ stored }) => stored)).toEqual(Array(40).fill(20));
  // Control: the fewest cells whose expected freeze point is late enough lose the last pattern in some of the runs.
  let fewest = 2;
  while (freezePoint({ inputs: 400, active: 200, k: fewest }, 0.5) < 20) fewest++;
  expect(fewest).toBeLessThan(k);
  expect(runs(fewest).some(({ stored }) => stored < 20)).toBe(true);
  const densities = runs(k).map(({ density }) => density);
  const mean = densities.reduce((a, b) => a + b, 0) / 40;
  const deviation = Math.sqrt(densities.reduce((sum, d) => sum + (d - mean) ** 2, 0) / 39);
  // The standard error of a deviation from 40 runs is 11 %; here three of them.
  expect(Math.abs(deviation / densityDeviation({ inputs: 400, active: 200, k }, 12, 20) - 1)).toBeLessThan(
    0.34,
  );
});

test("a plan is as small as it can be, and its capacity exact", () => {
  const wanted = { items: 500, inputs: 784, active: 40 };
  const { k, capacity, freezesAfter } = planField(wanted);
  const load = { inputs: 784, active: 40, k };
  expect(planField({ ...wanted, k: k - 1 }).capacity).toBeLessThan(500);
  const does = (count: number) =>
    expectedAccuracy(load, count) >= 0.97 &&
    expectedDensity(load, count - 1) + 3 * densityDeviation(load, 24, count - 1) < 0.5;
  expect([does(capacity), does(capacity + 1)]).toEqual([true, false]);
  expect(freezesAfter).toBe(freezePoint(load, 0.5));
  expect(planField({ ...wanted, freezeAt: null }).freezesAfter).toBeUndefined();
});

test("impossible plans are refused", () => {
  expectProblem(() => planField({ items: 0, inputs: 10, active: 2 }), /items is 0/);
  expectProblem(() => planField({ items: 9, inputs: 10, active: 10 }), /10 of 10 inputs are active/);
  expectProblem(() => planField({ items: 9, inputs: 10, active: 2, accuracy: 1 }), /accuracy is 1/);
  expectProblem(() => planField({ items: 9, inputs: 10, active: 2, freezeAt: 0 }), /freezeAt is 0/);
  expectProblem(
    () => planField({ items: 9, inputs: 10, active: 2, k: 1 }),
    /k is 1; expected a whole number from 2/,
  );
  expectProblem(() => planField({ items: 9, inputs: 10, active: 2, k: 1e6 }), /k is 1000000; .* to 65536/);
  expectProblem(() => planField({ items: 1e6, inputs: 10, active: 3 }), /no field of up to 65536 cells/);
});
