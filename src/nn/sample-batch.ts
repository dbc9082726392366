import type { Batch, InputType } from "../data/batches.ts";
import { allocateBatch } from "../data/batches.ts";
import type { Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import type { Tensor } from "../engine/tensor.ts";
import { zeros } from "../engine/tensor.ts";

/** A batch of a split's samples as a model takes them, and the feeds that it fills. */
export interface SampleBatch {
  batch: Batch<"int32", InputType>;
  feeds: Record<string, Tensor>;
}

/** Allocates a batch for a model's inputs, in the model's element types and with the model's own batch size. */
export function sampleBatch(model: Graph, { inputs, others = [] }: Split): SampleBatch {
  const [first, ...rest] = model.inputs.map((name) => model.types.get(name)!);
  const size = first.shape[0];
  const batch = {
    ...allocateBatch(size, inputs.shape.slice(1), "int32", first.dtype as InputType),
    others: others.map((t, i) => zeros([size, ...t.shape.slice(1)], rest[i].dtype as InputType)),
  };
  const fed = [batch.inputs, ...batch.others].map((t, i) => [model.inputs[i], t] as const);
  return { batch, feeds: Object.fromEntries(fed) };
}
