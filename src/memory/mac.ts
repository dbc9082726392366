import type { Random } from "../random.ts";
import { type Crosstalk, createCrosstalk } from "./crosstalk.ts";
import type { Decay } from "./decay.ts";
import type { Evidence } from "./evidence.ts";
import type { Inflection } from "./inflection.ts";
import { ANYWHERE, cellNumbers, type Room } from "./room.ts";
import type { Rules } from "./rules.ts";
import { type Clock, fadingSynapses, permanentSynapses, type Synapses } from "./synapses.ts";

export interface MacOptions {
  /** N: units of the receptive field. */
  inputs: number;
  /** Q: modules. */
  q: number;
  /** K: cells a module. */
  k: number;
  rules: Rules;
  /** δ: frames for which a code stays. Default 1. */
  persistence?: number;
  /** π⁻ and π⁺: the fewest and most active sources at which the mac switches on. Default: any. */
  band?: readonly [number, number];
  /** Macs of its level, of its own size, that support it from the side. Default 0. */
  neighbours?: number;
  /** Cells of each parent; the parents' numbers are places in this list. Default: none. */
  parents?: readonly number[];
  /** Default: weights are permanent. */
  decay?: Decay;
}

/**
 * A macrocolumn: Q winner-take-all modules of K binary cells. A code is one winner a module; cell i = q·K + k.
 * `selectCode` finds the code of an input, `learnCode` stores it.
 */
export interface Mac extends Required<Omit<MacOptions, "decay">> {
  rng: Random;
  readonly up: Synapses;
  /** From its own cells a frame ago; made when first learnt. */
  horizontal?: Synapses;
  /** From the cells of each neighbour a frame ago; made when first learnt. */
  readonly side: (Synapses | undefined)[];
  /** From the cells of each parent a frame ago; made when first learnt. */
  readonly down: (Synapses | undefined)[];
  readonly createSynapses: (units: number) => Synapses;
  readonly crosstalk: Crosstalk;
  /** Weights of `up` that are 1. */
  increased: number;
  frozen: boolean;
  /** Where its sigmoid moves. */
  inflection?: Inflection;
  /** The active cell of every module; undefined while silent. */
  code?: Uint32Array;
  /** The code of the frame before. */
  previous?: Uint32Array;
  /** Hypotheses that `code` and `previous` stand for. */
  zeta: number;
  previousZeta: number;
  /** Frames for which the code has been active. */
  age: number;
  /** What led to the latest choice; macs of one size may share it. */
  scratch: Scratch;
}

export interface Scratch extends Evidence {
  /** Bottom-up sums u, unweighted: what learning counts. */
  readonly sums: Float64Array;
  /** Bottom-up sums in which every source counts F(ζ) times. */
  readonly weighted: Float64Array;
  /** V. */
  readonly support: Float64Array;
  /** V̂ of every module. */
  readonly best: Float64Array;
  /** ψ of the cells of one module. */
  readonly weights: Float64Array;
}

export function createScratch(q: number, k: number, room: Room = ANYWHERE): Scratch {
  const cells = () => cellNumbers(room, q * k);
  return {
    sums: cells(),
    weighted: cells(),
    U: cells(),
    H: cells(),
    D: cells(),
    support: cells(),
    best: room.float64(q),
    weights: cellNumbers(room, k + 1),
  };
}

/** Numbers that `createScratch` takes of an arena, alignment included. */
export function scratchNumbers(cells: number, q: number): number {
  return 7 * (cells + 34) + q + 2;
}

export function createMac(
  options: MacOptions,
  rng: Random,
  { clock = { now: 0 }, room, scratch }: { clock?: Clock; room?: Room; scratch?: Scratch } = {},
): Mac {
  const { inputs, q, k, decay, persistence = 1, band = [1, inputs], neighbours = 0, parents = [] } = options;
  const cells = q * k;
  const { sigmoid, inflectionRatchet } = options.rules;
  const createSynapses = (units: number) =>
    decay ? fadingSynapses(units, cells, decay, clock, persistence) : permanentSynapses(units, cells, room);
  return {
    ...options,
    persistence,
    band,
    neighbours,
    parents,
    rng,
    up: createSynapses(inputs),
    side: Array.from({ length: neighbours }, () => undefined),
    down: parents.map(() => undefined),
    createSynapses,
    crosstalk: createCrosstalk(inputs, cells, room),
    increased: 0,
    frozen: false,
    inflection:
      inflectionRatchet && sigmoid.kind === "logistic"
        ? { center: sigmoid.center, highest: inflectionRatchet.above }
        : undefined,
    zeta: 1,
    previousZeta: 1,
    age: 0,
    scratch: scratch ?? createScratch(q, k, room),
  };
}

/** Share of the bottom-up weights that are 1. */
export function densityOf({ increased, inputs, q, k }: Mac): number {
  return increased / (inputs * q * k);
}

/** Whether a cell's weights may still change. */
export function isOpen({ rules, frozen, crosstalk, inputs }: Mac, cell: number): boolean {
  const { freezeAt, freezeBy } = rules;
  return !frozen && (freezeAt === null || freezeBy === "mac" || crosstalk.fanIn[cell] <= freezeAt * inputs);
}

/** A new frame begins: what was the code is the previous code. */
export function beginFrame(mac: Mac): void {
  mac.previous = mac.code;
  mac.previousZeta = mac.zeta;
}

/** Forgets codes and ages, not weights: the next frame is the first of an episode. */
export function resetMac(mac: Mac): void {
  mac.code = mac.previous = undefined;
  mac.zeta = mac.previousZeta = 1;
  mac.age = 0;
}
