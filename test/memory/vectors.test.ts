import { describe, expect, it, test } from "vitest";
import {
  baseline,
  type Crosstalk,
  corrected,
  countPresentation,
  countSynapse,
  createCrosstalk,
} from "../../src/memory/crosstalk.ts";
import { decayedWeight, STEP_DECAY } from "../../src/memory/decay.ts";
import { backOff, localSupport, type Version } from "../../src/memory/evidence.ts";
import { beginFrame } from "../../src/memory/mac.ts";
import { resolveRules } from "../../src/memory/rules.ts";
import { selectCode } from "../../src/memory/select-code.ts";
import { expansivity, winWeight, winWeights } from "../../src/memory/win-weights.ts";
import { compensation, countHypotheses, familiarityOf } from "../../src/memory/winners.ts";
import { random } from "../../src/random.ts";
import { trusted } from "./reference.ts";
import { largestError, present, scripted, testMac, vectors, winnersOf } from "./support.ts";

const TOLERANCE = 1e-9;

const baselines = (crosstalk: Crosstalk, n0: number) =>
  Array.from(crosstalk.fanIn, (_, cell) => baseline(crosstalk, n0, cell));

test("expansivity", () => {
  for (const { G, K, chi, gamma, gMin, eta } of vectors.expansivity)
    expect(expansivity(G, K, { chi, gamma, familiarityFloor: gMin })).toBeCloseTo(eta, 9);
  expect(expansivity(0.5, 8, { chi: 100, gamma: 2, familiarityFloor: 0.1 })).toBeCloseTo(159.024691358, 9);
});

test("the sigmoids, and the odds form", () => {
  const s = (V: number, sigmoid: Parameters<typeof winWeight>[3]) => winWeight(V, 8, 2, sigmoid) - 1;
  const { logistic, richards, altForm, odds } = vectors.sigmoid;
  for (const { V, steepness, center, s: expected } of logistic)
    expect(Math.abs(s(V, { kind: "logistic", steepness, center }) - expected)).toBeLessThan(TOLERANCE);
  for (const { V, s1, s2, s3, s4, s: expected } of richards)
    expect(Math.abs(s(V, { kind: "richards", s1, s2, s3, s4 }) - expected)).toBeLessThan(TOLERANCE);
  const { sigmoid: paper } = resolveRules("classic");
  for (const { V, s: expected } of altForm) expect(Math.abs(s(V, paper) - expected)).toBeLessThan(TOLERANCE);
  for (const { V, K, cap, mu } of odds)
    expect(Math.abs(winWeight(V, K, 1, { kind: "odds", cap }) - mu)).toBeLessThan(TOLERANCE);
});

test("a stored code comes back with the published probability", () => {
  for (const { K, chi, rhoAtV1 } of vectors.reactivation) {
    const support = new Float64Array(K);
    support[0] = 1;
    const out = new Float64Array(K);
    const eta = expansivity(1, K, { chi, gamma: 2, familiarityFloor: 0.1 });
    const sum = winWeights(support, 0, K, eta, resolveRules("classic").sigmoid, out);
    expect(Math.abs(out[0] / sum - rhoAtV1)).toBeLessThan(TOLERANCE);
  }
});

test("one mac, nine steps: every sum, evidence, weight and winner", () => {
  const { N, Q, K, steps } = vectors.csaSpatial;
  const rng = scripted();
  const mac = testMac({ inputs: N, q: Q, k: K }, { rng });
  // The sigmoid of the vectors has its centre rounded to twelve places.
  const base = resolveRules("classic", {
    freezeAt: null,
    sigmoid: { kind: "logistic", steepness: 32, center: vectors.meta.defaults.sigmoid.center },
  });
  for (const { name, mode, params, active, uniforms, learn, increasedBefore, expected, ...after } of steps) {
    expect(mac.increased, name).toBe(increasedBefore.length);
    for (const [j, i] of increasedBefore) expect(mac.up.weight(j, i), name).toBe(1);
    mac.rules = { ...base, normalizer: params.fixed ?? "active" };
    if (params.lamU) mac.rules = { ...mac.rules, lambdaU: params.lamU, lambdaU0: params.lamU };
    rng.push(...uniforms);
    mac.code = undefined;
    const report = present(mac, active, learn ? "learn" : "recognize", mode === "soft");
    const { sums, U, support, best } = mac.scratch;
    const eta = expansivity(report.familiarity!, K, mac.rules);
    const psi: number[] = [];
    const rho: number[] = [];
    const module = new Float64Array(K);
    for (let q = 0; q < Q; q++) {
      const sum = winWeights(support, q * K, K, eta, mac.rules.sigmoid, module);
      psi.push(...module);
      rho.push(...module.map((x) => x / sum));
    }
    expect(Array.from(sums), name).toEqual(expected.u);
    const actual = { U, V: support, Vhat: best, G: [report.familiarity!], eta: [eta], psi, rho };
    for (const [key, values] of Object.entries(actual))
      expect(largestError(values, [expected[key]].flat()), `${name}: ${key}`).toBeLessThan(TOLERANCE);
    expect(winnersOf(mac), name).toEqual(expected.winners);
    expect(mac.increased, name).toBe(after.increasedAfterCount);
  }
});

describe("a sequence", () => {
  const { N, Q, K, learn, Uincreased, Hincreased, recognition, recognitionMCH, recallFrom, recallCodes } =
    vectors.sequence;
  const stored = (rules = {}) => {
    const mac = testMac(
      { inputs: N, q: Q, k: K },
      { rng: scripted(learn.flatMap((f: { uniforms: number[] }) => f.uniforms)), rules },
    );
    return mac;
  };
  const trained = (rules = {}) => {
    const mac = stored(rules);
    for (const frame of learn) present(mac, frame.active, "learn");
    mac.code = mac.previous = undefined;
    mac.age = 0;
    return { ...mac, rng: scripted(new Array(40).fill(0)) };
  };

  it("is learnt with the codes of the vectors", () => {
    const mac = stored();
    for (const { t, active, U, H, G, winners } of learn) {
      const report = present(mac, active, "learn");
      expect(largestError(mac.scratch.U, U), `U at ${t}`).toBeLessThan(TOLERANCE);
      if (H) expect(largestError(mac.scratch.H, H), `H at ${t}`).toBeLessThan(TOLERANCE);
      expect(report.version).toBe(H ? "HU" : "U");
      expect(report.familiarity).toBeCloseTo(G, 9);
      expect(winnersOf(mac)).toEqual(winners);
    }
    expect(mac.increased).toBe(Uincreased);
    const cells = Array.from({ length: Q * K }, (_, i) => i);
    const set = cells.flatMap((p) =>
      cells.filter((i) => mac.horizontal!.weight(p, i) === 1).map((i) => [p, i]),
    );
    expect(set).toEqual(Hincreased);
  });

  it("is recognised, with and without competing hypotheses", () => {
    for (const [expected, rules] of [
      [recognition, { hypothesisExponent: 0 }],
      [recognitionMCH, {}],
    ]) {
      const mac = trained(rules);
      for (const [t, { V, G, ties, zeta, winners }] of expected.entries()) {
        const report = present(mac, learn[t].active, "recognize");
        if (V) expect(largestError(mac.scratch.support, V)).toBeLessThan(TOLERANCE);
        if (ties)
          for (let q = 0; q < Q; q++) {
            const module = Array.from(mac.scratch.support.subarray(q * K, (q + 1) * K));
            expect(module.filter((v) => v === Math.max(...module))).toHaveLength(ties[q]);
          }
        if (zeta) expect(mac.zeta).toBe(zeta);
        expect(report.familiarity, `G at ${t}`).toBeCloseTo(G, 9);
        expect(winnersOf(mac)).toEqual(winners);
      }
    }
  });

  it("is replayed from a frame", () => {
    const mac = trained();
    present(mac, recallFrom, "recognize");
    for (const [t, winners] of recallCodes.entries()) {
      if (t > 0) {
        beginFrame(mac);
        selectCode(mac, { groups: [], activeSources: 0, mode: "recall" });
      }
      expect(winnersOf(mac)).toEqual(winners);
    }
  });
});

test("competing hypotheses", () => {
  for (const { V, Q, vZeta, A, B, zeta, F } of vectors.mch) {
    expect(countHypotheses(Float64Array.from(V), Q, vZeta)).toBe(zeta);
    expect(compensation(zeta, A, B)).toBeCloseTo(F, 12);
  }
});

test("back-off over combinations of evidence", () => {
  const { Q, K, evidence, versions, cases } = vectors.backoff;
  const e = {
    U: Float64Array.from(evidence.U),
    H: Float64Array.from(evidence.H),
    D: Float64Array.from(evidence.D),
  };
  const support = new Float64Array(Q * K);
  const rules = resolveRules("classic");
  const familiarity = (version: Version) => {
    localSupport(version, e, rules, support);
    return familiarityOf(support, K, new Float64Array(Q));
  };
  for (const [version, { V, G }] of Object.entries<{ V: number[]; G: number }>(versions)) {
    expect(familiarity(version as Version)).toBeCloseTo(G, 12);
    expect(largestError(support, V)).toBeLessThan(TOLERANCE);
  }
  for (const { thresholds, chosen } of cases)
    expect(backOff("HUD", [thresholds[1], thresholds[2], thresholds[3]], familiarity)).toBe(
      chosen.split(" ")[0],
    );
  expect(backOff("HU", [0.9, 0.9, 0], familiarity), "D is not there").toBe("U");
  // HD has 0.805, UD 0.85: without UD it is the best of two.
  expect(backOff("HUD", [2, 0.8, 2], familiarity, true)).toBe("UD");
  const withoutUD = (version: Version) => (version === "UD" ? 0 : familiarity(version));
  expect(backOff("HUD", [2, 0.8, 2], withoutUD, true)).toBe("HD");
  expect(backOff("HUD", [2, 0.8, 2], withoutUD), "not unless asked for").toBe("HUD");
});

test("back-off beside all subsets of the evidence", () => {
  const rng = random(5);
  const chosen = { true: new Map<Version, number>(), false: new Map<Version, number>() };
  for (let trial = 0; trial < 3000; trial++) {
    const kinds = ["H", "U", "D"].filter(() => rng.uniform() < 0.8);
    if (kinds.length === 0) continue;
    const familiarities = new Map<string, number>();
    const familiarity = (version: string) => {
      const name = [...version].sort().join("");
      if (!familiarities.has(name)) familiarities.set(name, rng.uniform());
      return familiarities.get(name)!;
    };
    const backoff = [rng.uniform(), rng.uniform(), rng.uniform()] as const;
    const backoffWithoutInput = trial % 2 === 0;
    const expected = trusted(kinds, { backoff, backoffWithoutInput }, familiarity);
    const version = backOff(kinds.join("") as Version, backoff, familiarity, backoffWithoutInput);
    expect([...version].sort().join("")).toBe(expected);
    const counts = chosen[`${backoffWithoutInput}`];
    if (kinds.length === 3) counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  for (const version of ["HUD", "HU", "UD", "HD", "U", "H", "D"] as const)
    expect(chosen.true.get(version), version).toBeGreaterThan(10);
  expect([...chosen.false.keys()].sort()).toEqual(["HU", "HUD", "U", "UD"]);
});

test("crosstalk-corrected evidence", () => {
  const { N, Q, K, W, featureCounts, presentations, active, cases } = vectors.crosstalkCorrection;
  const crosstalk = createCrosstalk(N, Q * K);
  crosstalk.presentations = presentations;
  crosstalk.inputCounts.set(featureCounts);
  crosstalk.total = featureCounts.reduce((a: number, b: number) => a + b);
  const u = new Float64Array(Q * K);
  for (let j = 0; j < N; j++)
    for (let i = 0; i < Q * K; i++)
      if (W[j][i]) {
        countSynapse(crosstalk, j, i);
        if (active.includes(j)) u[i]++;
      }
  for (const { n0, baseline: expected, rawU, correctedU, rawG, correctedG } of cases) {
    const b = baselines(crosstalk, n0);
    expect(largestError(b, expected)).toBeLessThan(TOLERANCE);
    const raw = u.map((x) => x / active.length);
    const U = raw.map((x, i) => corrected(x, b[i]));
    expect(largestError(raw, rawU)).toBeLessThan(TOLERANCE);
    expect(largestError(U, correctedU)).toBeLessThan(TOLERANCE);
    const g = (values: Float64Array) => familiarityOf(values, K, new Float64Array(Q));
    expect(g(raw)).toBeCloseTo(rawG, 9);
    expect(g(U)).toBeCloseTo(correctedG, 9);
  }
});

test("the baseline is kept up to date without looking back", () => {
  const { N, cellsTotal, n0, presentations, expected } = vectors.incrementalBaseline;
  const crosstalk = createCrosstalk(N, cellsTotal);
  const mac = testMac({ inputs: N, q: 2, k: cellsTotal / 2 });
  for (const { active, cells } of presentations) {
    const sums = new Float64Array(cellsTotal);
    mac.up.addSums(active, sums);
    countPresentation(crosstalk, active, sums);
    for (const j of active) for (const i of cells) if (mac.up.connect(j, i)) countSynapse(crosstalk, j, i);
  }
  expect(Array.from(crosstalk.inputCounts)).toEqual(expected.counts);
  expect(Array.from(crosstalk.weighted)).toEqual(expected.C);
  expect(Array.from(crosstalk.fanIn)).toEqual(expected.D);
  expect(crosstalk.total).toBe(expected.T);
  expect(largestError(baselines(crosstalk, n0), expected.b20)).toBeLessThan(TOLERANCE);
});

test("decay", () => {
  for (const [stiffness, age, weight] of vectors.decay.step.samples)
    expect(127 * decayedWeight(STEP_DECAY, age, stiffness)).toBeCloseTo(weight, 9);
  for (const { T, kappa, age, w } of vectors.decay.convex)
    expect(decayedWeight({ kind: "convex", horizon: T, kappa }, age, 0)).toBeCloseTo(w, 9);
});

test("the random numbers are those of the vectors", () => {
  const rng = random(vectors.mulberry32.seed);
  for (const x of vectors.mulberry32.first) expect(rng.uniform()).toBe(x);
});
