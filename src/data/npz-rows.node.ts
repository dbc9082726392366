import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import type { Tensor } from "../engine/tensor.ts";
import { sizeOf } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { bytesOf } from "./bytes.ts";
import { npyHeader, writeNpy } from "./npy.ts";

/** Room for the .npy header of the array that grows: its length is only known at the end. */
const HEADER = 128;

/** Zip files without the ZIP64 extension end here; so do the offsets in their directory. */
const LARGEST = 2 ** 32 - 1;

const COPY = 1 << 22;

export interface NpzRows {
  /** Adds one row; float32 values of the row's shape. */
  append(row: Float32Array): Promise<void>;
  /** Rows so far. */
  rows(): number;
  /** Adds the other arrays and puts the file in its place; it is not there before. */
  finish(others: ReadonlyMap<string, Tensor>): Promise<void>;
  /** Gives the unfinished file up. */
  discard(): Promise<void>;
}

/**
 * Writes a .npz file (stored, not deflated) whose first array, `name`, float32 of shape [rows, ...rowShape], comes row by row,
 * so that no more than one row is held. Everything goes to `<path>.tmp` until {@link NpzRows.finish}.
 *
 * Throws a `Problem` when the file would pass 4 GiB.
 */
export async function createNpzRows(
  path: string,
  name: string,
  rowShape: readonly number[],
): Promise<NpzRows> {
  const temporary = `${path}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(temporary, "w+");
  const bytesOfRow = 4 * sizeOf(rowShape);
  const file = `${name}.npy`;
  const start = 30 + file.length;
  let rows = 0;
  let closed = false;

  const close = async () => {
    if (!closed) await handle.close();
    closed = true;
  };
  return {
    rows: () => rows,
    append: async (row) => {
      const at = start + HEADER + rows * bytesOfRow;
      if (at + bytesOfRow > LARGEST)
        throw new Problem(
          `${path}: would pass 4 GiB, which its format cannot hold; record fewer frames or points`,
        );
      await handle.write(bytesOf(row), 0, bytesOfRow, at);
      rows++;
    },
    finish: async (others) => {
      const header = npyHeader("float32", [rows, ...rowShape], HEADER);
      await handle.write(header, 0, HEADER, start);
      const size = HEADER + rows * bytesOfRow;
      const chunk = new Uint8Array(COPY);
      let crc = 0;
      for (let at = 0; at < size; ) {
        const { bytesRead } = await handle.read(chunk, 0, Math.min(COPY, size - at), start + at);
        crc = crc32(chunk.subarray(0, bytesRead), crc);
        at += bytesRead;
      }
      const entries = [{ file, size, crc, offset: 0 }];
      await handle.write(localHeader(entries[0]), 0, start, 0);
      let at = start + size;
      for (const [other, tensor] of others) {
        const body = writeNpy(tensor);
        const entry = { file: `${other}.npy`, size: body.length, crc: crc32(body), offset: at };
        entries.push(entry);
        const head = localHeader(entry);
        await handle.write(head, 0, head.length, at);
        await handle.write(body, 0, body.length, at + head.length);
        at += head.length + body.length;
      }
      const end = directory(entries, at);
      await handle.write(end, 0, end.length, at);
      await handle.sync();
      await close();
      await rename(temporary, path);
    },
    discard: async () => {
      await close();
      await rm(temporary, { force: true });
    },
  };
}

interface Entry {
  file: string;
  size: number;
  crc: number;
  offset: number;
}

/** Fields that a local and a central header share, from "version needed" on (PKWARE APPNOTE 4.3.7): stored, 1 January 1980. */
function common({ file, size, crc }: Entry): Buffer {
  const out = Buffer.alloc(26);
  out.writeUInt16LE(20, 0);
  out.writeUInt16LE(0x21, 8);
  out.writeUInt32LE(crc, 10);
  out.writeUInt32LE(size, 14);
  out.writeUInt32LE(size, 18);
  out.writeUInt16LE(file.length, 22);
  return out;
}

function localHeader(entry: Entry): Buffer {
  return Buffer.concat([Buffer.from("PK\x03\x04"), common(entry), Buffer.from(entry.file)]);
}

function directory(entries: readonly Entry[], at: number): Buffer {
  const parts = entries.map((entry) => {
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(entry.offset, 10);
    return Buffer.concat([
      Buffer.from("PK\x01\x02\x14\x00", "latin1"),
      common(entry),
      rest,
      Buffer.from(entry.file),
    ]);
  });
  const central = Buffer.concat(parts);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([central, end]);
}

export interface RowReader {
  /** Of the whole array, rows first. */
  readonly shape: readonly number[];
  /** Row `i` as float32. */
  row(i: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens the array `name` of a stored .npz file, float32 or float64 in C order, to read it row by row. Checksums are not looked at, since
 * that would need the whole array. `undefined` where the array is deflated or of another layout: read it whole.
 */
export async function openNpzRows(path: string, name: string): Promise<RowReader | undefined> {
  const handle = await open(path, "r");
  const read = async (at: number, length: number) => {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await handle.read(bytes, 0, length, at);
    if (bytesRead < length) throw new Problem(`${path}: ends too early; the file is damaged`);
    return Buffer.from(bytes.buffer);
  };
  try {
    const local = await locate(read, (await handle.stat()).size, `${name}.npy`);
    const head = local === undefined ? undefined : await read(local, 30);
    if (local !== undefined && head?.readUInt32LE(0) === 0x04034b50 && head.readUInt16LE(8) === 0) {
      const start = local + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
      const fixed = await read(start, 12);
      const length = fixed[6] === 1 ? 10 + fixed.readUInt16LE(8) : 12 + fixed.readUInt32LE(8);
      const layout = layoutOf((await read(start, Math.min(length, 65536))).toString("latin1"));
      if (layout) {
        const { shape, width } = layout;
        const elements = sizeOf(shape.slice(1));
        return {
          shape,
          row: async (i) => {
            const bytes = await read(start + length + i * elements * width, elements * width);
            return width === 4
              ? new Float32Array(bytes.buffer, 0, elements)
              : Float32Array.from(new Float64Array(bytes.buffer, 0, elements));
          },
          close: () => handle.close(),
        };
      }
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** Offset of an entry's local header, from the directory at the end of the file. */
async function locate(read: (at: number, length: number) => Promise<Buffer>, size: number, file: string) {
  const tail = await read(Math.max(0, size - 65557), Math.min(size, 65557));
  const end = tail.lastIndexOf("PK\x05\x06", undefined, "latin1");
  if (end < 0 || end + 22 > tail.length) return undefined;
  const central = await read(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  for (let at = 0; at + 46 <= central.length; ) {
    const length = central.readUInt16LE(at + 28);
    if (central.toString("latin1", at + 46, at + 46 + length) === file) return central.readUInt32LE(at + 42);
    at += 46 + length + central.readUInt16LE(at + 30) + central.readUInt16LE(at + 32);
  }
  return undefined;
}

/** Shape and bytes an element of little-endian floats in C order. */
function layoutOf(header: string): { shape: number[]; width: 4 | 8 } | undefined {
  const width = /'descr': '<f([48])'/.exec(header)?.[1];
  const sides = /'shape': \(([\d, ]+)\)/.exec(header)?.[1];
  if (!width || !sides || !/'fortran_order': False/.test(header)) return undefined;
  const shape = sides
    .split(",")
    .filter((side) => side.trim())
    .map(Number);
  return { shape, width: width === "4" ? 4 : 8 };
}
