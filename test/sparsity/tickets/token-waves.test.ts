import { describe, expect, test } from "vitest";
import { random } from "../../../src/random.ts";
import { amplitudeEntropy, powerShares, rowSpectra } from "../../../src/sparsity/tickets/fourier.ts";
import { permutationPowers, REPRESENTATIONS } from "../../../src/sparsity/tickets/permutation-waves.ts";
import { createTask, permutationsOfFive } from "../../../src/sparsity/tickets/tasks.ts";
import { inOrder, tokenWaves } from "../../../src/sparsity/tickets/token-waves.ts";

const sharesOf = (task: Parameters<typeof tokenWaves>[0], p: number, data: number[]) => {
  const { powers, names } = tokenWaves(task, p)!;
  return powerShares(powers(data), names.length);
};

describe("residues", () => {
  const p = 11;

  test("of sums are waves over themselves", () => {
    const wave = Array.from({ length: p }, (_, x) => Math.cos((2 * Math.PI * 3 * x) / p + 1));
    for (const task of ["modadd", "modsub", "squares"] as const) {
      expect(sharesOf(task, p, wave)[2]).toBeCloseTo(1, 12);
      expect(tokenWaves(task, p)!.powers(wave)).toEqual(rowSpectra(wave, p));
    }
  });

  test("of products are waves over exponents: a character of the multiplicative group is one frequency", () => {
    // The quadratic residues modulo 11, without any logarithm: a character of order 2, the highest frequency.
    const squares = new Set(Array.from({ length: p - 1 }, (_, x) => (x + 1) ** 2 % p));
    const legendre = Array.from({ length: p }, (_, x) => (x === 0 ? 7 : squares.has(x) ? 1 : -1));
    for (const task of ["modmul", "moddiv"] as const) {
      expect(sharesOf(task, p, legendre).map((v) => Math.round(1e9 * v) / 1e9)).toEqual([0, 0, 0, 0, 1]);
      expect(Math.max(...sharesOf("modadd", p, legendre))).toBeLessThan(0.5);
    }
  });

  test("the order turns products into sums, for every prime up to 97", () => {
    for (const prime of [3, 5, 7, 31, 67, 97]) {
      const { order } = tokenWaves("modmul", prime)!;
      expect(new Set(order).size).toBe(prime - 1);
      const at = new Map(Array.from(order!, (token, i) => [token, i]));
      const { pairs, labels } = createTask("modmul", prime);
      labels.forEach((label, i) => {
        const [x, y] = [pairs[2 * i], pairs[2 * i + 1]];
        if (x && y) expect(at.get(label)).toBe((at.get(x)! + at.get(y)!) % (prime - 1));
      });
    }
    expect(tokenWaves("modmul", 15)).toBeUndefined();
    expect(tokenWaves("modmul", 2)).toBeUndefined();
  });

  test("columns in another order, row by row", () => {
    expect([...inOrder([1, 2, 3, 4, 5, 6], 3, Int32Array.of(2, 0))]).toEqual([3, 1, 6, 4]);
  });
});

describe("permutations", () => {
  const all = permutationsOfFive();
  const on = (f: (q: number[]) => number) => all.map(f);
  const signOf = (q: number[]) =>
    q.reduce((sign, a, i) => q.slice(i + 1).reduce((s, b) => (b < a ? -s : s), sign), 1);
  const rounded = (data: number[]) =>
    Object.fromEntries(
      sharesOf("s5", 0, data).flatMap((v, i) =>
        v > 1e-9 ? [[REPRESENTATIONS[i], Math.round(1e9 * v) / 1e9]] : [],
      ),
    );

  test("functions that are known to lie in one representation do", () => {
    expect(rounded(on(signOf))).toEqual({ sign: 1 });
    // Where 0 goes: the permutation representation, trivial and standard.
    const goes = (q: number[]) => Number(q[0] === 3);
    expect(rounded(on(goes))).toEqual({ "4": 1 });
    expect(rounded(on((q) => signOf(q) * (goes(q) - 1 / 5)))).toEqual({ "4′": 1 });
    // Where a pair goes, less what its members say alone (the Specht module of (3, 2)).
    const pair = (q: number[], a: number, b: number) =>
      Number((q[a] === 0 && q[b] === 1) || (q[a] === 1 && q[b] === 0));
    const specht = (q: number[]) => pair(q, 0, 1) - pair(q, 2, 1) - pair(q, 0, 3) + pair(q, 2, 3);
    expect(rounded(on(specht))).toEqual({ "5": 1 });
    expect(rounded(on((q) => signOf(q) * specht(q)))).toEqual({ "5′": 1 });
    // A minor of the standard representation: its exterior square.
    const standard = (q: number[], i: number, j: number) => Number(q[i] === j) - Number(q[4] === j);
    const minor = (q: number[]) =>
      standard(q, 0, 0) * standard(q, 1, 1) - standard(q, 0, 1) * standard(q, 1, 0);
    expect(rounded(on(minor))).toEqual({ "6": 1 });
  });

  test("powers add up to the squares about the mean, and stay when elements are multiplied on either side", () => {
    const rng = random(4);
    const f = on(() => rng.normal());
    const mean = f.reduce((a, b) => a + b) / 120;
    const powers = permutationPowers(f);
    expect(powers.reduce((a, b) => a + b)).toBeCloseTo(
      f.reduce((a, v) => a + (v - mean) ** 2, 0),
      9,
    );
    const { labels } = createTask("s5", 0);
    const left = f.map((_, g) => f[labels[77 * 120 + g]]);
    const right = f.map((_, g) => f[labels[g * 120 + 31]]);
    const scrambled = f.map((_, g) => f[(g * 7) % 120]);
    const near = (other: number[]) =>
      Math.max(...permutationPowers(other).map((v, i) => Math.abs(v - powers[i])));
    expect(near(left)).toBeLessThan(1e-9);
    expect(near(right)).toBeLessThan(1e-9);
    expect(near(scrambled)).toBeGreaterThan(0.1);
  });

  test("several rows at once; one representation has entropy 0", () => {
    const rows = [...on(signOf), ...on((q) => Number(q[0] === 3))];
    const { powers, names } = tokenWaves("s5", 0)!;
    expect(powers(rows).length).toBe(2 * names.length);
    expect(amplitudeEntropy(powers(rows), names.length)).toBeCloseTo(0, 5);
  });
});
