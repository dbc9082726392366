import { Problem } from "../problem.ts";
import { deriveSeed, random } from "../random.ts";
import type { Dataset, SampleTensor, Split } from "./dataset.ts";

/**
 * Takes `share` of the training samples, chosen by the seed, out of a data set: what is tried out is chosen by these, so
 * that the test set is looked at once. A share of 0 takes none. Throws a `Problem` where one of the parts would be empty.
 */
export function holdOut(data: Dataset, share: number, seed: number): Dataset & { validation?: Split } {
  if (share === 0) return data;
  const { length } = data.train.labels;
  const count = Math.round(share * length);
  if (count < 1 || count >= length)
    throw new Problem(
      `a validation share of ${share} leaves ${count} of the ${length} training samples of ${data.name} to validate on and ${length - count} to train on; both need some`,
    );
  const order = random(deriveSeed(seed, "validation")).permutation(length);
  return {
    ...data,
    train: take(data.train, order.subarray(count)),
    validation: take(data.train, order.subarray(0, count)),
  };
}

/** The samples at these positions, in the order of the set. */
function take({ inputs, others, labels }: Split, positions: Uint32Array): Split {
  const sorted = positions.slice().sort();
  return {
    inputs: rowsOf(inputs, sorted),
    ...(others && { others: others.map((t) => rowsOf(t, sorted)) }),
    labels: Int32Array.from(sorted, (i) => labels[i]),
  };
}

function rowsOf({ dtype, shape: [count, ...shape], data }: SampleTensor, rows: Uint32Array): SampleTensor {
  const size = data.length / count;
  const taken = data.slice(0, rows.length * size);
  rows.forEach((from, to) => taken.set(data.subarray(from * size, (from + 1) * size), to * size));
  return { dtype, shape: [rows.length, ...shape], data: taken } as SampleTensor;
}
