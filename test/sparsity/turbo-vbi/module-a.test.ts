import { expect, test } from "vitest";
import { logistic, logit } from "../../../src/sparsity/turbo-vbi/log-odds.ts";
import type { ModuleAOptions } from "../../../src/sparsity/turbo-vbi/module-a.ts";
import { createModuleA, gammaPosterior, logMarginal } from "../../../src/sparsity/turbo-vbi/module-a.ts";
import { digamma, logGamma } from "../../../src/sparsity/turbo-vbi/special.ts";
import { createSupports } from "../../../src/sparsity/turbo-vbi/supports.ts";
import { precisionPriorOf, VECTORS } from "./vectors.ts";

interface ScalarCase extends Record<"mu" | "sigma2" | "pi" | "piTildeOld", number> {
  h: number[];
  atilde: number;
  btilde: number;
  atilde_plus1: number;
  btilde_plus1: number;
  structured: Record<"delta" | "piTilde" | "Erho" | "logZslab" | "logZspike", number>;
}

test("ln Γ and ψ to 1e-12, beyond the printed digits by recurrence", () => {
  const { x, lgamma, digamma: psi } = VECTORS.special;
  x.forEach((v: number, i: number) => {
    expect(Math.abs(logGamma(v) - lgamma[i])).toBeLessThan(1e-12);
    expect(Math.abs(digamma(v) - psi[i])).toBeLessThan(1e-12);
  });
  for (const v of [0.001, 0.3, 7.9, 11.99, 40]) {
    expect(logGamma(v + 1) - logGamma(v)).toBeCloseTo(Math.log(v), 12);
    expect((digamma(v + 1) - digamma(v)) * v).toBeCloseTo(1, 12);
  }
});

function run(options: ModuleAOptions, secondMoment: number, incoming: number, posterior = incoming) {
  const s = createSupports(1, logit(incoming));
  s.posterior[0] = logit(posterior);
  s.secondMoments[0] = secondMoment;
  createModuleA(options)(s);
  return { delta: s.evidence[0], p: logistic(s.posterior[0]), precision: s.precision[0] };
}

test.each(VECTORS.moduleA_scalar as ScalarCase[])("scalar case %#", (c) => {
  const prior = precisionPriorOf(c.h);
  const e2 = c.mu ** 2 + c.sigma2;
  expect(gammaPosterior(prior, c.piTildeOld, e2)).toEqual({
    shape: expect.closeTo(c.atilde, 9),
    rate: expect.closeTo(c.btilde, 9),
  });
  expect(gammaPosterior(prior, c.piTildeOld, e2, 1)).toEqual({
    shape: expect.closeTo(c.atilde_plus1, 9),
    rate: expect.closeTo(c.btilde_plus1, 9),
  });
  const found = run({ prior }, e2, c.pi);
  expect(found.delta).toBeCloseTo(c.structured.delta, 9);
  expect(found.p).toBeCloseTo(c.structured.piTilde, 9);
  expect(found.precision / c.structured.Erho).toBeCloseTo(1, 9);
  expect(logMarginal(prior.a, prior.b)(e2)).toBeCloseTo(c.structured.logZslab, 9);
  expect(logMarginal(prior.aBar, prior.bBar)(e2)).toBeCloseTo(c.structured.logZspike, 9);
});

/** Mean-field at its fixed point: ten rounds an update, as many updates as it takes. */
function settle(prior: ModuleAOptions["prior"], e2: number, pi: number, start: number) {
  const s = createSupports(1, logit(pi));
  s.secondMoments[0] = e2;
  s.posterior[0] = logit(start);
  const moduleA = createModuleA({ prior, variant: "mean-field" });
  for (let i = 0; i < 500; i++) moduleA(s);
  return logistic(s.posterior[0]);
}

test.each(
  VECTORS.bistability.rows as Record<
    "Ew2" | "pi" | "fromZero" | "fromOne" | "fromPi" | "structured",
    number
  >[],
)("E[w²] = $Ew2, π = $pi: mean-field ends where it starts, structured has one answer", (row) => {
  const prior = precisionPriorOf(VECTORS.bistability.h);
  for (const [start, expected] of [
    [1e-6, row.fromZero],
    [1 - 1e-6, row.fromOne],
    [row.pi, row.fromPi],
  ])
    expect(Math.abs(settle(prior, row.Ew2, row.pi, start) - expected)).toBeLessThan(2e-5);
  for (const start of [1e-6, 1 - 1e-6])
    expect(run({ prior }, row.Ew2, row.pi, start).p).toBeCloseTo(row.structured, 9);
});

test("without evidence mean-field keeps a weight on that structured lets go", () => {
  const prior = { a: 1, b: 1, aBar: 1, bBar: 0.01 };
  expect(settle(prior, 0, 0.5, 1 - 1e-6)).toBeGreaterThan(0.9);
  expect(run({ prior }, 0, 0.5).p).toBeLessThan(0.1);
});

test("one scalar round of mean-field", () => {
  for (const c of VECTORS.moduleA_scalar) {
    const prior = precisionPriorOf(c.h);
    const { shape, rate } = gammaPosterior(prior, c.piTildeOld, c.mu ** 2 + c.sigma2);
    expect(shape / rate / c.Erho).toBeCloseTo(1, 9);
    expect(digamma(shape) - Math.log(rate)).toBeCloseTo(c.Elnrho, 9);
  }
});

test("a Student-t integrates to the marginal; equal slab and spike say nothing", () => {
  expect(logMarginal(1.5, 0.8)(0.37 ** 2) - 0.5 * Math.log(2 * Math.PI)).toBeCloseTo(-0.850781, 6);
  expect(run({ prior: { a: 1.3, b: 0.2, aBar: 1.3, bBar: 0.2 } }, 0.7, 0.3).delta).toBeCloseTo(0, 14);
});
