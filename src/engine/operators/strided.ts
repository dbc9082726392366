import { forEachIndex, offsetOf } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import type { Numeric } from "./operator.ts";

/** Reads `x` through strides: element `index` of the result is `x.data[offset + Σ index·strides]`. */
export function strided(x: Numeric, shape: Shape, strides: readonly number[], offset = 0): Numeric {
  const data = new Float64Array(sizeOf(shape));
  forEachIndex(shape, (index, flat) => {
    data[flat] = x.data[offset + offsetOf(index, strides)];
  });
  return { shape, data };
}
