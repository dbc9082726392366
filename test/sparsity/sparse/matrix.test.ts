import fc from "fast-check";
import { expect, test } from "vitest";
import { random } from "../../../src/random.ts";
import {
  columnRange,
  compressMatrix,
  denseMatrix,
  fillOf,
  matrixBytes,
} from "../../../src/sparsity/sparse/matrix.ts";
import { storeWeights } from "../../../src/sparsity/sparse/product.ts";
import { sparseTensor } from "./support.ts";

test("compressing and expanding gives the weights back, whatever is zero", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("row" as const, "block" as const),
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(0, 0.1, 0.5, 1),
      fc.integer(),
      (kind, fours, columns, density, seed) => {
        const rows = 4 * fours;
        const { data } = sparseTensor(random(seed), [rows, columns], density);
        expect(denseMatrix(compressMatrix(kind, data, rows, columns))).toEqual(data);
      },
    ),
  );
});

test("bytes and fill count what is stored", () => {
  // Two rows of the block hold a weight in column 1, one in column 3.
  const dense = Float32Array.from([0, 1, 0, 0, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
  const rows = compressMatrix("row", dense, 4, 4);
  const blocks = compressMatrix("block", dense, 4, 4);
  expect([...rows.indices]).toEqual([1, 1, 3]);
  expect([...blocks.indices]).toEqual([1, 3]);
  expect(matrixBytes(rows)).toBe(4 * (5 + 3 + 3));
  expect(matrixBytes(blocks)).toBe(4 * (2 + 2 + 8));
  expect(fillOf(rows)).toBe(1);
  expect(fillOf(blocks)).toBe(3 / 8);
});

test("ranges of columns add up to the matrix", () => {
  const rng = random(3);
  for (const kind of ["row", "block"] as const) {
    const { data } = sparseTensor(rng, [8, 30], 0.3);
    const matrix = compressMatrix(kind, data, 8, 30);
    const parts = [
      [0, 7],
      [7, 8],
      [8, 30],
    ].map(([from, to]) => denseMatrix(columnRange(matrix, from, to)));
    expect(data.map((_, i) => parts[0][i] + parts[1][i] + parts[2][i])).toEqual(data);
    expect(parts[0].some((v, i) => v !== 0 && i % 30 >= 7)).toBe(false);
  }
});

test("blocks are chosen where they are full, and left-over rows stay single", () => {
  const rng = random(4);
  const columns = 16;
  const mask = sparseTensor(rng, [2, columns], 0.5).data;
  const blocked = Float32Array.from({ length: 10 * columns }, (_, i) =>
    mask[(Math.floor(i / columns / 4) % 2) * columns + (i % columns)] === 0 ? 0 : 1,
  );
  const stored = storeWeights({ weights: blocked, rows: 10, columns });
  expect(stored.parts.map((p) => [p.matrix.kind, p.firstRow, p.matrix.rows])).toEqual([
    ["block", 0, 8],
    ["row", 8, 2],
  ]);
  const { data } = sparseTensor(rng, [10, columns], 0.3);
  expect(storeWeights({ weights: data, rows: 10, columns }).format).toBe("row");
});

test("blocks of an odd number of rows are refused", () => {
  expect(() => compressMatrix("block", new Float32Array(6), 3, 2)).toThrow("4 rows");
});
