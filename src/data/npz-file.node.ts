import { open } from "node:fs/promises";
import type { Tensor } from "../engine/tensor.ts";
import { sizeOf } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { inflate } from "./gzip.ts";
import { readNpy } from "./npy.ts";

/** Slices of a tensor along its first axis. */
export interface Rows {
  /** Of the whole array. */
  readonly shape: readonly number[];
  /** Row `i` as float32. */
  row(i: number): Promise<Float32Array>;
}

/** A .npz file of which only what is asked for is read. */
export interface NpzFile {
  /** Of its arrays. */
  readonly names: readonly string[];
  /** `undefined` where there is no such array. */
  tensor(name: string): Promise<Tensor | undefined>;
  /**
   * The rows of an array. Stored floats in C order are read row by row, without a look at the checksum, which would need
   * them all; anything else is read whole, once.
   */
  rows(name: string): Promise<Rows | undefined>;
  close(): Promise<void>;
}

interface Entry {
  deflated: boolean;
  crc: number;
  packed: number;
  size: number;
  /** Of the contents. */
  start: number;
}

type Read = (at: number, length: number) => Promise<Buffer>;

export async function openNpz(path: string): Promise<NpzFile> {
  const handle = await open(path, "r");
  const read: Read = async (at, length) => {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await handle.read(bytes, 0, length, at);
    if (bytesRead < length) throw new Problem(`${path}: ends too early; the file is damaged`);
    return Buffer.from(bytes.buffer);
  };
  try {
    const entries = await directory(read, (await handle.stat()).size, path);
    const tensor = async (name: string) => {
      const entry = await locate(read, entries, name);
      if (!entry) return undefined;
      const body = await read(entry.start, entry.packed);
      const plain = new Uint8Array(body.buffer, 0, body.length);
      const label = `${path}: ${name}`;
      return readNpy(entry.deflated ? inflate(plain, entry.size, entry.crc, label) : plain, label);
    };
    return {
      names: [...entries.keys()].filter((name) => name.endsWith(".npy")).map((name) => name.slice(0, -4)),
      tensor,
      rows: async (name) => {
        const entry = await locate(read, entries, name);
        if (!entry) return undefined;
        return (
          (entry.deflated ? undefined : await rowsOnDisk(read, entry)) ?? rowsInMemory((await tensor(name))!)
        );
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The central directory (PKWARE APPNOTE 4.3.12): its records by file name. */
async function directory(read: Read, size: number, path: string): Promise<Map<string, Buffer>> {
  const tail = await read(Math.max(0, size - 65557), Math.min(size, 65557));
  const end = tail.lastIndexOf("PK\x05\x06", undefined, "latin1");
  if (end < 0 || end + 22 > tail.length) throw new Problem(`${path}: not a .npz file, or its end is missing`);
  const central = await read(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  const entries = new Map<string, Buffer>();
  for (let at = 0; at + 46 <= central.length; ) {
    const name = central.readUInt16LE(at + 28);
    entries.set(central.toString("utf8", at + 46, at + 46 + name), central.subarray(at, at + 46));
    at += 46 + name + central.readUInt16LE(at + 30) + central.readUInt16LE(at + 32);
  }
  return entries;
}

async function locate(
  read: Read,
  entries: ReadonlyMap<string, Buffer>,
  name: string,
): Promise<Entry | undefined> {
  const record = entries.get(`${name}.npy`);
  if (!record) return undefined;
  const local = record.readUInt32LE(42);
  const head = await read(local, 30);
  return {
    deflated: record.readUInt16LE(10) === 8,
    crc: record.readUInt32LE(16),
    packed: record.readUInt32LE(20),
    size: record.readUInt32LE(24),
    start: local + 30 + head.readUInt16LE(26) + head.readUInt16LE(28),
  };
}

/** `undefined` unless the entry is little-endian floats in C order. */
async function rowsOnDisk(read: Read, { start, size }: Entry): Promise<Rows | undefined> {
  const fixed = await read(start, 12);
  const length = fixed[6] === 1 ? 10 + fixed.readUInt16LE(8) : 12 + fixed.readUInt32LE(8);
  const header = (await read(start, Math.min(length, size))).toString("latin1");
  const width = Number(/'descr': '<f([48])'/.exec(header)?.[1]);
  const sides = /'shape': \(([\d, ]+)\)/.exec(header)?.[1];
  if (!width || !sides || !/'fortran_order': False/.test(header)) return undefined;
  const shape = sides
    .split(",")
    .filter((side) => side.trim())
    .map(Number);
  const elements = sizeOf(shape.slice(1));
  return {
    shape,
    row: async (i) => {
      const { buffer } = await read(start + length + i * elements * width, elements * width);
      return width === 4 ? new Float32Array(buffer) : Float32Array.from(new Float64Array(buffer));
    },
  };
}

function rowsInMemory({ shape, data }: Tensor): Rows {
  const elements = sizeOf(shape.slice(1));
  return {
    shape,
    row: async (i) => Float32Array.from({ length: elements }, (_, k) => Number(data[i * elements + k])),
  };
}
