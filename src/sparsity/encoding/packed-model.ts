import { deflateSync, gzipSync } from "fflate";
import { dataView, joined } from "../../data/bytes.ts";
import { crc32 } from "../../data/crc32.ts";
import { gunzip, MAX_INFLATION } from "../../data/gzip.ts";
import { findBiases } from "../../engine/onnx/biases.ts";
import type { FloatData } from "../../engine/onnx/float-data.ts";
import { locateFloats } from "../../engine/onnx/float-data.ts";
import { isPacked, PACKED_MAGIC } from "../../engine/onnx/packed-magic.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { IndexBits } from "../runs.ts";
import type { Quantized } from "./quantize.ts";
import { isStep, patternsOf, quantize, quantizeUniform } from "./quantize.ts";
import type { EncodedTensor, IndexFormat } from "./tensor-code.ts";
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
 *     uint8   1: lines are columns, else rows; + 2: the index is a bitmap, + 4: the code is adaptive, else runs
 *     varint  length of the code in bytes
 *     code    bits, the highest of a byte first, filled up with zeros: index, then values; the adaptive code is another
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
 *   adaptive  2 bits as of values; of floats γ(weights in use + 1), and from the next whole byte on a byte for the largest exponent and
 *             three of each float, its sign and its fraction; of a table γ(symbols + 1) and its floats in rising order; of multiples
 *             the 32 bits of a step; from the next whole byte on an arithmetic code of the mask and the levels of the weights in
 *             use (kernels/adaptive.ts, levels.ts)
 *
 * A tensor whose code takes more room than DEFLATE, or less than 1/1032 of its numbers, stays in the rest. So a reader
 * knows what a file may ask for before it makes room for it.
 */
const MAGIC = Uint8Array.of(...PACKED_MAGIC, 1);
const START = MAGIC.length + 4;
const INDICES: readonly IndexFormat[] = ["runs", "bitmap", "adaptive"];

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

/**
 * How weights are quantised. Without either nothing is lost. Biases of layers whose weights are multiples of a step become
 * multiples of a quarter of it; other vectors stay as they are.
 */
export interface PackOptions {
  /** For weights of at least two dimensions: most bits that the value of a weight in use may take on average, codebook included; above 0. Where none fit, nothing is lost. */
  bits?: number;
  /** Steps of uniform grids for these initialisers, such as `posteriorStep` gives; above 0. */
  steps?: ReadonlyMap<string, number>;
}

/** Packs an .onnx file. Throws a `Problem` for bits or steps that are not above 0, and a step of what the file does not have. */
export function packModel(onnx: Uint8Array, { bits, steps }: PackOptions = {}): PackedModel {
  const floats = locateFloats(onnx);
  const quantized = quantizeAll(onnx, floats, { bits, steps });
  const chunks: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  const tensors: PackedTensor[] = [];
  const unpacked: string[] = [];
  let [copied, codeBytes, since] = [0, 0, 0];
  const keep = (part: Uint8Array) => {
    rest.push(part);
    since += part.length;
  };
  for (const data of floats) {
    const { name, shape, offset } = data;
    const [rows, columns] = matrixOf(data);
    const { values, step, error } = quantized.get(name) ?? {
      values: valuesOf(onnx, data),
      step: undefined,
      error: 0,
    };
    const code = encodeTensor({ rows, columns, patterns: patternsOf(values) }, step);
    const raw = new Uint8Array(values.buffer);
    keep(onnx.subarray(copied, offset));
    copied = offset + raw.length;
    const head = [
      varint(since),
      varint(rows),
      varint(columns),
      Uint8Array.of(Number(code.turned) + 2 * INDICES.indexOf(code.index)),
      varint(code.bytes.length),
    ];
    const length = joined(head).length + code.bytes.length;
    if (raw.length > MAX_INFLATION * code.bytes.length || deflatedSize(raw) <= length) {
      keep(raw);
      if (rows > 1 && columns > 1) unpacked.push(name);
      continue;
    }
    chunks.push(...head, code.bytes);
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
      error,
    });
  }
  keep(onnx.subarray(copied));
  const packedRest = gzipSync(joined(rest), { level: 9, mtime: 0 });
  const body = joined([MAGIC, uint32(packedRest.length), packedRest, ...chunks]);
  const bytes = joined([body, uint32(crc32(body))]);
  return { bytes, tensors, unpacked, restBytes: bytes.length - codeBytes };
}

/** Biases have a finer step than their weights, so that they hardly add to the error: two bits more. */
const BIAS_SHARE = 1 / 4;

/** What `packModel` makes of the numbers of an .onnx file that it quantises, by name: what `createQuantizedTraining` starts from. */
export function quantizeModel(onnx: Uint8Array, options: PackOptions): Map<string, Quantized> {
  return quantizeAll(onnx, locateFloats(onnx), options);
}

function quantizeAll(
  onnx: Uint8Array,
  floats: readonly FloatData[],
  { bits, steps }: PackOptions,
): Map<string, Quantized> {
  checkOptions(floats, bits, steps);
  const quantized = new Map<string, Quantized>();
  const put = (name: string, found?: Quantized) => found && quantized.set(name, found);
  const isVector = (data: FloatData) => matrixOf(data).includes(1);
  for (const data of floats) {
    const step = steps?.get(data.name);
    if (step !== undefined) put(data.name, quantizeUniform(valuesOf(onnx, data), step));
    else if (bits !== undefined && !isVector(data)) put(data.name, quantize(valuesOf(onnx, data), bits));
  }
  const weights = findBiases(onnx);
  for (const data of floats.filter((f) => isVector(f) && !quantized.has(f.name))) {
    const step = BIAS_SHARE * (quantized.get(weights.get(data.name) ?? "")?.step ?? 0);
    if (isStep(step)) put(data.name, quantizeUniform(valuesOf(onnx, data), step));
  }
  return quantized;
}

function matrixOf({ shape }: FloatData): [rows: number, columns: number] {
  return [shape[0] ?? 1, sizeOf(shape.slice(1))];
}

function valuesOf(onnx: Uint8Array, { shape, offset }: FloatData): Float32Array<ArrayBuffer> {
  // A Buffer's own slice would share its memory.
  return new Float32Array(Uint8Array.prototype.slice.call(onnx, offset, offset + 4 * sizeOf(shape)).buffer);
}

/** Pieces that stand for a large tensor, and their size in bytes. */
const [PIECES, PIECE] = [8, 2 ** 15];

/** Bytes that DEFLATE needs; of large tensors an estimate from a few pieces, since it takes longer than everything else. */
function deflatedSize(raw: Uint8Array): number {
  if (raw.length <= PIECES * PIECE) return deflateSync(raw).length;
  const apart = (raw.length - PIECE) / (PIECES - 1);
  let size = 0;
  for (let i = 0; i < PIECES; i++) {
    const start = 4 * Math.floor((i * apart) / 4);
    size += deflateSync(raw.subarray(start, start + PIECE)).length;
  }
  return (size * raw.length) / (PIECES * PIECE);
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
    const index = INDICES[flags >> 1];
    if (!index) throw new Problem(`a damaged packed model: a tensor has the flags ${flags}; expected 0 to 5`);
    if (length > end - at || before > rest.length - copied)
      throw new Problem("a damaged packed model: a tensor reaches beyond its end");
    if (4 * rows * columns > MAX_INFLATION * length || (rows * columns === 0 && length > 0))
      throw new Problem(`a damaged packed model: ${length} bytes cannot hold ${rows} × ${columns} weights`);
    const code = bytes.subarray(at, at + length);
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
