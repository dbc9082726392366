import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Random, random } from "../../../src/random.ts";
import { fenchelGap, proxCertificate } from "../../../src/sparsity/wgsef/certificate.ts";
import { debiasedProxFactors } from "../../../src/sparsity/wgsef/debiased.ts";
import { applyPerWeightProx, perWeightProx } from "../../../src/sparsity/wgsef/per-weight.ts";
import { applyProx, type ProxStep, proxFactors } from "../../../src/sparsity/wgsef/prox.ts";
import { wgsefValue } from "../../../src/sparsity/wgsef/value.ts";
import { expectClose } from "./reference.ts";

type Case = ProxStep & { norms: Float64Array };

const logUniform = (rng: Random, low: number, high: number) =>
  Math.exp(Math.log(low) + rng.uniform() * Math.log(high / low));
const fill = (m: number, value: () => number) => Float64Array.from({ length: m }, value);

/** A problem with m groups: some norms zero, some tied, and any mixture of weights, costs and metrics. */
function caseOf(seed: number, m: number, lambda: number, plain = false): Case {
  const rng = random(seed);
  const maybe = () => (!plain && rng.uniform() < 0.5 ? fill(m, () => logUniform(rng, 0.2, 5)) : 1);
  const levels = fill(5, () => logUniform(rng, 0.01, 10));
  const kind = rng.uniform();
  const norms = fill(m, () => {
    const v = rng.uniform();
    if (v < 0.1) return 0;
    return kind < 0.3 ? levels[rng.integer(5)] : logUniform(rng, 0.001, 10);
  });
  const k = plain ? 1 + rng.integer(m) : Math.max(0.3, rng.uniform() * m);
  return { norms, lambda, alpha: 1, k, d: maybe(), c: maybe(), h: maybe() };
}

const cases = fc.record({
  seed: fc.nat(2 ** 31),
  m: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 1000 })),
  logLambda: fc.double({ min: -6, max: 4, noNaN: true }),
});
const forCases = (check: (c: Case, seed: number) => void, plain = false) =>
  fc.assert(
    fc.property(cases, ({ seed, m, logLambda }) => check(caseOf(seed, m, 10 ** logLambda, plain), seed)),
    { seed: 2212, numRuns: 200 },
  );

describe("prox", () => {
  it("closes the Fenchel–Young gap, for any λ, weights, costs, metric, ties and zeros", () => {
    forCases((c) => {
      const { relative } = proxCertificate(c, proxFactors(c).factors);
      expect(Math.abs(relative)).toBeLessThanOrEqual(1e-10);
    });
  });

  it("control: one factor off by 1 % opens the gap", () => {
    for (let seed = 0; seed < 200; seed++) {
      const c = caseOf(seed, 2 + (seed % 30), 10 ** ((seed % 7) - 4));
      const { factors } = proxFactors(c);
      const energy = c.norms.map((b, j) => (factors[j] * b) ** 2);
      factors[energy.indexOf(Math.max(...energy))] *= 1.01;
      const { gap, relative } = proxCertificate(c, factors);
      expect(gap).toBeGreaterThan(1e-6 * Math.max(...energy));
      expect(relative).toBeGreaterThan(1e-6);
    }
  });

  it("is firmly non-expansive: ‖p − q‖² ≤ ⟨p − q, s − t⟩", () => {
    forCases((c, seed) => {
      const rng = random(seed + 1);
      const signs = fill(c.norms.length, () => (rng.uniform() < 0.5 ? -1 : 1));
      const s = c.norms.map((b, j) => b * signs[j]);
      const t = s.map((v) => v + rng.normal() * logUniform(rng, 1e-3, 1));
      const plain = { ...c, h: 1 };
      const prox = (x: Float64Array) => {
        const { factors } = proxFactors({ ...plain, norms: x.map(Math.abs) });
        return x.map((v, j) => v * factors[j]);
      };
      const [p, q] = [prox(s), prox(t)];
      let left = 0;
      let right = 0;
      for (let j = 0; j < s.length; j++) {
        left += (p[j] - q[j]) ** 2;
        right += (p[j] - q[j]) * (s[j] - t[j]);
      }
      expect(left).toBeLessThanOrEqual(right + 1e-12 * (1 + right));
    });
  });

  it("scales with its argument and follows permutations of the groups", () => {
    forCases((c, seed) => {
      const rng = random(seed + 2);
      const { factors } = proxFactors(c);
      const s = logUniform(rng, 1e-6, 1e6);
      expectClose(proxFactors({ ...c, norms: c.norms.map((b) => s * b) }).factors, factors, 1e-10);
      const order = rng.permutation(c.norms.length);
      const moved = (x?: number | Float64Array) =>
        typeof x === "object" ? Float64Array.from(order, (j) => x[j]) : x;
      const permuted = proxFactors({
        ...c,
        norms: Float64Array.from(order, (j) => c.norms[j]),
        d: moved(c.d),
        c: moved(c.c),
        h: moved(c.h),
      }).factors;
      expectClose(permuted, moved(factors) as Float64Array, 1e-10);
    });
  });

  it("never removes below k (F1)", () => {
    forCases((c) => {
      const nonZero = (x: Float64Array) => x.filter((v) => v !== 0).length;
      const left = nonZero(proxFactors(c).factors.map((f, j) => f * c.norms[j]));
      expect(left).toBeGreaterThanOrEqual(Math.min(c.k, nonZero(c.norms)));
    }, true);
  });

  it("leaves exactly k groups when the norms fall by ρ/(1 + ρ) after the k-th (F2), which needs the snap", () => {
    const rng = random(5);
    const tolerance = 1e-13;
    let unsnapped = 0;
    const runs = 3000;
    for (let run = 0; run < runs; run++) {
      const m = 2 + rng.integer(40);
      const k = 1 + rng.integer(m - 1);
      const rho = logUniform(rng, 0.05, 20);
      const norms = fill(m, () => 1 + rng.uniform() * 3);
      const edge = (rho / (1 + rho)) * Math.min(...norms.subarray(0, k));
      for (let j = k; j < m; j++) norms[j] = edge * (rng.uniform() < 0.5 ? 1 : rng.uniform());
      const { factors, omega } = proxFactors({ norms, k, lambda: rho, alpha: 1 });
      expect(factors.filter((f) => f !== 0).length).toBe(k);
      const raw = norms.map((b) => Math.min(1, Math.max(0, omega * b - rho)));
      if (raw.filter((u) => u > 0).length !== k) unsnapped++;
      expect(raw.filter((u) => u > tolerance).length).toBe(k);
    }
    // Control: the same roots without the snap count wrong in a good share of these deliberately tight cases.
    expect(unsnapped / runs).toBeGreaterThan(0.01);
  });

  it("is the identity at λ = 0, and ridge when everything fits", () => {
    const c = caseOf(3, 20, 0);
    expect([...proxFactors(c).factors]).toEqual(Array(20).fill(1));
    const ridge = proxFactors({ norms: Float64Array.of(4, 3, 0, 1), k: 3, lambda: 0.25, alpha: 1 });
    expectClose(ridge.factors, [0.8, 0.8, 0, 0.8], 1e-15);
  });

  it("names what it cannot use", () => {
    const norms = Float64Array.of(1, Number.NaN, 2);
    const step = { norms, k: 1, lambda: 1, alpha: 1 };
    expect(() => proxFactors(step)).toThrow(/group 1 has norm NaN/);
    const good = { ...step, norms: Float64Array.of(1, 2, 3) };
    expect(() => proxFactors({ ...good, k: 0 })).toThrow(/k is 0/);
    expect(() => proxFactors({ ...good, k: Number.NaN })).toThrow(/k is NaN/);
    expect(() => proxFactors({ ...good, lambda: -1 })).toThrow(/lambda is -1/);
    expect(() => proxFactors({ ...good, d: Float64Array.of(1, 0, 1) })).toThrow(/d of group 1 is 0/);
    expect(() => proxFactors({ ...good, h: Float64Array.of(1) })).toThrow(/h has 1 entries for 3 groups/);
    expect(() => debiasedProxFactors({ ...good, mu: -1 })).toThrow(/mu is -1/);
    const [weights, metric, starts] = [
      Float64Array.of(1, Number.NaN),
      fill(2, () => 1),
      Uint32Array.of(0, 1, 2),
    ];
    expect(() => perWeightProx({ weights, metric, starts, k: 1, lambda: 1, alpha: 1 })).toThrow(/group 1/);
  });
});

describe("value", () => {
  /** The closed form of wgsef.md 3.1: the only number r of saturated groups that satisfies its inequalities. */
  function byEnumeration(a: number[], k: number): number {
    const sorted = [...a].sort((x, y) => y - x);
    if (sorted.filter((v) => v > 0).length <= k) return sorted.reduce((s, v) => s + v * v, 0) / 2;
    for (let r = 0; r < k; r++) {
      const tau = sorted.slice(r).reduce((s, v) => s + v, 0) / (k - r);
      if ((r === 0 || sorted[r - 1] >= tau) && tau > sorted[r])
        return (sorted.slice(0, r).reduce((s, v) => s + v * v, 0) + tau ** 2 * (k - r)) / 2;
    }
    throw new Error("no r fits");
  }

  it("equals the closed form and obeys its bounds", () => {
    forCases(({ norms, d, k }) => {
      const weight = (j: number) => (typeof d === "object" ? d[j] : 1);
      const a = Array.from(norms, (b, j) => Math.sqrt(weight(j)) * b);
      const { value } = wgsefValue(norms, { k, d });
      const energy = a.reduce((s, v) => s + v * v, 0) / 2;
      const sum = a.reduce((s, v) => s + v, 0);
      const tolerance = 1e-12 * (1 + value);
      expectClose([value], [byEnumeration(a, k)], tolerance);
      expect(value).toBeGreaterThanOrEqual(Math.max(energy, sum ** 2 / (2 * k)) - tolerance);
      expect(wgsefValue(norms, { k: k + 0.5, d }).value).toBeLessThanOrEqual(value + tolerance);
      expectClose([wgsefValue(norms, { k: a.length, d }).value], [energy], 1e-12 * (1 + energy));
      expectClose([wgsefValue(norms, { k: 1, d }).value], [sum ** 2 / 2], 1e-12 * (1 + sum ** 2));
    });
  });

  it("with costs, is the least over shares found by a generic search", () => {
    for (let seed = 0; seed < 20; seed++) {
      const c = { ...caseOf(seed, 3, 1), c: Float64Array.of(0.5, 1, 2), k: 1.2, d: 1 };
      const { value, u } = wgsefValue(c.norms, c);
      const cost = c.c;
      const energy = (shares: number[]) =>
        c.norms.reduce((s, b, j) => s + (b === 0 ? 0 : (b * b) / shares[j] / 2), 0);
      let best = Infinity;
      const steps = 200;
      for (let x = 0; x <= steps; x++)
        for (let y = 0; y <= steps; y++) {
          const [u0, u1] = [x / steps, y / steps];
          const u2 = Math.min(1, (c.k - cost[0] * u0 - cost[1] * u1) / cost[2]);
          if (u2 >= 0) best = Math.min(best, energy([u0, u1, u2]));
        }
      const scale = value || 1;
      expect(value).toBeLessThanOrEqual(best + 1e-12 * scale);
      expect(best / scale).toBeLessThan(value / scale + 0.01);
      expectClose([energy([...u])], [value], 1e-12 * scale);
    }
  });

  it("has the gradient d_jθ_j/u_j", () => {
    for (let seed = 0; seed < 50; seed++) {
      const rng = random(seed);
      const norms = fill(8, () => 0.5 + rng.uniform());
      const d = fill(8, () => 0.5 + rng.uniform());
      const wgsef = { k: 1 + 5 * rng.uniform(), d };
      const { u } = wgsefValue(norms, wgsef);
      const step = 1e-6;
      for (let j = 0; j < 8; j++) {
        const at = (shift: number) => wgsefValue(norms.with(j, norms[j] + shift), wgsef).value;
        expectClose([(at(step) - at(-step)) / (2 * step)], [(d[j] * norms[j]) / u[j]], 1e-7);
      }
    }
  });
});

describe("debiased prox", () => {
  const objective = (x: ArrayLike<number>, t: Float64Array, step: ProxStep & { mu: number }) => {
    const value = wgsefValue(Float64Array.from(x, Math.abs), step).value;
    const h = (j: number) => (typeof step.h === "object" ? step.h[j] : (step.h ?? 1));
    return t.reduce(
      (s, v, j) =>
        s - ((step.lambda - step.mu) / 2) * x[j] ** 2 + (h(j) / (2 * step.alpha)) * (x[j] - v) ** 2,
      step.lambda * value,
    );
  };

  it("cannot be improved by random moves, near or far", () => {
    for (let seed = 0; seed < 40; seed++) {
      const rng = random(seed);
      const t = fill(6, () => rng.normal());
      const step = {
        k: 1 + rng.integer(4),
        alpha: 0.5,
        lambda: 1.5 * rng.uniform(),
        mu: 0.1 * rng.uniform(),
        h: seed % 2 ? fill(6, () => 1 + rng.uniform()) : 1,
      };
      const { factors } = debiasedProxFactors({ ...step, norms: t.map(Math.abs) });
      const p = t.map((v, j) => v * factors[j]);
      const least = objective(p, t, step);
      for (let i = 0; i < 500; i++) {
        const size = logUniform(rng, 1e-4, 2);
        const tried = p.map((v) => (rng.uniform() < 0.2 ? 0 : v + size * rng.normal()));
        expect(objective(tried, t, step)).toBeGreaterThanOrEqual(least - 1e-12);
      }
    }
  });

  it("in the hard limit keeps the best k groups, found by trying all subsets, lowest index first", () => {
    for (let seed = 0; seed < 100; seed++) {
      const rng = random(seed);
      const m = 7;
      const k = 1 + rng.integer(4);
      const norms = fill(m, () => (seed % 2 ? rng.uniform() : rng.integer(3)));
      const h = fill(m, () => 0.5 + (seed % 2 ? rng.uniform() : 0));
      const [alpha, mu] = [1, 0.1];
      const { factors } = debiasedProxFactors({ norms, h, k, alpha, mu, lambda: 10 });
      const score = (j: number) => (h[j] ** 2 * norms[j] ** 2) / (h[j] + alpha * mu);
      let best: number[] = [];
      let bestScore = -1;
      for (let set = 0; set < 1 << m; set++) {
        const members = [...Array(m).keys()].filter((j) => (set >> j) & 1);
        const total = members.reduce((s, j) => s + score(j), 0);
        if (members.length === k && total > bestScore + 1e-12) [best, bestScore] = [members, total];
      }
      const expected = [...norms.keys()].map((j) =>
        best.includes(j) && norms[j] ? h[j] / (h[j] + alpha * mu) : 0,
      );
      expectClose(factors, expected, 1e-14);
    }
  });

  it("never spends more than the budget on costs in the hard limit", () => {
    const norms = Float64Array.of(3, 2.9, 1, 0.5);
    const c = Float64Array.of(4, 2, 2, 1);
    const { u } = debiasedProxFactors({ norms, c, k: 5, alpha: 1, lambda: 2 });
    expect([...u]).toEqual([0, 1, 1, 1]);
  });

  it("equals hard thresholding exactly when ‖t‖₍k+1₎/‖t‖₍k₎ ≤ αλ", () => {
    const norms = Float64Array.of(3, 2, 1.5, 1);
    const kept = (lambda: number) => [...debiasedProxFactors({ norms, k: 2, alpha: 1, lambda }).factors];
    expect(kept(0.7501)).toEqual([1, 1, 0, 0]);
    expect(kept(0.7499)[2]).toBeGreaterThan(0);
  });

  it("ignores the metric of dead groups", () => {
    const norms = Float64Array.of(3, 0, 1);
    const step = { norms, k: 1, alpha: 0.1, lambda: 20 };
    const live = debiasedProxFactors({ ...step, h: Float64Array.of(1, 100, 1) });
    expect(live.omega).toBeNaN();
    expect([...live.factors]).toEqual([1, 0, 0]);
  });
});

describe("prox in a per-weight metric", () => {
  it("closes the gap, and is the block prox when the metric is constant in each group", () => {
    for (let seed = 0; seed < 100; seed++) {
      const rng = random(seed);
      const m = 1 + rng.integer(30);
      const starts = new Uint32Array(m + 1);
      for (let j = 0; j < m; j++) starts[j + 1] = starts[j] + 1 + rng.integer(5);
      const n = starts[m];
      const t = fill(n, () => rng.normal());
      const d = fill(m, () => 0.5 + rng.uniform());
      const dead = rng.integer(m);
      t.fill(0, starts[dead], starts[dead + 1]);
      const common = {
        d,
        k: Math.max(0.5, rng.uniform() * m),
        alpha: 0.1,
        lambda: logUniform(rng, 1e-3, 1e2),
      };
      const norm = (x: Float64Array) =>
        fill(m, () => 0).map((_, j) => Math.hypot(...x.subarray(starts[j], starts[j + 1])));

      const metric = fill(n, () => logUniform(rng, 0.05, 5));
      const p = t.slice();
      perWeightProx({ ...common, weights: p, metric, starts });
      const y = t.map((v, i) => (metric[i] * (v - p[i])) / (common.alpha * common.lambda));
      const inner = p.reduce((s, v, i) => s + v * y[i], 0);
      expect(Math.abs(fenchelGap(norm(p), norm(y), inner, common).relative)).toBeLessThan(1e-11);

      const h = fill(m, () => logUniform(rng, 0.05, 5));
      const blockMetric = new Float64Array(n);
      for (let j = 0; j < m; j++) blockMetric.fill(h[j], starts[j], starts[j + 1]);
      const q = t.slice();
      const u = perWeightProx({ ...common, weights: q, metric: blockMetric, starts });
      const block = proxFactors({ ...common, norms: norm(t), h });
      expectClose(u, block.u, 1e-10);
    }
  });

  it("finds the weights of a group in several arrays", () => {
    const rng = random(2);
    const numbers = (n: number, value: () => number) => Float32Array.from({ length: n }, value);
    const partition = {
      groups: 3,
      parts: [
        { parameter: "w", outer: 2, channels: 3, inner: 2 },
        { parameter: "bias", outer: 1, channels: 3, inner: 1 },
      ],
    };
    const arrays = { w: numbers(12, () => rng.normal()), bias: numbers(3, () => rng.normal()) };
    const metrics = {
      w: numbers(12, () => 0.5 + rng.uniform()),
      bias: numbers(3, () => 0.5 + rng.uniform()),
    };
    const members = [0, 1, 2].flatMap((j) => [2 * j, 2 * j + 1, 6 + 2 * j, 7 + 2 * j, -1 - j]);
    const flat = (from: typeof arrays) =>
      Float64Array.from(members, (i) => (i < 0 ? from.bias[-1 - i] : from.w[i]));
    const options = { k: 1, lambda: 0.3, alpha: 0.5 };
    const weights = flat(arrays);
    const u = perWeightProx({
      ...options,
      weights,
      metric: flat(metrics),
      starts: Uint32Array.of(0, 5, 10, 15),
    });
    expect([...applyPerWeightProx(partition, arrays, metrics, options)]).toEqual([...u]);
    expect(flat(arrays)).toEqual(weights.map(Math.fround));
  });
});

describe("prox on weights", () => {
  it("scales every group by its factor, and zeroes whole groups", () => {
    const rng = random(6);
    const w = Float32Array.from({ length: 40 }, () => rng.normal());
    const partition = { groups: 8, parts: [{ parameter: "w", outer: 1, channels: 8, inner: 5 }] };
    const before = w.slice();
    const step = { k: 3, lambda: 2, alpha: 1 };
    const { factors } = applyProx(partition, { w }, step);
    const norms = fill(8, () => 0).map((_, j) => Math.hypot(...before.subarray(5 * j, 5 * j + 5)));
    expectClose(factors, proxFactors({ ...step, norms }).factors, 1e-14);
    before.forEach((v, i) => {
      const exact = v * factors[Math.floor(i / 5)];
      // Three roundings to float32 (kernels/groups.ts).
      expect(Math.abs(w[i] - exact)).toBeLessThanOrEqual(1.5 * 2 ** -23 * Math.abs(exact));
      if (exact === 0) expect(Object.is(w[i], 0)).toBe(true);
    });
    expect(factors.some((f) => f === 0)).toBe(true);
  });
});
