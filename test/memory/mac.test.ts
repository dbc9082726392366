import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { addRowSums, countOnes, createBitMatrix, getBit, setBit } from "../../src/memory/bit-matrix.ts";
import { densityOf, type Mac, resetMac } from "../../src/memory/mac.ts";
import { PRESETS, resolveRules } from "../../src/memory/rules.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";
import { referenceNetwork } from "./reference.ts";
import { largestError, present, subset, testMac, vectors, winnersOf } from "./support.ts";

test("sums of packed rows equal those of plain bits", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 150 }),
      fc.integer({ min: 1, max: 50 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(),
      (columns, rows, density, seed) => {
        const rng = random(seed);
        const matrix = createBitMatrix(rows, columns);
        const plain = Array.from({ length: rows }, () =>
          Array.from({ length: columns }, () => Number(rng.uniform() < density)),
        );
        for (const [r, row] of plain.entries())
          for (const [c, bit] of row.entries()) if (bit) expect(setBit(matrix, r, c)).toBe(true);
        const chosen = Array.from({ length: 60 }, () => rng.integer(rows));
        const sums = new Float64Array(columns);
        addRowSums(matrix, chosen, sums);
        for (let c = 0; c < columns; c++)
          expect(sums[c]).toBe(chosen.reduce((sum, r) => sum + plain[r][c], 0));
        expect(countOnes(matrix)).toBe(plain.flat().reduce((a, b) => a + b, 0));
        if (plain[0][0]) expect([getBit(matrix, 0, 0), setBit(matrix, 0, 0)]).toEqual([1, false]);
      },
    ),
    { numRuns: 200 },
  );
});

describe("the packed mac beside the formulas written out", () => {
  for (const preset of ["classic", "robust", "robustSteep", "capacity", "graded", "uniform"] as const)
    it(`${preset}: the same V, G, ζ and winners over episodes of learning and recognising`, () => {
      const size = { inputs: 40, q: 5, k: 7 };
      const rules = resolveRules(preset, { freezeAt: null });
      const rng = random(3);
      const fast = testMac(size, { rng: random(5), rules });
      const slow = referenceNetwork([
        { ...size, fields: [Array.from({ length: 40 }, (_, j) => j)], persistence: 1, band: [1, 40], rules },
      ]);
      const [mac] = slow.macs;
      const draws = random(5);
      let familiar = 0;
      for (let episode = 0; episode < 30; episode++) {
        resetMac(fast);
        slow.reset();
        for (let t = 0; t < 4; t++) {
          // Few frames that come again and again: familiar, in part familiar and new.
          const active = subset(random(rng.integer(12)), 40, 3 + rng.integer(6));
          const mode = episode % 3 === 2 ? "recognize" : "learn";
          slow.step(active, mode, draws.uniform);
          const report = present(fast, active, mode);
          expect(largestError(fast.scratch.support, mac.V)).toBeLessThan(1e-12);
          expect(report.familiarity).toBeCloseTo(mac.G!, 12);
          expect(fast.zeta).toBe(mac.zeta);
          expect(Array.from(fast.code!)).toEqual(mac.code);
          if (mac.G! > 0.5) familiar++;
        }
      }
      expect(familiar).toBeGreaterThan(10);
      expect(mac.U.size).toBe(fast.increased);
    });
});

test("the overlap of a new code with a stored one follows the closed form; uniform draws stay at chance", () => {
  const { S, Q, K, curves } = vectors.siscFreshMac;
  const stored = Array.from({ length: S }, (_, j) => j);
  const meanOverlap = (rules: object, shared: number) => {
    const repeats = 300;
    let sum = 0;
    for (let r = 0; r < repeats; r++) {
      const mac = testMac({ inputs: 24, q: Q, k: K }, { rng: random(1000 * shared + r), rules });
      present(mac, stored, "learn");
      const code = mac.code!;
      resetMac(mac);
      present(mac, [...stored.slice(0, shared), ...stored.slice(shared).map((j) => j + 12)], "learn");
      sum += mac.code!.reduce((n, cell, q) => n + Number(cell === code[q]), 0);
    }
    return sum / repeats;
  };
  const published = [
    ["alt (32,0.42435), chi100", PRESETS.classic],
    ["graded (8,0.5), chi10", PRESETS.graded],
    ["steep (32,0.7), lambdaU 3", PRESETS.capacity],
    ["richards, chi100", { sigmoid: { kind: "richards", s1: 0.1, s2: 4, s3: 1, s4: 8 } }],
    ["2010-like (26,0.5)", { sigmoid: { kind: "logistic", steepness: 26, center: 0.5 } }],
    ["uniform control chi0", PRESETS.uniform],
  ] as const;
  // 300 repeats have a standard error of at most 0.14 of 24.
  for (const [name, rules] of published)
    for (const s of [0, 3, 5, 7, 9, 12])
      expect(
        Math.abs(meanOverlap({ ...rules, freezeAt: null }, s) - curves[name][s]),
        `${name}, ${s}`,
      ).toBeLessThan(0.5);
});

describe("invariants", () => {
  const size = { inputs: 60, q: 6, k: 8 };
  const learnSome = (mac: Mac, items: number[][]) =>
    items.forEach((item) => {
      resetMac(mac);
      present(mac, item, "learn");
    });
  const items = (count: number) => Array.from({ length: count }, (_, i) => subset(random(i), 60, 8));
  const state = (mac: Mac) =>
    JSON.stringify([mac.up.state, mac.crosstalk, mac.horizontal?.state], (_, x) =>
      ArrayBuffer.isView(x) ? Array.from(x as Uint32Array) : x,
    );

  it("a stored item is familiar at any load, raw or corrected", () => {
    for (const preset of ["classic", "robust"] as const) {
      const mac = testMac(size, { rules: resolveRules(preset, { freezeAt: null }) });
      for (const [i, item] of items(60).entries()) {
        learnSome(mac, [item]);
        for (const seen of items(i + 1)) {
          resetMac(mac);
          expect(present(mac, seen, "recognize").familiarity).toBeCloseTo(1, 12);
        }
      }
      expect(densityOf(mac)).toBeGreaterThan(0.3);
    }
  });

  it("recognition changes nothing, learning the same code again no weight", () => {
    const mac = testMac(size, { rules: resolveRules("robust") });
    learnSome(mac, items(20));
    const before = state(mac);
    for (const item of items(30)) {
      resetMac(mac);
      present(mac, item, "recognize", true);
    }
    expect(state(mac)).toBe(before);
    const { increased } = mac;
    const presentations = mac.crosstalk.presentations;
    mac.rules = { ...mac.rules, learning: "argmax" };
    learnSome(mac, [items(1)[0]]);
    expect(mac.increased).toBe(increased);
    expect(mac.crosstalk.presentations).toBe(presentations + 1);
  });

  it("a frozen mac keeps every weight and count; one that is not does not", () => {
    for (const frozen of [true, false]) {
      const mac = testMac(size);
      learnSome(mac, items(10));
      const before = state(mac);
      mac.frozen = frozen;
      learnSome(mac, items(30));
      expect(state(mac) === before).toBe(frozen);
    }
  });

  it("freezes at its density: the mac whole, or cell by cell", () => {
    const whole = testMac(size, { rules: { freezeAt: 0.3 } });
    learnSome(whole, items(200));
    expect(whole.frozen).toBe(true);
    expect(densityOf(whole)).toBeGreaterThanOrEqual(0.3);
    expect(densityOf(whole)).toBeLessThan(0.3 + 8 / (60 * 8));
    const cells = testMac(size, { rules: { freezeAt: 0.3, freezeBy: "cell", chi: 0 } });
    learnSome(cells, items(200));
    expect(cells.frozen).toBe(false);
    for (const fanIn of cells.crosstalk.fanIn) {
      expect(fanIn).toBeGreaterThan(0.3 * 60 - 8);
      expect(fanIn).toBeLessThanOrEqual(0.3 * 60 + 8);
    }
  });

  it("winners of a fresh mac are uniform", () => {
    const counts = new Array<number>(8).fill(0);
    const rng = random(9);
    for (let i = 0; i < 2000; i++) {
      const mac = testMac({ inputs: 10, q: 5, k: 8 }, { rng });
      present(mac, [1, 2, 3], "learn");
      for (const winner of winnersOf(mac)) counts[winner]++;
    }
    // χ² of 7 degrees of freedom: above 24.3 in one of a thousand fair draws.
    expect(counts.reduce((sum, c) => sum + (c - 1250) ** 2 / 1250, 0)).toBeLessThan(24.3);
  });

  it("skips what it knows where it is told to", () => {
    const mac = testMac(size, { rules: { skipIfFamiliar: 0.999 } });
    learnSome(mac, [items(1)[0], items(1)[0]]);
    expect(mac.crosstalk.presentations).toBe(1);
    learnSome(mac, [items(2)[1]]);
    expect(mac.crosstalk.presentations).toBe(2);
  });

  it("is silent outside its band and for an empty input", () => {
    const mac = testMac(size);
    mac.band = [3, 5];
    expect([0, 2, 3, 5, 6].map((n) => present(mac, subset(random(1), 60, n), "learn").state)).toEqual([
      "silent",
      "silent",
      "active",
      "active",
      "silent",
    ]);
    mac.band = [0, 60];
    expect(present(mac, [], "learn").state).toBe("silent");
  });
});

test("rules out of range or unknown are refused", () => {
  expectProblem(() => resolveRules("robst" as "robust"), /unknown preset "robst"; known: robust/);
  expectProblem(() => resolveRules("robust", { lambdaQ: 1 } as object), /unknown rule "lambdaQ"/);
  expectProblem(() => resolveRules("robust", { gamma: 0 }), /gamma is 0; expected a number above 0/);
  expectProblem(() => resolveRules("robust", { familiarityFloor: 1 }), /familiarityFloor is 1/);
  expectProblem(() => resolveRules("robust", { sigmoid: { kind: "odds" } as never }), /sigmoid/);
});
