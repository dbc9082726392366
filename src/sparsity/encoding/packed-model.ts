import { deflateSync, gzipSync } from "fflate";
import { dataView } from "../../data/bytes.ts";
import { crc32 } from "../../data/crc32.ts";
import { gunzip, MAX_INFLATION } from "../../data/gzip.ts";
import type { FloatData } from "../../engine/onnx/float-data.ts";
import { locateFloats } from "../../engine/onnx/float-data.ts";
import { isPacked, PACKED_MAGIC } from "../../engine/onnx/packed-magic.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { IndexBits } from "../runs.ts";
import { isStep, patternsOf, quantize, quantizeUniform } from "./quantize.ts";
import type { EncodedTensor } from "./tensor-code.ts";
import { decodeTensor, encodeTensor } from "./tensor-code.ts";

export { isPacked };

/*
 * A packed model (.flg): an .onnx file whose weights are stored without their zeros. Taking it apart and putting it back
 * needs no knowledge of the model: what is unpacked is the .onnx file byte for byte, but for the weights that were quantised.
 *
 *   8 bytes   89 46 4C 47 50 41 4B 01 ("\x89FLGPAK", version 1)
 *   uint32    length of the rest in bytes, little-endian
 *   rest      the .onnx file without the numbers of the tensors below, as gzip
 *   per tensor, in the order of the file
 *     varint  bytes of the unpacked rest from the tensor before (or the beginning) to this
 *     varint  rows, the first dimension; varint columns, all others
 *     uint8   1: lines are columns, else rows; + 2: the index is a bitmap, else runs
 *     varint  length of the code in bytes
 *     code    bits, the highest of a byte first, filled up with zeros: index, then values
 *   uint32    CRC-32 (as in gzip) of everything before, little-endian
 *
 * Varints are those of protobuf: 7 bits a byte, the lowest first, 128 added to all but the last.
 *
 * γ(n), for n ≥ 1, is Elias' code: ⌊log₂ n⌋ zeros, then n in binary. A signed s is γ(2s) if it is positive, else γ(1 − 2s).
 *
 *   runs      per line γ(runs + 1), then of each run γ(numbers skipped since the run before, or since the line's beginning
 *             plus 1) and γ(length); weights in use are those whose 32 bits are not all 0
 *   bitmap    a bit a weight, row by row of lines
 *   values    2 bits: 0 floats, 1 table, 2 multiples; of weights in use, line by line
 *     floats     32 bits each
 *     table      γ(symbols + 1), symbols × 32 bits of a float, code lengths, code words
 *     multiples  γ(symbols + 1), 32 bits of a step, the signed first factor, γ(how much larger each next one is),
 *                code lengths, code words
 *   code lengths of a canonical Huffman code, at most 30, signed, as the difference from the length before (from 0)
 *
 * A tensor whose code takes more room than DEFLATE, or less than 1/1032 of its numbers, stays in the rest. So a reader
 * knows what a file may ask for before it makes room for it.
 */
const MAGIC = Uint8Array.of(...PACKED_MAGIC, 1);
const START = MAGIC.length + 4;

/** What became of one tensor. Bits are those in the file. */
export interface PackedTensor
  extends Pick<EncodedTensor, "turned" | "index" | "indexBits" | "valueBits" | "values"> {
  name: string;
  shape: readonly number[];
  weights: number;
  nonZeros: number;
  /** Of neighbours along the lines. */
  runs: number;
  /** What several codes take for the index. */
  indexBitsBy: IndexBits;
  /** Root mean square of what quantising changed, over that of the weights; 0 where nothing was. */
  error: number;
}

export interface PackedModel {
  bytes: Uint8Array;
  /** Tensors that are stored as codes; all others are in the rest. */
  tensors: PackedTensor[];
  /** Names of the others, where they have more than one row and column. */
  unpacked: string[];
  /** Bytes of everything that is not a tensor's code: compressed graph, names, biases, headers, checksum. */
  restBytes: number;
}

/** How weights of at least two dimensions are quantised. Without either nothing is lost. */
export interface PackOptions {
  /** Most bits that the value of a weight in use may take on average, codebook included; above 0. Where none fit, nothing is lost. */
  bits?: number;
  /** Steps of uniform grids for these initialisers, such as `posteriorStep` gives; above 0. */
  steps?: ReadonlyMap<string, number>;
}

/** Packs an .onnx file. Throws a `Problem` for bits or steps that are not above 0, and a step of what the file does not have. */
export function packModel(onnx: Uint8Array, { bits, steps }: PackOptions = {}): PackedModel {
  const floats = locateFloats(onnx);
  checkOptions(floats, bits, steps);
  const chunks: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  const tensors: PackedTensor[] = [];
  const unpacked: string[] = [];
  let [copied, codeBytes, since] = [0, 0, 0];
  const keep = (part: Uint8Array) => {
    rest.push(part);
    since += part.length;
  };
  for (const { name, shape, offset } of floats) {
    const end = offset + 4 * sizeOf(shape);
    // A Buffer's own slice would share its memory.
    const original = new Float32Array(Uint8Array.prototype.slice.call(onnx, offset, end).buffer);
    const [rows, columns] = [shape[0] ?? 1, sizeOf(shape.slice(1))];
    const step = steps?.get(name);
    const quantized =
      rows === 1 || columns === 1
        ? undefined
        : step !== undefined
          ? quantizeUniform(original, step)
          : bits !== undefined
            ? quantize(original, bits)
            : undefined;
    const values = quantized?.values ?? original;
    const code = encodeTensor({ rows, columns, patterns: patternsOf(values) }, quantized?.step);
    const raw = new Uint8Array(values.buffer);
    keep(onnx.subarray(copied, offset));
    copied = end;
    if (raw.length > MAX_INFLATION * code.bytes.length || deflateSync(raw).length <= code.bytes.length) {
      keep(raw);
      if (rows > 1 && columns > 1) unpacked.push(name);
      continue;
    }
    chunks.push(
      varint(since),
      varint(rows),
      varint(columns),
      Uint8Array.of(Number(code.turned) + 2 * Number(code.index === "bitmap")),
      varint(code.bytes.length),
      code.bytes,
    );
    since = 0;
    codeBytes += code.bytes.length;
    const { turned, index, indexBits, valueBits, statistics } = code;
    tensors.push({
      name,
      shape,
      weights: statistics.weights,
      nonZeros: statistics.nonZeros,
      runs: statistics.runs,
      turned,
      index,
      indexBits,
      valueBits,
      values: code.values,
      indexBitsBy: statistics.indexBits,
      error: quantized?.error ?? 0,
    });
  }
  keep(onnx.subarray(copied));
  const packedRest = gzipSync(joined(rest), { level: 9, mtime: 0 });
  const body = joined([MAGIC, uint32(packedRest.length), packedRest, ...chunks]);
  const bytes = joined([body, uint32(crc32(body))]);
  return { bytes, tensors, unpacked, restBytes: bytes.length - codeBytes };
}

function checkOptions(
  floats: readonly FloatData[],
  bits: PackOptions["bits"],
  steps: PackOptions["steps"] = new Map(),
): void {
  if (bits !== undefined && !(bits > 0)) throw new Problem(`a value of ${bits} bits; give a number above 0`);
  const names = new Set(floats.map(({ name }) => name));
  for (const [name, step] of steps) {
    if (!names.has(name))
      throw new Problem(
        `a step is given for "${name}", which is no float32 initialiser of the model; there are ${[...names].slice(0, 8).join(", ")}${names.size > 8 ? ", …" : ""}`,
      );
    if (!isStep(step)) throw new Problem(`the step of "${name}" is ${step}; give a number above 0`);
  }
}

/**
 * The .onnx file in a packed model. Throws a `Problem` where it is damaged. Memory
 * for the weights is at most 1032 times the size of the file, whatever that holds, and a few times that while one is decoded.
 */
export function unpackModel(bytes: Uint8Array): Uint8Array {
  if (!isPacked(bytes)) throw new Problem("not a packed model (.flg): it begins otherwise");
  if (bytes[7] !== MAGIC[7])
    throw new Problem(`a packed model of version ${bytes[7]}; this Filigree reads version 1`);
  const end = bytes.length - 4;
  if (end < START || dataView(bytes).getUint32(end, true) !== crc32(bytes.subarray(0, end)))
    throw new Problem("a damaged packed model: its checksum (CRC-32) is wrong; fetch or pack it again");
  const restEnd = START + dataView(bytes).getUint32(MAGIC.length, true);
  if (restEnd > end) throw new Problem("a damaged packed model: its graph reaches beyond its end");
  const rest = gunzip(bytes.subarray(START, restEnd), "the graph of the packed model");
  const parts: Uint8Array[] = [];
  let [at, copied] = [restEnd, 0];
  const number = () => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      if (at >= end || scale > 2 ** 28)
        throw new Problem("a damaged packed model: a number in it is cut off");
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < end) {
    const [before, rows, columns, flags, length] = [number(), number(), number(), number(), number()];
    if (flags > 3)
      throw new Problem(`a damaged packed model: a tensor has the flags ${flags}; expected 0 to 3`);
    if (length > end - at || before > rest.length - copied)
      throw new Problem("a damaged packed model: a tensor reaches beyond its end");
    if (4 * rows * columns > MAX_INFLATION * length || (rows * columns === 0 && length > 0))
      throw new Problem(`a damaged packed model: ${length} bytes cannot hold ${rows} × ${columns} weights`);
    const code = bytes.subarray(at, at + length);
    const index = flags & 2 ? "bitmap" : "runs";
    const patterns = decodeTensor({ bytes: code, turned: (flags & 1) === 1, index }, rows, columns);
    parts.push(rest.subarray(copied, copied + before), new Uint8Array(patterns.buffer));
    at += length;
    copied += before;
  }
  return joined([...parts, rest.subarray(copied)]);
}

function varint(n: number): Uint8Array {
  const bytes: number[] = [];
  for (; n >= 128; n = Math.floor(n / 128)) bytes.push((n % 128) + 128);
  return Uint8Array.from([...bytes, n]);
}

function uint32(n: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(n).buffer);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
