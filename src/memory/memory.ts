import { Problem } from "../problem.ts";
import { decodeVotes, inputsFrom } from "./decode.ts";
import { bestOf, type LabelField, labelScores, learnLabel, READOUTS, type Readout } from "./label-field.ts";
import type { NetworkOptions } from "./levels.ts";
import { densityOf, isOpen } from "./mac.ts";
import { type Frame, type Network, resetNetwork, runFrame } from "./network.ts";
import { gist, sample } from "./queries.ts";
import { checkKnown } from "./rules.ts";
import { createStored, readMemory, type Stored, writeMemory } from "./saved.ts";
import { useThreads } from "./shared-sums.ts";

/** A binary pattern: the numbers of its active inputs, each once, in any order. */
export type Pattern = ArrayLike<number>;

export type MemoryOptions = NetworkOptions;

/**
 * An associative memory in sparse distributed codes (Rinkus & Leveille, arXiv 1710.07829): it stores a pattern or a
 * sequence by seeing it once, in a number of steps that does not depend on how much it holds.
 */
export interface Memory {
  readonly options: MemoryOptions;
  /** The macs behind it, for whoever wants to look. */
  readonly network: Network;
  readonly labels: LabelField;
  /** Stores a pattern, with a class if one is given. */
  learn(pattern: Pattern, options?: { label?: string }): Frame;
  /** The code of the most similar stored pattern, and how familiar this one is. `soft` draws near it. */
  recognize(pattern: Pattern, options?: { soft?: boolean }): Frame;
  /** Stores a sequence as one episode; a class belongs to its last frame. */
  learnSequence(frames: Iterable<Pattern>, options?: { label?: string }): Frame[];
  recognizeSequence(frames: Iterable<Pattern>): Frame[];
  /**
   * Replays at most `length` frames from a cue, the cue's own included; with length 1 it completes a pattern. Inputs
   * with at least `threshold` (default 1) of the votes are on; it ends early where no horizontal evidence reaches
   * `stopBelow` (default 0.5).
   */
  recall(cue: Pattern, options: RecallOptions): { active: number[]; frame: Frame }[];
  classify(pattern: Pattern, options?: ClassifyOptions): Classification;
  /** By the last frame. */
  classifySequence(frames: Iterable<Pattern>, options?: ClassifyOptions): Classification;
  /** The class of a code that `recognize` or `step` gave. */
  classifyCode(code: Int32Array, options?: ClassifyOptions): Omit<Classification, "frame">;
  /** How similar each remembered code is to the pattern's: shares of equal winners in [0, 1]. */
  similarityDistribution(pattern: Pattern, codes: readonly Int32Array[]): Float64Array;
  /** Share of the cells of a code that are connected with each input, in [0, 1]. */
  decode(code: Int32Array): Float64Array;
  /** What goes with a cue, from everything stored: mean votes over `draws` (default 8) codes near it. */
  gist(cue: Pattern, options?: { draws?: number }): Float64Array;
  /** A new pattern like those stored, from noise or near a cue, in `steps` (default 4) up and down. */
  sample(options?: { steps?: number; cue?: Pattern }): number[];
  /** Ends learning for good, on one level (counted from 1) or on all. */
  freeze(level?: number): void;
  /** For streams: one frame of the episode that goes on since the last `reset`. */
  step(pattern: Pattern, mode: "learn" | "recognize"): Frame;
  /** The next `step` begins an episode. */
  reset(): void;
  report(): MemoryReport;
  /**
   * From now on so many threads, this one included, add up what reaches the macs; 1 to begin with. Nothing else changes,
   * not a bit. Worth it for large macs. Other threads end with the process, in browsers with `useThreads(1)`.
   *
   * Rejects with a `Problem` where memory cannot be shared or no thread can be started.
   */
  useThreads(threads: number): Promise<void>;
  /** A file that `memoryFromBytes` reads. */
  toBytes(): Uint8Array;
}

export interface RecallOptions {
  length: number;
  threshold?: number;
  stopBelow?: number;
}

export interface ClassifyOptions {
  /** Default `logLik`; `nearestCode` needs `keepCodes`. */
  readout?: Readout;
}

export interface Classification {
  /** Undefined where no mac was active. */
  label?: string;
  /** Of every class, in the order in which they were first seen. */
  scores: { label: string; score: number }[];
  frame: Frame;
}

export interface MemoryReport {
  /** Frames learnt. */
  frames: number;
  /** Mean share of the bottom-up weights that are 1, level by level. */
  density: number[];
  /** Share of the macs that are frozen, level by level. */
  frozen: number[];
  /** Share of cells that know every one of their inputs, level by level: under corrected evidence they never win. */
  deadCells: number[];
  /** Macs, bottom-up weights and all weights that are in use, level by level. */
  macs: number[];
  weights: number[];
}

/** A `Problem` where the options make no memory, or one of them is unknown. */
export function createMemory(options: MemoryOptions): Memory {
  return memoryOf(createStored(options));
}

/**
 * The memory that `toBytes` made these bytes of; it goes on exactly as that one would in its next episode. A
 * `Problem` for bytes that are not a whole, undamaged memory of this version.
 */
export function memoryFromBytes(bytes: Uint8Array, name = "saved memory"): Memory {
  return memoryOf(readMemory(bytes, name));
}

/** The calls of a memory around its state. */
function memoryOf({ network, labels }: Stored): Memory {
  const { macs, levels, offsets, options } = network;
  const step: Memory["step"] = (pattern, mode) => runFrame(network, pattern, mode);
  const reset = () => resetNetwork(network);
  const episode = (frames: Iterable<Pattern>, mode: "learn" | "recognize") => {
    reset();
    return Array.from(frames, (frame) => step(frame, mode));
  };
  const recognize: Memory["recognize"] = (pattern, { soft } = {}) => {
    reset();
    return runFrame(network, pattern, "recognize", { soft });
  };
  const learnSequence: Memory["learnSequence"] = (frames, { label } = {}) => {
    const result = episode(frames, "learn");
    const last = result.at(-1);
    if (label !== undefined && last)
      learnLabel(labels, label, cellsOf(network, last.code), openCells(network));
    return result;
  };
  const classifyCode: Memory["classifyCode"] = (code, { readout = "logLik" } = {}) => {
    if (labels.names.length === 0)
      throw new Problem("memory: nothing was stored with a label; give learn one");
    checkKnown("readout", [readout], READOUTS);
    const cells = cellsOf(network, code);
    const scores = labelScores(labels, cells, readout);
    return {
      label: cells.length > 0 ? labels.names[bestOf(scores)] : undefined,
      scores: labels.names.map((label, c) => ({ label, score: scores[c] })),
    };
  };
  const classification = (frame: Frame | undefined, classifyOptions?: ClassifyOptions): Classification => {
    if (!frame) throw new Problem("memory: there is no frame to classify; give at least one");
    return { ...classifyCode(frame.code, classifyOptions), frame };
  };

  return {
    options,
    network,
    labels,
    step,
    reset,
    recognize,
    learnSequence,
    learn: (pattern, learnOptions) => learnSequence([pattern], learnOptions)[0],
    recognizeSequence: (frames) => episode(frames, "recognize"),
    classifyCode,
    classify: (pattern, classifyOptions) => classification(recognize(pattern), classifyOptions),
    classifySequence: (frames, classifyOptions) =>
      classification(episode(frames, "recognize").at(-1), classifyOptions),
    recall: (cue, { length, threshold = 1, stopBelow = 0.5 }) => {
      const replay: { active: number[]; frame: Frame }[] = [];
      for (let frame = recognize(cue); replay.length < length; ) {
        const first = frame.code.subarray(0, offsets[levels[0].macs.length] ?? frame.code.length);
        if (first.every((winner) => winner < 0)) break;
        replay.push({ active: inputsFrom(decodeVotes(network, frame.code), threshold), frame });
        if (replay.length < length) frame = runFrame(network, [], "recall", { stopBelow });
      }
      return replay;
    },
    similarityDistribution: (pattern, codes) => {
      const { code } = recognize(pattern);
      return Float64Array.from(codes, (other) => agreement(code, other));
    },
    decode: (code) => decodeVotes(network, code),
    gist: (cue, { draws = 8 } = {}) => gist(network, cue, draws),
    sample: ({ steps = 4, cue } = {}) => sample(network, steps, cue),
    freeze: (level) => {
      if (level !== undefined && !levels[level - 1])
        throw new Problem(`memory: there is no level ${level} to freeze; there are ${levels.length}`);
      for (const mac of level === undefined ? macs : levels[level - 1].macs) mac.frozen = true;
    },
    report: () => {
      const perLevel = (value: (mac: Network["macs"][number]) => number) =>
        levels.map((level) => level.macs.reduce((sum, mac) => sum + value(mac), 0) / level.macs.length);
      return {
        frames: network.clock.now,
        density: perLevel(densityOf),
        frozen: perLevel((mac) => Number(mac.frozen)),
        deadCells: perLevel(
          ({ crosstalk, inputs, q, k }) =>
            crosstalk.fanIn.reduce((sum, fanIn) => sum + Number(fanIn === inputs), 0) / (q * k),
        ),
        macs: levels.map((level) => level.macs.length),
        weights: levels.map((level) => level.macs.reduce((sum, mac) => sum + weightsOf(mac), 0)),
      };
    },
    useThreads: (threads) => useThreads(network, threads),
    toBytes: () => writeMemory({ network, labels }),
  };
}

/** Weights of a mac that are in use: N·QK upwards, QK·(Q−1)K to itself, QK from each cell of a neighbour or parent. */
function weightsOf({ inputs, q, k, horizontal, side, down, parents }: Network["macs"][number]): number {
  const cells = q * k;
  const across = (horizontal ? cells * (q - 1) * k : 0) + side.filter(Boolean).length * cells * cells;
  return inputs * cells + across + down.reduce((sum, d, p) => sum + (d ? parents[p] * cells : 0), 0);
}

/** Share of modules in which two codes have the same winner; silent ones have none. */
export function agreement(a: Int32Array, b: Int32Array): number {
  let equal = 0;
  for (let q = 0; q < a.length; q++) if (a[q] >= 0 && a[q] === b[q]) equal++;
  return equal / a.length;
}

/** The active cells of a code, counted through all macs: the units of the label field. */
export function cellsOf({ macs, offsets }: Network, code: Int32Array): number[] {
  const cells: number[] = [];
  let first = 0;
  for (const [m, { q, k }] of macs.entries()) {
    for (let module = 0; module < q; module++) {
      const winner = code[offsets[m] + module];
      if (winner >= 0) cells.push(first + module * k + winner);
    }
    first += q * k;
  }
  return cells;
}

/** Whether a cell, counted through all macs, still learns. */
function openCells({ macs }: Network): (cell: number) => boolean {
  const first: number[] = [];
  let cells = 0;
  for (const { q, k } of macs) {
    first.push(cells);
    cells += q * k;
  }
  let m = 0;
  return (cell) => {
    // The cells of a code come mac by mac.
    while (cell < first[m]) m--;
    while (cell >= first[m] + macs[m].q * macs[m].k) m++;
    return isOpen(macs[m], cell - first[m]);
  };
}
