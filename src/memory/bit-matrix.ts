import { ANYWHERE, kernelsFor, type Room } from "./room.ts";

/** A matrix of bits: one row a presynaptic unit, one column a cell, 32 columns a word, the lowest bit first. */
export interface BitMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Words of a row. Bits behind the last column are 0. */
  readonly stride: number;
  /** Signed, because the compiler of JavaScript keeps 32 signed bits in a register. */
  readonly words: Int32Array;
  /** Room for the numbers of rows that a kernel is to add. */
  readonly chosen?: Int32Array;
}

export function createBitMatrix(rows: number, columns: number, room: Room = ANYWHERE): BitMatrix {
  const stride = Math.ceil(columns / 32);
  const words = room.int32(rows * stride);
  return { rows, columns, stride, words, ...(kernelsFor(words) && { chosen: room.int32(rows) }) };
}

/** Bytes that `createBitMatrix` takes of an arena. */
export function bitMatrixBytes(rows: number, columns: number): number {
  return 4 * rows * (Math.ceil(columns / 32) + 1) + 32;
}

export function getBit({ stride, words }: BitMatrix, row: number, column: number): number {
  return (words[row * stride + (column >>> 5)] >>> (column & 31)) & 1;
}

/** Sets a bit; true where it was 0. */
export function setBit({ stride, words }: BitMatrix, row: number, column: number): boolean {
  const at = row * stride + (column >>> 5);
  const bit = 1 << (column & 31);
  if (words[at] & bit) return false;
  words[at] |= bit;
  return true;
}

/** Rows whose sum fits into the four bit planes of {@link addRowSums}. */
const BLOCK = 15;

/**
 * Adds the sum of some rows, column by column, to `sums`.
 *
 * With a kernel where both lie in one arena (`sums` from `cellNumbers`, each row at most once). Otherwise 32 columns are counted at a time: bit c of the planes a, b, c and d is the count of column c as a binary number, and
 * a row is added by a ripple of carries.
 */
export function addRowSums(matrix: BitMatrix, rows: ArrayLike<number>, sums: Float64Array): void {
  const { stride, words, chosen } = matrix;
  if (chosen && sums.buffer === words.buffer) {
    chosen.set(rows);
    kernelsFor(words)!.sums(words.byteOffset, stride, chosen.byteOffset, rows.length, sums.byteOffset);
    return;
  }
  for (let from = 0; from < rows.length; from += BLOCK) {
    const to = Math.min(from + BLOCK, rows.length);
    for (let w = 0; w < stride; w++) {
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let r = from; r < to; r++) {
        const row = words[rows[r] * stride + w];
        const two = a & row;
        const four = b & two;
        a ^= row;
        b ^= two;
        d ^= c & four;
        c ^= four;
      }
      for (let left = a | b | c | d; left !== 0; left &= left - 1) {
        const bit = 31 - Math.clz32(left & -left);
        sums[32 * w + bit] +=
          ((a >>> bit) & 1) + 2 * ((b >>> bit) & 1) + 4 * ((c >>> bit) & 1) + 8 * ((d >>> bit) & 1);
      }
    }
  }
}

/** Number of ones in a word. */
export function popcount(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Number of ones in the whole matrix. */
export function countOnes({ words }: BitMatrix): number {
  let ones = 0;
  for (let i = 0; i < words.length; i++) ones += popcount(words[i]);
  return ones;
}
