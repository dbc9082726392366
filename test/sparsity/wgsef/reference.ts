import { readFileSync } from "node:fs";

/** The vectors of the spec, made by an independent implementation in another language. */
export const vectors = JSON.parse(readFileSync(new URL("../../vectors/wgsef.json", import.meta.url), "utf8"));

/** Shares by sorting the breakpoints and walking g up to K: O(m log m), no pivots, no brackets, no running slopes. */
export function sharesBySorting(slope: number[], rho: number[], cost: number[], budget: number): number[] {
  const live = slope.flatMap((a, j) => (a > 0 ? [j] : []));
  if (live.reduce((sum, j) => sum + cost[j], 0) <= budget) return slope.map((a) => (a > 0 ? 1 : 0));
  const g = (omega: number) =>
    live.reduce((sum, j) => sum + cost[j] * Math.min(1, Math.max(0, omega * slope[j] - rho[j])), 0);
  const points = live.flatMap((j) => [rho[j] / slope[j], (1 + rho[j]) / slope[j]]).sort((a, b) => a - b);
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (g(points[middle]) >= budget) high = middle;
    else low = middle + 1;
  }
  const right = points[low];
  const left = points[low - 1] ?? 0;
  const [gl, gr] = [g(left), g(right)];
  const omega = gr > gl ? left + ((right - left) * (budget - gl)) / (gr - gl) : right;
  return slope.map((a, j) => (a > 0 ? Math.min(1, Math.max(0, omega * a - rho[j])) : 0));
}

/** Norms of index groups. */
export function normsOf(t: ArrayLike<number>, groups: number[][]): Float64Array {
  return Float64Array.from(groups, (g) => Math.hypot(...g.map((i) => t[i])));
}

/** The i-th weight times its group's factor. */
export function scaled(t: number[], groups: number[][], factors: ArrayLike<number>): number[] {
  const out = [...t];
  groups.forEach((g, j) => {
    for (const i of g) out[i] = t[i] * factors[j];
  });
  return out;
}

export const perGroup = (value: number | number[]) =>
  typeof value === "number" ? value : Float64Array.from(value);

export function expectClose(found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  if (found.length !== wanted.length) throw new Error(`length ${found.length}, wanted ${wanted.length}`);
  for (let i = 0; i < wanted.length; i++)
    if (!(Math.abs(found[i] - wanted[i]) <= tolerance))
      throw new Error(`[${i}] is ${found[i]}, wanted ${wanted[i]} ± ${tolerance}`);
}
