import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The vectors of turbovbi.md, made by a reference in another language. Gamma distributions by shape and rate. */
export const VECTORS = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../vectors/turbovbi.json"), "utf8"),
);

/** h as the vectors write it. */
export function precisionPriorOf([a, b, aBar, bBar]: readonly number[]) {
  return { a, b, aBar, bBar };
}

export function chainOf([lambda, p01, p10]: readonly number[]) {
  return { lambda, p01, p10 };
}
