import { Problem } from "../../problem.ts";

/** Bits one behind the other, the highest of each number and of each byte first. */
export interface BitWriter {
  /** Bits so far. */
  readonly length: number;
  /** The `count` lowest bits of a whole number, at most 32. */
  write(value: number, count: number): void;
  /** Elias-γ code of a whole number from 1 to 2³² − 1: its length in zeros, then itself. */
  gamma(n: number): void;
  /** All bits, filled up with zeros to a whole byte. */
  finish(): Uint8Array;
}

export function createBitWriter(): BitWriter {
  let bytes = new Uint8Array(256);
  let length = 0;
  const write = (value: number, count: number) => {
    if (length + count > 8 * bytes.length) {
      const longer = new Uint8Array(2 * bytes.length);
      longer.set(bytes);
      bytes = longer;
    }
    for (let left = count; left > 0; ) {
      const room = 8 - (length % 8);
      const take = Math.min(room, left);
      const part = (value >>> (left - take)) & ((1 << take) - 1);
      bytes[Math.floor(length / 8)] |= part << (room - take);
      left -= take;
      length += take;
    }
  };
  return {
    get length() {
      return length;
    },
    write,
    gamma: (n) => {
      const zeros = Math.floor(Math.log2(n));
      write(0, zeros);
      write(n, zeros + 1);
    },
    finish: () => bytes.slice(0, Math.ceil(length / 8)),
  };
}

/** The reverse of `BitWriter`. What cannot have been written is a `Problem`. */
export interface BitReader {
  /** Bits read. */
  readonly position: number;
  read(count: number): number;
  /** A number from 1 to `most`. */
  gamma(most: number): number;
}

export function createBitReader(bytes: Uint8Array): BitReader {
  let position = 0;
  const read = (count: number) => {
    if (position + count > 8 * bytes.length) throw new Problem("the code of a tensor ends too early");
    let value = 0;
    for (let left = count; left > 0; ) {
      const room = 8 - (position % 8);
      const take = Math.min(room, left);
      const part = (bytes[Math.floor(position / 8)] >>> (room - take)) & ((1 << take) - 1);
      value = value * 2 ** take + part;
      left -= take;
      position += take;
    }
    return value;
  };
  return {
    get position() {
      return position;
    },
    read,
    gamma: (most) => {
      let zeros = 0;
      while (zeros < 32 && read(1) === 0) zeros++;
      const n = zeros < 32 ? 2 ** zeros + read(zeros) : Number.POSITIVE_INFINITY;
      if (n > most) throw new Problem(`the code of a tensor holds ${n} where at most ${most} is possible`);
      return n;
    },
  };
}
