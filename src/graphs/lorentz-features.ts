import type { Tensor } from "../engine/tensor.ts";
import { zeros } from "../engine/tensor.ts";
import { lorentzPoints } from "../geometry/lorentz-points.ts";

/** Features [nodes, n] as points [nodes, n+1]: the exponential map at the origin, once and for all. */
export function lorentzFeatures({ shape: [nodes, n], data }: Tensor<"float32">): Tensor<"float32"> {
  const space = lorentzPoints();
  const points = zeros([nodes, n + 1]);
  for (let i = 0; i < nodes; i++)
    space.fromOrigin(data.subarray(i * n, (i + 1) * n), points.data.subarray(i * (n + 1), (i + 1) * (n + 1)));
  return points;
}
