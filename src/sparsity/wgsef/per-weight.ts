import { Problem } from "../../problem.ts";
import { type Arrays, arrayOf, forEachRun, type GroupPartition, groupSizes } from "../groups.ts";
import { groupValues, notNegative, positive } from "./per-group.ts";
import type { Wgsef } from "./value.ts";

export interface PerWeightOptions extends Omit<Wgsef, "c"> {
  /** Regularisation strength λ ≥ 0. */
  lambda: number;
  /** Step size α > 0. */
  alpha: number;
}

export interface PerWeightStep extends PerWeightOptions {
  /** The point t, group after group; the prox overwrites it. */
  weights: Float64Array;
  /** Metric h_i > 0 of every weight, in the same order: Adam's √v̂ + ε. */
  metric: Float64Array;
  /** Group j is `weights[starts[j] .. starts[j + 1])`: m + 1 numbers. */
  starts: Uint32Array;
}

const ROUNDS = 200;

/**
 * The exact proximal operator in a per-weight metric, min over θ of λW_k(θ) + 1/(2α)·Σ_i h_i(θ_i − t_i)², in place
 * (wgsef.md 3.4). With ρ_i = αλd_j/h_i the answer is θ_i = t_i·u_j/(u_j + ρ_i), where the shares u_j equalise
 * φ_j(u) = (λd_j/2)·Σ_i t_i²/(u + ρ_i)² over unsaturated groups at the level for which Σu_j = k.
 *
 * Both levels of the search run on 1/√φ, which is linear in u for a constant metric: a safeguarded Newton method then
 * needs a few passes over the weights where bisection needs dozens.
 *
 * @returns the shares u_j, m numbers.
 */
export function perWeightProx(step: PerWeightStep): Float64Array {
  const { weights, metric, starts } = step;
  const m = starts.length - 1;
  const k = positive(step.k, "k");
  const alpha = positive(step.alpha, "alpha");
  const lambda = notNegative(step.lambda, "lambda");
  const d = groupValues(step.d ?? 1, m, "d");
  if (metric.length !== weights.length || starts[m] !== weights.length)
    throw new Problem(
      `wgsef: ${weights.length} weights, ${metric.length} metric entries, groups up to ${starts[m]}; all must agree`,
    );
  const u = new Float64Array(m);
  if (lambda === 0) return u.fill(1);

  const rho = new Float64Array(weights.length);
  const atZero = new Float64Array(m); // 1/√φ_j(0): below this level the group is zero
  const atOne = new Float64Array(m); // 1/√φ_j(1): from this level on it is saturated
  const sums = { second: 0, third: 0 };
  const evaluate = (j: number, share: number) => {
    let second = 0;
    let third = 0;
    for (let i = starts[j]; i < starts[j + 1]; i++) {
      const r = 1 / (share + rho[i]);
      const q = (weights[i] * r) ** 2;
      second += q;
      third += q * r;
    }
    sums.second = second;
    sums.third = third;
    return 1 / Math.sqrt(((lambda * d.values[j & d.mask]) / 2) * second);
  };

  let live = 0;
  let high = 0;
  for (let j = 0; j < m; j++) {
    const dj = d.values[j & d.mask];
    for (let i = starts[j]; i < starts[j + 1]; i++) rho[i] = (alpha * lambda * dj) / metric[i];
    atZero[j] = evaluate(j, 0);
    atOne[j] = evaluate(j, 1);
    if (Number.isNaN(atZero[j]))
      throw new Problem(`wgsef: group ${j} or its metric holds a value that is not finite or not positive`);
    if (atOne[j] === Infinity) continue;
    live++;
    u[j] = 1;
    high = Math.max(high, atOne[j]);
  }

  if (live > k) {
    // Σu_j rises with the level from 0 to `live`; its slope comes with the shares.
    let low = 0;
    let level = high;
    for (let round = 0; round < ROUNDS; round++) {
      let total = 0;
      let slope = 0;
      for (let j = 0; j < m; j++) {
        if (level <= atZero[j]) u[j] = 0;
        else if (level >= atOne[j]) u[j] = 1;
        else slope += shareAtLevel(j, level);
        total += u[j];
      }
      if (total < k) low = level;
      else high = level;
      const newton = level + (k - total) / slope;
      const next = newton > low && newton < high ? newton : (low + high) / 2;
      if (total === k || Math.abs(next - level) <= 4 * Number.EPSILON * level) break;
      level = next;
    }
  }

  for (let j = 0; j < m; j++)
    for (let i = starts[j]; i < starts[j + 1]; i++)
      weights[i] = u[j] === 0 ? 0 : weights[i] * (u[j] / (u[j] + rho[i]));
  return u;

  /** Sets u_j to the root of 1/√φ_j(u) = level in (0, 1), from its last value on, and returns du_j/dlevel there. */
  function shareAtLevel(j: number, level: number): number {
    let lower = 0;
    let upper = 1;
    for (let round = 0; ; round++) {
      const reached = evaluate(j, u[j]);
      const slope = sums.second / (sums.third * reached);
      const next = u[j] + (level - reached) * slope;
      if (reached < level) lower = u[j];
      else upper = u[j];
      const bounded = next >= lower && next <= upper ? next : (lower + upper) / 2;
      const done = Math.abs(bounded - u[j]) <= 4 * Number.EPSILON || round === ROUNDS;
      u[j] = bounded;
      if (done) return slope;
    }
  }
}

/** As for the block metric in `debiasedProxFactors`. */
const FLOOR = 0.05;

/**
 * The proximal operator of λW_k − (λ − μ)·½Σ d_j‖θ_j‖² in a per-weight metric, in place: that of W_k in the metric
 * q_i = h_i − α(λ − μ)d_j at the point t_i·h_i/q_i, by completing squares weight by weight (wgsef.md 3.4, 3.5). Where no
 * living weight has q_i above the floor of .05·h_i, the hard limit: the k groups with the largest
 * Σ_i h_i²t_i²/(h_i + αμd_j) stay, ties to the lowest index, under weight decay μ alone.
 *
 * @returns the shares u_j, m numbers.
 */
export function debiasedPerWeightProx({ mu, ...step }: PerWeightStep & { mu: number }): Float64Array {
  const { weights, metric, starts, lambda } = step;
  const m = starts.length - 1;
  const alpha = positive(step.alpha, "alpha");
  const d = groupValues(step.d ?? 1, m, "d");
  notNegative(mu, "mu");
  const shifted = new Float64Array(weights.length);
  const moved = new Float64Array(weights.length);
  let convex = false;
  for (let j = 0; j < m; j++) {
    const shift = alpha * (lambda - mu) * d.values[j & d.mask];
    for (let i = starts[j]; i < starts[j + 1]; i++) {
      const q = metric[i] - shift;
      if (q > FLOOR * metric[i] && weights[i] !== 0) convex = true;
      shifted[i] = Math.max(q, FLOOR * metric[i]);
      moved[i] = (weights[i] * metric[i]) / shifted[i];
    }
  }
  if (convex) {
    const u = perWeightProx({ ...step, weights: moved, metric: shifted });
    weights.set(moved);
    return u;
  }
  const u = new Float64Array(m);
  const scores = new Float64Array(m);
  for (let j = 0; j < m; j++)
    for (let i = starts[j]; i < starts[j + 1]; i++) {
      const factor = metric[i] / (metric[i] + alpha * mu * d.values[j & d.mask]);
      scores[j] += factor * metric[i] * weights[i] ** 2;
      weights[i] *= factor;
    }
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
  for (const j of order.subarray(0, Math.floor(step.k))) u[j] = Number(scores[j] > 0);
  for (let j = 0; j < m; j++) if (u[j] === 0) weights.fill(0, starts[j], starts[j + 1]);
  return u;
}

/**
 * `perWeightProx` on a partition of float32 arrays, in place; with `debiased`, `debiasedPerWeightProx`.
 *
 * @param metrics h_i > 0 of every weight, with the names and layout of `arrays`.
 * @returns the shares u_j, m numbers.
 */
export function applyPerWeightProx(
  partition: GroupPartition,
  arrays: Arrays,
  metrics: Arrays,
  { debiased, ...options }: PerWeightOptions & { debiased?: { mu: number } },
): Float64Array {
  const m = partition.groups;
  const starts = new Uint32Array(m + 1);
  groupSizes(partition).forEach((size, j) => {
    starts[j + 1] = starts[j] + size;
  });
  const weights = new Float64Array(starts[m]);
  const metric = new Float64Array(starts[m]);
  const move = (visit: (array: Float32Array, h: Float32Array, from: number, at: number) => void) => {
    const next = starts.slice();
    for (const part of partition.parts) {
      const array = arrayOf(part, arrays);
      const h = arrayOf(part, metrics);
      forEachRun(part, m, (j, from, to) => {
        for (let i = from; i < to; i++) visit(array, h, i, next[j]++);
      });
    }
  };
  move((array, h, i, at) => {
    weights[at] = array[i];
    metric[at] = h[i];
  });
  const step = { ...options, weights, metric, starts };
  const u = debiased ? debiasedPerWeightProx({ ...step, ...debiased }) : perWeightProx(step);
  move((array, _, i, at) => {
    array[i] = weights[at];
  });
  return u;
}
