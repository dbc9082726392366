import { describe, expect, it } from "vitest";
import {
  allocateBatch,
  type Batch,
  batchesInOrder,
  batchesOfEpoch,
  type Epoch,
  stepsPerEpoch,
} from "../../src/data/batches.ts";
import { checkDataset, type Dataset, measureScale, type Split } from "../../src/data/dataset.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "./support.ts";

const scale = { mean: [0.25, 0.5], std: [0.5, 0.125] };
const HEIGHT = 4;
const WIDTH = 5;

/** Images of 2 channels with distinct neighbouring pixels, none zero; sample n has the label n. */
function numbered(samples: number): Split {
  const data = Uint8Array.from({ length: samples * 2 * HEIGHT * WIDTH }, (_, i) => 1 + (i % 251));
  return {
    inputs: { dtype: "uint8", shape: [samples, 2, HEIGHT, WIDTH], data },
    labels: Int32Array.from({ length: samples }, (_, i) => i),
  };
}

/** What a row must hold when its window is moved by (down, right) and mirrored: written with plain coordinates. */
function expected({ inputs }: Split, n: number, down: number, right: number, mirror: boolean): number[] {
  const out: number[] = [];
  for (let c = 0; c < 2; c++)
    for (let y = 0; y < HEIGHT; y++)
      for (let x = 0; x < WIDTH; x++) {
        const sy = y + down;
        const sx = (mirror ? WIDTH - 1 - x : x) + right;
        const outside = sy < 0 || sy >= HEIGHT || sx < 0 || sx >= WIDTH;
        const pixel = outside ? 0 : inputs.data[((n * 2 + c) * HEIGHT + sy) * WIDTH + sx];
        out.push((pixel / 255 - scale.mean[c]) / scale.std[c]);
      }
  return out;
}

interface Copy {
  inputs: number[];
  labels: number[];
  count: number;
  step: number;
}

function copies(batches: Iterable<Batch>): Copy[] {
  const out: Copy[] = [];
  for (const { inputs, labels, count, step } of batches)
    out.push({ inputs: [...inputs.data], labels: Array.from(labels.data, Number), count, step });
  return out;
}

function epoch(split: Split, size: number, options: Partial<Epoch> = {}): Copy[] {
  const batch = allocateBatch(size, split.inputs.shape.slice(1), "int64");
  return copies(batchesOfEpoch(split, { batch, scale, seed: 1, epoch: 0, ...options }));
}

function close(a: number[], b: number[]): boolean {
  return a.every((v, i) => Math.abs(v - b[i]) < 1e-5);
}

const ROW = 2 * HEIGHT * WIDTH;

describe("batchesOfEpoch", () => {
  const split = numbered(23);

  it("shows every sample at most once, its own pixels beside its label, and drops what fills no batch", () => {
    const steps = epoch(split, 5);
    expect(steps.length).toBe(4);
    expect(stepsPerEpoch(split, 5)).toBe(4);
    const labels = steps.flatMap((s) => s.labels);
    expect(new Set(labels).size).toBe(20);
    expect(labels).not.toEqual([...labels].sort((a, b) => a - b));
    for (const { inputs, labels, count } of steps) {
      expect(count).toBe(5);
      labels.forEach((label, row) => {
        const pixels = inputs.slice(row * ROW, (row + 1) * ROW);
        expect(close(pixels, expected(split, label, 0, 0, false))).toBe(true);
      });
    }
  });

  it("depends on seed and epoch alone", () => {
    const labels = (options: Partial<Epoch>) => epoch(split, 5, options).flatMap((s) => s.labels);
    expect(labels({ epoch: 3 })).toEqual(labels({ epoch: 3 }));
    expect(labels({ epoch: 3 })).not.toEqual(labels({ epoch: 4 }));
    expect(labels({ epoch: 3 })).not.toEqual(labels({ epoch: 3, seed: 2 }));
  });

  it("resumes in the middle of an epoch with exactly the same batches, augmentation included", () => {
    const options = { epoch: 7, augment: { crop: 2, flip: true } };
    const whole = epoch(split, 5, options);
    expect(epoch(split, 5, { ...options, from: 2 })).toEqual(whole.slice(2));
    expect(epoch(split, 5, { ...options, epoch: 8, from: 2 })).not.toEqual(whole.slice(2));
  });

  it("crops and mirrors: every row is some window of its sample, and all of them occur", () => {
    const seen = new Set<string>();
    const windows = [-1, 0, 1].flatMap((down) =>
      [-1, 0, 1].flatMap((right) => [false, true].map((mirror) => ({ down, right, mirror }))),
    );
    for (let e = 0; e < 20; e++)
      for (const { inputs, labels } of epoch(split, 5, { epoch: e, augment: { crop: 1, flip: true } }))
        labels.forEach((label, row) => {
          const pixels = inputs.slice(row * ROW, (row + 1) * ROW);
          const fits = windows.filter((w) =>
            close(pixels, expected(split, label, w.down, w.right, w.mirror)),
          );
          expect(fits.length).toBe(1);
          seen.add(JSON.stringify(fits[0]));
        });
    expect(seen.size).toBe(windows.length);
  });

  it("crop alone does not mirror, flip alone does not move", () => {
    const only = (augment: Epoch["augment"], allowed: (d: number, r: number, m: boolean) => boolean) => {
      for (const { inputs, labels } of epoch(split, 5, { augment }))
        labels.forEach((label, row) => {
          const pixels = inputs.slice(row * ROW, (row + 1) * ROW);
          const fits = [-1, 0, 1].some((d) =>
            [-1, 0, 1].some((r) =>
              [false, true].some((m) => allowed(d, r, m) && close(pixels, expected(split, label, d, r, m))),
            ),
          );
          expect(fits).toBe(true);
        });
    };
    only({ crop: 1 }, (_, __, mirror) => !mirror);
    only({ flip: true }, (down, right) => down === 0 && right === 0);
  });

  it("fills the same arrays every step, and the label type that is asked for", () => {
    const batch = allocateBatch(5, [2, HEIGHT, WIDTH], "int32");
    const { data } = batch.inputs;
    for (const step of batchesOfEpoch(split, { batch, scale, seed: 1, epoch: 0 })) {
      expect(step).toBe(batch);
      expect(step.inputs.data).toBe(data);
    }
    expect(batch.labels.data).toBeInstanceOf(Int32Array);
    expect(allocateBatch(5, [2], "int64").labels.data).toBeInstanceOf(BigInt64Array);
  });

  it("takes float inputs as they are, of any rank", () => {
    const values = Float32Array.from({ length: 12 }, (_, i) => i);
    const vectors: Split = {
      inputs: { dtype: "float32", shape: [4, 3], data: values },
      labels: Int32Array.of(0, 1, 2, 3),
    };
    const batch = allocateBatch(4, [3], "int64");
    const [{ inputs }] = copies(batchesInOrder(vectors, batch, { mean: [2], std: [4] }));
    expect(inputs).toEqual([...values].map((v) => (v - 2) / 4));
    const augmented = { batch, scale, seed: 0, epoch: 0, augment: { flip: true } };
    expectProblem(() => [...batchesOfEpoch(vectors, augmented)], /crop and flip need images.*\[3\]/);
  });

  it.each(["int32", "int64"] as const)("takes ids as they are, as %s, in order and shuffled", (dtype) => {
    const ids = Int32Array.from({ length: 15 }, (_, i) => 100 * i);
    const split: Split = {
      inputs: { dtype: "int32", shape: [5, 3], data: ids },
      labels: Int32Array.of(0, 1, 2, 3, 4),
    };
    const batch = allocateBatch(3, [3], "int32", dtype);
    const rows = (batches: Iterable<typeof batch>) => {
      const out: number[][] = [];
      for (const { inputs } of batches) out.push(Array.from(inputs.data, Number));
      return out;
    };
    // A scale is for what is calculated with.
    const twice = { mean: [1], std: [0.5] };
    expect(rows(batchesInOrder(split, batch, twice))).toEqual([
      [...ids.subarray(0, 9)],
      [...ids.subarray(9), 0, 0, 0],
    ]);
    const [first] = rows(batchesOfEpoch(split, { batch, scale: twice, seed: 1, epoch: 0 }));
    expect(first).toEqual([...batch.labels.data].flatMap((n) => [...ids.subarray(3 * n, 3 * n + 3)]));
    const augment = { flip: true };
    expectProblem(
      () => [...batchesOfEpoch(split, { batch, scale, seed: 1, epoch: 0, augment })],
      /crop and flip need images \[channels, height, width\], not ids or several inputs \[3\]/,
    );
    const floats = allocateBatch(3, [3], "int32");
    expectProblem(
      () => [...batchesInOrder(split, floats, twice)],
      /holds float32, the data int32; ids are fed/,
    );
  });

  it("refuses a batch that the data cannot fill or that has another shape", () => {
    expectProblem(() => epoch(split, 24), /batch of 24 is larger than the training set of 23/);
    const batch = allocateBatch(5, [2, 3, 3], "int64");
    expectProblem(() => [...batchesInOrder(split, batch, scale)], /\[2,3,3\].*\[2,4,5\]/);
  });
});

describe("batchesInOrder", () => {
  it("covers every sample in order and pads the last batch with zero rows", () => {
    const split = numbered(7);
    const batch = allocateBatch(3, [2, HEIGHT, WIDTH], "int64");
    const steps = copies(batchesInOrder(split, batch, scale));
    expect(steps.map((s) => s.count)).toEqual([3, 3, 1]);
    expect(steps.map((s) => s.step)).toEqual([0, 1, 2]);
    expect(steps.map((s) => s.labels)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 0, 0],
    ]);
    expect(close(steps[2].inputs.slice(0, ROW), expected(split, 6, 0, 0, false))).toBe(true);
    expect(new Set(steps[2].inputs.slice(ROW))).toEqual(new Set([0]));
  });
});

describe("measureScale", () => {
  it("finds the mean and deviation that the channels were drawn with", () => {
    const rng = random(3);
    const data = Float32Array.from({ length: 4000 * 2 * 4 }, (_, i) =>
      Math.floor(i / 4) % 2 ? 5 + 2 * rng.normal() : -1 + 0.5 * rng.normal(),
    );
    const { mean, std } = measureScale({ dtype: "float32", shape: [4000, 2, 2, 2], data });
    // Standard errors: 2/√16000 = 0.016 for the mean, 0.011 for the deviation.
    expect(Math.abs(mean[0] + 1)).toBeLessThan(0.02);
    expect(Math.abs(mean[1] - 5)).toBeLessThan(0.08);
    expect(Math.abs(std[0] - 0.5)).toBeLessThan(0.02);
    expect(Math.abs(std[1] - 2)).toBeLessThan(0.06);
  });
});

describe("checkDataset", () => {
  const good: Dataset = {
    name: "toy",
    train: numbered(3),
    test: numbered(2),
    classes: ["a", "b", "c"],
    inputShape: [2, HEIGHT, WIDTH],
    scale,
  };

  it("accepts a good one and names what is wrong in others", () => {
    expect(checkDataset(good)).toBe(good);
    expectProblem(
      () => checkDataset({ ...good, classes: ["a", "b"] }),
      /toy: train label 2 is 2; there are 2/,
    );
    expectProblem(
      () => checkDataset({ ...good, inputShape: [1, 4, 5] }),
      /one mean and std for each of the 1/,
    );
    expectProblem(() => checkDataset({ ...good, inputShape: [2, 5, 4] }), /train inputs are \[3,2,4,5\]/);
    expectProblem(() => checkDataset({ ...good, test: numbered(0) }), /no test samples/);
    const short = { ...good.test, labels: Int32Array.of(0) };
    expectProblem(() => checkDataset({ ...good, test: short }), /test has 2 inputs but 1 labels/);
  });
});
