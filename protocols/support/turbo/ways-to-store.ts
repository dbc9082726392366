import type { PackOptions } from "../../../src/sparsity/encoding/packed-model.ts";
import { posteriorStep } from "../../../src/sparsity/encoding/quantize.ts";

/** Steps of values by the posterior's deviations, see `posteriorStep`. */
const SHARES = [0.2, 0.35, 0.5];

/**
 * Names and options of the ways to pack a network: without loss, with so many bits a value, and, where deviations of the
 * weights in use are known, with steps by these.
 */
export function waysToStore(
  bits: readonly number[],
  sigmas?: Readonly<Record<string, Float32Array>>,
): [string, PackOptions][] {
  const known = Object.entries(sigmas ?? {}).filter(([, s]) => s.length > 0);
  const steps = (share: number) => new Map(known.map(([name, s]) => [name, posteriorStep(s, share)]));
  return [
    ["no loss", {}],
    ...bits.map((count): [string, PackOptions] => [`${count} bits`, { bits: count }]),
    ...(known.length > 0
      ? SHARES.map((share): [string, PackOptions] => [`${share} σ`, { steps: steps(share) }])
      : []),
  ];
}
