import { expect, test } from "vitest";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { gemm } from "../../../src/engine/operators/index.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { regression, regressionSource } from "../../../src/nn/regression.ts";
import type { TrainingSnapshot, TrainOptions } from "../../../src/nn/trainer.ts";
import { train } from "../../../src/nn/trainer.ts";
import { random } from "../../../src/random.ts";
import { uniformValues } from "../../../src/sparsity/encoding/quantize.ts";
import { createQuantizedTraining } from "../../../src/sparsity/encoding/quantized-training.ts";
import { expectProblemLater } from "../../data/support.ts";

const COLUMNS = 6;
const SAMPLES = 30;
const RATE = 0.02;

/** Least squares with columns that are alike, so that roundings can make up for each other; the third weight is zero. */
function problem(seed: number) {
  const rng = random(seed);
  const truth = Float32Array.from({ length: COLUMNS }, (_, j) => (j === 2 ? 0 : rng.normal()));
  const inputs = Array.from({ length: SAMPLES }, () => {
    const common = rng.normal();
    return Array.from({ length: COLUMNS }, () => common + 0.5 * rng.normal());
  });
  const targets = inputs.map((x) => x.reduce((sum, v, j) => sum + v * truth[j], 0));
  return { truth, inputs, targets };
}

type LeastSquares = ReturnType<typeof problem>;

const residuals = ({ inputs, targets }: LeastSquares, w: ArrayLike<number>) =>
  inputs.map((x, i) => x.reduce((sum, v, j) => sum + v * w[j], 0) - targets[i]);
const loss = (p: LeastSquares, w: ArrayLike<number>) =>
  residuals(p, w).reduce((sum, r) => sum + r * r, 0) / SAMPLES;
/** Of half of the loss. */
function slopes(p: LeastSquares, w: ArrayLike<number>): number[] {
  const r = residuals(p, w);
  return Array.from(
    { length: COLUMNS },
    (_, j) => p.inputs.reduce((sum, x, i) => sum + x[j] * r[i], 0) / SAMPLES,
  );
}

/** What training makes of the true weights. */
async function trained(
  p: LeastSquares,
  quantized: { values: Float32Array; step?: number },
  options: Partial<TrainOptions> = {},
): Promise<Float32Array> {
  const model = createGraph("linear");
  const x = input(model, "x", [SAMPLES, COLUMNS]);
  const start = tensor("float32", [1, COLUMNS], p.truth.slice());
  output(gemm(x, parameter(model, "w", start), { transB: true }));
  const samples = {
    inputs: tensor("float64", [SAMPLES, COLUMNS], p.inputs.flat()),
    targets: tensor("float64", [SAMPLES, 1], p.targets),
  };
  await train(
    model,
    regression(),
    regressionSource(model, samples, () => [...Array(SAMPLES).keys()]),
    {
      epochs: 60,
      optimizer: { kind: "sgd" },
      learningRate: RATE,
      threads: 1,
      sparsifier: createQuantizedTraining(new Map([["w", quantized]])),
      ...options,
    },
  );
  return model.parameters.get("w")!.data.slice() as Float32Array;
}

test("straight-through steps: multiples in every run, the slope there, and full precision behind them", async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const p = problem(seed);
    const step = 0.5;
    // Rounded up only from .7 of a step on.
    const round = (w: readonly number[]) =>
      w.map((v) => Math.sign(v) * step * Math.floor(Math.abs(v) / step + 0.3) + 0);
    let exact = [...p.truth];
    for (let epoch = 0; epoch < 60; epoch++) {
      const slope = slopes(p, round(exact));
      exact = exact.map((v, j) => (v === 0 ? 0 : v - RATE * slope[j]));
    }
    const found = await trained(p, { values: p.truth, step });
    expect([...found]).toEqual(round(exact));
    expect(found[2]).toBe(0);
  }
});

test("training finds better multiples than rounding does, and none better than the best of all", async () => {
  const step = 0.5;
  let ratio = 1;
  for (const seed of [1, 2, 3, 4, 5]) {
    const p = problem(seed);
    const found = loss(
      p,
      await trained(p, { values: p.truth, step }, { epochs: 1000, schedule: { kind: "cosine" } }),
    );
    const rounded = loss(p, uniformValues(p.truth, step));
    // Every choice of the two nearest multiples and their neighbours.
    let best = Number.POSITIVE_INFINITY;
    for (let code = 0; code < 4 ** COLUMNS; code++) {
      const w = Array.from(p.truth, (v, j) =>
        v === 0 ? 0 : step * (Math.floor(v / step) - 1 + (Math.floor(code / 4 ** j) % 4)),
      );
      best = Math.min(best, loss(p, w));
    }
    expect(found).toBeGreaterThanOrEqual(best);
    ratio *= found / rounded;
    // The control: without learning it is the rounding that it starts from, towards zero where in doubt.
    const still = await trained(p, { values: p.truth, step }, { epochs: 1, learningRate: 0 });
    expect(loss(p, still)).toBeGreaterThanOrEqual(found);
    still.forEach((w, j) => {
      expect(Math.abs(w)).toBeLessThanOrEqual(Math.abs(uniformValues(p.truth, step)[j]));
    });
  }
  expect(ratio ** (1 / 5)).toBeLessThan(0.8);
});

test("shared values end at the least squares of their sums of columns", async () => {
  const p = problem(7);
  const values = Float32Array.of(1, -1, 0, 1, -1, 1);
  for (const optimizer of [{ kind: "sgd" }, { kind: "adam" }] as const) {
    const found = await trained(p, { values }, { epochs: 4000, optimizer });
    expect(new Set(found).size).toBe(3);
    expect(found[2]).toBe(0);
    expect([found[3], found[5]]).toEqual([found[0], found[0]]);
    expect(found[4]).toBe(found[1]);
    // Normal equations in two unknowns.
    const sums = p.inputs.map((x) => [x[0] + x[3] + x[5], x[1] + x[4]]);
    const dot = (a: (row: number[]) => number, b: (row: number[], i: number) => number) =>
      sums.reduce((total, row, i) => total + a(row) * b(row, i), 0);
    const [aa, ab, bb] = [
      dot(
        (r) => r[0],
        (r) => r[0],
      ),
      dot(
        (r) => r[0],
        (r) => r[1],
      ),
      dot(
        (r) => r[1],
        (r) => r[1],
      ),
    ];
    const [ya, yb] = [
      dot(
        (r) => r[0],
        (_, i) => p.targets[i],
      ),
      dot(
        (r) => r[1],
        (_, i) => p.targets[i],
      ),
    ];
    const determinant = aa * bb - ab * ab;
    expect(found[0]).toBeCloseTo((ya * bb - yb * ab) / determinant, 3);
    expect(found[1]).toBeCloseTo((yb * aa - ya * ab) / determinant, 3);
  }
});

test.each([{ step: 0.5 }, {}])("a run that was saved goes on to the same bits: %j", async (kind) => {
  const p = problem(3);
  const quantized = { values: uniformValues(p.truth, 0.5), ...kind };
  const adam = { optimizer: { kind: "adam" }, epochs: 50 } as const;
  let saved: TrainingSnapshot | undefined;
  await trained(p, quantized, {
    ...adam,
    epochs: 20,
    save: async (snapshot) => {
      const { tensors, ...rest } = snapshot();
      const copy = Object.entries(tensors).map(([n, t]) => [n, { ...t, data: t.data.slice() }]);
      saved = { ...JSON.parse(JSON.stringify(rest)), tensors: Object.fromEntries(copy) };
    },
  });
  const whole = await trained(p, quantized, adam);
  expect(await trained(p, quantized, { ...adam, resume: saved })).toEqual(whole);
  expect(whole).not.toEqual(quantized.values);
});

test("what the model does not have is refused", async () => {
  const p = problem(1);
  const other = createQuantizedTraining(new Map([["v", { values: p.truth }]]));
  await expectProblemLater(trained(p, { values: p.truth }, { sparsifier: other }), /"v" is to be quantised/);
  await expectProblemLater(trained(p, { values: Float32Array.of(1) }), /"w" has 6 numbers; quantised were 1/);
});
