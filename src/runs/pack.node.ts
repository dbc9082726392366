import { gzipSync } from "fflate";
import { Problem } from "../problem.ts";
import type { PackedModel, PackedTensor, PackOptions } from "../sparsity/encoding/packed-model.ts";
import { isPacked, packModel, unpackModel } from "../sparsity/encoding/packed-model.ts";
import { posteriorStep } from "../sparsity/encoding/quantize.ts";
import { readBytes, writeWhole } from "./files.node.ts";
import { loadModelFile, problemOf, readModelFile } from "./load-model.node.ts";
import { loadPosterior } from "./posterior-file.node.ts";

/** What a packed file holds; all bytes are of files on the disk, but for the gzip, which is not kept. */
export interface PackReport {
  bytes: number;
  /** Of the .onnx file that was packed. */
  onnxBytes: number;
  /** What gzip makes of the .onnx file that comes back. */
  gzipBytes: number;
  restBytes: number;
  tensors: PackedTensor[];
  /** Weights that gzip stores in fewer bytes than a code, and that are in the rest. */
  unpacked: string[];
}

export interface PackFileOptions {
  /** As for `packModel`. */
  bits?: number;
  /** Steps by the posterior beside the model: the share of a tensor's median deviation that rounding adds, see `posteriorStep`. */
  deviations?: number;
}

/** Packs a model file into another, whole or not at all. Throws a `Problem` where it has no posterior, and `deviations` asks for it. */
export async function packFile(
  from: string,
  to: string,
  { bits, deviations }: PackFileOptions = {},
): Promise<PackReport> {
  const { onnx } = await readModelFile(from);
  const steps = deviations === undefined ? undefined : await posteriorSteps(from, deviations);
  const packed = packNamed(onnx, from, { bits, steps });
  await writeWhole(to, packed.bytes);
  return reportOf(packed, onnx.length);
}

/** A step for every parameter with weights that are not known exactly. */
async function posteriorSteps(path: string, share: number): Promise<Map<string, number>> {
  const { graph } = await loadModelFile(path);
  const steps = new Map<string, number>();
  for (const [name, { data }] of await loadPosterior(path, graph)) {
    const spread = data.filter((sigma) => sigma > 0);
    if (spread.length > 0) steps.set(name, posteriorStep(spread, share));
  }
  return steps;
}

function packNamed(onnx: Uint8Array, path: string, options: PackOptions): PackedModel {
  try {
    return packModel(onnx, options);
  } catch (error) {
    throw problemOf(path, error);
  }
}

function reportOf({ bytes, restBytes, tensors, unpacked }: PackedModel, onnxBytes: number): PackReport {
  const gzipBytes = gzipSync(unpackModel(bytes), { level: 9 }).length;
  return { bytes: bytes.length, onnxBytes, gzipBytes, restBytes, tensors, unpacked };
}

/** Writes the .onnx file of a packed one; gives its size in bytes. */
export async function unpackFile(from: string, to: string): Promise<number> {
  if (!isPacked(await readBytes(from)))
    throw new Problem(`${from}: not a packed model; filigree pack makes them`);
  const { onnx } = await readModelFile(from);
  await writeWhole(to, onnx);
  return onnx.length;
}
