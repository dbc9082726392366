import { expect, test } from "vitest";
import { agreement, createMemory } from "../../src/memory/memory.ts";
import {
  coverProbabilities,
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
  const chances = coverProbabilities(N, S, 40);
  for (const { n, p } of cover) expect(Math.abs(chances[n] - p)).toBeLessThan(1e-9);
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

test("a plan is as small as it can be, and its capacity exact", () => {
  const wanted = { items: 500, inputs: 784, active: 40 };
  const { k, capacity, freezesAfter } = planField(wanted);
  const load = { inputs: 784, active: 40, k };
  expect(planField({ ...wanted, k: k - 1 }).capacity).toBeLessThan(500);
  const does = (count: number) => expectedAccuracy(load, count) >= 0.97 && freezePoint(load, 0.5) >= count;
  expect([does(capacity), does(capacity + 1)]).toEqual([true, false]);
  expect(freezesAfter).toBe(freezePoint(load, 0.5));
  expect(planField({ ...wanted, freezeAt: null }).freezesAfter).toBeUndefined();
});

test("impossible plans are refused", () => {
  expectProblem(() => planField({ items: 0, inputs: 10, active: 2 }), /items is 0/);
  expectProblem(() => planField({ items: 9, inputs: 10, active: 10 }), /10 of 10 inputs are active/);
  expectProblem(() => planField({ items: 9, inputs: 10, active: 2, accuracy: 1 }), /accuracy is 1/);
  expectProblem(() => planField({ items: 9, inputs: 10, active: 2, freezeAt: 0 }), /freezeAt is 0/);
  expectProblem(() => planField({ items: 1e6, inputs: 10, active: 3 }), /no field of up to 65536 cells/);
});
