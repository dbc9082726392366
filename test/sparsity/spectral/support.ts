import { expect } from "vitest";
import type { Slots } from "../../../src/sparsity/spectral/slots.ts";

export function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs(found[i] - expected[i]), `entry ${i}: ${found[i]} against ${expected[i]}`).toBeLessThan(
      tolerance,
    );
}

/** ‖a − b‖ */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

/** The columns of a nested matrix one behind the other. */
export function columns(matrix: readonly (readonly number[])[]): number[] {
  return matrix[0].flatMap((_, j) => matrix.map((row) => row[j]));
}

/** Empty slots in float64, `rank` of them active. */
export function createSlots(outputs: number, inputs: number, rank: number): Slots {
  const k = Math.min(outputs, inputs);
  const segment = (count: number) => ({
    left: new Float64Array(count * outputs),
    values: new Float64Array(count),
    right: new Float64Array(count * inputs),
  });
  return {
    outputs,
    inputs,
    active: segment(rank),
    resting: k > rank ? segment(k - rank) : undefined,
    ids: new Int32Array(k),
  };
}

export interface Directions {
  left: Float64Array;
  right: Float64Array;
  values: Float64Array;
  restingValues: Float64Array;
}

/** Section 3.1 word by word, from the full gradient G = ∂L/∂W. */
export function directions64(slots: Slots, g: ArrayLike<number>, kind: "enhanced" | "default"): Directions {
  const { outputs: m, inputs: n, active, resting } = slots;
  const r = active.values.length;
  const along = (segment: typeof active, i: number) => {
    let sum = 0;
    for (let a = 0; a < m; a++)
      for (let b = 0; b < n; b++) sum += segment.left[i * m + a] * g[a * n + b] * segment.right[i * n + b];
    return sum;
  };
  const left = new Float64Array(r * m);
  const right = new Float64Array(r * n);
  for (let i = 0; i < r; i++) {
    const factor = kind === "enhanced" ? 1 : active.values[i];
    for (let a = 0; a < m; a++)
      for (let b = 0; b < n; b++) {
        left[i * m + a] += factor * g[a * n + b] * active.right[i * n + b];
        right[i * n + b] += factor * g[a * n + b] * active.left[i * m + a];
      }
  }
  return {
    left,
    right,
    values: Float64Array.from(active.values, (_, i) => along(active, i)),
    restingValues: Float64Array.from(resting?.values ?? [], (_, i) => along(resting!, i)),
  };
}

/** Adam in float64 over the slots' arrays, with the two clocks of the method: vectors and singular values. */
export function adam64(slots: Slots) {
  const parts = ["left", "right", "values", "restingValues"] as const;
  const array = (part: (typeof parts)[number]) =>
    part === "restingValues" ? (slots.resting?.values ?? new Float64Array()) : slots.active[part];
  const moment = () => Object.fromEntries(parts.map((p) => [p, new Float64Array(array(p).length)]));
  const [first, second] = [moment(), moment()];
  const age = { left: 0, right: 0, values: 0, restingValues: 0 };
  const forget = (...names: (typeof parts)[number][]) => {
    for (const p of names) {
      first[p].fill(0);
      second[p].fill(0);
      age[p] = 0;
    }
  };
  return {
    restartVectors: () => forget("left", "right"),
    restartValues: () => forget("values", "restingValues"),
    companions: () => [first, second].map((m) => ({ active: m.values, resting: m.restingValues })),
    step: (d: Directions, rate: number) => {
      for (const p of parts) {
        age[p]++;
        const w = array(p);
        for (let i = 0; i < w.length; i++) {
          first[p][i] = 0.9 * first[p][i] + 0.1 * d[p][i];
          second[p][i] = 0.999 * second[p][i] + 0.001 * d[p][i] ** 2;
          w[i] -=
            (rate * (first[p][i] / (1 - 0.9 ** age[p]))) /
            (Math.sqrt(second[p][i] / (1 - 0.999 ** age[p])) + 1e-8);
        }
      }
    },
  };
}
