import { gunzipSync, inflateSync } from "fflate";
import { Problem } from "../problem.ts";
import { dataView } from "./bytes.ts";
import { crc32 } from "./crc32.ts";

/**
 * The most that DEFLATE can expand: a match of 258 bytes costs at least two bits (RFC 1951, 3.2.5), so a stated size
 * beyond this ratio is a lie and nothing is allocated for it.
 */
export const MAX_INFLATION = 1032;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks a gzip file of one member and checks its length and CRC-32. Allocates what the trailer states, at most
 * {@link MAX_INFLATION} times the size of the file (plus one byte), and never more while inflating.
 */
export function gunzip(bytes: Uint8Array, name: string): Uint8Array {
  if (bytes.length < 18) throw new Problem(`${name}: ${bytes.length} bytes are too few for a gzip file`);
  const trailer = dataView(bytes.subarray(bytes.length - 8));
  return inflated(bytes, trailer.getUint32(4, true), trailer.getUint32(0, true), name, gunzipSync);
}

/** Unpacks raw DEFLATE data of a stated size and CRC-32, within the same bounds as {@link gunzip}. */
export function inflate(deflated: Uint8Array, size: number, crc: number, name: string): Uint8Array {
  return inflated(deflated, size, crc, name, inflateSync);
}

function inflated(
  packed: Uint8Array,
  size: number,
  crc: number,
  name: string,
  unpack: typeof inflateSync,
): Uint8Array {
  if (size > packed.length * MAX_INFLATION)
    throw new Problem(
      `${name}: ${packed.length} compressed bytes cannot hold the ${size} bytes that are stated; the file is damaged`,
    );
  let out: Uint8Array;
  try {
    // One byte more than stated, so that data which go on beyond their stated end are noticed.
    out = unpack(packed, { out: new Uint8Array(size + 1) });
  } catch (error) {
    throw new Problem(`${name}: the compressed data are damaged (${(error as Error).message})`);
  }
  if (out.length !== size)
    throw new Problem(
      `${name}: unpacks to ${out.length > size ? "more than" : out.length} bytes instead of the ${size} stated; ` +
        "the file is damaged or has several gzip members (pack it again as one)",
    );
  if (crc32(out) !== crc) throw new Problem(`${name}: the checksum (CRC-32) of the unpacked data is wrong`);
  return out;
}
