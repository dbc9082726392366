import type { Graph } from "../../engine/graph.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { WeightLayout } from "../lines.ts";

interface Phases {
  warmup?: number;
  select?: number;
}

/** Throws a `Problem` for what no training can make good. `method` begins its message. */
export function checkOptions(
  method: string,
  { layers, samples, warmup = 0, select }: Phases & { layers: readonly WeightLayout[]; samples: number },
): void {
  if (layers.length === 0) throw new Problem(`${method}: there is no layer to compress`);
  if (!(samples > 0 && Number.isFinite(samples)))
    throw new Problem(`${method}: samples is ${samples}; give the number of samples in the training set`);
  for (const [name, share] of Object.entries({ warmup, select: select ?? 0 }))
    if (!(share >= 0 && share <= 1))
      throw new Problem(`${method}: ${name} is ${share}; take a share of the epochs, from 0 to 1`);
  // By default posteriors stay to the end, however long the warm-up.
  if (select !== undefined && warmup + select > 1 + 1e-9)
    throw new Problem(
      `${method}: a warmup of ${warmup} and a select of ${select} are more than all epochs; take shares that add up to 1 at most`,
    );
}

/** Throws a `Problem` where layers were not found on this model. */
export function requireLayers(
  method: string,
  layers: readonly WeightLayout[],
  { parameters }: Pick<Graph, "parameters">,
): void {
  for (const { name, parameter, shape } of layers) {
    const { tiles, rows, columns } = shape;
    const own = parameters.get(parameter)?.shape;
    if (!own || sizeOf(own) !== tiles * rows * columns)
      throw new Problem(
        `${method}: layer "${name}" has ${tiles * rows * columns} weights in "${parameter}", the model ${own ? `one of shape [${own}]` : "no such parameter"}; find the layers on the model that trains`,
      );
  }
}

/** Throws a `Problem` where a run is too short for a single epoch of selection. A `select` of 0 wants none. */
export function requireSelection(
  method: string,
  { epochs }: { epochs: number },
  { warmup = 0, select = 1 }: Phases,
): void {
  if (select > 0 && Math.round(warmup * epochs) >= epochs)
    throw new Problem(
      `${method}: a warmup of ${warmup} leaves none of ${epochs} epochs to select weights in; make it shorter or train for more`,
    );
}
