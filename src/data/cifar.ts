import { Problem } from "../problem.ts";
import type { Split } from "./dataset.ts";

const PIXELS = 3 * 32 * 32;
const RECORD = 1 + PIXELS;

/**
 * Reads CIFAR-10 binary files (Krizhevsky 2009; cs.toronto.edu/~kriz/cifar.html): records of one label byte, then
 * 1,024 red, green and blue bytes. Several files are joined in the order given.
 *
 * Returns uint8 inputs [records, 3, 32, 32] and labels 0..9. Memory: 1.01 times the files (labels widen to int32).
 */
export function readCifar10(files: readonly { name: string; bytes: Uint8Array }[]): Split {
  let count = 0;
  for (const { name, bytes } of files) {
    if (bytes.length === 0 || bytes.length % RECORD !== 0)
      throw new Problem(
        `${name}: ${bytes.length} bytes are not a whole number of CIFAR-10 records of ${RECORD} bytes`,
      );
    count += bytes.length / RECORD;
  }
  const inputs = new Uint8Array(count * PIXELS);
  const labels = new Int32Array(count);
  let row = 0;
  for (const { name, bytes } of files)
    for (let at = 0; at < bytes.length; at += RECORD, row++) {
      if (bytes[at] > 9)
        throw new Problem(`${name}: record ${at / RECORD} has the label ${bytes[at]}; CIFAR-10 has 0 to 9`);
      labels[row] = bytes[at];
      inputs.set(bytes.subarray(at + 1, at + RECORD), row * PIXELS);
    }
  return { inputs: { dtype: "uint8", shape: [count, 3, 32, 32], data: inputs }, labels };
}
