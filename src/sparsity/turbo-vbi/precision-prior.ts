import { Problem } from "../../problem.ts";

/**
 * The two Gamma distributions (shape, rate) of a weight's precision: a, b where the weight is in use, ā, b̄ where it is not
 * (turbovbi.md 3.1). Without its precision a weight is Student-t with 2a degrees of freedom and scale √(b/a).
 */
export interface PrecisionPrior {
  a: number;
  b: number;
  aBar: number;
  bBar: number;
}

/** How much narrower than the slab the spike is by default: a twentieth. */
const SPIKE = 400;

/** The default for a layer: slab variance `variance`, 1 to 5 times that of its trained weights. Smaller keeps more. */
export function precisionPrior(variance: number, spike = variance / SPIKE): PrecisionPrior {
  for (const [name, value] of Object.entries({ variance, spike }))
    if (!(value > 0 && Number.isFinite(value)))
      throw new Problem(`turbo-vbi: the ${name} of weights must be a number above 0, found ${value}`);
  return { a: 1, b: variance, aBar: 1, bBar: spike };
}
