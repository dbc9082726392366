import type { Safetensors } from "../../data/safetensors.ts";
import type { Graph } from "../../engine/graph.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { compose } from "../../linalg/compose.ts";
import { Problem } from "../../problem.ts";
import type { LinearMap } from "./linear-maps.ts";
import { linearMaps } from "./linear-maps.ts";
import { setRowLengths } from "./magnitudes.ts";
import { readMatrix, storedWeight } from "./weights.ts";

/** What stands beside a fixed weight. */
export interface Factors {
  /** A, [rank, inputs]. */
  down: Float32Array;
  /** Bᵀ, [rank, outputs]. */
  up: Float32Array;
  /** Of DoRA: the lengths of the rows, [outputs]. */
  magnitude?: Float32Array;
}

/** The names under which the factors of a weight train and are saved. */
export const downName = (weight: string) => `${weight}/down`;
export const upName = (weight: string) => `${weight}/up`;
export const magnitudeName = (weight: string) => `${weight}/magnitude`;

/** W₀ + s·B A, or m ∘ (W₀ + s·B A)/‖W₀ + s·B A‖ by rows; row-major [outputs, inputs]. */
export function adaptedMatrix(
  map: LinearMap,
  base: Tensor<"float32">,
  { down, up, magnitude }: Factors,
  scale: number,
): Float64Array {
  const values = new Float32Array(up.length / map.outputs).fill(scale);
  const matrix = compose([{ left: up, values, right: down }], map.outputs, map.inputs);
  readMatrix(map, base).forEach((v, i) => (matrix[i] += v));
  if (magnitude) setRowLengths(matrix, magnitude);
  return matrix;
}

const FORMAT = "filigree-adapter";

/** What a file of factors says besides them. */
export function adapterMetadata(method: string, scale: number): Record<string, string> {
  return { format: FORMAT, method, scale: String(scale) };
}

/**
 * Adds what LoRA or DoRA has learnt by itself (`Adapters.adapter`, or a file of it) to the weights of the model that it was
 * learnt on: the weights that this training left, bit for bit, but for what else it trained. Throws a `Problem`, and
 * changes nothing, where these are no factors or do not fit the model.
 */
export function applyAdapter(model: Graph, { tensors, metadata }: Safetensors): void {
  const { format, method } = metadata;
  const scale = Number(metadata.scale);
  if (format !== FORMAT || (method !== "lora" && method !== "dora") || !Number.isFinite(scale))
    throw new Problem(
      `no adapter: the metadata are ${JSON.stringify(metadata)}; expected those of LoRA or DoRA as Filigree saves them`,
    );
  const maps = new Map(linearMaps(model).map((map) => [map.weight, map]));
  const weights = new Set([...tensors.keys()].map((name) => name.slice(0, name.lastIndexOf("/"))));
  const changed = [...weights].map((weight): [string, Tensor<"float32">] => {
    const map = maps.get(weight);
    if (!map)
      throw new Problem(
        `the adapter changes "${weight}", which is no linear map of the model; there are ${[...maps.keys()].join(", ")}`,
      );
    const base = model.parameters.get(weight)!;
    const factors = factorsOf(map, tensors, method === "dora");
    return [weight, storedWeight(map, base.shape, adaptedMatrix(map, base, factors, scale))];
  });
  for (const [weight, tensor] of changed) model.parameters.set(weight, tensor);
}

/** The factors of a weight, whose shapes fit it. */
function factorsOf(
  { weight, outputs, inputs }: LinearMap,
  tensors: Safetensors["tensors"],
  withMagnitude: boolean,
): Factors {
  const rank = tensors.get(downName(weight))?.shape[0] ?? 1;
  const read = (name: string, shape: readonly number[]) => {
    const found = tensors.get(name);
    if (found?.dtype !== "float32" || found.shape.join() !== shape.join())
      throw new Problem(
        `the adapter's "${name}" is ${found ? `${found.dtype}[${found.shape}]` : "missing"}; expected float32[${shape}], as "${weight}" has ${outputs} outputs and ${inputs} inputs`,
      );
    return found.data as Float32Array;
  };
  return {
    down: read(downName(weight), [rank, inputs]),
    up: read(upName(weight), [rank, outputs]),
    ...(withMagnitude && { magnitude: read(magnitudeName(weight), [outputs]) }),
  };
}
