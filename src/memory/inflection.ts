import type { Sigmoid } from "./win-weights.ts";

/**
 * A rise of the logistic sigmoid's centre as a mac fills: by `step` up to `to`, each time that the mean support of its cells
 * exceeds `above` and all that it was before. The author's Java program goes from 0.5 to 0.9 by 0.01, above 0.3
 * (`specs/sparsey.md` 9.2).
 */
export interface InflectionRatchet {
  above: number;
  step: number;
  to: number;
}

/** Where a mac's sigmoid has its centre now, and the mean support that the next rise must exceed. */
export interface Inflection {
  center: number;
  highest: number;
}

/** One more item is to be stored with these supports V. */
export function raiseInflection(
  inflection: Inflection,
  { step, to }: InflectionRatchet,
  support: Float64Array,
): void {
  const mean = support.reduce((sum, v) => sum + v, 0) / support.length;
  if (mean <= inflection.highest) return;
  inflection.highest = mean;
  inflection.center = Math.max(inflection.center, Math.min(to, inflection.center + step));
}

/** The sigmoid with the mac's own centre, if that is one that moves. */
export function sigmoidOf(sigmoid: Sigmoid, inflection: Inflection | undefined): Sigmoid {
  return inflection && sigmoid.kind === "logistic" ? { ...sigmoid, center: inflection.center } : sigmoid;
}
