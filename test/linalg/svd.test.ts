import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Svd } from "../../src/linalg/svd.ts";
import { svd } from "../../src/linalg/svd.ts";
import { random } from "../../src/random.ts";
import vectors from "../vectors/svd.json" with { type: "json" };

/** Largest |U Uᵀ − I| of the rows of [k, n]. */
function orthogonalityDefect(rows: Float64Array, k: number, n: number): number {
  let worst = 0;
  for (let a = 0; a < k; a++)
    for (let b = 0; b <= a; b++) {
      let sum = a === b ? -1 : 0;
      for (let i = 0; i < n; i++) sum += rows[a * n + i] * rows[b * n + i];
      worst = Math.max(worst, Math.abs(sum));
    }
  return worst;
}

/** ‖W − Σ σᵢ uᵢ vᵢᵀ‖_F / ‖W‖_F, or the numerator where W is 0. */
function residual(w: ArrayLike<number>, m: number, n: number, { left, values, right }: Svd): number {
  const scale = Math.max(...values) || 1;
  let [error, total] = [0, 0];
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let v = w[i * n + j] / scale;
      total += v * v;
      for (let p = 0; p < values.length; p++) v -= left[p * m + i] * (values[p] / scale) * right[p * n + j];
      error += v * v;
    }
  return Math.sqrt(error) / (Math.sqrt(total) || 1);
}

function expectDecomposition(w: ArrayLike<number>, m: number, n: number, tolerance = 1e-13): Svd {
  const result = svd(w, m, n);
  const k = Math.min(m, n);
  expect(residual(w, m, n, result)).toBeLessThan(tolerance);
  expect(orthogonalityDefect(result.left, k, m)).toBeLessThan(tolerance);
  expect(orthogonalityDefect(result.right, k, n)).toBeLessThan(tolerance);
  for (let i = 1; i < k; i++) expect(result.values[i]).toBeLessThanOrEqual(result.values[i - 1]);
  expect(result.values[k - 1]).toBeGreaterThanOrEqual(0);
  return result;
}

describe("singular value decomposition", () => {
  for (const [name, { matrix, values }] of Object.entries(vectors.cases))
    it(`${name}: LAPACK's singular values`, () => {
      const [m, n] = [matrix.length, matrix[0].length];
      const result = expectDecomposition(matrix.flat(), m, n);
      const scale = values[0] || 1;
      for (let i = 0; i < values.length; i++)
        expect(Math.abs(result.values[i] - values[i]) / scale).toBeLessThan(1e-14);
    });

  it("any matrix: residual, orthogonality, order", () => {
    const entry = fc.oneof(
      fc.constant(0),
      fc.integer({ min: -3, max: 3 }),
      fc.double({ min: -1, max: 1, noNaN: true }),
    );
    fc.assert(
      fc.property(
        fc
          .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }))
          .chain(([m, n]) =>
            fc.tuple(fc.constant(m), fc.constant(n), fc.array(entry, { minLength: m * n, maxLength: m * n })),
          ),
        ([m, n, w]) => {
          expectDecomposition(w, m, n);
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  it("a spectrum that falls over twelve decades, rank deficiency and repetition, at 120", () => {
    const n = 120;
    const rng = random(3);
    const noise = () => Float64Array.from({ length: n * n }, () => rng.normal());
    const [u, v] = [svd(noise(), n, n).left, svd(noise(), n, n).left];
    for (const spectrum of [
      (i: number) => 10 ** (-i / 10),
      (i: number) => (i < 40 ? 1 : 0),
      (i: number) => (i < 60 ? 2 : 1e-7),
      (i: number) => (i < 3 ? 1 : 1e-14),
    ]) {
      const w = new Float64Array(n * n);
      for (let p = 0; p < n; p++)
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) w[i * n + j] += u[p * n + i] * spectrum(p) * v[p * n + j];
      const { values } = expectDecomposition(w, n, n);
      for (let i = 0; i < n; i++) expect(Math.abs(values[i] - spectrum(i)) / spectrum(0)).toBeLessThan(1e-13);
    }
  });

  it("eigenvalues of the second difference, all of which are known", () => {
    const n = 200;
    const w = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      w[i * n + i] = 2;
      if (i > 0) w[i * n + i - 1] = w[(i - 1) * n + i] = -1;
    }
    const { values } = expectDecomposition(w, n, n);
    for (let i = 0; i < n; i++)
      expect(Math.abs(values[i] - (2 - 2 * Math.cos((Math.PI * (n - i)) / (n + 1))))).toBeLessThan(1e-13);
  });

  it("the same bits twice, and after another matrix", () => {
    const rng = random(5);
    const w = Float32Array.from({ length: 70 * 90 }, () => rng.normal());
    const first = svd(w, 70, 90);
    svd(Float32Array.from(w).reverse(), 90, 70);
    expect(svd(w, 70, 90)).toEqual(first);
  });

  it("the sign rule: the largest entry of every left vector is positive", () => {
    const rng = random(6);
    const { left } = svd(
      Float64Array.from({ length: 30 * 20 }, () => rng.normal()),
      30,
      20,
    );
    for (let i = 0; i < 20; i++) {
      const row = left.subarray(i * 30, (i + 1) * 30);
      expect(Math.max(...row)).toBe(Math.max(...row.map(Math.abs)));
    }
  });

  it("names an entry that is not finite", () => {
    expect(() => svd([1, 2, 3, Number.NaN], 2, 2)).toThrow("NaN in row 1, column 1");
  });
});
