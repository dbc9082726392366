import { expect, test } from "vitest";
import { createArena } from "../../../src/kernels/arena.ts";
import { random } from "../../../src/random.ts";
import { shareAt } from "../../../src/sparsity/wgsef/root.ts";
import { sampleSize, searchRoom, uniformKernels } from "../../../src/sparsity/wgsef/uniform.ts";
import { expectClose, sharesBySorting } from "./reference.ts";

const M = 3003;

/**
 * Runs `work` with float32 weights, then with their magnitudes as float64. `find` gives the root, and the passes over all
 * slopes that it took.
 */
function bothTypes(
  weights: readonly number[],
  work: (
    find: (rho: number, budget: number) => { omega: number; passes: number },
    magnitudes: number[],
  ) => void,
): void {
  const m = weights.length;
  const size = sampleSize(m);
  const arena = createArena(8 * (m + searchRoom(size)) + 100);
  const room = arena.float64(searchRoom(size));
  const { findRoot, visited } = uniformKernels(arena);
  for (const single of [true, false])
    arena.temporarily(() => {
      const slopes = single ? arena.float32(m) : arena.float64(m);
      slopes.set(single ? weights : weights.map(Math.abs));
      work(
        (rho, budget) => {
          const omega = findRoot(slopes.byteOffset, single, rho, m, budget, room.byteOffset, size);
          return { omega, passes: visited() / (2 * m) };
        },
        Array.from(slopes, Math.abs),
      );
    });
}

const kinds: Record<string, (j: number, u: number, normal: number) => number> = {
  smooth: (_, u, normal) => normal * 10 ** (-2 * u),
  "all equal": () => -0.3,
  "all zero": () => 0,
  "sorted upwards": (j) => (j + 1) / M,
  "sorted downwards": (j) => j / M - 1,
  "smaller from part to part": (j, _, normal) => normal * 4 ** -Math.floor((10 * j) / M),
  "tied at a few values": (j, u) => (j % 2 ? 0.25 : -0.5 * Math.ceil(4 * u)),
  "constant with tiny noise": (_j, _u, normal) => 1 + 1e-6 * normal,
  "one huge": (j, u) => (j === 7 ? 1e3 : u),
  "a few large ones that no sample meets": (j, u) => (j % 1001 === 2 ? 1000 + j : 1e-3 * u),
  "zero but for a handful": (j) => (j % 1000 === 3 ? 1 + j : 0),
};

test.each(Object.entries(kinds))("from a sample to the root of the one that sorts: %s", (_, of) => {
  const rng = random(3);
  const weights = Array.from({ length: M }, (_, j) => of(j, rng.uniform(), rng.normal()));
  const all = (x: number) => Array<number>(M).fill(x);
  bothTypes(weights, (find, magnitudes) => {
    const live = magnitudes.filter((x) => x > 0).length;
    for (const rho of [0, 0.02, 3])
      for (const budget of [1.5, 0.3 * M, 0.97 * M]) {
        const { omega } = find(rho, budget);
        expect(omega).toBeGreaterThan(0);
        expect(omega === Number.POSITIVE_INFINITY).toBe(live <= budget);
        const found = magnitudes.map((a) => shareAt(omega, a, rho));
        expectClose(found, sharesBySorting(magnitudes, all(rho), all(1), budget), 1e-12 * (1 + 2 * rho));
        expect(find(rho, budget).omega).toBe(omega);
      }
  });
});

test("one pass over all where the sample is right, several where it misleads or too much stays open", () => {
  const rng = random(5);
  const smooth = Array.from({ length: 100_003 }, () => rng.normal());
  bothTypes(smooth, (find) => {
    for (const rho of [0, 0.02, 3]) expect(find(rho, 30_000).passes).toBeLessThan(1.8);
  });
  // All that count are five, of which the sample has none.
  const few = smooth.map((x, j) => (j % 20_001 === 7 ? 1000 + j : 1e-3 * x));
  bothTypes(few, (find) => expect(find(0.02, 3).passes).toBeGreaterThan(3));
  // Nearly all lie where they begin to count.
  const near = smooth.map((x, j) => (j % 10 ? 1 + 1e-3 * x : 3));
  bothTypes(near, (find) => expect(find(0.5, 10_000).passes).toBeGreaterThan(3));
});

test("sees what is not finite, wherever it is", () => {
  const rng = random(8);
  const smooth = Array.from({ length: M }, () => 1 + rng.uniform());
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
    for (const place of [0, 1, 2, 3, 1024, M - 4, M - 3, M - 1]) {
      const weights = [...smooth];
      weights[place] = bad;
      bothTypes(weights, (find) => expect(find(0.02, 0.3 * M).omega).toBeNaN());
    }
  // Control: without it there is a root.
  bothTypes(smooth, (find) => expect(find(0.02, 0.3 * M).omega).toBeLessThan(Number.POSITIVE_INFINITY));
});
