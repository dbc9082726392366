import type { Graph } from "../../engine/graph.ts";
import { replay } from "../../engine/replay.ts";
import { shrinkZeros } from "../shrink-zeros.ts";
import type { Masks } from "./masks.ts";
import { requireFit } from "./masks.ts";

/**
 * The ticket without the neurons that its mask has cut off: a smaller model that computes, and learns, the same as the
 * masked one, and the masks of what is left. A neuron without a living input stays at zero, and so do the gradients of all
 * that reads it, so nothing that training would use is lost. Throws a `Problem` for masks of another model.
 */
export function smallerTicket(model: Graph, masks: Masks): { model: Graph; masks: Masks } {
  requireFit(masks, "the masks", model.parameters, "the model");
  const shrunk = (value: (name: string, i: number) => number) =>
    shrinkZeros(
      replay(model, {
        tensor: (name, t) =>
          masks.has(name)
            ? { ...t, data: Float32Array.from(t.data as Float32Array, (_, i) => value(name, i)) }
            : t,
      }),
    ).graph;
  const weights = shrunk((name, i) => (masks.get(name)![i] ? model.parameters.get(name)!.data[i] : 0));
  // The masks shrink as weights of 0 and 1 do.
  const { parameters } = shrunk((name, i) => masks.get(name)![i]);
  const left = [...parameters].filter(([name]) => masks.has(name));
  return { model: weights, masks: new Map(left.map(([name, { data }]) => [name, Uint8Array.from(data)])) };
}
