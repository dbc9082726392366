import { type DType, type Shape, sizeOf, type Tensor, type TypedArray, viewAs } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import {
  bytesOf,
  dataView,
  printable,
  requireBooleans,
  requireBytes,
  swapped,
  widenHalf,
  widthOf,
} from "./bytes.ts";

/** NumPy's type codes without the byte order; float16 is widened on reading. */
const CODES: Record<string, DType | "float16"> = {
  f2: "float16",
  f4: "float32",
  f8: "float64",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  b1: "bool",
};

const REFUSED: Record<string, string> = {
  O: "Python objects",
  V: "records or raw bytes",
  S: "byte strings",
  U: "strings",
  c: "complex numbers",
  M: "dates",
  m: "time differences",
};

const MAGIC = "\x93NUMPY";

/** Longest header that is read; one of a plain array is below 200 bytes. */
const MAX_HEADER = 65535;

/**
 * Reads a .npy file, version 1, 2 or 3 (NumPy Enhancement Proposal 1 and numpy.lib.format), C or Fortran order, little or
 * big endian. float16 becomes float32. Object, structured, string, date and complex types are refused by name.
 *
 * Memory: a view of `bytes` where order, byte order and alignment allow; never more than five times the file (float16
 * that is swapped, widened and transposed).
 */
export function readNpy(bytes: Uint8Array, name = ".npy data"): Tensor {
  const { header, start } = splitHeader(bytes, name);
  const { descr, fortran, shape } = parseHeader(header, name);
  const dtype = typeOf(descr, name);
  const width = widthOf(dtype);
  requireBytes(shape, width, bytes.length - start, name);
  const body = bytes.subarray(start);
  const little = descr[0] === ">" && width > 1 ? swapped(body, width) : body;
  if (dtype === "bool") requireBooleans(little, name);
  const tensor: Tensor =
    dtype === "float16"
      ? { dtype: "float32", shape, data: widenHalf(little) }
      : { dtype, shape, data: viewAs(dtype, little) };
  return fortran && shape.length > 1 ? { ...tensor, data: fromFortran(tensor.data, shape) } : tensor;
}

/** Writes a .npy file of version 1 in C order, little endian, aligned to 64 bytes; the same tensor gives the same bytes. */
export function writeNpy({ dtype, shape, data }: Tensor): Uint8Array {
  const header = npyHeader(dtype, shape);
  const out = new Uint8Array(header.length + data.byteLength);
  out.set(header);
  out.set(bytesOf(data), header.length);
  return out;
}

/** What stands before the elements in a file of {@link writeNpy}, padded to `least` bytes if it is shorter. */
export function npyHeader(dtype: DType, shape: Shape, least = 64): Uint8Array {
  const code = Object.keys(CODES).find((key) => CODES[key] === dtype)!;
  const order = code.endsWith("1") ? "|" : "<";
  const sides = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const header = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': ${sides}, }`;
  const length = Math.max(least, Math.ceil((MAGIC.length + 4 + header.length + 1) / 64) * 64);
  const text = `${MAGIC}\x01\x00\x00\x00${header}`.padEnd(length - 1).concat("\n");
  const out = Uint8Array.from(text, (c) => c.charCodeAt(0));
  dataView(out).setUint16(8, length - 10, true);
  return out;
}

function splitHeader(bytes: Uint8Array, name: string): { header: string; start: number } {
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC)
    throw new Problem(`${name}: not a .npy file: it does not begin with \\x93NUMPY`);
  const version = bytes[6];
  if (version < 1 || version > 3)
    throw new Problem(`${name}: .npy version ${version} is unknown (1, 2 and 3 are read)`);
  const at = version === 1 ? 10 : 12;
  if (bytes.length < at) throw new Problem(`${name}: ends inside its header`);
  const length = version === 1 ? dataView(bytes).getUint16(8, true) : dataView(bytes).getUint32(8, true);
  if (length > bytes.length - at)
    throw new Problem(`${name}: states a header of ${length} bytes, but only ${bytes.length - at} follow`);
  if (length > MAX_HEADER)
    throw new Problem(`${name}: a header of ${length} bytes; a plain array's is far below ${MAX_HEADER}`);
  const encoding = version === 3 ? "utf-8" : "latin1";
  return {
    header: new TextDecoder(encoding).decode(bytes.subarray(at, at + length)),
    start: at + length,
  };
}

/** The header is a Python dictionary literal with exactly the keys descr, fortran_order and shape, in any order. */
function parseHeader(header: string, name: string): { descr: string; fortran: boolean; shape: number[] } {
  let rest = header;
  const take = (key: string, value: RegExp): string => {
    const found = new RegExp(`(['"])${key}\\1\\s*:\\s*(?:${value.source})`).exec(rest);
    if (!found) throw new Problem(`${name}: the header has no usable '${key}': ${printable(header.trim())}`);
    rest = rest.replace(found[0], "");
    return found[2];
  };
  if (/(['"])descr\1\s*:\s*[[(]/.test(header))
    throw new Problem(`${name}: a structured array; save each field as an array of its own`);
  const descr = take("descr", /['"]([^'"]*)['"]/);
  const fortran = take("fortran_order", /(True|False)/);
  const dims = take("shape", /\(([\d\sL,]*)\)/);
  if (!/^\{[\s,]*\}\s*$/.test(rest))
    throw new Problem(`${name}: the header has more than descr, fortran_order and shape`);
  const parts = dims.split(",").map((d) => d.trim().replace(/L$/, ""));
  if (parts.at(-1) === "") parts.pop();
  const shape = parts.map(Number);
  if (!parts.every((p) => /^\d+$/.test(p)) || !shape.every(Number.isSafeInteger))
    throw new Problem(`${name}: the header's shape (${printable(dims)}) is not a list of dimensions`);
  return { descr, fortran: fortran === "True", shape };
}

function typeOf(descr: string, name: string): DType | "float16" {
  const dtype = /^[<>|=]/.test(descr) ? CODES[descr.slice(1)] : undefined;
  if (dtype) return dtype;
  const kind = REFUSED[descr.replace(/^[<>|=]/, "")[0]];
  throw new Problem(
    `${name}: the element type '${printable(descr)}'${kind ? ` (${kind})` : ""} is not read; ` +
      "convert the array to numbers or booleans and save it again",
  );
}

/** The elements of a column-major array in row-major order. */
function fromFortran<T extends TypedArray>(data: T, shape: readonly number[]): T {
  const out = data.slice() as T;
  const rank = shape.length;
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  const index = new Array<number>(rank).fill(0);
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = data[from];
    for (let axis = rank - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}
