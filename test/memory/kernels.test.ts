import fc from "fast-check";
import { expect, test } from "vitest";
import { createArena } from "../../src/kernels/arena.ts";
import { addRowSums, bitMatrixBytes, createBitMatrix, setBit } from "../../src/memory/bit-matrix.ts";
import { correctedEvidence, countPresentation, createCrosstalk } from "../../src/memory/crosstalk.ts";
import { logistic } from "../../src/memory/logistic.ts";
import { createMemory } from "../../src/memory/memory.ts";
import { ANYWHERE, cellNumbers, kernelsFor, type Room } from "../../src/memory/room.ts";
import { winWeights } from "../../src/memory/win-weights.ts";
import { countHypotheses, drawWinners, familiarityOf, pickBest } from "../../src/memory/winners.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";
import { subset } from "./support.ts";

/** Everything that a kernel computes, in one room. */
function evidence(room: Room, seed: number, inputs: number, q: number, k: number) {
  const rng = random(seed);
  const cells = q * k;
  const density = rng.uniform();
  const matrix = createBitMatrix(inputs, cells, room);
  const crosstalk = createCrosstalk(inputs, cells, room);
  for (let j = 0; j < inputs; j++)
    for (let i = 0; i < cells; i++)
      if (rng.uniform() < density) {
        setBit(matrix, j, i);
        crosstalk.fanIn[i]++;
      }
  const sums = cellNumbers(room, cells);
  for (let n = 0; n < 3; n++) {
    const active = subset(rng, inputs, 1 + rng.integer(inputs));
    sums.fill(0);
    addRowSums(matrix, active, sums);
    countPresentation(crosstalk, active, sums);
  }
  const U = cellNumbers(room, cells);
  correctedEvidence(crosstalk, 20 * rng.uniform(), sums, 1 / (1 + rng.integer(inputs)), U);
  const best = room.float64(q);
  const g = familiarityOf(U, k, best);
  const sigmoid = { kind: "logistic", steepness: 40 * rng.uniform() - 5, center: rng.uniform() } as const;
  const weights = cellNumbers(room, k);
  const total = winWeights(U, 0, k, 50 * k, sigmoid, weights);
  const drawn = new Uint32Array(q);
  drawWinners(U, k, 50 * k, sigmoid, rng, cellNumbers(room, k), drawn);
  const picked = new Uint32Array(q);
  pickBest(U, k, best, rng, picked);
  const hypotheses = countHypotheses(U, q, rng.uniform());
  return {
    kernel: kernelsFor(U) !== undefined,
    figures: [
      ...sums,
      ...crosstalk.weighted,
      ...U,
      ...best,
      g,
      ...weights,
      total,
      ...drawn,
      ...picked,
      hypotheses,
    ],
  };
}

test("the kernels give the same bits as the loops in JavaScript, for any size", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 140 }),
      (seed, inputs, q, k) => {
        const arena = createArena(bitMatrixBytes(inputs, q * k) + 80 * (q * k + 64) + 64);
        const fast = evidence(arena, seed, inputs, q, k);
        const slow = evidence(ANYWHERE, seed, inputs, q, k);
        expect([fast.kernel, slow.kernel]).toEqual([true, false]);
        expect(fast.figures).toEqual(slow.figures);
      },
    ),
    { numRuns: 80 },
  );
});

test("sums of many and of wide rows are those counted bit by bit", () => {
  const [inputs, cells] = [4500, 8300];
  const room = createArena(bitMatrixBytes(inputs, cells) + 800 * cells);
  const matrix = createBitMatrix(inputs, cells, room);
  const { words, stride } = matrix;
  let state = 1;
  for (let row = 0; row < inputs; row++)
    for (let w = 0; w < stride; w++) {
      state = Math.imul(state, 1664525) + 1013904223;
      // Bits behind the last column stay 0; columns are of different density.
      words[row * stride + w] = w === stride - 1 ? 0 : w % 5 === 0 ? -1 : state & (state << 7);
    }
  for (const count of [15, 63, 64, 80, 255, 256, 300, 4080, 4111]) {
    const rows = random(count).permutation(inputs).subarray(0, count);
    const expected = new Float64Array(32 * stride);
    for (const row of rows)
      for (let w = 0; w < stride; w++)
        for (let left = words[row * stride + w]; left !== 0; left &= left - 1)
          expected[32 * w + 31 - Math.clz32(left & -left)]++;
    const sums = cellNumbers(room, cells);
    sums.fill(0);
    addRowSums(matrix, rows, sums);
    expect(sums.every((sum, i) => sum === expected[i])).toBe(true);
  }
});

test("the logistic function is that of Math.exp, also far out", () => {
  let worst = 0;
  for (let y = -700; y <= 700; y += 0.0137) {
    const expected = 1 / (1 + Math.exp(y));
    worst = Math.max(worst, Math.abs(logistic(y) - expected) / expected);
  }
  expect(worst).toBeLessThan(1e-15);
  expect(logistic(0)).toBe(0.5);
  for (const y of [-800, -1e9, -Number.MAX_VALUE]) expect(logistic(y)).toBe(1);
  for (const y of [800, 1e9, Number.MAX_VALUE]) expect(logistic(y)).toBeLessThan(1e-300);
});

test("a memory with kernels and one too large for them are made of the same calls", () => {
  const memory = createMemory({ inputs: 20 });
  expect(kernelsFor(memory.network.macs[0].scratch.U)).toBeDefined();
  const fading = createMemory({
    inputs: 20,
    preset: "capacity",
    rules: { freezeAt: null },
    decay: { kind: "convex", horizon: 9, kappa: 1 },
  });
  expect(kernelsFor(fading.network.macs[0].scratch.U)).toBeUndefined();
  const large = createMemory({ inputs: 20, levels: [{ q: 2, k: 60_000 }] });
  expect(kernelsFor(large.network.macs[0].scratch.U)).toBeUndefined();
  for (const some of [memory, fading, large]) {
    some.learn([1, 2, 3]);
    expect(some.recognize([1, 2, 3]).familiarity).toBeGreaterThan(0.8);
  }
  expectProblem(() => memory.learn([20]), /names unit 20/);
});
