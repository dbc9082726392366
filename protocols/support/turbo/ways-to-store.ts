import type { PackOptions } from "../../../src/sparsity/encoding/packed-model.ts";
import { posteriorStep } from "../../../src/sparsity/encoding/quantize.ts";

/** Steps of values by the posterior's deviations, see `posteriorStep`. */
const SHARES = [0.2, 0.35, 0.5];

/** Posterior standard deviations of the weights in use, by parameter. */
export type Sigmas = Readonly<Record<string, Float32Array>>;

/**
 * Names and options of the ways to pack a network: without loss, with so many bits a value, and, where deviations of the
 * weights in use are known, with steps by these.
 */
export function waysToStore(bits: readonly number[], sigmas?: Sigmas): [string, PackOptions][] {
  return [
    ["no loss", {}],
    ...bits.map((count): [string, PackOptions] => [`${count} bits`, { bits: count }]),
    ...(sigmas && knows(sigmas)
      ? SHARES.map((share): [string, PackOptions] => [`${share} σ`, { steps: stepsOf(sigmas, share) }])
      : []),
  ];
}

/** Whether any deviation is known. */
export function knows(sigmas: Sigmas): boolean {
  return Object.values(sigmas).some((s) => s.length > 0);
}

export function stepsOf(sigmas: Sigmas, share: number): Map<string, number> {
  const known = Object.entries(sigmas).filter(([, s]) => s.length > 0);
  return new Map(known.map(([name, s]) => [name, posteriorStep(s, share)]));
}
