import { readSafetensors, writeSafetensors } from "../../data/safetensors.ts";
import type { Graph } from "../../engine/graph.ts";
import { Problem } from "../../problem.ts";
import type { Masks } from "./masks.ts";
import { requireFit } from "./masks.ts";

/**
 * Masks as the bytes of a safetensors file of booleans, with the shapes of the model's parameters. Throws a `Problem` where
 * they are not the masks of this model.
 */
export function encodeMasks(masks: Masks, { parameters }: Graph): Uint8Array {
  requireFit(masks, "the masks", parameters, "the model");
  return writeSafetensors(
    new Map(
      [...masks].map(([name, data]) => [name, { dtype: "bool", shape: parameters.get(name)!.shape, data }]),
    ),
  );
}

/** The reverse; `name` is the file's in errors. Throws a `Problem` where they are not the masks of this model. */
export function decodeMasks(bytes: Uint8Array, { parameters }: Graph, name = "masks"): Masks {
  const { tensors } = readSafetensors(bytes, name);
  return new Map(
    [...tensors].map(([key, { dtype, shape, data }]) => {
      const own = parameters.get(key);
      if (dtype !== "bool" || own?.shape.join() !== shape.join())
        throw new Problem(
          `${name}: "${key}" is ${dtype} of shape [${shape}]; the model ${own ? `needs bool of shape [${own.shape}]` : "has no such parameter"}`,
        );
      return [key, data as Uint8Array];
    }),
  );
}
