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
