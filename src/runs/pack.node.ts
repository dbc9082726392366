import { gzipSync } from "fflate";
import type { PackedModel, PackedTensor } from "../sparsity/encoding/packed-model.ts";
import { packModel, unpackModel } from "../sparsity/encoding/packed-model.ts";
import { writeWhole } from "./files.node.ts";
import { problemOf, readModelFile } from "./load-model.node.ts";

/** What a packed file holds; all bytes are of files on the disk, but for the gzip, which is not kept. */
export interface PackReport {
  bytes: number;
  /** Of the .onnx file that was packed. */
  onnxBytes: number;
  /** What gzip makes of the .onnx file that comes back. */
  gzipBytes: number;
  restBytes: number;
  tensors: PackedTensor[];
}

/** Packs a model file into another, whole or not at all. `bits` is as for `packModel`. */
export async function packFile(
  from: string,
  to: string,
  { bits }: { bits?: number } = {},
): Promise<PackReport> {
  const { onnx } = await readModelFile(from);
  const packed = packNamed(onnx, from, bits);
  await writeWhole(to, packed.bytes);
  return reportOf(packed, onnx.length);
}

function packNamed(onnx: Uint8Array, path: string, bits?: number): PackedModel {
  try {
    return packModel(onnx, { bits });
  } catch (error) {
    throw problemOf(path, error);
  }
}

function reportOf({ bytes, restBytes, tensors }: PackedModel, onnxBytes: number): PackReport {
  const gzipBytes = gzipSync(unpackModel(bytes), { level: 9 }).length;
  return { bytes: bytes.length, onnxBytes, gzipBytes, restBytes, tensors };
}

/** Writes the .onnx file of a packed one; gives its size in bytes. */
export async function unpackFile(from: string, to: string): Promise<number> {
  const { onnx } = await readModelFile(from);
  await writeWhole(to, onnx);
  return onnx.length;
}
