import { Problem } from "../problem.ts";
import { dataView, printable } from "./bytes.ts";
import { crc32 } from "./crc32.ts";
import { inflate } from "./gzip.ts";

interface Entry {
  name: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  local: number;
}

/**
 * Unpacks a zip archive (PKWARE APPNOTE 6.3) of stored and deflated entries, checking every CRC-32. Encrypted,
 * multi-volume and ZIP64 archives (beyond 4 GiB) are refused.
 *
 * Memory: stored entries are views of `bytes`; the packed sizes together never exceed the file, so that inflated
 * entries take at most MAX_INFLATION (1032) times the file.
 */
export function readZip(bytes: Uint8Array, name = "zip archive"): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let packed = 0;
  for (const entry of directory(bytes, name)) {
    packed += entry.packed;
    if (packed > bytes.length) throw new Problem(`${name}: its entries overlap; the archive is damaged`);
    if (files.has(entry.name)) throw new Problem(`${name}: has two entries called ${printable(entry.name)}`);
    files.set(entry.name, unpack(bytes, entry, `${name}: ${printable(entry.name)}`));
  }
  return files;
}

function directory(bytes: Uint8Array, name: string): Entry[] {
  const view = dataView(bytes);
  const end = endRecord(view, name);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count === 0xffff || at === 0xffffffff)
    throw new Problem(`${name}: a ZIP64 archive (beyond 4 GiB or 65,534 entries) is not read; split it`);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== 0x02014b50)
      throw new Problem(`${name}: entry ${i} of ${count} of the zip directory is damaged`);
    const nameLength = view.getUint16(at + 28, true);
    const next = at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw new Problem(`${name}: entry ${i} of the zip directory runs beyond its end`);
    const entry = {
      name: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength)),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      local: view.getUint32(at + 42, true),
    };
    if (view.getUint16(at + 8, true) & 1) throw new Problem(`${name}: ${printable(entry.name)} is encrypted`);
    entries.push(entry);
    at = next;
  }
  return entries;
}

/** Offset of the end-of-central-directory record: the last 22 bytes, or earlier when a comment follows. */
function endRecord(view: DataView, name: string): number {
  const lowest = Math.max(0, view.byteLength - 22 - 65535);
  for (let at = view.byteLength - 22; at >= lowest; at--)
    if (view.getUint32(at, true) === 0x06054b50) return at;
  throw new Problem(`${name}: not a zip archive, or its end is missing`);
}

function unpack(bytes: Uint8Array, entry: Entry, name: string): Uint8Array {
  const view = dataView(bytes);
  if (entry.local + 30 > bytes.length || view.getUint32(entry.local, true) !== 0x04034b50)
    throw new Problem(`${name}: there is no entry at offset ${entry.local}, where the zip directory says`);
  const start =
    entry.local + 30 + view.getUint16(entry.local + 26, true) + view.getUint16(entry.local + 28, true);
  if (start + entry.packed > bytes.length) throw new Problem(`${name}: runs beyond the end of the archive`);
  const body = bytes.subarray(start, start + entry.packed);
  if (entry.method === 8) return inflate(body, entry.size, entry.crc, name);
  if (entry.method !== 0) throw new Problem(`${name}: compression method ${entry.method} is not read`);
  if (entry.size !== entry.packed)
    throw new Problem(`${name}: stored, yet of two sizes, ${entry.packed} and ${entry.size}`);
  if (crc32(body) !== entry.crc) throw new Problem(`${name}: the checksum (CRC-32) is wrong`);
  return body;
}
