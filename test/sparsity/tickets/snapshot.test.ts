import { expect, test } from "vitest";
import { weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { pool } from "../../../src/sparsity/tickets/picture.ts";
import { buildModel, QUICK } from "../../../src/sparsity/tickets/settings.ts";
import { snapshotOf } from "../../../src/sparsity/tickets/snapshot.ts";

test("pooled blocks have the matrix's mean in all, weighted by their size", () => {
  const matrix = Array.from({ length: 7 * 10 }, (_, i) => (i * i) % 11);
  const { rows, columns, shares } = pool(matrix, 7, 10, 3, 4);
  expect([rows, columns]).toEqual([3, 4]);
  const [tall, wide] = [
    [2, 2, 3],
    [2, 3, 2, 3],
  ];
  const sum = shares.reduce((a, v, i) => a + v * tall[Math.floor(i / 4)] * wide[i % 4], 0);
  expect(sum).toBeCloseTo(
    matrix.reduce((a, b) => a + b, 0),
    9,
  );
  expect(shares[0]).toBe((matrix[0] + matrix[1] + matrix[10] + matrix[11]) / 4);
  expect(pool(matrix, 7, 10, 48, 144).shares).toEqual(matrix);
});

test("a snapshot sees one wave as one frequency, and counts neurons with a living input", () => {
  const settings = { ...QUICK, p: 7, width: 4, hidden: 3, ratio: 0.5 };
  const weights = weightsOf(buildModel(settings, 0));
  const embed = weights.get("embed")!;
  for (let k = 0; k < 4; k++)
    for (let x = 0; x < 7; x++) embed[k * 7 + x] = Math.cos((2 * Math.PI * 2 * x) / 7 + k);
  weights.get("inproj")!.fill(5).set(new Float32Array(4), 4);
  const { spectrum, neurons, neuronsAlive, mask } = snapshotOf(
    settings,
    { step: 0, train: 0, test: 0 },
    weights,
  );
  expect(spectrum?.map((v) => Math.round(1e5 * v) / 1e5)).toEqual([0, 1, 0]);
  expect([neurons, neuronsAlive]).toEqual([3, 2]);
  expect(mask.shares.slice(4, 8)).toEqual([0, 0, 0, 0]);
});

test("permutations have representations by name, products modulo 6 no spectrum at all", () => {
  const point = { step: 0, train: 0, test: 0 };
  const at = (task: "s5" | "modmul", p: number) => {
    const settings = { ...QUICK, task, p, width: 4, hidden: 3 };
    return snapshotOf(settings, point, weightsOf(buildModel(settings, 0)));
  };
  const permutations = at("s5", 0);
  expect(permutations.waveNames).toEqual(["sign", "4", "4′", "5", "5′", "6"]);
  expect(permutations.spectrum!.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
  expect(at("modmul", 6).spectrum).toBeUndefined();
  expect(at("modmul", 7).spectrum).toHaveLength(3);
  expect(at("modmul", 7).waveNames).toBeUndefined();
});
