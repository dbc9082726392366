import type { Graph } from "../../engine/graph.ts";
import { forEachIndex, offsetOf, stridesOf } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sizeOf } from "../../engine/tensor.ts";
import type { Kept } from "../channels/kept.ts";
import { keptPart } from "../channels/kept.ts";
import type { Posterior } from "./posterior.ts";

/** Standard deviations of Gaussian weights by parameter, shaped like it; 0 where a weight is exactly known. */
export type Deviations = ReadonlyMap<string, Tensor<"float32">>;

/**
 * What posteriors say of the weights that a smaller network has left. Weights that are zero have no deviation: they are
 * not in use.
 *
 * @param kept Which indices of the original's values stayed in `shrunk`, see `shrinkZeros`.
 */
export function survivingDeviations(
  posteriors: readonly Posterior[],
  { original, shrunk, kept }: { original: Graph; shrunk: Graph; kept: Kept },
): Deviations {
  return new Map(
    posteriors.flatMap(({ parameter, sigma }) => {
      const left = shrunk.parameters.get(parameter);
      if (!left) return [];
      const { shape } = original.parameters.get(parameter)!;
      const own = keptPart({ dtype: "float32", shape, data: sigma }, parameter, kept);
      const data = left.data.map((w, i) => (w === 0 ? 0 : (own.data[i] as number)));
      return [[parameter, { dtype: "float32", shape: left.shape, data }] as const];
    }),
  );
}

/** Deviations of a network whose weights have grown at the end of their axes, by zeros (see `storePadding`): these are known. */
export function paddedDeviations(deviations: Deviations, graph: Graph): Deviations {
  return new Map(
    [...deviations].map(([name, { shape, data }]) => {
      const grown = graph.parameters.get(name)!.shape;
      const strides = stridesOf(grown);
      const padded = new Float32Array(sizeOf(grown));
      forEachIndex(shape, (index, flat) => {
        padded[offsetOf(index, strides)] = data[flat];
      });
      return [name, { dtype: "float32", shape: grown, data: padded }] as const;
    }),
  );
}
