import type { Tensor } from "../engine/tensor.ts";
import { zeros } from "../engine/tensor.ts";
import { lorentzPoints } from "../geometry/lorentz-points.ts";

/** Points are at most this far from the origin, as HyboNet's authors have it: time coordinates stay below 1.2e4. */
const FARTHEST = 10;

/** Features [nodes, n] as points [nodes, n+1]: the exponential map at the origin, once and for all. */
export function lorentzFeatures({ shape: [nodes, n], data }: Tensor<"float32">): Tensor<"float32"> {
  const space = lorentzPoints();
  const points = zeros([nodes, n + 1]);
  for (let i = 0; i < nodes; i++) {
    const row = data.subarray(i * n, (i + 1) * n);
    const shorter = Math.min(1, FARTHEST / Math.hypot(...row));
    space.fromOrigin(
      row.map((v) => v * shorter),
      points.data.subarray(i * (n + 1), (i + 1) * (n + 1)),
    );
  }
  return points;
}
