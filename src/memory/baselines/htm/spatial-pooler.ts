import { random } from "../../../random.ts";
import { strongestInputs } from "../../decode.ts";

export interface SpatialPoolerOptions {
  /** Default 2048. */
  columns?: number;
  /** Columns that win, over the whole of them. Default 2 %, at least 1. */
  activeColumns?: number;
  /** Share of the inputs that a column may connect to. Default 0.5. */
  potentialShare?: number;
  /** From this permanence on a synapse is connected. Default 0.1. */
  connectedPermanence?: number;
  /** What a winning column adds to the permanences of active inputs. Default 0.05. */
  activeIncrement?: number;
  /** What it takes from those of the others. Default 0.008. */
  inactiveDecrement?: number;
  /** Columns with no more active connected inputs than this never win. Default 0. */
  stimulusThreshold?: number;
  /** β: how strongly columns that win too often or too seldom are held back or helped. Default 0: not at all. */
  boostStrength?: number;
  /** Presentations over which duty cycles are averaged. Default 1000. */
  dutyCyclePeriod?: number;
  /** Columns whose overlap duty cycle is below this share of the largest are given more permanence. Default 0.001. */
  minOverlapDutyCycle?: number;
  /** Default 0. */
  seed?: number;
}

/** Turns patterns into sparse sets of columns, which it adapts to what it sees. */
export interface SpatialPooler {
  readonly columns: number;
  /** One row an input, one place a column, in [0, 1]; negative where the column can never connect to the input. */
  readonly permanences: Float64Array;
  /** The winning columns, in rising order; the synapses change if `learn` says so. */
  compute(active: ArrayLike<number>, learn: boolean): number[];
  /** Of each input the mean permanence to these columns: the way back, which the published algorithm leaves open. */
  expectedInputs(columns: readonly number[]): Float64Array;
}

/**
 * The spatial pooler of hierarchical temporal memory with global inhibition (Hawkins et al., Biological and Machine
 * Intelligence, chapter on the spatial pooling algorithm; Cui, Ahmad & Hawkins 2017, Front. Comput. Neurosci. 11:111).
 * Defaults are those of Numenta's own program.
 */
export function createSpatialPooler(inputs: number, options: SpatialPoolerOptions = {}): SpatialPooler {
  const {
    columns = 2048,
    activeColumns = Math.max(1, Math.floor(0.02 * columns)),
    potentialShare = 0.5,
    connectedPermanence: connected = 0.1,
    activeIncrement = 0.05,
    inactiveDecrement = 0.008,
    stimulusThreshold = 0,
    boostStrength = 0,
    dutyCyclePeriod = 1000,
    minOverlapDutyCycle = 0.001,
    seed = 0,
  } = options;
  const permanences = initialPermanences(inputs, columns, potentialShare, connected, seed);
  const activeDuty = new Float64Array(columns);
  const overlapDuty = new Float64Array(columns);
  let presentations = 0;

  const overlapsWith = (active: ArrayLike<number>) => {
    const overlaps = new Float64Array(columns);
    for (let a = 0; a < active.length; a++)
      for (let c = 0, at = active[a] * columns; c < columns; c++, at++)
        if (permanences[at] >= connected) overlaps[c]++;
    return overlaps;
  };
  const boosted = (overlaps: Float64Array) => {
    if (boostStrength === 0) return overlaps;
    const mean = activeDuty.reduce((a, b) => a + b, 0) / columns;
    return overlaps.map((overlap, c) => overlap * Math.exp(boostStrength * (mean - activeDuty[c])));
  };
  const adapt = (active: ArrayLike<number>, winners: readonly number[]) => {
    const present = new Uint8Array(inputs);
    for (let a = 0; a < active.length; a++) present[active[a]] = 1;
    for (const c of winners)
      for (let j = 0; j < inputs; j++)
        change(permanences, j * columns + c, present[j] ? activeIncrement : -inactiveDecrement);
  };
  const countDuties = (overlaps: Float64Array, winners: readonly number[]) => {
    const period = Math.min(++presentations, dutyCyclePeriod);
    for (let c = 0; c < columns; c++) {
      activeDuty[c] -= activeDuty[c] / period;
      overlapDuty[c] += (Number(overlaps[c] > 0) - overlapDuty[c]) / period;
    }
    for (const c of winners) activeDuty[c] += 1 / period;
  };
  /** Columns that hardly ever see anything come nearer to connecting. */
  const helpTheIdle = () => {
    const least = minOverlapDutyCycle * overlapDuty.reduce((a, b) => Math.max(a, b), 0);
    for (let c = 0; c < columns; c++)
      if (overlapDuty[c] < least)
        for (let j = 0; j < inputs; j++) change(permanences, j * columns + c, 0.1 * connected);
  };

  return {
    columns,
    permanences,
    compute: (active, learn) => {
      const overlaps = overlapsWith(active);
      const winners = strongestInputs(boosted(overlaps), activeColumns).filter(
        (c) => overlaps[c] > stimulusThreshold,
      );
      if (learn) {
        adapt(active, winners);
        countDuties(overlaps, winners);
        helpTheIdle();
      }
      return winners;
    },
    expectedInputs: (some) =>
      Float64Array.from({ length: inputs }, (_, j) =>
        some.reduce((sum, c) => sum + Math.max(0, permanences[j * columns + c]) / some.length, 0),
      ),
  };
}

/** Each column may connect to so large a random share of the inputs, and is connected to half of these. */
function initialPermanences(
  inputs: number,
  columns: number,
  potentialShare: number,
  connected: number,
  seed: number,
): Float64Array {
  const rng = random(seed);
  const permanences = new Float64Array(inputs * columns).fill(-1);
  for (let c = 0; c < columns; c++)
    for (const j of rng.permutation(inputs).subarray(0, Math.max(1, Math.round(potentialShare * inputs)))) {
      const far = rng.uniform();
      permanences[j * columns + c] =
        rng.uniform() < 0.5 ? connected + (1 - connected) * far : connected * far;
    }
  return permanences;
}

function change(permanences: Float64Array, at: number, by: number): void {
  if (permanences[at] >= 0) permanences[at] = Math.max(0, Math.min(1, permanences[at] + by));
}
