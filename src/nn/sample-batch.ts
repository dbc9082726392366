import type { Batch, InputType } from "../data/batches.ts";
import { allocateBatch } from "../data/batches.ts";
import type { Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import type { Tensor } from "../engine/tensor.ts";

/** A batch of a split's samples as a model takes them, and the feeds that it fills. */
export interface SampleBatch {
  batch: Batch<"int32", InputType>;
  feeds: Record<string, Tensor>;
}

/** Allocates a batch for a model's first input, in the model's element type and with the model's own batch size. */
export function sampleBatch(model: Graph, { inputs }: Split): SampleBatch {
  const [name] = model.inputs;
  const { shape, dtype } = model.types.get(name)!;
  const batch = allocateBatch(shape[0], inputs.shape.slice(1), "int32", dtype as InputType);
  return { batch, feeds: { [name]: batch.inputs } };
}
