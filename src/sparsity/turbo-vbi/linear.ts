import { Problem } from "../../problem.ts";
import { layerBound } from "./bound.ts";
import { logit } from "./log-odds.ts";
import type { ModuleAOptions } from "./module-a.ts";
import { createModuleA, initialPrecision } from "./module-a.ts";
import type { SupportPrior } from "./priors/prior.ts";
import { sendMessages } from "./priors/prior.ts";
import { createSupports, type Supports } from "./supports.ts";

/** y = Xw + noise of known precision. */
export interface LinearModel {
  /** [samples, weights], row-major. */
  inputs: Float64Array;
  targets: Float64Array;
  /** κ, the inverse variance of the noise. */
  noisePrecision: number;
}

/** q(w) = N(μ, Σ). */
export interface LinearPosterior {
  mean: Float64Array;
  /** Diagonal of Σ. */
  variance: Float64Array;
  /** ln det Σ. */
  logDeterminant: number;
  /** E ln p(y|w). */
  logLikelihood: number;
}

/** The exact weight step of a linear model: Σ = (diag⟨ρ⟩ + κXᵀX)⁻¹, μ = κΣXᵀy (Liu et al. 2020). */
export function createLinearStep({
  inputs,
  targets,
  noisePrecision: kappa,
}: LinearModel): (precision: Float64Array) => LinearPosterior {
  const samples = targets.length;
  const size = inputs.length / samples;
  const gram = new Float64Array(size * size);
  const projected = new Float64Array(size);
  for (let row = 0; row < samples; row++)
    for (let i = 0, at = row * size; i < size; i++) {
      const x = kappa * inputs[at + i];
      projected[i] += x * targets[row];
      for (let j = 0; j <= i; j++) gram[i * size + j] += x * inputs[at + j];
    }
  return (precision) => {
    const factor = gram.slice();
    for (let i = 0; i < size; i++) factor[i * size + i] += precision[i];
    const logDeterminant = -choleskyInPlace(factor, size);
    const inverse = invertLower(factor, size);
    const variance = new Float64Array(size);
    const half = new Float64Array(size);
    const mean = new Float64Array(size);
    for (let i = 0; i < size; i++)
      for (let j = 0; j <= i; j++) half[i] += inverse[i * size + j] * projected[j];
    for (let i = 0; i < size; i++)
      for (let j = 0; j <= i; j++) {
        const v = inverse[i * size + j];
        mean[j] += v * half[i];
        variance[j] += v * v;
      }
    // E‖y − Xw‖² = ‖y − Xμ‖² + tr(XᵀXΣ), and κXᵀX = Σ⁻¹ − diag⟨ρ⟩.
    let squares = 0;
    for (let row = 0; row < samples; row++) {
      let residual = targets[row];
      for (let i = 0; i < size; i++) residual -= inputs[row * size + i] * mean[i];
      squares += residual * residual;
    }
    let trace = size;
    for (let i = 0; i < size; i++) trace -= precision[i] * variance[i];
    const logLikelihood = (samples / 2) * Math.log(kappa / (2 * Math.PI)) - (kappa * squares + trace) / 2;
    return { mean, variance, logDeterminant, logLikelihood };
  };
}

export interface LinearOptions extends ModuleAOptions {
  support: SupportPrior;
  /** P(weight is in use) before the first message. */
  initial: number;
  /** Rounds, each of so many weight steps and one pass of messages. */
  outer: number;
  inner: number;
  /** Limit of log-odds in messages. */
  limit?: number;
  /** The support prior learns its parameters after each round. */
  learn?: boolean;
  /** Expected precision to start from; default `initialPrecision`. */
  precision?: number;
  /** Called after each round with the bound F, where the variant and the prior have one. */
  onRound?: (bound: number | undefined) => void;
}

/** Sparse linear regression by Turbo-VBI with the exact weight step. */
export function fitLinear(
  model: LinearModel,
  options: LinearOptions,
): LinearPosterior & { supports: Supports } {
  const { support, initial, outer, inner, prior, limit, learn, onRound } = options;
  const step = createLinearStep(model);
  const moduleA = createModuleA(options);
  const size = model.inputs.length / model.targets.length;
  const supports = createSupports(size, logit(initial));
  supports.precision.fill(options.precision ?? initialPrecision(options, initial));
  let posterior = step(supports.precision);
  for (let round = 0; round < outer; round++) {
    for (let sweep = 0; sweep < inner; sweep++) {
      if (round + sweep > 0) posterior = step(supports.precision);
      for (let i = 0; i < size; i++)
        supports.secondMoments[i] = posterior.mean[i] ** 2 + posterior.variance[i];
      moduleA(supports);
    }
    if (onRound) onRound(options.variant === "mean-field" ? undefined : bound(posterior));
    sendMessages(support, supports, limit);
    moduleA(supports);
    if (learn) support.learn?.(supports.evidence);
  }
  return { ...posterior, supports };

  function bound({ logLikelihood, logDeterminant }: LinearPosterior): number | undefined {
    const ofSupports = layerBound(supports, prior, support);
    const entropy = (logDeterminant + size * (1 + Math.log(2 * Math.PI))) / 2;
    return ofSupports === undefined ? undefined : logLikelihood + entropy + ofSupports;
  }
}

/** L of a symmetric positive matrix in its lower triangle, in place; returns ln det of the matrix. */
function choleskyInPlace(m: Float64Array, n: number): number {
  let logDeterminant = 0;
  for (let j = 0; j < n; j++) {
    let diagonal = m[j * n + j];
    for (let k = 0; k < j; k++) diagonal -= m[j * n + k] ** 2;
    if (!(diagonal > 0))
      throw new Problem(
        "turbo-vbi: the precision matrix is not positive; are there infinite or missing numbers in the data?",
      );
    const root = Math.sqrt(diagonal);
    logDeterminant += 2 * Math.log(root);
    m[j * n + j] = root;
    for (let i = j + 1; i < n; i++) {
      let v = m[i * n + j];
      for (let k = 0; k < j; k++) v -= m[i * n + k] * m[j * n + k];
      m[i * n + j] = v / root;
    }
  }
  return logDeterminant;
}

function invertLower(l: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    inverse[j * n + j] = 1 / l[j * n + j];
    for (let i = j + 1; i < n; i++) {
      let v = 0;
      for (let k = j; k < i; k++) v -= l[i * n + k] * inverse[k * n + j];
      inverse[i * n + j] = v / l[i * n + i];
    }
  }
  return inverse;
}
