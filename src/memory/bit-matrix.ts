import { ANYWHERE, kernelsFor, type Room } from "./room.ts";

/** A matrix of bits: one row a presynaptic unit, one column a cell, 32 columns a word, the lowest bit first. */
export interface BitMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Words of a row. Bits behind the last column are 0. */
  readonly stride: number;
  /** Signed, because the compiler of JavaScript keeps 32 signed bits in a register. */
  readonly words: Int32Array;
  /** Room for the addresses of the rows that a kernel is to add, and for what it counts with. */
  readonly chosen?: Int32Array;
  readonly planes?: Int32Array;
}

/** Words that the kernel counts with: twelve rows, or 12 KiB where these are longer than 1 KiB. */
export const planeWords = (stride: number) => 12 * Math.min(stride, 256);

export function createBitMatrix(rows: number, columns: number, room: Room = ANYWHERE): BitMatrix {
  const stride = Math.ceil(columns / 32);
  const words = room.int32(rows * stride);
  const forKernel = kernelsFor(words) && { chosen: room.int32(rows), planes: room.int32(planeWords(stride)) };
  return { rows, columns, stride, words, ...forKernel };
}

/** Bytes that `createBitMatrix` takes of an arena. */
export function bitMatrixBytes(rows: number, columns: number): number {
  const stride = Math.ceil(columns / 32);
  return 4 * (rows * (stride + 1) + planeWords(stride)) + 48;
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
 * With a kernel where both lie in one arena (`sums` from `cellNumbers`, each row at most once). Otherwise 32 columns are
 * counted at a time: bit c of the planes a, b, c and d is the count of column c as a binary number, and a row is added by
 * a ripple of carries.
 */
export function addRowSums(matrix: BitMatrix, rows: ArrayLike<number>, sums: Float64Array): void {
  const { stride, words, chosen, planes } = matrix;
  if (chosen && planes && sums.buffer === words.buffer) {
    chooseRows(matrix, rows, 0);
    const [c, s, p] = [chosen, sums, planes].map(({ byteOffset }) => byteOffset);
    kernelsFor(words)!.sums(c, rows.length, 0, 4 * stride, s, p);
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

/** Writes the addresses of rows to `chosen`, from a place on, for a kernel; returns the place behind them. */
export function chooseRows(
  { stride, words, chosen }: BitMatrix,
  rows: ArrayLike<number>,
  from: number,
): number {
  const first = words.byteOffset;
  for (let r = 0; r < rows.length; r++) chosen![from + r] = first + 4 * stride * rows[r];
  return from + rows.length;
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
