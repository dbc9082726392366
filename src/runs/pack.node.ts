import { gzipSync } from "fflate";
import type { LoadOptions } from "../data/load.node.ts";
import { exportModel } from "../engine/onnx/export.ts";
import { importModel } from "../engine/onnx/import.ts";
import { evaluateClassifier } from "../nn/classification.ts";
import { Problem } from "../problem.ts";
import type { PackedModel, PackedTensor, PackOptions } from "../sparsity/encoding/packed-model.ts";
import { isPacked, packModel, unpackModel } from "../sparsity/encoding/packed-model.ts";
import { posteriorStep } from "../sparsity/encoding/quantize.ts";
import type { BeforeAfter } from "./compress.node.ts";
import { readBytes, writeWhole } from "./files.node.ts";
import type { InputScale } from "./input-scale.ts";
import { scaleOfFile } from "./input-scale.ts";
import { loadDataFor } from "./load-data.node.ts";
import { loadModelFile, problemOf, readModelFile } from "./load-model.node.ts";
import { loadPosterior } from "./posterior-file.node.ts";
import type { QuantizedTrainingOptions } from "./train-quantized.ts";
import { trainQuantized } from "./train-quantized.ts";

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
  /** On the test set, of the given model and of the packed one; null without data. */
  accuracy: BeforeAfter | null;
}

export interface PackFileOptions extends LoadOptions, Partial<QuantizedTrainingOptions> {
  /** As for `packModel`. */
  bits?: number;
  /** Steps by the posterior beside the model: the share of a tensor's median deviation that rounding adds, see `posteriorStep`. */
  deviations?: number;
  /** What accuracy is measured on, and what `epochs` train on. */
  data?: string;
  inputScale?: InputScale;
  /** Epochs in which quantised weights train on, see `trainQuantized`. Default 0. Needs `data`, and `bits` or `deviations`. */
  epochs?: number;
}

/**
 * Packs a model file into another, whole or not at all. Throws a `Problem` where it has no posterior, and `deviations` asks for it, and
 * for epochs without data or without anything to quantise by.
 */
export async function packFile(from: string, to: string, options: PackFileOptions = {}): Promise<PackReport> {
  const { bits, deviations, data: dataset, epochs = 0 } = options;
  if (epochs > 0 && dataset === undefined) throw new Problem("epochs train on data; say which");
  if (epochs > 0 && bits === undefined && deviations === undefined)
    throw new Problem("epochs train quantised weights; give bits or deviations");
  const steps = deviations === undefined ? undefined : await posteriorSteps(from, deviations);
  const classifier = dataset === undefined ? undefined : await openClassifier(from, dataset, options);
  const before = await classifier?.accuracy();
  let { onnx } = await readModelFile(from);
  const onnxBytes = onnx.length;
  let quantization: PackOptions = { bits, steps };
  if (classifier && epochs > 0) {
    const { graph, metadata, data, scale } = classifier;
    const trained = await trainQuantized(graph, quantization, data.train, scale, { ...options, epochs });
    onnx = exportModel(trained.model, { metadata });
    quantization = { steps: trained.steps };
  }
  const packed = packNamed(onnx, from, quantization);
  const after = await classifier?.accuracy(importModel(unpackModel(packed.bytes), { batch: BATCH }));
  await writeWhole(to, packed.bytes);
  return {
    ...reportOf(packed, onnxBytes),
    accuracy: before === undefined ? null : { before, after: after! },
  };
}

/** Samples a run that measures accuracy. */
const BATCH = 100;

/** A model file with the data that it classifies. */
async function openClassifier(path: string, dataset: string, options: PackFileOptions) {
  const data = await loadDataFor(path, dataset, options);
  const { graph, metadata } = await loadModelFile(path, { batch: BATCH, data, keepPads: true });
  const scale = scaleOfFile(metadata, data, options.inputScale);
  const accuracy = async (model = graph) =>
    (await evaluateClassifier(model, data.test, scale, options)).accuracy;
  return { graph, metadata: { ...metadata }, data, scale, accuracy };
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

function reportOf(
  { bytes, restBytes, tensors, unpacked }: PackedModel,
  onnxBytes: number,
): Omit<PackReport, "accuracy"> {
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
