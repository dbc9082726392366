import { allocate, bytesPerElement, type DType, type TypedArray, viewAs } from "../tensor.ts";
import { elementType } from "./data-types.ts";
import type { TensorProto } from "./proto.ts";
import type { WireReader } from "./wire.ts";

/**
 * Fetches the bytes of a tensor that lies in another file. `location` is relative to the model's folder and never
 * leaves it; `length` is what the tensor's shape and type ask for, which a lying file may set as high as it likes.
 */
export type ReadExternal = (location: string, offset: number, length: number) => Uint8Array;

/** What a tensor's message says about itself; `counts` are the elements found in each typed field. */
interface Header {
  name: string;
  dims: number[];
  code: number;
  raw?: Uint8Array;
  counts: Map<number, number>;
  external: boolean;
  entries: Map<string, string>;
}

const typedFields: Record<number, string> = {
  4: "float_data",
  5: "int32_data",
  7: "int64_data",
  10: "double_data",
  11: "uint64_data",
};

/** The typed field in which a dtype lies where `raw_data` is not used; whatever is not named here is in int32_data. */
const fieldOf: Partial<Record<DType, number>> = { float32: 4, int64: 7, float64: 10, uint32: 11, uint64: 11 };

/** The values that an element may take, for the dtypes that share a wider field. */
const ranges: Partial<Record<DType, [number, number]>> = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint8: [0, 2 ** 8 - 1],
  uint16: [0, 2 ** 16 - 1],
  uint32: [0, 2 ** 32 - 1],
  bool: [0, 1],
};

/**
 * Reads the message of a tensor. Data in `raw_data` is a view of the file where alignment permits; FLOAT16 and
 * BFLOAT16 are widened to float32. Nothing is allocated before the file is known to hold that many elements, so that
 * a tensor takes at most 8 times its bytes in the file (an int64 that is stored as a single byte).
 */
export function readTensor(reader: WireReader, external?: ReadExternal): TensorProto {
  const header = readHeader(reader);
  const { name, dims } = header;
  const size = elementCount(reader, dims);
  const type = elementType(header.code);
  const half =
    typeof type === "object" && (type.unsupported === "FLOAT16" || type.unsupported === "BFLOAT16");
  if (typeof type === "object" && !half)
    return reader.refuse(`tensor "${name}" is of type ${type.unsupported}, which Filigree cannot hold`);

  const stored = half ? "uint16" : (type as DType);
  const data = readData(reader, header, stored, size, external);
  if (!half) return { name, tensor: { dtype: stored, shape: dims, data } };
  const widened = type.unsupported === "FLOAT16" ? widenHalf(data) : widenBrain(data);
  return { name, tensor: { dtype: "float32", shape: dims, data: widened } };
}

function readHeader(reader: WireReader): Header {
  const header: Header = {
    name: "",
    dims: [],
    code: 0,
    counts: new Map(),
    external: false,
    entries: new Map(),
  };
  const count = (field: number, more: number) => {
    if (more) header.counts.set(field, (header.counts.get(field) ?? 0) + more);
  };
  reader.eachField((field) => {
    const name = typedFields[field];
    switch (field) {
      case 1:
        return reader.ints("dims", (value) => header.dims.push(value));
      case 2:
        header.code = reader.int("data_type");
        return;
      case 3:
        return reader.refuse("a tensor in segments; save it in one piece", "segment");
      case 4:
        return count(field, reader.fixed(name, 4).length / 4);
      case 10:
        return count(field, reader.fixed(name, 8).length / 8);
      case 5:
      case 7:
      case 11: {
        let more = 0;
        reader.ints(name, () => more++);
        return count(field, more);
      }
      case 8:
        header.name = reader.string("name");
        return;
      case 9:
        header.raw = reader.bytes("raw_data");
        return;
      case 13:
        return reader.message("external_data", () => header.entries.set(...readEntry(reader)));
      case 14:
        header.external = reader.int("data_location") === 1;
        return;
    }
  });
  return header;
}

/** Reads a StringStringEntryProto. */
export function readEntry(reader: WireReader): [key: string, value: string] {
  const entry: [string, string] = ["", ""];
  reader.eachField((field) => {
    if (field === 1) entry[0] = reader.string("key");
    if (field === 2) entry[1] = reader.string("value");
  });
  return entry;
}

function elementCount(reader: WireReader, dims: number[]): number {
  let size = 1;
  for (const dim of dims) {
    if (dim < 0) reader.damaged(`a dimension of ${dim}`, "dims");
    size *= dim || 1;
    if (!Number.isSafeInteger(size)) reader.damaged("more than 2^53 elements", "dims");
  }
  return dims.includes(0) ? 0 : size;
}

function readData<D extends DType>(
  reader: WireReader,
  header: Header,
  dtype: D,
  size: number,
  external?: ReadExternal,
) {
  const field = fieldOf[dtype] ?? 5;
  const found = header.counts.get(field) ?? 0;
  const bytes = header.external
    ? fetchExternal(reader, header, size * bytesPerElement(dtype), external)
    : header.raw;
  if (bytes && header.counts.size) reader.damaged("data given twice, raw and typed");
  if (!bytes) {
    if (found !== size)
      reader.damaged(`[${header.dims}] takes ${size} elements, the file has ${found}`, typedFields[field]);
    return readTyped(reader, dtype, field, size);
  }
  if (bytes.length !== size * bytesPerElement(dtype))
    reader.damaged(
      `[${header.dims}] of ${dtype} takes ${size * bytesPerElement(dtype)} bytes, found ${bytes.length}`,
      header.external ? "external_data" : "raw_data",
    );
  if (dtype === "bool" && bytes.some((byte) => byte > 1))
    reader.damaged("a bool that is not 0 or 1", "raw_data");
  return viewAs(dtype, bytes);
}

function fetchExternal(
  reader: WireReader,
  header: Header,
  length: number,
  external?: ReadExternal,
): Uint8Array {
  const location = header.entries.get("location") ?? "";
  const offset = Number(header.entries.get("offset") ?? 0);
  const given = Number(header.entries.get("length") ?? length);
  if (!location || /^[/\\]|^[a-zA-Z]:|(^|[/\\])\.\.([/\\]|$)/.test(location))
    reader.refuse(`tensor "${header.name}" lies in "${location}", which is no file below the model's folder`);
  if (!Number.isSafeInteger(offset) || offset < 0) reader.damaged(`an offset of ${offset}`, "external_data");
  if (given !== length)
    reader.damaged(`a length of ${given} bytes where the shape takes ${length}`, "external_data");
  if (!external)
    return reader.refuse(
      `tensor "${header.name}" lies in another file, "${location}"; save the model in one file, or give a way to read that one`,
    );
  const bytes = external(location, offset, length);
  // As for the file itself: a Buffer's `slice` would not copy.
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The second look at a tensor's message, when dtype and size are known and the count of elements is right. */
function readTyped<D extends DType>(reader: WireReader, dtype: D, field: number, size: number) {
  const out = allocate(dtype, size);
  const outBytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
  const name = typedFields[field];
  const range = ranges[dtype];
  let at = 0;
  reader.rewind();
  reader.eachField((seen) => {
    if (seen !== field) return;
    if (field === 4 || field === 10) {
      const bytes = reader.fixed(name, field === 4 ? 4 : 8);
      outBytes.set(bytes, at);
      at += bytes.length;
      return;
    }
    reader.ints(name, (value, exact) => {
      if (dtype === "int64" || dtype === "uint64")
        // Each wraps to its own sign.
        (out as BigInt64Array)[at++] = Number.isSafeInteger(value) ? BigInt(value) : exact();
      else {
        // Some writers store a negative int32 in 5 bytes instead of 10; protobuf keeps the low 32 bits of either.
        const kept = field === 5 ? value | 0 : value;
        if (range && (kept < range[0] || kept > range[1])) reader.damaged(`${kept} is no ${dtype}`, name);
        (out as Int32Array)[at++] = kept;
      }
    });
  });
  return out;
}

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
function widenHalf(bits: TypedArray): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) {
    const h = Number(bits[i]);
    const sign = h & 0x8000 ? -1 : 1;
    const exponent = (h >> 10) & 0x1f;
    const fraction = h & 0x3ff;
    if (exponent === 31) out[i] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else if (exponent === 0) out[i] = sign * fraction * 2 ** -24;
    else out[i] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return out;
}

/** bfloat16 is the upper half of a float32. */
function widenBrain(bits: TypedArray): Float32Array<ArrayBuffer> {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(bits[i]) << 16;
  return new Float32Array(out.buffer);
}
