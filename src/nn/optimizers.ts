import type { FlatArrays } from "../engine/parameters.ts";
import { flatArrays } from "../engine/parameters.ts";
import { instantiate } from "../kernels/instantiate.ts";
import { updateWasm } from "../kernels/update.wasm.ts";
import { Problem } from "../problem.ts";

/** An optimiser by name, as recipes write it. Weight decay is per parameter: see `createOptimizer`. */
export type OptimizerSpec =
  | { kind: "sgd"; momentum?: number; nesterov?: boolean }
  | { kind: "adam" | "adamw"; betas?: readonly [number, number]; epsilon?: number }
  | { kind: "adamax"; betas?: readonly [number, number]; epsilon?: number }
  | { kind: "rmsprop"; alpha?: number; epsilon?: number; momentum?: number };

export interface Optimizer {
  /** Arrays with the layout of the parameters that the next step depends on, by name: saved in checkpoints, masked where groups are frozen. */
  readonly state: Readonly<Record<string, FlatArrays>>;
  /** Steps taken so far: Adam's bias correction depends on it. */
  steps: number;
  /** For parameters whose state was started anew (see `restart`): `steps` at that time. */
  readonly restarts?: Map<string, number>;
  /** Updates the parameters in place from the gradients, one pass over memory. */
  step(learningRate: number): void;
}

export interface OptimizerTarget {
  parameters: FlatArrays;
  /** Beside the parameters (see `flatArrays`): gradients that lie elsewhere are copied there in every step. */
  gradients: FlatArrays;
  /** Weight decay of each parameter; added to the gradient, but decoupled from it with `adamw`. Default 0. */
  weightDecay?: (parameter: string) => number;
  /** Factor on the learning rate of each parameter in the step about to be taken. Default 1. */
  rate?: (parameter: string) => number;
  /** Which parameters it updates and keeps state for. Default all. */
  only?: (parameter: string) => boolean;
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
  adamax(
    w: number,
    g: number,
    m: number,
    u: number,
    n: number,
    decay: number,
    beta1: number,
    rest1: number,
    beta2: number,
    rate: number,
    epsilon: number,
  ): void;
  sumOfSquares(x: number, n: number): number;
  scale(x: number, n: number, factor: number): void;
}

/** Neighbours in every array that are updated alike. */
interface Run {
  /** First element in parameters and gradients, and in the state. */
  from: number;
  stateFrom: number;
  length: number;
  decay: number;
  rate: number;
  /** Steps at which their state began. */
  start: number;
}

type Pass = (run: Run, learningRate: number) => void;

/** The optimisers of PyTorch, with its defaults, formulas and float32 arithmetic. */
export function createOptimizer(spec: OptimizerSpec, target: OptimizerTarget): Optimizer {
  const { parameters, only = () => true } = target;
  const layout = parameters.segments.map((s) => [s.name, s.shape] as const);
  const state: Record<string, FlatArrays> = {};
  for (const name of stateNames(spec))
    state[name] = flatArrays(
      layout.filter(([parameter]) => only(parameter)),
      parameters,
    );
  const near = target.gradients.arena === parameters.arena;
  const gradients = near ? target.gradients : flatArrays(layout, parameters);
  const restarts = new Map<string, number>();
  let runs = findRuns(target, restarts);
  const optimizer: Optimizer = {
    state,
    steps: 0,
    restarts,
    step: (learningRate) => {
      if (target.rate || restarts.size > 0) runs = findRuns(target, restarts);
      optimizer.steps++;
      if (!near) gradients.values.set(target.gradients.values);
      for (const run of runs) pass(run, learningRate * run.rate);
    },
  };
  const pass = createPass(spec, parameters, gradients, state, () => optimizer.steps);
  return optimizer;
}

/** Forgets what the optimiser knows of some parameters: their state is 0 and their bias correction begins anew. */
export function restart(optimizer: Optimizer, parameters: Iterable<string>): void {
  for (const name of parameters) {
    optimizer.restarts?.set(name, optimizer.steps);
    for (const { arrays } of Object.values(optimizer.state)) arrays[name]?.fill(0);
  }
}

function stateNames(spec: OptimizerSpec): string[] {
  switch (spec.kind) {
    case "sgd":
      return spec.momentum ? ["momentum"] : [];
    case "adam":
    case "adamw":
      return ["firstMoment", "secondMoment"];
    case "adamax":
      return ["firstMoment", "largest"];
    case "rmsprop":
      return spec.momentum ? ["secondMoment", "momentum"] : ["secondMoment"];
    default:
      throw new Problem(
        `unknown optimiser "${(spec as { kind: string }).kind}"; known: sgd, adam, adamw, adamax, rmsprop`,
      );
  }
}

/** Neighbouring segments that are updated alike become one run, so that small parameters cost no calls. */
function findRuns(
  { parameters, weightDecay = () => 0, rate = () => 1, only = () => true }: OptimizerTarget,
  restarts: ReadonlyMap<string, number>,
): Run[] {
  const runs: Run[] = [];
  let stateFrom = 0;
  for (const { name, offset, length } of parameters.segments) {
    if (!only(name)) continue;
    const next = { decay: weightDecay(name), rate: rate(name), start: restarts.get(name) ?? 0 };
    const last = runs.at(-1);
    if (
      last &&
      last.from + last.length === offset &&
      last.decay === next.decay &&
      last.rate === next.rate &&
      last.start === next.start
    )
      last.length += length;
    else runs.push({ from: offset, stateFrom, length, ...next });
    stateFrom += length;
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
    if (momentum === 0)
      return ({ from, length, decay }, rate) => kernels.sgd(w + 4 * from, g + 4 * from, length, decay, rate);
    const v = state.momentum.values.byteOffset;
    return ({ from, stateFrom, length, decay }, rate) =>
      kernels.momentum(
        w + 4 * from,
        g + 4 * from,
        v + 4 * stateFrom,
        length,
        decay,
        rate,
        momentum,
        nesterov,
      );
  }
  if (spec.kind === "rmsprop") {
    const s = state.secondMoment.values.byteOffset;
    const { alpha = 0.99, epsilon = 1e-8, momentum = 0 } = spec;
    const v = state.momentum?.values.byteOffset;
    return ({ from, stateFrom, length, decay }, rate) =>
      kernels.rmsprop(
        w + 4 * from,
        g + 4 * from,
        s + 4 * stateFrom,
        v === undefined ? 0 : v + 4 * stateFrom,
        length,
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
  if (spec.kind === "adamax") {
    const u = state.largest.values.byteOffset;
    return ({ from, stateFrom, length, decay, start }, learningRate) =>
      kernels.adamax(
        w + 4 * from,
        g + 4 * from,
        m + 4 * stateFrom,
        u + 4 * stateFrom,
        length,
        decay,
        beta1,
        1 - beta1,
        beta2,
        learningRate / (1 - beta1 ** (steps() - start)),
        epsilon,
      );
  }
  const s = state.secondMoment.values.byteOffset;
  const decoupled = spec.kind === "adamw";
  return ({ from, stateFrom, length, decay, start }, learningRate) =>
    kernels.adam(
      w + 4 * from,
      g + 4 * from,
      m + 4 * stateFrom,
      s + 4 * stateFrom,
      length,
      decoupled ? 0 : decay,
      decoupled ? 1 - learningRate * decay : 1,
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      learningRate / (1 - beta1 ** (steps() - start)),
      1 / Math.sqrt(1 - beta2 ** (steps() - start)),
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
