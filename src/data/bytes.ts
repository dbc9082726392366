import { bytesPerElement, type DType, type Shape } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";

/**
 * What the readers of binary formats share. Every reader takes the file's bytes and a `name` for its messages, and
 * checks every length that the file states against the bytes that are there before it allocates anything.
 */

/** A view of `bytes` for reading integers at odd offsets. */
export function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Number of elements of a shape that a file states; Infinity as soon as it passes `limit`. */
export function boundedSize(shape: Shape, limit: number): number {
  if (shape.includes(0)) return 0;
  let size = 1;
  for (const d of shape) {
    size *= d;
    if (size > limit) return Number.POSITIVE_INFINITY;
  }
  return size;
}

/** Text from a file as part of a one-line message: shortened, control characters replaced. */
export function printable(text: string): string {
  return text.slice(0, 120).replace(/\p{C}/gu, "?");
}

/** Throws a Problem unless an array of `shape` with `width` bytes an element fills `available` bytes exactly. */
export function requireBytes(shape: Shape, width: number, available: number, name: string): void {
  const size = boundedSize(shape, available / width);
  if (size * width === available) return;
  const needed = Number.isFinite(size) ? `${size * width}` : `more than ${available}`;
  throw new Problem(
    `${name}: an array of shape [${shape}] with ${width} bytes an element takes ${needed} bytes, but there are ` +
      `${available}; the file is cut short or not what it says it is`,
  );
}

/** A copy of `bytes` with the bytes of every element of `width` bytes reversed (big to little endian and back). */
export function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i += width)
    for (let k = 0; k < width; k++) out[i + k] = bytes[i + width - 1 - k];
  return out;
}

/** Throws a Problem unless every byte is 0 or 1. */
export function requireBooleans(bytes: Uint8Array, name: string): void {
  for (let i = 0; i < bytes.length; i++)
    if (bytes[i] > 1)
      throw new Problem(`${name}: boolean element ${i} has the byte value ${bytes[i]}; it must be 0 or 1`);
}

/** IEEE 754 half precision (little endian) widened to single precision, exactly. */
export function widenHalf(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = dataView(bytes);
  const out = new Float32Array(bytes.length / 2);
  for (let i = 0; i < out.length; i++) {
    const h = view.getUint16(2 * i, true);
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    const magnitude =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction
            ? Number.NaN
            : Number.POSITIVE_INFINITY
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    out[i] = h & 0x8000 ? -magnitude : magnitude;
  }
  return out;
}

/** bfloat16 (the upper half of a float32, little endian) widened to single precision, exactly. */
export function widenBfloat16(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = dataView(bytes);
  const out = new Float32Array(bytes.length / 2);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < out.length; i++) bits[i] = view.getUint16(2 * i, true) << 16;
  return out;
}

/** The bytes of a typed array, not copied. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** One behind the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Width in bytes of a numeric type in a file, half precision included. */
export function widthOf(dtype: DType | "float16" | "bfloat16"): number {
  return dtype === "float16" || dtype === "bfloat16" ? 2 : bytesPerElement(dtype);
}
