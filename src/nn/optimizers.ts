import type { FlatArrays, Segment } from "../engine/parameters.ts";
import { flatArrays } from "../engine/parameters.ts";
import { Problem } from "../problem.ts";

/** An optimiser by name, as recipes write it. Weight decay is per parameter: see `createOptimizer`. */
export type OptimizerSpec =
  | { kind: "sgd"; momentum?: number; nesterov?: boolean }
  | { kind: "adam" | "adamw"; betas?: readonly [number, number]; epsilon?: number }
  | { kind: "rmsprop"; alpha?: number; epsilon?: number; momentum?: number };

export interface Optimizer {
  /** Arrays with the layout of the parameters that the next step depends on, by name: saved in checkpoints, masked where groups are frozen. */
  readonly state: Readonly<Record<string, FlatArrays>>;
  /** Steps taken so far: Adam's bias correction depends on it. */
  steps: number;
  /** Updates the parameters in place from the gradients, one pass over memory. */
  step(learningRate: number): void;
}

export interface OptimizerTarget {
  parameters: FlatArrays;
  gradients: FlatArrays;
  /** Weight decay of each parameter; added to the gradient, but decoupled from it with `adamw`. Default 0. */
  weightDecay?: (parameter: string) => number;
}

/** Updates elements from..to; `decay` is the parameter's weight decay. */
type Pass = (from: number, to: number, decay: number, learningRate: number) => void;

/** The optimisers of PyTorch, with its defaults and formulas. */
export function createOptimizer(spec: OptimizerSpec, target: OptimizerTarget): Optimizer {
  const { parameters, weightDecay = () => 0 } = target;
  const layout = parameters.segments.map((s) => [s.name, s.shape] as const);
  const state: Record<string, FlatArrays> = {};
  for (const name of stateNames(spec)) state[name] = flatArrays(layout);
  const runs = mergeSegments(parameters.segments, weightDecay);
  const optimizer: Optimizer = {
    state,
    steps: 0,
    step: (learningRate) => {
      optimizer.steps++;
      for (const { from, to, decay } of runs) pass(from, to, decay, learningRate);
    },
  };
  const pass = createPass(spec, target, state, () => optimizer.steps);
  return optimizer;
}

function stateNames(spec: OptimizerSpec): string[] {
  switch (spec.kind) {
    case "sgd":
      return spec.momentum ? ["momentum"] : [];
    case "adam":
    case "adamw":
      return ["firstMoment", "secondMoment"];
    case "rmsprop":
      return spec.momentum ? ["secondMoment", "momentum"] : ["secondMoment"];
    default:
      throw new Problem(
        `unknown optimiser "${(spec as { kind: string }).kind}"; known: sgd, adam, adamw, rmsprop`,
      );
  }
}

/** Neighbouring segments with the same decay become one run, so that small parameters cost no calls. */
function mergeSegments(
  segments: readonly Segment[],
  decayOf: (name: string) => number,
): { from: number; to: number; decay: number }[] {
  const runs: { from: number; to: number; decay: number }[] = [];
  for (const { name, offset, length } of segments) {
    const decay = decayOf(name);
    const last = runs.at(-1);
    if (last && last.decay === decay) last.to = offset + length;
    else runs.push({ from: offset, to: offset + length, decay });
  }
  return runs;
}

function createPass(
  spec: OptimizerSpec,
  { parameters, gradients }: OptimizerTarget,
  state: Record<string, FlatArrays>,
  steps: () => number,
): Pass {
  const w = parameters.values;
  const g = gradients.values;
  if (spec.kind === "sgd") {
    const { momentum = 0, nesterov = false } = spec;
    if (momentum === 0)
      return (from, to, decay, lr) => {
        for (let i = from; i < to; i++) w[i] -= lr * (g[i] + decay * w[i]);
      };
    const v = state.momentum.values;
    if (nesterov)
      return (from, to, decay, lr) => {
        for (let i = from; i < to; i++) {
          const d = g[i] + decay * w[i];
          const m = momentum * v[i] + d;
          v[i] = m;
          w[i] -= lr * (d + momentum * m);
        }
      };
    return (from, to, decay, lr) => {
      for (let i = from; i < to; i++) {
        const m = momentum * v[i] + g[i] + decay * w[i];
        v[i] = m;
        w[i] -= lr * m;
      }
    };
  }
  const s = state.secondMoment.values;
  if (spec.kind === "rmsprop") {
    const { alpha = 0.99, epsilon = 1e-8, momentum = 0 } = spec;
    const v = state.momentum?.values;
    return (from, to, decay, lr) => {
      for (let i = from; i < to; i++) {
        const d = g[i] + decay * w[i];
        s[i] = alpha * s[i] + (1 - alpha) * d * d;
        const move = d / (Math.sqrt(s[i]) + epsilon);
        if (v) w[i] -= lr * (v[i] = momentum * v[i] + move);
        else w[i] -= lr * move;
      }
    };
  }
  const { betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-8 } = spec;
  const m = state.firstMoment.values;
  const decoupled = spec.kind === "adamw";
  return (from, to, decay, lr) => {
    const rate = lr / (1 - beta1 ** steps());
    const correction = 1 / Math.sqrt(1 - beta2 ** steps());
    const inGradient = decoupled ? 0 : decay;
    const keep = decoupled ? 1 - lr * decay : 1;
    const c1 = 1 - beta1;
    const c2 = 1 - beta2;
    for (let i = from; i < to; i++) {
      const d = g[i] + inGradient * w[i];
      const first = beta1 * m[i] + c1 * d;
      const second = beta2 * s[i] + c2 * d * d;
      m[i] = first;
      s[i] = second;
      w[i] = keep * w[i] - (rate * first) / (Math.sqrt(second) * correction + epsilon);
    }
  };
}

/** Scales the gradients so that their Euclidean norm is at most `limit`; returns the norm before. */
export function clipNorm({ values }: FlatArrays, limit: number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  const norm = Math.sqrt(sum);
  if (norm > limit) {
    const scale = limit / norm;
    for (let i = 0; i < values.length; i++) values[i] *= scale;
  }
  return norm;
}
