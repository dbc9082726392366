import { stat } from "node:fs/promises";
import { readSafetensors, writeSafetensors } from "../data/safetensors.ts";
import type { Graph } from "../engine/graph.ts";
import { sameShape } from "../engine/shapes.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import type { Deviations } from "../sparsity/turbo-vbi/deviations.ts";
import { readBytes, writeWhole } from "./files.node.ts";

/*
 * The posterior of a model lies beside it: small.onnx, and small.flg, have small.posterior.safetensors. Its tensors are
 * standard deviations, float32, under the names and in the shapes of the model's parameters; the means are the model's own
 * weights. A weight that is exactly known, such as a zero, has the deviation 0.
 */
export function posteriorPath(model: string): string {
  return `${model.replace(/\.(onnx|flg)$/, "")}.posterior.safetensors`;
}

export async function savePosterior(model: string, deviations: Deviations): Promise<void> {
  await writeWhole(posteriorPath(model), writeSafetensors(deviations));
}

/** The deviations beside a model. Throws a `Problem` where there are none, or where they are another model's. */
export async function loadPosterior(model: string, graph: Graph): Promise<Deviations> {
  const path = posteriorPath(model);
  if (!(await stat(path).catch(() => undefined)))
    throw new Problem(
      `${model} has no posterior: there is no ${path}; filigree compress --method turbo-vbi and recipes with posterior write one`,
    );
  const { tensors } = readSafetensors(await readBytes(path), path);
  for (const [name, { dtype, shape, data }] of tensors) {
    const own = graph.parameters.get(name);
    if (!own || !sameShape(own.shape, shape))
      throw new Problem(
        `${path}: "${name}" of shape [${shape}] is ${own ? `of shape [${own.shape}]` : "not"} in ${model}; the two files do not belong together`,
      );
    if (dtype !== "float32" || !(data as Float32Array).every((s) => s >= 0 && Number.isFinite(s)))
      throw new Problem(`${path}: "${name}" holds other numbers than deviations of float32 from 0 on`);
  }
  return tensors as ReadonlyMap<string, Tensor<"float32">>;
}
