import { Problem } from "../../problem.ts";
import type { BitReader, BitWriter } from "./bits.ts";

/** Longest code word. Counts that ask for longer ones are evened out: those below a billionth do not matter. */
const LONGEST = 30;

/**
 * Code lengths of an optimal prefix code (Huffman, Proc. IRE 40, 1952). A symbol that is alone needs no bits.
 *
 * @param counts How often each symbol occurs, at least once.
 */
export function codeLengths(counts: readonly number[]): number[] {
  for (let weights = counts; ; weights = weights.map((w) => Math.ceil(w / 2))) {
    const lengths = huffmanLengths(weights);
    if (lengths.every((l) => l <= LONGEST)) return lengths;
  }
}

/** Leaves in the order of their counts and sums in the order they are made are two queues, whose heads are the least. */
function huffmanLengths(counts: readonly number[]): number[] {
  const symbols = counts.length;
  const leaves = counts.map((_, i) => i).sort((a, b) => counts[a] - counts[b] || a - b);
  const weights = [...counts];
  const parents: number[] = [];
  let [leaf, sum] = [0, symbols];
  const least = () =>
    sum >= weights.length || (leaf < symbols && counts[leaves[leaf]] <= weights[sum])
      ? leaves[leaf++]
      : sum++;
  while (weights.length < 2 * symbols - 1) {
    const [a, b] = [least(), least()];
    parents[a] = parents[b] = weights.length;
    weights.push(weights[a] + weights[b]);
  }
  const depths = new Array<number>(weights.length).fill(0);
  for (let node = weights.length - 2; node >= 0; node--) depths[node] = depths[parents[node]] + 1;
  return depths.slice(0, symbols);
}

/** Symbols by rising length, and by number where lengths are equal: the order of canonical code words. */
function canonicalOrder(lengths: readonly number[]): number[] {
  return lengths.map((_, i) => i).sort((a, b) => lengths[a] - lengths[b] || a - b);
}

/** Canonical code words: each is the one before plus one, made longer by zeros. */
export function canonicalCodes(lengths: readonly number[]): number[] {
  const codes = new Array<number>(lengths.length);
  let [next, length] = [0, 0];
  for (const symbol of canonicalOrder(lengths)) {
    next *= 2 ** (lengths[symbol] - length);
    length = lengths[symbol];
    codes[symbol] = next++;
  }
  return codes;
}

/** Lengths as differences from their neighbours, which are alike where symbols are values in order. */
export function writeLengths(writer: BitWriter, lengths: readonly number[]): void {
  let before = 0;
  for (const length of lengths) {
    const d = length - before;
    writer.gamma(d > 0 ? 2 * d : 1 - 2 * d);
    before = length;
  }
}

/** The reverse. A `Problem` where they make no complete code: the Kraft sum Σ 2^−length of one is 1. */
export function readLengths(reader: BitReader, symbols: number): number[] {
  const lengths: number[] = [];
  let [before, kraft] = [0, 0];
  for (let i = 0; i < symbols; i++) {
    const coded = reader.gamma(2 * LONGEST + 1);
    before += coded % 2 ? (1 - coded) / 2 : coded / 2;
    if (before < 0 || before > LONGEST)
      throw new Problem(`a code word of ${before} bits; expected 0 to ${LONGEST}`);
    kraft += 2 ** -before;
    lengths.push(before);
  }
  if (symbols > 0 && kraft !== 1) throw new Problem("the code words of a tensor's values do not make a code");
  return lengths;
}

/** Reads one symbol at a time. */
export function symbolReader(lengths: readonly number[]): (reader: BitReader) => number {
  const order = canonicalOrder(lengths);
  const words = new Array<number>(LONGEST + 1).fill(0);
  for (const length of lengths) words[length]++;
  return (reader) => {
    let [first, index] = [0, 0];
    for (let length = 0, code = 0; ; length++) {
      if (code - first < words[length]) return order[index + code - first];
      index += words[length];
      first = 2 * (first + words[length]);
      code = 2 * code + reader.read(1);
    }
  };
}
