import { groupValues, notNegative, positive } from "./per-group.ts";
import { type ProxResult, type ProxStep, type ProxWorkspace, proxFactors, proxWorkspace } from "./prox.ts";

export interface DebiasedStep extends ProxStep {
  /** Weight decay μ ≥ 0 that kept groups go on feeling; 0 by default. */
  mu?: number;
}

/** The shifted metric stays above this share of h, which keeps the subproblem convex. */
export const METRIC_FLOOR = 0.05;

/**
 * The proximal operator of λW_k − (λ − μ)·½Σ d_j‖θ_j‖² (wgsef.md 3.5). The penalty vanishes, but for μ, on weights with at
 * most k groups, so λ may grow without shrinking the kept ones: from none, over selection as by group lasso, to hard
 * thresholding at αλ ≥ 1. It is the prox of W_k in the metric h_j − α(λ − μ)d_j, at a correspondingly longer point.
 *
 * Where that metric has no positive part left, the hard limit is taken: groups are kept in the order of
 * h_j²‖t_j‖²/(h_j + αμd_j) per cost (ties: lowest index) as long as they fit into the budget; `omega` is NaN then. That is
 * exact for costs of 1 and integer k, and for other costs the greedy solution of the knapsack, which never exceeds k.
 *
 * @param step.norms ‖t_j‖₂, m numbers.
 */
export function debiasedProxFactors(
  step: DebiasedStep & { norms: Float64Array },
  ws: ProxWorkspace = proxWorkspace(step.norms.length),
): ProxResult {
  const { norms } = step;
  const m = norms.length;
  const alpha = positive(step.alpha, "alpha");
  const lambda = notNegative(step.lambda, "lambda");
  const mu = notNegative(step.mu ?? 0, "mu");
  const d = groupValues(step.d ?? 1, m, "d");
  const h = groupValues(step.h ?? 1, m, "h");
  const { moved, metric } = ws;
  const shared = (d.mask | h.mask) === 0;
  let convex = false;
  for (let j = 0; j < (shared ? 1 : m); j++) {
    const hj = h.values[j & h.mask];
    const shifted = hj - alpha * (lambda - mu) * d.values[j & d.mask];
    metric[j] = Math.max(shifted, METRIC_FLOOR * hj);
    moved[j] = (norms[j] * hj) / metric[j];
    // Metrics of dead groups say nothing: Adam lets them tend to 0.
    if (shifted > METRIC_FLOOR * hj && (shared || norms[j] !== 0)) convex = true;
  }
  if (!convex) return hardLimit(step, ws);
  // Moving every group by one factor changes no share, so a shared metric needs no moved norms.
  const { factors, u, omega } = proxFactors(
    {
      k: step.k,
      c: step.c,
      d: step.d,
      lambda,
      alpha,
      norms: shared ? norms : moved,
      h: shared ? metric[0] : metric,
    },
    ws,
  );
  if (!shared) for (let j = 0; j < m; j++) factors[j] *= h.values[j & h.mask] / metric[j];
  const longer = shared ? h.values[0] / metric[0] : 1;
  if (longer !== 1) for (let j = 0; j < m; j++) factors[j] *= longer;
  return { factors, u, omega: omega / longer };
}

function hardLimit(step: DebiasedStep & { norms: Float64Array }, ws: ProxWorkspace): ProxResult {
  const { norms, alpha } = step;
  const m = norms.length;
  const mu = step.mu ?? 0;
  const d = groupValues(step.d ?? 1, m, "d");
  const c = groupValues(step.c ?? 1, m, "c");
  const h = groupValues(step.h ?? 1, m, "h");
  const { factors, u } = ws;
  const scores = new Float64Array(m);
  for (let j = 0; j < m; j++) {
    const hj = h.values[j & h.mask];
    factors[j] = hj / (hj + alpha * mu * d.values[j & d.mask]);
    scores[j] = (factors[j] * hj * norms[j] ** 2) / c.values[j & c.mask];
  }
  let room = positive(step.k, "k") * (1 + 1e-12);
  for (const j of Uint32Array.from(scores.keys()).sort((i, j) => scores[j] - scores[i])) {
    const cost = c.values[j & c.mask];
    u[j] = norms[j] !== 0 && cost <= room ? 1 : 0;
    if (u[j] === 1) room -= cost;
    else factors[j] = 0;
  }
  return { factors, u, omega: Number.NaN };
}
