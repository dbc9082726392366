import { describe, expect, test } from "vitest";
import type { Dataset } from "../../../src/data/dataset.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { digitsLesson, oneHotError } from "../../../src/sparsity/tickets/digits.ts";
import { grokRun } from "../../../src/sparsity/tickets/grok-run.ts";
import { shareOfHits } from "../../../src/sparsity/tickets/lesson.ts";
import { weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { plainMlp } from "../../../src/sparsity/tickets/plain-mlp.ts";
import { explained, polynomialLesson } from "../../../src/sparsity/tickets/polynomial.ts";
import { buildModel, createLesson, DIGITS, POLYNOMIAL } from "../../../src/sparsity/tickets/settings.ts";
import { exactly, ruled, vectors, worst } from "./vectors.ts";

describe("digits", () => {
  const { sizes, labels, outputs, loss, grads } = vectors.mseMlp;
  const model = plainMlp({ sizes, batch: 4 });
  const feeds = {
    x: tensor(
      "float32",
      [4, 6],
      Float32Array.from({ length: 24 }, (_, i) => Math.cos(0.5 * i)),
    ),
    labels: tensor("int32", [4], Int32Array.from(labels)),
  };
  const weights = { "fc1.weight": ruled(24, 0), "fc2.weight": ruled(12, 1) };

  test("outputs, loss and gradients of the plain network are those of the vectors", () => {
    const found = exactly(model, feeds, weights, oneHotError());
    // Inputs and the mean's factor are in single precision.
    expect(worst(found.logits, outputs.flat())).toBeLessThan(2e-7);
    expect(found.loss).toBeCloseTo(loss, 7);
    for (const [i, name] of ["fc1.weight", "fc2.weight"].entries())
      expect(worst(found.gradients[name], grads[i].flat())).toBeLessThan(2e-7);
  });

  test("other labels are another loss", () => {
    const other = { ...feeds, labels: tensor("int32", [4], Int32Array.of(0, 2, 1, 1)) };
    expect(Math.abs(exactly(model, other, weights, oneHotError()).loss - loss)).toBeGreaterThan(1e-3);
  });

  test("so many images of the training set, drawn by seed, and all test images, from 0 to 1", () => {
    const split = (n: number, from: number) => ({
      inputs: tensor(
        "uint8",
        [n, 1, 1, 2],
        Uint8Array.from({ length: 2 * n }, (_, i) => from + i),
      ),
      labels: Int32Array.from({ length: n }, (_, i) => i % 3),
    });
    const images: Dataset = {
      name: "few",
      train: split(30, 0),
      test: split(4, 200),
      classes: ["a", "b", "c"],
      inputShape: [1, 1, 2],
      scale: { mean: [0], std: [1] },
    };
    const { train, test: held } = digitsLesson(images, 10, 3);
    const drawn = Array.from({ length: 10 }, (_, i) =>
      Math.round((255 * (train.x.data[2 * i] as number)) / 2),
    );
    expect(new Set(drawn).size).toBe(10);
    drawn.forEach((sample, i) => {
      expect(train.labels.data[i]).toBe(sample % 3);
      expect(train.x.data[2 * i + 1]).toBeCloseTo((2 * sample + 1) / 255, 6);
    });
    expect(held.x.shape).toEqual([4, 2]);
    expect(held.x.data[7]).toBeCloseTo(207 / 255, 6);
    expect(digitsLesson(images, 10, 4).train.x.data).not.toEqual(train.x.data);
    expect(() => createLesson(DIGITS, 0, model)).toThrow(/needs its images/);
  });

  test("initial weights are eight times those of scale 1", () => {
    const [large, one] = [8, undefined].map(
      (initialScale) => weightsOf(buildModel({ ...DIGITS, initialScale }, 5)).get("fc2.weight")!,
    );
    expect(large).toEqual(one.map((w) => 8 * w));
    expect(Math.max(...one)).toBeCloseTo(200 ** -0.5, 3);
  });

  test("share of hits", () => {
    const rows = tensor("float32", [3, 2], Float32Array.of(1, 2, 4, 3, 0, 5));
    const score = (...l: number[]) => shareOfHits(rows, { labels: tensor("int32", [3], Int32Array.from(l)) });
    expect(score(1, 0, 1)).toBe(1);
    expect(score(0, 0, 1)).toBeCloseTo(2 / 3, 12);
    expect(score(0, 1, 0)).toBe(0);
  });
});

describe("polynomial", () => {
  const { train, test: held } = polynomialLesson(200, 1);

  /** Least squares on all monomials of up to second degree, by elimination. */
  function leastSquares(degreeTwo: boolean) {
    const features = (row: number, { x }: typeof train) => {
      const v = Array.from({ length: 8 }, (_, i) => x.data[8 * row + i] as number);
      return [1, ...v, ...(degreeTwo ? v.flatMap((a, i) => v.slice(i).map((b) => a * b)) : [])];
    };
    const rows = Array.from({ length: 200 }, (_, i) => features(i, train));
    const n = rows[0].length;
    const a = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n + 1 }, (_, j) =>
        rows.reduce((s, f, r) => s + f[i] * (j < n ? f[j] : (train.targets.data[r] as number)), 0),
      ),
    );
    for (let i = 0; i < n; i++)
      for (let r = 0; r < n; r++) {
        if (r === i) continue;
        const factor = a[r][i] / a[i][i];
        for (let c = i; c <= n; c++) a[r][c] -= factor * a[i][c];
      }
    const w = a.map((row, i) => row[n] / row[i]);
    const outputs = Float32Array.from({ length: 1000 }, (_, r) =>
      features(r, held).reduce((s, f, i) => s + f * w[i], 0),
    );
    return explained(tensor("float32", [1000, 1], outputs), held);
  }

  test("is of second degree, no less: least squares on monomials finds it from the training samples", () => {
    expect(leastSquares(true)).toBeGreaterThan(1 - 1e-6);
    expect(leastSquares(false)).toBeLessThan(0.9);
  });

  test("targets have mean 0 and variance 1; seeds give other polynomials", () => {
    const y = Array.from(train.targets.data as Float32Array);
    const mean = y.reduce((a, b) => a + b) / 200;
    expect(mean).toBeCloseTo(0, 5);
    expect(y.reduce((a, v) => a + v * v, 0) / 200).toBeCloseTo(1, 5);
    expect(polynomialLesson(200, 2).train.targets.data).not.toEqual(train.targets.data);
  });

  test("R²", () => {
    const of = (...outputs: number[]) =>
      explained(tensor("float32", [3, 1], Float32Array.from(outputs)), {
        targets: tensor("float32", [3, 1], Float32Array.of(1, 2, 6)),
      });
    expect(of(1, 2, 6)).toBe(1);
    expect(of(3, 3, 3)).toBe(0);
    expect(of(2, 2, 6)).toBeCloseTo(1 - 1 / 14, 12);
    expect(of(-9, 9, 0)).toBe(0);
  });

  test("a network learns the others while it learns its samples: nothing groks", async () => {
    const settings = { ...POLYNOMIAL, hidden: 48, width: 48 };
    const model = buildModel(settings, 0);
    const { times } = await grokRun(model, createLesson(settings, 0, model), {
      ...settings,
      steps: 1500,
      holdFor: 0,
    });
    expect(times.tau).toBeLessThan(3);
  });
});
