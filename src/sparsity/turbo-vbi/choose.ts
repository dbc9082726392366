import { Problem } from "../../problem.ts";
import type { Posterior } from "./posterior.ts";

/** 1 for each weight that is likelier in use than not, in the order of storage. */
export function likelyWeights({ logOdds }: Pick<Posterior, "logOdds">): Uint8Array {
  return Uint8Array.from(logOdds, (o) => Number(o > 0));
}

/** 1 for the `count` weights that are likeliest in use; of equal ones those with the larger means. */
export function likeliestWeights(
  { parameter, logOdds, mean }: Omit<Posterior, "sigma">,
  count: number,
): Uint8Array {
  if (!(count >= 0 && count <= mean.length))
    throw new Problem(`turbo-vbi: cannot keep ${count} of the ${mean.length} weights of "${parameter}"`);
  const order = Uint32Array.from(mean.keys()).sort(
    (a, b) => logOdds[b] - logOdds[a] || Math.abs(mean[b]) - Math.abs(mean[a]) || a - b,
  );
  const mask = new Uint8Array(mean.length);
  for (const i of order.subarray(0, count)) mask[i] = 1;
  return mask;
}
