import { describe, expect, test } from "vitest";
import {
  exportKernelDecoder,
  kernelDecoder,
  openKernelDecoder,
  trainKernelDecoder,
} from "../../../src/giorom/decoders/kernel-decoder.ts";
import { applyRows, bakeRows, type Rows } from "../../../src/giorom/decoders/rows.ts";
import {
  affineWeights,
  type Geometry,
  inverseDistanceRows,
  movingLeastSquaresRows,
  nearestRows,
} from "../../../src/giorom/decoders/weightings.ts";
import { farthestPoints } from "../../../src/physics/sampling.ts";
import { random } from "../../../src/random.ts";
import { flat, largestDifference, vectors } from "../support.ts";

function scattered(dim: 2 | 3, sources: number, queries: number, seed = 1): Geometry {
  const { uniform } = random(seed);
  const cloud = (n: number) => Float64Array.from({ length: n * dim }, () => 0.2 + 0.6 * uniform());
  return { dim, sources: cloud(sources), queries: cloud(queries) };
}

const untrained = (dim: 2 | 3) =>
  openKernelDecoder(exportKernelDecoder(kernelDecoder(dim, 2, 8), dim), { threads: 1 });

async function everyKind(geometry: Geometry): Promise<Record<string, Rows>> {
  const decoder = await untrained(geometry.dim);
  const rows = {
    nearest: nearestRows(geometry),
    idw: inverseDistanceRows(geometry),
    mls: movingLeastSquaresRows(geometry),
    kernel: await decoder.rows(geometry),
    affine: await decoder.rows(geometry, { affine: true }),
  };
  await decoder.release();
  return rows;
}

const affineField = (points: ArrayLike<number>, dim: number) => {
  const matrix = [0.3, -0.2, 0.1, 0.05, 0.4, -0.3, 0.2, 0.1, -0.25];
  return Float64Array.from({ length: points.length }, (_, i) => {
    const [row, at] = [i % dim, i - (i % dim)];
    let sum = 0.01 * (row + 1);
    for (let k = 0; k < dim; k++) sum += matrix[3 * row + k] * points[at + k];
    return sum;
  });
};

describe.each([2, 3] as const)("in %iD", (dim) => {
  test("rigid translations are exact; affine motions only where affine functions are fitted", async () => {
    const geometry = scattered(dim, 60, 200);
    const shift = Float64Array.from({ length: 60 * dim }, (_, i) => 0.1 + (i % dim));
    const field = affineField(geometry.sources, dim);
    const truth = affineField(geometry.queries, dim);
    for (const [name, rows] of Object.entries(await everyKind(geometry))) {
      const moved = applyRows(rows, shift, dim);
      // Weights are float32.
      expect(
        largestDifference(
          moved,
          moved.map((_, i) => 0.1 + (i % dim)),
        ),
        name,
      ).toBeLessThan(3e-5);
      const error = largestDifference(applyRows(rows, field, dim), truth);
      if (name === "mls" || name === "affine") expect(error, name).toBeLessThan(3e-5);
      else expect(error, name).toBeGreaterThan(1e-3);
    }
  });

  test("sources asked for themselves: the nearest is exact, inverse distances too", () => {
    const { sources } = scattered(dim, 40, 1);
    const field = affineField(sources, dim);
    const self: Geometry = { dim, sources, queries: sources };
    for (const rows of [nearestRows(self), inverseDistanceRows(self)])
      expect(largestDifference(applyRows(rows, field, dim), field)).toBeLessThan(1e-6);
  });

  test("the baked decoder computes x = X + Σ w u, rows of any length included", () => {
    const { uniform, normal } = random(3);
    const lengths = [0, 1, 2, 3, 8, 5, 0, 1];
    const starts = Uint32Array.from([
      0,
      ...lengths.map((_, q) => lengths.slice(0, q + 1).reduce((a, b) => a + b)),
    ]);
    const entries = starts[lengths.length];
    const rows: Rows = {
      sources: 6,
      starts,
      columns: Uint32Array.from({ length: entries }, () => Math.floor(6 * uniform())),
      weights: Float32Array.from({ length: entries }, normal),
    };
    const reference = Float64Array.from({ length: lengths.length * dim }, uniform);
    const baked = bakeRows(rows, reference, dim);
    for (let repeat = 0; repeat < 2; repeat++) {
      const u = Float64Array.from({ length: 6 * dim }, normal);
      const expected = applyRows(rows, u, dim).map((x, i) => x + reference[i]);
      expect(largestDifference(baked.decode(u), expected)).toBeLessThan(1e-6);
    }
  });
});

describe("moving least squares of the vectors", () => {
  const { Xs, Xq, h, u_expected } = vectors.mls_affine;
  const geometry: Geometry = {
    dim: 2,
    sources: Float64Array.from(flat(Xs)),
    queries: Float64Array.from(flat(Xq)),
  };
  const all = Uint32Array.from({ length: 36 }, (_, i) => i % 9);
  const gaussian = Float32Array.from({ length: 36 }, (_, i) => {
    const [q, s] = [Math.floor(i / 9), i % 9];
    return Math.exp(-((Xs[s][0] - Xq[q][0]) ** 2 + (Xs[s][1] - Xq[q][1]) ** 2) / h ** 2);
  });
  const weights = affineWeights(geometry, all, gaussian, 9, h);
  const at = (values: number[][]) =>
    Xq.flatMap((_, q) => [0, 1].map((k) => values.reduce((sum, u, s) => sum + weights[q * 9 + s] * u[k], 0)));
  const { A, t } = vectors.mls_affine;

  test("affine displacements", () => {
    const moved = Xs.map(([x, y]) =>
      [0, 1].map((k) => x * (A[k][0] - (k === 0 ? 1 : 0)) + y * (A[k][1] - (k === 1 ? 1 : 0)) + t[k]),
    );
    expect(largestDifference(at(moved), flat(u_expected))).toBeLessThan(1e-6);
  });

  test("u = sin 3X", () => {
    const expected = flat(vectors.mls_nonlinear.u);
    expect(largestDifference(at(Xs.map((x) => x.map((v) => Math.sin(3 * v)))), expected)).toBeLessThan(2e-6);
  });
});

test("a trained kernel beats nearest, inverse distances and its untrained self; displacements of other sources are worse than none", async () => {
  // Smooth displacements of a square, the same law for all trajectories with random strengths.
  const { uniform, normal } = random(9);
  const recording = (size: number) => {
    const start = Float32Array.from(
      { length: 2 * size * size },
      (_, i) => 0.2 + (0.6 * (i % 2 ? Math.floor(i / 2) % size : Math.floor(i / 2 / size))) / size,
    );
    const strengths = Array.from({ length: 4 }, normal);
    return [0, 0.5, 1].map((time) =>
      start.map((x, i) => {
        const other = start[i ^ 1];
        const angle = 4 * (strengths[0] * x + strengths[1] * other);
        return x + 0.05 * time * (Math.sin(angle + strengths[2]) + strengths[3] * Math.cos(2 * angle));
      }),
    );
  };
  const bytes = await trainKernelDecoder({
    dim: 2,
    trajectories: Array.from({ length: 6 }, () => recording(16 + Math.floor(6 * uniform()))),
    steps: 250,
    seed: 0,
    threads: 1,
  });
  const decoder = await openKernelDecoder(bytes, { threads: 1 });
  const frames = recording(20);
  const chosen = farthestPoints(frames[0], 2, 80);
  const pick = (frame: Float32Array) =>
    Float64Array.from({ length: 160 }, (_, i) => frame[2 * chosen[i >> 1] + (i & 1)]);
  const geometry: Geometry = { dim: 2, sources: pick(frames[0]), queries: frames[0] };
  const u = pick(frames[2]).map((x, i) => x - geometry.sources[i]);
  const rms = (rows: Rows, displacements = u) => {
    const found = bakeRows(rows, frames[0], 2).decode(displacements);
    return Math.sqrt(found.reduce((sum, x, i) => sum + (x - frames[2][i]) ** 2, 0) / found.length);
  };
  const { nearest, idw, kernel } = await everyKind(geometry);
  const own = await decoder.rows(geometry);
  const error = rms(own);
  await decoder.release();
  for (const other of [nearest, idw, kernel]) expect(error).toBeLessThan(0.9 * rms(other));
  // Every point moved by the mean displacement: what knows nothing of neighbourhoods.
  const mean = [0, 1].map(
    (k) => frames[2].reduce((m, x, i) => (i % 2 === k ? m + x - frames[0][i] : m), 0) / 400,
  );
  const rigid = Math.sqrt(
    frames[2].reduce((sum, x, i) => sum + (x - frames[0][i] - mean[i % 2]) ** 2, 0) / frames[2].length,
  );
  expect(error).toBeLessThan(rigid / 3);
  const order = random(2).permutation(80);
  expect(
    rms(
      own,
      u.map((_, i) => u[2 * order[i >> 1] + (i & 1)]),
    ),
  ).toBeGreaterThan(rigid);
});
