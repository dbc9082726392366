import { describe, expect, test } from "vitest";
import { flatArrays } from "../../src/engine/parameters.ts";
import type { OptimizerSpec } from "../../src/nn/optimizers.ts";
import { clipNorm, createOptimizer } from "../../src/nn/optimizers.ts";
import type { ScheduleSpec } from "../../src/nn/schedules.ts";
import { createSchedule } from "../../src/nn/schedules.ts";
import sst from "../vectors/sst.json" with { type: "json" };
import vectors from "../vectors/torch-optimizers.json" with { type: "json" };

interface Case {
  spec: OptimizerSpec;
  learningRate: number;
  weightDecay: number;
  weights: number[][];
}

const cases = Object.entries(vectors.cases as unknown as Record<string, Case>);

/** Largest distance to PyTorch's path. Ours is stored in float32, PyTorch's vectors in float64. */
function distance({ spec, learningRate, weightDecay, weights }: Case): number {
  const layout = [
    ["a", [2]],
    ["b", [4]],
  ] as const;
  const parameters = flatArrays(layout);
  const gradients = flatArrays(layout, parameters);
  parameters.values.set(vectors.start);
  const optimizer = createOptimizer(spec, { parameters, gradients, weightDecay: () => weightDecay });
  let worst = 0;
  vectors.gradients.forEach((g, step) => {
    gradients.values.set(g);
    optimizer.step(learningRate);
    parameters.values.forEach((w, i) => {
      worst = Math.max(worst, Math.abs(w - weights[step][i]));
    });
  });
  return worst;
}

test.each(cases)("%s follows PyTorch's path", (_, c) => {
  expect(distance(c)).toBeLessThan(1e-6);
});

test.each(cases)("control: %s at a rate 1 % off leaves the path", (_, c) => {
  expect(distance({ ...c, learningRate: c.learningRate * 1.01 })).toBeGreaterThan(1e-5);
});

test("weight decay can differ between parameters", () => {
  const layout = [
    ["a", [1]],
    ["b", [1]],
  ] as const;
  const parameters = flatArrays(layout);
  parameters.values.fill(1);
  const optimizer = createOptimizer(
    { kind: "sgd" },
    { parameters, gradients: flatArrays(layout), weightDecay: (name) => (name === "a" ? 0.5 : 0) },
  );
  optimizer.step(0.1);
  expect(Array.from(parameters.values)).toEqual([Math.fround(0.95), 1]);
});

test("gradients that lie in an arena of their own serve as well", () => {
  const layout = [["a", [5]]] as const;
  const weightsAfter = (beside: boolean) => {
    const parameters = flatArrays(layout);
    const gradients = flatArrays(layout, beside ? parameters : undefined);
    const optimizer = createOptimizer({ kind: "adam" }, { parameters, gradients });
    for (const g of [1, -2, 3]) {
      gradients.values.fill(g);
      optimizer.step(0.1);
    }
    return parameters.values.slice();
  };
  expect(weightsAfter(false)).toEqual(weightsAfter(true));
});

test("vectors of four leave the neighbours of a run alone, at any offset", () => {
  for (const sizes of [
    [1, 2, 3],
    [3, 1, 2, 7],
    [5, 4, 6],
    [4, 8, 4],
  ]) {
    const layout = sizes.map((n, i) => [`${i}`, [n]] as const);
    for (const [spec] of cases.map(([, c]) => [c.spec] as const)) {
      const parameters = flatArrays(layout);
      const gradients = flatArrays(layout, parameters);
      parameters.values.fill(1);
      const optimizer = createOptimizer(spec, {
        parameters,
        gradients,
        weightDecay: (name) => Number(name) % 2,
      });
      optimizer.step(0.25);
      for (const { name, offset, length } of parameters.segments) {
        const moved = parameters.values.slice(offset, offset + length);
        expect(new Set(moved).size).toBe(1);
        expect(moved[0] === 1).toBe(Number(name) % 2 === 0);
      }
    }
  }
});

test("moments without gradient come to an exact end instead of staying subnormal", () => {
  const parameters = flatArrays([["a", [4]]]);
  const gradients = flatArrays([["a", [4]]], parameters);
  const optimizer = createOptimizer({ kind: "adam" }, { parameters, gradients });
  const moment = optimizer.state.firstMoment.values;
  moment.fill(1e-37);
  for (let step = 0; step < 100; step++) optimizer.step(0.1);
  expect([...moment]).toEqual([0, 0, 0, 0]);
  // Control: plain float32 arithmetic stops at a few subnormal steps for ever.
  let plain = 1e-37;
  for (let step = 0; step < 5000; step++) plain = Math.fround(0.9 * plain);
  expect(plain).toBeGreaterThan(0);
});

test("an unknown optimiser is refused with the known ones", () => {
  const target = { parameters: flatArrays([]), gradients: flatArrays([]) };
  expect(() => createOptimizer({ kind: "lion" } as unknown as OptimizerSpec, target)).toThrow(
    /unknown optimiser "lion"; known: sgd/,
  );
});

test("clipping by norm keeps the direction and caps the length", () => {
  const gradients = flatArrays([["a", [2]]]);
  gradients.values.set([3, 4]);
  expect(clipNorm(gradients, 10)).toBeCloseTo(5, 6);
  expect(Array.from(gradients.values)).toEqual([3, 4]);
  expect(clipNorm(gradients, 1)).toBeCloseTo(5, 6);
  expect(Math.hypot(...gradients.values)).toBeCloseTo(1, 6);
  expect(gradients.values[0] / gradients.values[1]).toBeCloseTo(0.75, 6);
});

describe("schedules", () => {
  const at = (spec: ScheduleSpec, step: number, warmup = 0) => createSchedule(spec, warmup)(step, 100);
  test("constant, and linear warm-up before it", () => {
    expect([0, 4, 9, 50].map((s) => at({ kind: "constant" }, s, 10))).toEqual([0.1, 0.5, 1, 1]);
  });
  test("step falls by gamma at each milestone", () => {
    const spec = { kind: "step", milestones: [0.5, 0.75], gamma: 0.1 } as const;
    expect([49, 50, 74, 75].map((s) => Number(at(spec, s).toPrecision(12)))).toEqual([1, 0.1, 0.1, 0.01]);
  });
  test("cosine: half way at half time, flat before its start, `floor` at the end", () => {
    expect(at({ kind: "cosine" }, 50)).toBeCloseTo(0.5, 12);
    expect(at({ kind: "cosine", flat: 0.6 }, 60)).toBe(1);
    expect(at({ kind: "cosine", flat: 0.6 }, 80)).toBeCloseTo(0.5, 12);
    expect(at({ kind: "cosine", floor: 0.1 }, 100)).toBeCloseTo(0.1, 12);
  });
  test("one-cycle rises to 1 at its peak and falls to almost nothing", () => {
    const spec = { kind: "one-cycle" } as const;
    expect([0, 30, 100].map((s) => Number(at(spec, s).toFixed(6)))).toEqual([0.04, 1, 0.0001]);
  });
  test("inverse-root is the Noam schedule of the vectors; without a warm-up it falls from 1", () => {
    const { lr, model, warmup, steps, value } = sst.noam;
    const schedule = createSchedule({ kind: "inverse-root" }, warmup);
    steps.forEach((step, i) => {
      const rate = (lr / Math.sqrt(model * warmup)) * schedule(step - 1, 40_000);
      expect(Math.abs(rate / value[i] - 1)).toBeLessThan(1e-12);
    });
    expect([0, 3, 99].map((s) => at({ kind: "inverse-root" }, s))).toEqual([1, 0.5, 0.1]);
  });
  test("an unknown schedule is refused with the known ones", () => {
    expect(() => createSchedule({ kind: "sawtooth" } as unknown as ScheduleSpec)).toThrow(
      /unknown learning-rate schedule "sawtooth"/,
    );
  });
});
