import type { CurvePoint } from "./detector.ts";
import type { Weights } from "./masks.ts";
import { mapValues } from "./masks.ts";

/**
 * Keeps a copy of the weights at the moments that tickets are compared from: `memorised` (the first evaluation after 200
 * steps and twice the memorisation time), `half`, `most` and `generalised` (test accuracy first at .5, .8 and `threshold`), and
 * `later500` and `later1500`, so many steps after that.
 */
export function createMoments(threshold = 0.95) {
  const kept = new Map<string, Weights>();
  let memorised: number | undefined;
  let generalised: number | undefined;
  return {
    observe: ({ step, train, test }: CurvePoint, live: Weights) => {
      if (train >= threshold) memorised ??= step;
      if (test >= threshold) generalised ??= step;
      const since = generalised === undefined ? -1 : step - generalised;
      const reached = {
        memorised: memorised !== undefined && step >= Math.max(200, 2 * memorised),
        half: test >= 0.5,
        most: test >= 0.8,
        generalised: since >= 0,
        later500: since >= 500,
        later1500: since >= 1500,
      };
      for (const [name, here] of Object.entries(reached))
        if (here && !kept.has(name))
          kept.set(
            name,
            mapValues(live, (w) => w.slice()),
          );
    },
    weights: () => kept,
  };
}
