import { describe, expect, it } from "vitest";
import { proxCertificate } from "../../../src/sparsity/wgsef/certificate.ts";
import { debiasedProxFactors } from "../../../src/sparsity/wgsef/debiased.ts";
import { perWeightProx } from "../../../src/sparsity/wgsef/per-weight.ts";
import { proxFactors } from "../../../src/sparsity/wgsef/prox.ts";
import { findRoot, rootWorkspace, shareAt } from "../../../src/sparsity/wgsef/root.ts";
import { wgsefConjugate, wgsefValue } from "../../../src/sparsity/wgsef/value.ts";
import { expectClose, normsOf, perGroup, scaled, sharesBySorting, vectors } from "./reference.ts";

// The vectors hold 12 digits (10 for the per-weight metric); 1e-9 absolute is the spec's tolerance.
const TOLERANCE = 1e-9;

describe("value", () => {
  for (const v of vectors.value)
    it(v.name, () => {
      const wgsef = { k: v.k, d: Float64Array.from(v.d as number[]) };
      const found = wgsefValue(Float64Array.from(v.b), wgsef);
      expectClose(found.u, v.u, TOLERANCE);
      expectClose([found.value, found.tau], [v.W, v.tau], TOLERANCE);
      // "non-integer k" has a norm equal to τ: u = 1, which its own field `saturated` does not count.
      if (v.name === "non-integer k") expect([v.u[0], v.saturated, found.saturated]).toEqual([1, 0, 1]);
      else expect(found.saturated).toBe(v.saturated);
      expectClose([wgsefConjugate(Float64Array.from(v.grad_norms), wgsef)], [v.conj_of_grad], TOLERANCE);
    });
});

describe("prox", () => {
  for (const v of vectors.prox)
    it(v.name, () => {
      const step = {
        norms: normsOf(v.t, v.groups),
        k: v.k,
        d: perGroup(v.d),
        h: perGroup(v.h ?? 1),
        c: perGroup(v.c ?? 1),
        lambda: v.lambda_,
        alpha: v.alpha,
      };
      const { factors, u, omega } = proxFactors(step);
      expectClose(u, v.u, TOLERANCE);
      expectClose(factors, v.factors, TOLERANCE);
      expectClose(scaled(v.t, v.groups, factors), v.p, TOLERANCE);
      expect(factors.filter((f) => f !== 0).length).toBe(v.nonzero);
      if (v.omega === null) expect(omega).toBe(Infinity);
      // Without a group between the ends any root of a whole interval is right.
      else if (v.u.some((share: number) => share > 0 && share < 1))
        expectClose([omega], [v.omega], TOLERANCE);
      expect(Math.abs(proxCertificate(step, factors).relative)).toBeLessThan(1e-10);
    });
});

describe("prox in a per-weight metric", () => {
  for (const [i, v] of vectors.prox_diagonal_metric.entries())
    it(`case ${i}`, () => {
      const groups: number[][] = v.groups;
      expect(groups.flat()).toEqual([...(v.t as number[]).keys()]);
      const weights = Float64Array.from(v.t);
      const starts = Uint32Array.from([...groups.map((g) => g[0]), weights.length]);
      const metric = Float64Array.from(v.h);
      const u = perWeightProx({
        weights,
        metric,
        starts,
        k: v.k,
        d: perGroup(v.d),
        lambda: v.lambda_,
        alpha: v.alpha,
      });
      expectClose(u, v.u, TOLERANCE);
      expectClose(weights, v.p, TOLERANCE);
    });
});

describe("debiased prox", () => {
  for (const [i, v] of vectors.prox_debiased.entries())
    it(`case ${i}: αλ = ${v.lambda_}, μ = ${v.mu}`, () => {
      const { factors } = debiasedProxFactors({
        norms: Float64Array.from(v.b),
        d: perGroup(v.d),
        h: perGroup(v.h ?? 1),
        k: v.k,
        lambda: v.lambda_,
        alpha: v.alpha,
        mu: v.mu,
      });
      expectClose(factors, v.factors, TOLERANCE);
      expectClose(
        factors.map((f, j) => f * v.b[j]),
        v.p,
        TOLERANCE,
      );
    });
});

describe("root", () => {
  for (const v of vectors.root)
    it(v.name, () => {
      const values = (list: number[]) => ({ values: Float64Array.from(list), mask: -1 as const });
      const omega = findRoot(
        Float64Array.from(v.slope),
        values(v.rho),
        values(v.c),
        v.K,
        rootWorkspace(v.slope.length),
      );
      const u = v.slope.map((a: number, j: number) => shareAt(omega, a, v.rho[j]));
      expectClose(u, v.u, TOLERANCE);
      expectClose(sharesBySorting(v.slope, v.rho, v.c, v.K), v.u, TOLERANCE);
    });
});
