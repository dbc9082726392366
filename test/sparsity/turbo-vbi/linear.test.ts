import { describe, expect, test } from "vitest";
import { random } from "../../../src/random.ts";
import type { LinearModel, LinearPosterior } from "../../../src/sparsity/turbo-vbi/linear.ts";
import { createLinearStep, fitLinear } from "../../../src/sparsity/turbo-vbi/linear.ts";
import { logistic, logit } from "../../../src/sparsity/turbo-vbi/log-odds.ts";
import {
  createModuleA,
  expectedLogGamma,
  gammaPosterior,
  initialPrecision,
} from "../../../src/sparsity/turbo-vbi/module-a.ts";
import type { PrecisionPrior } from "../../../src/sparsity/turbo-vbi/precision-prior.ts";
import { chainPrior } from "../../../src/sparsity/turbo-vbi/priors/chain.ts";
import { iidPrior } from "../../../src/sparsity/turbo-vbi/priors/iid.ts";
import { createPrior } from "../../../src/sparsity/turbo-vbi/priors/kinds.ts";
import { digamma } from "../../../src/sparsity/turbo-vbi/special.ts";
import { createSupports } from "../../../src/sparsity/turbo-vbi/supports.ts";
import { largestDifference, probabilities } from "./brute-force.ts";
import { bestStructured, meanFieldTerms, structuredTerms } from "./explicit-bound.ts";
import { chainOf, precisionPriorOf, VECTORS } from "./vectors.ts";

const LIMIT = 30;
const line = (columns: number) => ({ tiles: 1, rows: 1, columns });

interface Regression {
  tag: string;
  X: number[][];
  y: number[];
  kappa: number;
  h: number[];
  runs: {
    name: string;
    mode: "mf" | "st";
    c: number;
    outer: number;
    inner: number;
    pi0: number;
    chain: number[] | null;
    elbo: [string, number][] | null;
    mu: number[];
    sigma2: number[];
    piFromB: number[] | null;
  }[];
  turboF: Record<"chain" | "F" | "mu" | "sigma2" | "piTilde" | "Erho", number[]> & { pi0: number };
}

const modelOf = ({ X, y, kappa }: { X: number[][]; y: number[]; kappa: number }): LinearModel => ({
  inputs: Float64Array.from(X.flat()),
  targets: Float64Array.from(y),
  noisePrecision: kappa,
});

/** Data, entropy of q(w), and what q(ρ, s) adds. */
function lowerBound(w: LinearPosterior, terms: (secondMoment: number, i: number) => number): number {
  let sum = w.logLikelihood + (w.logDeterminant + w.mean.length * (1 + Math.log(2 * Math.PI))) / 2;
  w.mean.forEach((m, i) => (sum += terms(m * m + w.variance[i], i)));
  return sum;
}

/** The bound after every single step of the mean-field variant: weights, then precisions, then supports. */
function meanFieldTrace(model: LinearModel, prior: PrecisionPrior, pi: number, c: number, rounds: number) {
  const size = model.inputs.length / model.targets.length;
  const step = createLinearStep(model);
  const p = new Float64Array(size).fill(pi);
  let rho = Array.from(p, () => gammaPosterior(prior, pi, 0, 0));
  const trace: number[] = [];
  const [on, off] = [expectedLogGamma(prior.a, prior.b), expectedLogGamma(prior.aBar, prior.bBar)];
  for (let round = 0; round < rounds; round++) {
    const w = step(Float64Array.from(rho, ({ shape, rate }) => shape / rate));
    const note = () =>
      trace.push(lowerBound(w, (e, i) => meanFieldTerms(prior, pi, { probability: p[i], rho: rho[i] }, e)));
    note();
    rho = rho.map((_, i) => gammaPosterior(prior, p[i], w.mean[i] ** 2 + w.variance[i], c));
    note();
    rho.forEach(({ shape, rate }, i) => {
      const [m, l] = [shape / rate, digamma(shape) - Math.log(rate)];
      p[i] = logistic(logit(pi) + on(m, l) - off(m, l));
    });
    note();
  }
  return trace;
}

function structuredTrace(model: LinearModel, prior: PrecisionPrior, pi: number, rounds: number) {
  const size = model.inputs.length / model.targets.length;
  const step = createLinearStep(model);
  const moduleA = createModuleA({ prior });
  const s = createSupports(size, logit(pi));
  s.precision.fill(initialPrecision({ prior }, pi));
  const trace: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const w = step(s.precision);
    // The reference takes the best q(ρ|s) at all times, also right after the weights have moved.
    const note = () =>
      trace.push(
        lowerBound(w, (e, i) => structuredTerms(prior, pi, bestStructured(prior, s.posterior[i], e), e)),
      );
    if (round > 0) note();
    w.mean.forEach((m, i) => (s.secondMoments[i] = m * m + w.variance[i]));
    moduleA(s);
    note();
  }
  return trace;
}

const smallestStep = (trace: readonly number[]) =>
  trace.slice(1).reduce((least, v, i) => Math.min(least, v - trace[i]), Number.POSITIVE_INFINITY);

describe.each(VECTORS.regression as Regression[])("regression $tag", (v) => {
  const model = modelOf(v);
  const prior = precisionPriorOf(v.h);

  test.each(v.runs.filter((r) => r.elbo))("$name: the bound after every step", (run) => {
    const { pi0, c, inner, mode } = run;
    const trace =
      mode === "st" ? structuredTrace(model, prior, pi0, inner) : meanFieldTrace(model, prior, pi0, c, inner);
    const expected = run.elbo!.map(([, value]) => value);
    expect(largestDifference(trace, expected)).toBeLessThan(1e-9);
  });

  test.each(v.runs)("$name: where it ends", (run) => {
    const { pi0, c, inner, outer, mode, chain } = run;
    const support = chain ? chainPrior(chainOf(chain), line(8)) : iidPrior(pi0);
    const found = fitLinear(model, {
      prior,
      variant: mode === "st" ? "structured" : "mean-field",
      constants: c === 1 ? "complex" : "real",
      rounds: 1,
      support,
      initial: pi0,
      outer,
      inner,
      limit: LIMIT,
    });
    // The reference takes the weight step after Module B with the precisions from before it; both end in the same place.
    const tolerance = mode === "st" && chain ? 2e-8 : 1e-9;
    expect(largestDifference(found.mean, run.mu)).toBeLessThan(tolerance);
    expect(largestDifference(found.variance, run.sigma2)).toBeLessThan(tolerance);
    if (chain)
      expect(largestDifference(probabilities(found.supports.incoming), run.piFromB!)).toBeLessThan(tolerance);
  });

  test("the bound F with a chain rises to the end", () => {
    const { chain, pi0, F, mu, sigma2, piTilde, Erho } = v.turboF;
    const bounds: number[] = [];
    const found = fitLinear(model, {
      prior,
      support: chainPrior(chainOf(chain), line(8)),
      initial: pi0,
      outer: F.length,
      inner: 1,
      limit: LIMIT,
      onRound: (bound) => bounds.push(bound!),
    });
    expect(largestDifference(bounds, F)).toBeLessThan(1e-9);
    expect(smallestStep(bounds)).toBeGreaterThan(-1e-12);
    expect(largestDifference(found.mean, mu)).toBeLessThan(1e-9);
    expect(largestDifference(found.variance, sigma2)).toBeLessThan(1e-9);
    expect(largestDifference(probabilities(found.supports.posterior), piTilde)).toBeLessThan(1e-9);
    expect(largestDifference(found.supports.precision, Erho)).toBeLessThan(1e-6);
  });
});

/** P weights of which a few runs are in use, N samples, and a random prior. */
function randomProblem(seed: number) {
  const rng = random(seed);
  const [samples, size] = [8 + rng.integer(20), 4 + rng.integer(12)];
  const inputs = Float64Array.from({ length: samples * size }, () => rng.normal());
  const truth = Array.from({ length: size }, () => (rng.uniform() < 0.3 ? rng.normal() : 0));
  const targets = Float64Array.from({ length: samples }, (_, row) =>
    truth.reduce((sum, w, i) => sum + w * inputs[row * size + i], 0.3 * rng.normal()),
  );
  const pick = (...from: number[]) => from[rng.integer(from.length)];
  const prior = { a: pick(1, 1.5, 2), b: pick(0.3, 1, 2), aBar: pick(1, 1.5), bBar: pick(1e-3, 1e-2, 5e-2) };
  const lambda = 0.1 + 0.4 * rng.uniform();
  return { model: { inputs, targets, noisePrecision: pick(1, 6.25, 25) }, prior, lambda, size };
}

const PROBLEMS = Array.from({ length: 360 }, (_, i) => i);

test("structured: F never falls, whatever the exact prior, over 360 random problems", () => {
  for (const seed of PROBLEMS) {
    const { model, prior, lambda, size } = randomProblem(seed);
    const columns = size % 2 ? size : size / 2;
    const shape = { tiles: 1, rows: size / columns, columns };
    const support = createPrior(
      [
        { kind: "iid", lambda } as const,
        { kind: "chain", lambda, meanRun: 3 } as const,
        { kind: "group", lambda, size: 3 } as const,
        { kind: "gate", gate: 0.5, gateRun: 2.5, lambda, meanRun: 3 } as const,
      ][seed % 4],
      shape,
    );
    const bounds: number[] = [];
    fitLinear(model, {
      prior,
      support,
      initial: lambda,
      outer: 12,
      inner: 1,
      limit: LIMIT,
      onRound: (bound) => bounds.push(bound!),
    });
    expect(smallestStep(bounds), `problem ${seed}`).toBeGreaterThan(-1e-10);
  }
});

test("mean-field: the constants of real weights never fall; control: the published ones do", () => {
  const worst = { real: 0, complex: 0 };
  for (const seed of PROBLEMS) {
    const { model, prior, lambda } = randomProblem(seed);
    for (const [name, c] of [
      ["real", 0.5],
      ["complex", 1],
    ] as const)
      worst[name] = Math.min(worst[name], smallestStep(meanFieldTrace(model, prior, lambda, c, 12)));
  }
  expect(worst.real).toBeGreaterThan(-1e-9);
  expect(worst.complex).toBeLessThan(-0.05);
});

test("at y = −.7 the exact chain gives .52, variational Bayes is overconfident", () => {
  const v = VECTORS.identity_design;
  const size = v.y.length;
  const inputs = new Float64Array(size * size);
  for (let i = 0; i < size; i++) inputs[i * size + i] = 1;
  const model = { inputs, targets: Float64Array.from(v.y as number[]), noisePrecision: v.kappa };
  const options = {
    prior: precisionPriorOf(v.h),
    initial: v.pi0,
    outer: 15,
    inner: 30,
    precision: 1,
    limit: LIMIT,
  };
  const infer = (support: ReturnType<typeof iidPrior>, variant: "structured" | "mean-field") =>
    probabilities(fitLinear(model, { ...options, support, variant, rounds: 1 }).supports.posterior);
  const chain = () => chainPrior(chainOf(v.chain), line(size));
  expect(largestDifference(infer(iidPrior(v.pi0), "structured"), v.structuredIid)).toBeLessThan(1e-9);
  expect(largestDifference(infer(chain(), "structured"), v.structuredChain)).toBeLessThan(1e-9);
  expect(largestDifference(infer(chain(), "mean-field"), v.meanFieldChain)).toBeLessThan(1e-9);
  // What both approximate: the marginal likelihoods of each weight, through the same chain.
  const evidence = Float64Array.from(v.evidenceSlab as number[], (e, i) => Math.log(e / v.evidenceSpike[i]));
  const out = new Float64Array(size);
  chain().extrinsic(evidence, out);
  expect(
    largestDifference(probabilities(out.map((o, i) => o + evidence[i])), v.exactMarginalChain),
  ).toBeLessThan(1e-6);
});

test("a singular problem is refused in words", () => {
  const model = { inputs: Float64Array.of(1, Number.NaN), targets: Float64Array.of(1), noisePrecision: 1 };
  expect(() => createLinearStep(model)(Float64Array.of(1, 1))).toThrow("infinite or missing numbers");
});
