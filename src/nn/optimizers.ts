import type { FlatArrays, Segment } from "../engine/parameters.ts";
import { flatArrays } from "../engine/parameters.ts";
import { instantiate } from "../kernels/instantiate.ts";
import { updateWasm } from "../kernels/update.wasm.ts";
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
  /** Beside the parameters (see `flatArrays`): gradients that lie elsewhere are copied there in every step. */
  gradients: FlatArrays;
  /** Weight decay of each parameter; added to the gradient, but decoupled from it with `adamw`. Default 0. */
  weightDecay?: (parameter: string) => number;
}

/** The functions of kernels/update.ts: byte addresses first, then the number of elements. */
interface Kernels {
  sgd(w: number, g: number, n: number, decay: number, rate: number): void;
  momentum(
    w: number,
    g: number,
    v: number,
    n: number,
    decay: number,
    rate: number,
    momentum: number,
    nesterov: boolean,
  ): void;
  rmsprop(
    w: number,
    g: number,
    s: number,
    v: number,
    n: number,
    decay: number,
    rate: number,
    alpha: number,
    rest: number,
    epsilon: number,
    momentum: number,
  ): void;
  adam(
    w: number,
    g: number,
    m: number,
    s: number,
    n: number,
    decay: number,
    keep: number,
    beta1: number,
    rest1: number,
    beta2: number,
    rest2: number,
    rate: number,
    correction: number,
    epsilon: number,
  ): void;
  sumOfSquares(x: number, n: number): number;
  scale(x: number, n: number, factor: number): void;
}

/** Updates `length` elements from byte `at` of every array on; `decay` is their weight decay. */
type Pass = (at: number, length: number, decay: number, learningRate: number) => void;

/** The optimisers of PyTorch, with its defaults, formulas and float32 arithmetic. */
export function createOptimizer(spec: OptimizerSpec, target: OptimizerTarget): Optimizer {
  const { parameters, weightDecay = () => 0 } = target;
  const layout = parameters.segments.map((s) => [s.name, s.shape] as const);
  const state: Record<string, FlatArrays> = {};
  for (const name of stateNames(spec)) state[name] = flatArrays(layout, parameters);
  const near = target.gradients.arena === parameters.arena;
  const gradients = near ? target.gradients : flatArrays(layout, parameters);
  const runs = mergeSegments(parameters.segments, weightDecay);
  const optimizer: Optimizer = {
    state,
    steps: 0,
    step: (learningRate) => {
      optimizer.steps++;
      if (!near) gradients.values.set(target.gradients.values);
      for (const { from, to, decay } of runs) pass(4 * from, to - from, decay, learningRate);
    },
  };
  const pass = createPass(spec, parameters, gradients, state, () => optimizer.steps);
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
  parameters: FlatArrays,
  gradients: FlatArrays,
  state: Record<string, FlatArrays>,
  steps: () => number,
): Pass {
  const kernels = instantiate<Kernels>(updateWasm, parameters.arena.memory);
  const w = parameters.values.byteOffset;
  const g = gradients.values.byteOffset;
  if (spec.kind === "sgd") {
    const { momentum = 0, nesterov = false } = spec;
    if (momentum === 0) return (at, n, decay, rate) => kernels.sgd(w + at, g + at, n, decay, rate);
    const v = state.momentum.values.byteOffset;
    return (at, n, decay, rate) =>
      kernels.momentum(w + at, g + at, v + at, n, decay, rate, momentum, nesterov);
  }
  const s = state.secondMoment.values.byteOffset;
  if (spec.kind === "rmsprop") {
    const { alpha = 0.99, epsilon = 1e-8, momentum = 0 } = spec;
    const v = state.momentum?.values.byteOffset;
    return (at, n, decay, rate) =>
      kernels.rmsprop(
        w + at,
        g + at,
        s + at,
        v === undefined ? 0 : v + at,
        n,
        decay,
        rate,
        alpha,
        1 - alpha,
        epsilon,
        momentum,
      );
  }
  const { betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-8 } = spec;
  const m = state.firstMoment.values.byteOffset;
  const decoupled = spec.kind === "adamw";
  return (at, n, decay, learningRate) =>
    kernels.adam(
      w + at,
      g + at,
      m + at,
      s + at,
      n,
      decoupled ? 0 : decay,
      decoupled ? 1 - learningRate * decay : 1,
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      learningRate / (1 - beta1 ** steps()),
      1 / Math.sqrt(1 - beta2 ** steps()),
      epsilon,
    );
}

/** Scales the gradients so that their Euclidean norm is at most `limit`; returns the norm before. */
export function clipNorm({ arena, values }: FlatArrays, limit: number): number {
  const { sumOfSquares, scale } = instantiate<Kernels>(updateWasm, arena.memory);
  const norm = Math.sqrt(sumOfSquares(values.byteOffset, values.length));
  if (norm > limit) scale(values.byteOffset, values.length, limit / norm);
  return norm;
}
