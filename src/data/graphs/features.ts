import type { Tensor } from "../../engine/tensor.ts";
import { zeros } from "../../engine/tensor.ts";
import { degrees } from "./graph-data.ts";

/** Rows divided by their sums; rows that sum to 0 become 0. */
export function normalizeRows({ shape, data }: Tensor<"float32">): Tensor<"float32"> {
  const width = shape[1];
  const out = zeros(shape);
  for (let row = 0; row < shape[0]; row++) {
    const values = data.subarray(row * width, (row + 1) * width);
    const sum = values.reduce((a, b) => a + b, 0);
    if (sum !== 0)
      out.data.set(
        values.map((v) => v / sum),
        row * width,
      );
  }
  return out;
}

/** What HGCN adds to Airport's features: the degree, at most `cap`, as one-hot numbers, and a 1. */
export function withDegrees(
  { shape: [nodes, width], data }: Tensor<"float32">,
  edges: ArrayLike<number>,
  cap = 5,
): Tensor<"float32"> {
  const out = zeros([nodes, width + cap + 2]);
  degrees(nodes, edges).forEach((degree, row) => {
    const at = row * (width + cap + 2);
    out.data.set(data.subarray(row * width, (row + 1) * width), at);
    out.data[at + width + Math.min(degree, cap)] = 1;
    out.data[at + width + cap + 1] = 1;
  });
  return out;
}
