import type { LayerSection } from "./allowance.ts";
import type { GroupProxStep } from "./group-prox.ts";
import type { Arrays } from "./groups.ts";
import type { Undecided } from "./k-anneal-state.ts";
import type { Regularizer } from "./regularizer.ts";

/** Undecided groups that an outcome names. */
const UNDECIDED_SHOWN = 10;

/** Why each layer's groups are where they are, in numbers: see docs/wgsef.md. */
export interface Certificates {
  /** By section, what the last step of selection left undecided. */
  undecided(layer: number): Undecided[];
  /** A proximal step was taken: what is undecided is to be counted anew. */
  stepped(layer: number): void;
  /** A step was taken that leaves nothing undecided. */
  settled(layer: number): void;
  restore(layer: number, undecided: Undecided[]): void;
  /** Metrics of a layer, under its name. */
  metrics(
    layer: number,
    name: string,
    arrays: Arrays,
    step: GroupProxStep,
    descent: Arrays | undefined,
  ): Record<string, number>;
}

/**
 * @param sections of each layer, those that compete in it.
 * @param momentum β of SGD, once training has begun: what is solved is loss + (1 − β)·penalty.
 */
export function createCertificates(
  regularizers: readonly Regularizer[],
  sections: readonly (readonly LayerSection[])[],
  momentum: () => number,
): Certificates {
  const known: (Undecided[] | undefined)[] = regularizers.map(() => undefined);
  const undecided = (i: number): Undecided[] => {
    if (known[i]) return known[i];
    const all = regularizers[i].undecided();
    return (known[i] = sections[i].map(({ start, end }) => {
      const own = all.filter(({ group }) => group >= start && group < end);
      const smallest = own.slice(0, UNDECIDED_SHOWN).map((u) => ({ ...u, group: u.group - start }));
      return { count: own.length, smallest };
    }));
  };
  return {
    undecided,
    stepped: (i) => {
      known[i] = undefined;
    },
    settled: (i) => {
      known[i] = sections[i].map(() => ({ count: 0, smallest: [] }));
    },
    restore: (i, saved) => {
      known[i] = saved;
    },
    metrics: (i, layer, arrays, step, descent) => {
      const found: Record<string, number> = {};
      undecided(i).forEach(({ count, smallest: [first] }, s) => {
        const { name } = sections[i][s];
        found[`between/${name}`] = count;
        if (first) found[`smallest/${name}`] = first.norm;
        if (first) found[`threshold/${name}`] = first.zero;
      });
      const certificate =
        descent &&
        regularizers[i].certificate?.(arrays, descent, {
          ...step,
          lambda: (1 - momentum()) * step.lambda,
          mu: (1 - momentum()) * step.mu,
        });
      if (certificate) found[`gap/${layer}`] = certificate.relative;
      return found;
    },
  };
}
