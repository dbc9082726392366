/**
 * One mac written out from the formulas of the spec, slowly: weights are nested lists, nothing is kept between frames
 * but them, the history of presentations and the previous code. The fast path is compared with it.
 */
import type { Rules } from "../../src/memory/rules.ts";

export interface ReferenceMac {
  step(active: readonly number[], mode: "learn" | "recognize", uniform: () => number): ReferenceFrame;
  reset(): void;
  readonly U: number[][];
}

export interface ReferenceFrame {
  V: number[];
  G: number;
  zeta: number;
  winners: number[];
}

type Size = { inputs: number; q: number; k: number };

export function referenceMac({ inputs, q: Q, k: K }: Size, rules: Rules): ReferenceMac {
  const matrix = (rows: number) => Array.from({ length: rows }, () => new Array<number>(Q * K).fill(0));
  const U = matrix(inputs);
  const H = matrix(Q * K);
  const history: number[][] = [];
  let previous: number[] | undefined;
  let previousZeta = 1;

  const baseline = (i: number) => {
    const n = history.length;
    const T = history.reduce((sum, items) => sum + items.length, 0);
    if (T === 0) return 0;
    const C = history.flat().reduce((sum, j) => sum + U[j][i], 0);
    const D = U.reduce((sum, row) => sum + row[i], 0);
    return ((n * C) / T + (rules.priorItems * D) / inputs) / (n + rules.priorItems);
  };
  const up = (active: readonly number[], i: number) => {
    const share = active.reduce((sum, j) => sum + U[j][i], 0) / active.length;
    if (rules.evidence === "raw") return Math.min(1, share);
    const b = baseline(i);
    return b >= 1 - 1e-9 ? 0 : Math.max(0, (share - b) / (1 - b));
  };
  const across = (i: number) =>
    Math.min(
      1,
      (previousZeta ** rules.hypothesisExponent * previous!.reduce((sum, p) => sum + H[p][i], 0)) / (Q - 1),
    );

  return {
    U,
    reset: () => {
      previous = undefined;
      previousZeta = 1;
    },
    step: (active, mode, uniform) => {
      const V = Array.from({ length: Q * K }, (_, i) =>
        previous
          ? up(active, i) ** rules.lambdaU * across(i) ** rules.lambdaH
          : up(active, i) ** rules.lambdaU0,
      );
      const modules = Array.from({ length: Q }, (_, q) => V.slice(q * K, (q + 1) * K));
      const G = modules.reduce((sum, v) => sum + Math.max(...v), 0) / Q;
      const near = V.filter((v) => v >= rules.hypothesisThreshold).length / Q;
      const zeta = mode === "learn" ? 1 : Math.max(1, Math.floor(near + 0.5));
      const { chi, gamma, familiarityFloor: floor, sigmoid } = rules;
      const eta = 1 + (Math.max(0, G - floor) / (1 - floor)) ** gamma * chi * K;
      const s = (v: number) => {
        if (sigmoid.kind !== "logistic") throw new Error("the reference knows the logistic sigmoid only");
        return 1 / (1 + Math.exp(-sigmoid.steepness * (v - sigmoid.center)));
      };
      const winners = modules.map((v) => {
        const x = uniform();
        if (mode === "recognize") {
          const best = v.flatMap((value, k) => (Math.abs(value - Math.max(...v)) <= 1e-9 ? [k] : []));
          return best[Math.floor(x * best.length)];
        }
        const psi = v.map((value) => 1 + (eta - 1) * s(value));
        const target = x * psi.reduce((a, b) => a + b, 0);
        let sum = 0;
        return psi.findIndex((p) => target < (sum += p));
      });
      const code = winners.map((k, q) => q * K + k);
      if (mode === "learn") {
        for (const j of active) for (const i of code) U[j][i] = 1;
        for (const [p, from] of (previous ?? []).entries())
          for (const [q, to] of code.entries()) if (p !== q) H[from][to] = 1;
        history.push([...active]);
      }
      previous = code;
      previousZeta = zeta;
      return { V, G, zeta, winners };
    },
  };
}
