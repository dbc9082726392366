import { copy } from "./room.ts";
import type { Rules } from "./rules.ts";

/** What a cell can be supported by: bottom-up, horizontal (its own mac a frame ago), top-down. */
export type Source = "U" | "H" | "D";

/** A combination of sources, in the order H, U, D. */
export type Version = "U" | "H" | "D" | "HU" | "UD" | "HD" | "HUD" | "";

/** Normalised evidences in [0, 1] of every cell of a mac; those of unavailable sources are meaningless. */
export interface Evidence {
  readonly U: Float64Array;
  readonly H: Float64Array;
  readonly D: Float64Array;
}

export const versionOf = (h: boolean, u: boolean, d: boolean): Version =>
  `${h ? "H" : ""}${u ? "U" : ""}${d ? "D" : ""}` as Version;

/** V_i = the product of the version's evidences, each to its exponent; λ_U0 for U where H takes no part (3.2, step 5). */
export function localSupport(version: Version, evidence: Evidence, rules: Rules, out: Float64Array): void {
  const withH = version.includes("H");
  const exponents = { H: rules.lambdaH, U: withH ? rules.lambdaU : rules.lambdaU0, D: rules.lambdaD };
  if (version === "") out.fill(0);
  let first = true;
  for (const source of version) {
    multiply(evidence[source as Source], exponents[source as Source], first, out);
    first = false;
  }
}

function multiply(evidence: Float64Array, exponent: number, first: boolean, out: Float64Array): void {
  if (exponent === 1 && first) copy(evidence, out);
  else if (exponent === 1) for (let i = 0; i < out.length; i++) out[i] *= evidence[i];
  else for (let i = 0; i < out.length; i++) out[i] = (first ? 1 : out[i]) * evidence[i] ** exponent;
}

/** By the number of their sources. */
const VERSIONS: readonly (readonly Version[])[] = [["HUD"], ["HU", "UD", "HD"], ["U", "H", "D"]];

/**
 * Which combination of the available sources to trust (3.5): from the fullest down, within the same number of sources
 * the more familiar one, the first whose familiarity reaches Γ of that number; if none does, the fullest. Versions without
 * U only where `withoutInput` is set.
 *
 * `familiarity` gives G of a version.
 */
export function backOff(
  full: Version,
  thresholds: readonly [number, number, number],
  familiarity: (version: Version) => number,
  withoutInput = false,
): Version {
  for (const versions of VERSIONS) {
    let best: Version = "";
    let highest = -1;
    for (const version of versions)
      if ((withoutInput || version.includes("U")) && [...version].every((source) => full.includes(source))) {
        const g = familiarity(version);
        if (g > highest) [best, highest] = [version, g];
      }
    if (best !== "" && highest >= thresholds[best.length - 1]) return best;
  }
  return full;
}
