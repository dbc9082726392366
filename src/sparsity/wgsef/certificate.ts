import { groupValues } from "./per-group.ts";
import type { ProxStep } from "./prox.ts";
import { type Wgsef, wgsefConjugate, wgsefValue } from "./value.ts";

export interface Certificate {
  /** W(p) + W*(y) − ⟨p, y⟩ ≥ 0, and 0 exactly where y is a subgradient of W at p. */
  gap: number;
  /** The gap divided by W(p) + W*(y). */
  relative: number;
}

/**
 * The Fenchel–Young gap of W_k (wgsef.md 7.1). For weights p that minimise loss + λW, y = −∇loss/λ closes it; for a convex
 * loss λ·gap then bounds how far the objective is from its minimum.
 *
 * @param norms ‖p_j‖₂, m numbers.
 * @param dualNorms ‖y_j‖₂, m numbers.
 * @param inner ⟨p, y⟩ over all weights.
 */
export function fenchelGap(
  norms: Float64Array,
  dualNorms: Float64Array,
  inner: number,
  wgsef: Wgsef,
): Certificate {
  const both = wgsefValue(norms, wgsef).value + wgsefConjugate(dualNorms, wgsef);
  const gap = both - inner;
  return { gap, relative: both === 0 ? 0 : gap / both };
}

/**
 * Proves that factors are the proximal operator's, without solving anything: p_j = f_j·t_j is the prox exactly when
 * y_j = h_j(t_j − p_j)/(αλ) closes the Fenchel–Young gap at p. λ must be positive.
 *
 * @param step.norms ‖t_j‖₂, m numbers.
 */
export function proxCertificate(
  step: ProxStep & { norms: Float64Array },
  factors: Float64Array,
): Certificate {
  const { norms, alpha, lambda } = step;
  const h = groupValues(step.h ?? 1, norms.length, "h");
  const dual = norms.map((b, j) => (h.values[j & h.mask] * Math.abs(1 - factors[j]) * b) / (alpha * lambda));
  let inner = 0;
  for (let j = 0; j < norms.length; j++) inner += Math.sign(1 - factors[j]) * factors[j] * norms[j] * dual[j];
  return fenchelGap(
    norms.map((b, j) => Math.abs(factors[j]) * b),
    dual,
    inner,
    step,
  );
}
