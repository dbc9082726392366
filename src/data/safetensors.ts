import { bytesPerElement, type DType, type Tensor, viewAs } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import {
  bytesOf,
  dataView,
  printable,
  requireBooleans,
  requireBytes,
  widenBfloat16,
  widenHalf,
  widthOf,
} from "./bytes.ts";

const TYPES: Record<string, DType | "float16" | "bfloat16"> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U64: "uint64",
  U32: "uint32",
  U16: "uint16",
  U8: "uint8",
  BOOL: "bool",
};

/** The format's own limit on the header (huggingface/safetensors, README). */
const MAX_HEADER = 100_000_000;

export interface Safetensors {
  /** In the order of their data in the file. */
  tensors: Map<string, Tensor>;
  /** The free-form strings under `__metadata__`. */
  metadata: Record<string, string>;
}

interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

/**
 * Reads a safetensors file: u64 header length, JSON header, little-endian data. F16 and BF16 become float32. The data
 * must be covered by the tensors without holes or overlaps (so a name that the header gives twice is noticed too).
 *
 * Memory: views of `bytes` where alignment allows, otherwise copies: never more than twice the file, besides the
 * parsed header.
 */
export function readSafetensors(bytes: Uint8Array, name = "safetensors data"): Safetensors {
  if (bytes.length < 8)
    throw new Problem(`${name}: ${bytes.length} bytes are too few for a safetensors file`);
  const length = dataView(bytes).getBigUint64(0, true);
  if (length > MAX_HEADER || length > bytes.length - 8)
    throw new Problem(
      `${name}: states a header of ${length} bytes, but ${bytes.length - 8} follow; not safetensors, or cut short`,
    );
  const start = 8 + Number(length);
  const { entries, metadata } = parseHeader(bytes.subarray(8, start), name);
  const data = bytes.subarray(start);
  const tensors = new Map<string, Tensor>();
  let cursor = 0;
  for (const { name: key, dtype, shape, begin, end } of entries) {
    const where = `${name}: tensor ${JSON.stringify(key)}`;
    if (begin !== cursor)
      throw new Problem(`${where} begins at byte ${begin} of the data; the one before it ends at ${cursor}`);
    if (end < begin || end > data.length)
      throw new Problem(
        `${where} ends at byte ${end}; it begins at ${begin} and there are ${data.length} bytes`,
      );
    const type = TYPES[dtype];
    if (!type)
      throw new Problem(
        `${where} has the type ${printable(dtype)}; ${Object.keys(TYPES).join(", ")} are read`,
      );
    requireBytes(shape, widthOf(type), end - begin, where);
    const body = data.subarray(begin, end);
    if (type === "bool") requireBooleans(body, where);
    tensors.set(
      key,
      type === "float16"
        ? { dtype: "float32", shape, data: widenHalf(body) }
        : type === "bfloat16"
          ? { dtype: "float32", shape, data: widenBfloat16(body) }
          : { dtype: type, shape, data: viewAs(type, body) },
    );
    cursor = end;
  }
  if (cursor !== data.length)
    throw new Problem(`${name}: ${data.length - cursor} bytes after the last tensor belong to none`);
  return { tensors, metadata };
}

/**
 * Writes a safetensors file. The same tensors and metadata give the same bytes, in whatever order they come: widest
 * elements first (so that everything is aligned), then by name.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  if (tensors.has("__metadata__")) throw new Problem("safetensors: no tensor may be called __metadata__");
  const sorted = [...tensors].sort(
    ([a, x], [b, y]) => bytesPerElement(y.dtype) - bytesPerElement(x.dtype) || (a < b ? -1 : 1),
  );
  const typeNames = Object.fromEntries(Object.entries(TYPES).map(([code, dtype]) => [dtype, code]));
  const fields: string[] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0)
    fields.push(
      `"__metadata__":{${keys.map((k) => `${JSON.stringify(k)}:${JSON.stringify(metadata[k])}`).join()}}`,
    );
  let offset = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    const end = offset + data.byteLength;
    const entry = { dtype: typeNames[dtype], shape, data_offsets: [offset, end] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    offset = end;
  }
  const text = new TextEncoder().encode(`{${fields.join()}}`);
  const start = 8 + Math.ceil(text.length / 8) * 8;
  const out = new Uint8Array(start + offset).fill(0x20, 8, start);
  dataView(out).setBigUint64(0, BigInt(start - 8), true);
  out.set(text, 8);
  let at = start;
  for (const [, { data }] of sorted) {
    out.set(bytesOf(data), at);
    at += data.byteLength;
  }
  return out;
}

function parseHeader(
  bytes: Uint8Array,
  name: string,
): { entries: Entry[]; metadata: Record<string, string> } {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Problem(`${name}: the header is not JSON (${printable((error as Error).message)})`);
  }
  if (!isRecord(header)) throw new Problem(`${name}: the header is not a JSON object`);
  const entries: Entry[] = [];
  let metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(header))
    if (key === "__metadata__") metadata = parseMetadata(value, name);
    else entries.push(parseEntry(key, value, name));
  // Empty tensors share their offset with the one that follows: the end decides.
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  return { entries, metadata };
}

function parseEntry(key: string, value: unknown, name: string): Entry {
  const fail = (what: string) => new Problem(`${name}: tensor ${JSON.stringify(key)} has ${what}`);
  if (!isRecord(value)) throw fail("no description");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") throw fail("no dtype");
  if (!isSizes(shape)) throw fail("no shape of non-negative integers");
  if (!isSizes(offsets) || offsets.length !== 2) throw fail("no data_offsets of two non-negative integers");
  return { name: key, dtype, shape, begin: offsets[0], end: offsets[1] };
}

function parseMetadata(value: unknown, name: string): Record<string, string> {
  if (!isRecord(value) || !Object.values(value).every((v) => typeof v === "string"))
    throw new Problem(`${name}: __metadata__ must be an object of strings`);
  return value as Record<string, string>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((d) => Number.isSafeInteger(d) && d >= 0);
}
