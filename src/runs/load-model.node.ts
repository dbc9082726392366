import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Dataset, Split } from "../data/dataset.ts";
import { isFedAsIs } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import { importModel } from "../engine/onnx/import.ts";
import { decodeModel } from "../engine/onnx/proto.ts";
import { MODELS } from "../nn/models/index.ts";
import { Problem } from "../problem.ts";
import { isPacked, unpackModel } from "../sparsity/encoding/packed-model.ts";
import { readBytes } from "./files.node.ts";
import { checkLookups } from "./lookups.ts";
import { nearest } from "./nearest.ts";

export interface LoadedModel {
  graph: Graph;
  /** Entries of the file's metadata; none for built-in models. */
  metadata: Readonly<Record<string, string>>;
  /** Bytes of the file, packed or not; 0 for built-in models. */
  bytes: number;
}

export interface LoadModelOptions {
  /** Samples a run, default 1. */
  batch?: number;
  /** Seed of a built-in model's weights. */
  seed?: number;
  /** What the model is for: shapes a built-in one, and is checked against a file's. */
  data?: Pick<Dataset, "name" | "inputShape" | "classes"> &
    Partial<Pick<Dataset, "train" | "test"> & { validation: Split }>;
  /** Lengths of a file's open dimensions, by name. */
  dimensions?: Readonly<Record<string, number>>;
  /** See `ImportOptions`. */
  keepPads?: boolean;
}

/** The .onnx file in a file, packed (.flg) or not, and the bytes on the disk. */
export async function readModelFile(path: string): Promise<{ onnx: Uint8Array; bytes: number }> {
  const bytes = await readBytes(path);
  try {
    return { onnx: isPacked(bytes) ? unpackModel(bytes) : bytes, bytes: bytes.length };
  } catch (error) {
    throw problemOf(path, error);
  }
}

/** A built-in model by name, or an .onnx or .flg file by its path. */
export async function loadModel(
  nameOrPath: string,
  { batch = 1, seed = 0, data, dimensions, keepPads }: LoadModelOptions = {},
): Promise<LoadedModel> {
  const build = Object.hasOwn(MODELS, nameOrPath) ? MODELS[nameOrPath] : undefined;
  if (build) {
    if (!data) throw new Problem(`"${nameOrPath}" is a built-in model; say what data it is for`);
    const { inputShape, classes } = data;
    if (data.train && isFedAsIs(data.train))
      throw new Problem(
        `"${nameOrPath}" does not take ids, which the samples of ${data.name} are; give an .onnx file that does`,
      );
    const graph = build({ inputShape, classes: classes.length, batch, seed });
    return { graph, metadata: {}, bytes: 0 };
  }
  if (!/\.(onnx|flg)$/.test(nameOrPath)) {
    const near = nearest(nameOrPath, Object.keys(MODELS));
    throw new Problem(
      `there is no model "${nameOrPath}"${near ? `; did you mean "${near}"?` : ""}; ` +
        `built in are ${Object.keys(MODELS).join(", ")}, anything else must be an .onnx or .flg file`,
    );
  }
  const { onnx, bytes } = await readModelFile(nameOrPath);
  const options = { external: externalReader(dirname(nameOrPath)) };
  try {
    const graph = importModel(onnx, {
      ...options,
      batch,
      dimensions,
      keepPads,
      sampleShape: data?.inputShape,
    });
    if (data) checkFits(graph, data);
    return { graph, metadata: decodeModel(onnx, options).metadata, bytes };
  } catch (error) {
    throw problemOf(nameOrPath, error);
  }
}

/** The inputs of a model in a file, with their shapes, `undefined` where an axis is open. */
export async function readInputs(path: string): Promise<{ name: string; shape?: (number | undefined)[] }[]> {
  const { onnx } = await readModelFile(path);
  try {
    const { inputs, initializers } = decodeModel(onnx, { external: externalReader(dirname(path)) }).graph;
    const weights = new Set(initializers.map(({ name }) => name));
    return inputs
      .filter(({ name }) => !weights.has(name))
      .map(({ name, type }) => ({
        name,
        shape: type.kind === "tensor" ? type.shape?.map(lengthOf) : undefined,
      }));
  } catch (error) {
    throw problemOf(path, error);
  }
}

const lengthOf = (d: number | string | undefined) => (typeof d === "number" && d > 0 ? d : undefined);

/** An error as one that names the file it is about. */
export function problemOf(path: string, error: unknown): unknown {
  return error instanceof Problem ? new Problem(`${path}: ${error.message}`) : error;
}

/** An .onnx or .flg file by its path. Built-in models are refused: they have no weights until something trains them. */
export async function loadModelFile(path: string, options?: LoadModelOptions): Promise<LoadedModel> {
  if (Object.hasOwn(MODELS, path))
    throw new Problem(
      `"${path}" is a built-in model, which nothing has trained; give the model.onnx of a run, or another .onnx file`,
    );
  return await loadModel(path, options);
}

function checkFits(graph: Graph, data: NonNullable<LoadModelOptions["data"]>): void {
  const { name, inputShape, classes, train } = data;
  const count = 1 + (train?.others?.length ?? 0);
  if (graph.inputs.length !== count)
    throw new Problem(
      `has ${graph.inputs.length} inputs (${graph.inputs.join(", ")}), but the samples of ${name} have ${count}; give an .npz file with an array for each input, such as ${graph.inputs[0]}_train`,
    );
  const given = train ? [train.inputs, ...(train.others ?? [])] : [];
  graph.inputs.forEach((input, i) => {
    const which = count > 1 ? ` as "${input}"` : "";
    const { shape, dtype } = graph.types.get(input)!;
    const sampleShape = i === 0 ? inputShape : given[i].shape.slice(1);
    if (`${shape.slice(1)}` !== `${sampleShape}`)
      throw new Problem(
        `takes inputs of shape [batch, ${shape.slice(1)}]${which}, but the samples of ${name} have shape [${sampleShape}]; give data of that shape, such as an .npz file`,
      );
    if (!train) return;
    const isIds = given[i].dtype === "int32";
    if (!(isIds ? ["int32", "int64"] : ["float32"]).includes(dtype))
      throw new Problem(
        `takes ${dtype}${which}, but the samples of ${name} are ${isIds ? "ids, which are fed as integers" : "fed as float32"}; in an .npz file ids are int32 or int64, and anything else float32 or uint8`,
      );
  });
  const [batch] = graph.types.get(graph.inputs[0])!.shape;
  const output = graph.types.get(graph.outputs[0])!.shape;
  if (output.length !== 2 || output[0] !== batch || output[1] < classes.length)
    throw new Problem(
      `gives an output of shape [${output}], but ${name} has ${classes.length} classes: expected [${batch}, ${classes.length}]`,
    );
  for (const part of ["train", "test", "validation"] as const) {
    const split = data[part];
    if (split && isFedAsIs(split)) checkLookups(graph, split, `the ${part} samples of ${name}`);
  }
}

/** Reads the parts of tensors that lie in files beside the model. */
function externalReader(folder: string): (location: string, offset: number, length: number) => Uint8Array {
  return (location, offset, length) => {
    let file: number;
    try {
      file = openSync(join(folder, location), "r");
    } catch {
      throw new Problem(`its weights are in ${location}, which is not in ${folder}; put it there`);
    }
    try {
      const available = Math.max(0, fstatSync(file).size - offset);
      const bytes = new Uint8Array(Math.min(length, available));
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, offset));
    } finally {
      closeSync(file);
    }
  };
}
