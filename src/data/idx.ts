import { type DType, type Tensor, viewAs } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { dataView, requireBytes, swapped, widthOf } from "./bytes.ts";
import { gunzip, isGzip } from "./gzip.ts";

const TYPES: Record<number, DType> = {
  8: "uint8",
  9: "int8",
  11: "int16",
  12: "int32",
  13: "float32",
  14: "float64",
};

/**
 * Reads an IDX file (the format of MNIST, yann.lecun.com/exdb/mnist: two zero bytes, element type, rank, big-endian
 * int32 dimensions, big-endian data), plain or gzip'd.
 *
 * Memory: one-byte types are a view of `bytes` (or of the unpacked data), wider ones a copy. Never more than twice
 * the plain file; gzip'd, twice {@link MAX_INFLATION} times the file.
 */
export function readIdx(bytes: Uint8Array, name = "IDX data"): Tensor {
  if (isGzip(bytes)) return readIdx(unpackOnce(bytes, name), name);
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0)
    throw new Problem(`${name}: not an IDX file: it must begin with two zero bytes, a type and a rank`);
  const dtype = TYPES[bytes[2]];
  if (!dtype)
    throw new Problem(`${name}: unknown IDX element type 0x${bytes[2].toString(16)} in byte 2 (0x8 to 0xe)`);
  const rank = bytes[3];
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw new Problem(`${name}: ends inside its header of ${rank} dimensions`);
  const view = dataView(bytes);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const width = widthOf(dtype);
  requireBytes(shape, width, bytes.length - start, name);
  const body = bytes.subarray(start);
  return { dtype, shape, data: viewAs(dtype, width === 1 ? body : swapped(body, width)) };
}

function unpackOnce(bytes: Uint8Array, name: string): Uint8Array {
  const plain = gunzip(bytes, name);
  if (isGzip(plain)) throw new Problem(`${name}: is packed with gzip twice; unpack it once`);
  return plain;
}
