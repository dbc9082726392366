import type { Batch, InputType } from "../data/batches.ts";
import type { Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import type { Tensor } from "../engine/tensor.ts";
import { zeros } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { batchOf } from "./training-step.ts";

/** A batch of a split's samples as a model takes them, and the feeds that it fills. */
export interface SampleBatch {
  batch: Batch<"int32", InputType>;
  feeds: Record<string, Tensor>;
}

/**
 * Allocates a batch for a model's inputs, in the model's element types and with the model's own batch size. Throws a `Problem`
 * where the model has fewer inputs than the samples, or takes other types than they are fed in.
 */
export function sampleBatch(model: Graph, { inputs, others = [] }: Split): SampleBatch {
  const size = batchOf(model);
  const given = [inputs, ...others];
  if (given.length > model.inputs.length)
    throw new Problem(
      `the samples have ${given.length} inputs, but the model takes ${model.inputs.length}: ${model.inputs.join(", ")}`,
    );
  const fed = given.map(({ shape }, i) =>
    zeros([size, ...shape.slice(1)], inputType(model, model.inputs[i])),
  );
  const [first, ...rest] = fed;
  return {
    batch: { inputs: first, others: rest, labels: zeros([size], "int32"), count: 0, step: 0 },
    feeds: Object.fromEntries(fed.map((t, i) => [model.inputs[i], t])),
  };
}

function inputType(model: Graph, name: string): InputType {
  const { dtype } = model.types.get(name)!;
  if (dtype === "float32" || dtype === "int32" || dtype === "int64") return dtype;
  throw new Problem(`input "${name}" takes ${dtype}; samples are fed as float32, int32 or int64`);
}
