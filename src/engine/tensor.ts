import { Problem } from "../problem.ts";

/** Element types that Filigree handles; the names are those of the NumPy and safetensors world, the set is ONNX's. */
export type DType =
  | "float32"
  | "float64"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool";

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** The typed array that holds a dtype; `bool` is one byte an element, 0 or 1. */
export interface ArrayOf {
  float32: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
}

export type Shape = readonly number[];

/** A dense array in row-major (C) order. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: ArrayOf[D];
}

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

export const DTYPES = Object.keys(constructors) as DType[];

/** Number of elements of a shape: 1 for a scalar `[]`. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const d of shape) size *= d;
  return size;
}

export function bytesPerElement(dtype: DType): number {
  return constructors[dtype].BYTES_PER_ELEMENT;
}

/** A zero-filled array of `length` elements. */
export function allocate<D extends DType>(dtype: D, length: number): ArrayOf[D] {
  return new constructors[dtype](length) as ArrayOf[D];
}

/** A view of `byteLength` bytes of `buffer` as elements of `dtype` (copied only where alignment demands it). */
export function viewAs<D extends DType>(dtype: D, bytes: Uint8Array): ArrayOf[D] {
  const size = bytesPerElement(dtype);
  // Not `slice`, which gives a view of a Buffer.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new constructors[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.byteLength / size,
  ) as ArrayOf[D];
}

/**
 * Wraps `data` as a tensor; plain numbers are copied. Throws when the shape does not hold exactly `data.length` elements, and
 * a `Problem` for data of another type and for numbers that are none of the type's.
 */
export function tensor<D extends DType>(
  dtype: D,
  shape: Shape,
  data: ArrayOf[D] | readonly number[],
): Tensor<D> {
  if (sizeOf(shape) !== data.length)
    throw new Error(
      `a ${dtype} tensor of shape [${shape}] holds ${sizeOf(shape)} elements, got ${data.length}`,
    );
  requireShape(shape);
  if (Array.isArray(data)) return { dtype, shape, data: fromExactNumbers(dtype, data) };
  const kind = Object.prototype.toString.call(data).slice("[object ".length, -1);
  if (kind !== constructors[dtype].name)
    throw new Problem(
      `a ${dtype} tensor takes a ${constructors[dtype].name} or plain numbers, got a ${kind}`,
    );
  return { dtype, shape, data: data as ArrayOf[D] };
}

function requireShape(shape: Shape): void {
  for (const length of shape)
    if (!(Number.isInteger(length) && length >= 0))
      throw new Problem(`a tensor cannot have the shape [${shape}]; lengths are whole numbers from 0`);
}

export function zeros<D extends DType = "float32">(shape: Shape, dtype: D = "float32" as D): Tensor<D> {
  requireShape(shape);
  return { dtype, shape, data: allocate(dtype, sizeOf(shape)) };
}

const MAX_INT64 = 2n ** 63n - 1n;

/** A typed array of `dtype` from plain numbers. 64-bit integers are clamped to their range, since ±2^63 spells "to the end". */
export function fromNumbers<D extends DType>(dtype: D, values: ArrayLike<number>): ArrayOf[D] {
  const out = allocate(dtype, values.length);
  if (dtype === "int64" || dtype === "uint64")
    for (let i = 0; i < values.length; i++)
      (out as BigInt64Array)[i] = values[i] >= 2 ** 63 ? MAX_INT64 : BigInt(Math.trunc(values[i]));
  else for (let i = 0; i < values.length; i++) (out as Float64Array)[i] = values[i];
  return out;
}

/** The same, for numbers that `dtype` holds as they are, floats but for rounding. */
function fromExactNumbers<D extends DType>(dtype: D, values: readonly number[]): ArrayOf[D] {
  if (dtype.startsWith("float")) return fromNumbers(dtype, values);
  const wide = dtype === "int64" || dtype === "uint64";
  const out = wide ? undefined : fromNumbers(dtype, values);
  const wrong = values.findIndex((v, i) => (out ? out[i] !== Number(v) : !Number.isInteger(v)));
  if (wrong >= 0)
    throw new Problem(`${values[wrong]} is no ${dtype}; round it, or take another element type`);
  return out ?? fromNumbers(dtype, values);
}

/** The elements as plain numbers; 64-bit integers are exact up to 2^53. */
export function toNumbers(t: Tensor): Float64Array {
  const out = new Float64Array(t.data.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(t.data[i]);
  return out;
}
