import type { Dim } from "./particles.ts";

/** Box, ball (an ellipsoid when its sides differ), or a box without its upper right quarter. */
export const SHAPES = ["box", "ball", "l"] as const;

export type Shape = (typeof SHAPES)[number];

/** Whether a point, relative to the centre and in units of half the shape's sides, lies inside. */
const inside: Record<Shape, (at: readonly number[]) => boolean> = {
  box: () => true,
  ball: (at) => at.reduce((sum, x) => sum + x * x, 0) <= 1,
  l: ([x, y]) => x < 0 || y < 0,
};

/** Points of a cubic lattice inside a shape with sides `size` around the origin, [count, dim]; the last axis runs fastest. */
export function fillShape(shape: Shape, dim: Dim, size: readonly number[], spacing: number): number[] {
  const counts = size.map((s) => Math.max(1, Math.round(s / spacing)));
  const total = counts.reduce((a, b) => a * b, 1);
  const points: number[] = [];
  const at = new Array<number>(dim);
  for (let i = 0; i < total; i++) {
    for (let k = dim - 1, rest = i; k >= 0; k--) {
      at[k] = ((rest % counts[k]) + 0.5) * spacing - size[k] / 2;
      rest = Math.floor(rest / counts[k]);
    }
    if (inside[shape](at.map((x, k) => (2 * x) / size[k]))) points.push(...at);
  }
  return points;
}
