import { describe, expect, it } from "vitest";
import { random } from "../../../src/random.ts";
import { findRoot, type RootWorkspace, rootWorkspace, shareAt } from "../../../src/sparsity/wgsef/root.ts";
import { expectClose, sharesBySorting } from "./reference.ts";

const values = (list: ArrayLike<number>) => ({ values: Float64Array.from(list), mask: -1 as const });

function shares(slope: number[], rho: number[], cost: number[], budget: number, ws: RootWorkspace): number[] {
  const omega = findRoot(Float64Array.from(slope), values(rho), values(cost), budget, ws);
  return slope.map((a, j) => shareAt(omega, a, rho[j]));
}

/** Slopes that are hard in different ways: ties, heavy tails, few large ones among many equal, zeros. */
const kinds: Record<string, (u: number, v: number) => number> = {
  uniform: (u) => u,
  tied: (u) => 1 + Math.floor(4 * u),
  equal: () => 2,
  "heavy-tailed": (u) => (1 - u) ** -3,
  "wide range": (u) => 10 ** (12 * u - 6),
  "few large": (u, v) => (u < 0.001 ? 1000 + v : 1),
  "half zero": (u, v) => (u < 0.5 ? 0 : v),
};

describe("root search", () => {
  for (const [name, slopeOf] of Object.entries(kinds))
    it(`equals the one that sorts: ${name}`, () => {
      const ws = rootWorkspace(20_000);
      const medians = { ...rootWorkspace(20_000), randomRounds: 0 };
      for (const m of [1, 2, 7, 100, 511, 512, 3000, 20000])
        for (let run = 0; run < 8; run++) {
          const rng = random(1000 * m + run);
          const slope = Array.from({ length: m }, () => slopeOf(rng.uniform(), rng.uniform()));
          const level = 10 ** (6 * rng.uniform() - 4);
          const rho = slope.map(() => (run % 2 ? level : level * (0.5 + rng.uniform())));
          // A few groups cost as much as all others together: a sample misses them, and its bracket fails.
          const cost = slope.map(() => (run < 4 ? 1 : rng.uniform() < 2 / m ? m : 0.5 + rng.uniform()));
          const live = cost.reduce((sum, c, j) => sum + (slope[j] > 0 ? c : 0), 0);
          const budget = [0.3, 0.01, 0.999, 1.5][run % 4] * live || 1;
          const wanted = sharesBySorting(slope, rho, cost, budget);
          // ω·A − ρ loses digits in proportion to ρ.
          const tolerance = 1e-12 * (1 + Math.max(...rho.slice(0, 100)) * 2);
          const found = shares(slope, rho, cost, budget, ws);
          expectClose(found, wanted, tolerance);
          expectClose(shares(slope, rho, cost, budget, medians), wanted, tolerance);
          const spent = found.reduce((sum, u, j) => sum + u * cost[j], 0);
          expectClose([spent], [Math.min(budget, live)], tolerance * (1 + live));
        }
    });

  for (const [name, slopeOf] of Object.entries(kinds))
    it(`equals the one that sorts where all groups share ρ and cost: ${name}`, () => {
      const ws = rootWorkspace(20_000);
      for (const m of [1, 2, 7, 100, 511, 512, 20000])
        for (let run = 0; run < 8; run++) {
          const rng = random(1000 * m + run);
          const slope = Float64Array.from({ length: m }, () => slopeOf(rng.uniform(), rng.uniform()));
          const rho = run === 7 ? 0 : 10 ** (6 * rng.uniform() - 4);
          // A power of two: other costs would round the reference's sums.
          const cost = run % 2 ? 1 : 0.25;
          const live = cost * slope.reduce((n, a) => n + Number(a > 0), 0);
          const budget = [0.3, 0.01, 0.999, 1.5][run % 4] * live || 1;
          const one = (x: number) => ({ values: Float64Array.of(x), mask: 0 as const });
          const omega = findRoot(slope, one(rho), one(cost), budget, ws);
          const all = (x: number) => Array<number>(m).fill(x);
          const wanted = sharesBySorting([...slope], all(rho), all(cost), budget);
          expectClose(
            [...slope].map((a) => shareAt(omega, a, rho)),
            wanted,
            1e-12 * (1 + 2 * rho),
          );
        }
    });

  it("gives the same bits when repeated, whatever the workspace did before", () => {
    const rng = random(4);
    const slope = Float64Array.from({ length: 5000 }, () => rng.uniform());
    const [rho, cost] = [values(slope.map(() => 0.1)), values(slope.map(() => 1))];
    const ws = rootWorkspace(5000);
    const first = findRoot(slope, rho, cost, 1000, ws);
    findRoot(slope.subarray(0, 700), rho, cost, 10, ws);
    expect(findRoot(slope, rho, cost, 1000, ws)).toBe(first);
  });

  it("looks at each breakpoint fewer than 8 times, at any size (P5)", () => {
    for (const m of [100, 1000, 10_000, 100_000, 1_000_000])
      for (const keep of [0.02, 0.5, 0.9]) {
        const rng = random(m);
        const slope = Float64Array.from({ length: m }, () => 10 ** (-2 * rng.uniform()));
        const one = { values: Float64Array.of(1), mask: 0 as const };
        const ws = rootWorkspace(m);
        findRoot(slope, { values: Float64Array.of(0.03), mask: 0 }, one, keep * m, ws);
        expect(ws.visits / (2 * m)).toBeLessThan(8);
      }
  });

  it("control: sorting the breakpoints looks at each of them oftener than that", () => {
    const rng = random(1);
    let looks = 0;
    Float64Array.from({ length: 20_000 }, () => rng.uniform()).sort((a, b) => {
      looks += 2;
      return a - b;
    });
    expect(looks / 20_000).toBeGreaterThan(8);
  });
});
