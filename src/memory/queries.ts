import { decodeVotes, strongestInputs } from "./decode.ts";
import { type Network, resetNetwork, runFrame } from "./network.ts";

/** Fewest inputs that a step of `sample` may go on with. */
const FEWEST = 5;

/** Mean votes of `draws` codes drawn near the cue (`specs/sparsey.md` 3.9). */
export function gist(network: Network, cue: ArrayLike<number>, draws: number): Float64Array {
  const mean = new Float64Array(network.options.inputs);
  for (let d = 0; d < draws; d++) {
    const votes = softVotes(network, cue);
    for (let j = 0; j < mean.length; j++) mean[j] += votes[j] / draws;
  }
  return mean;
}

/**
 * A pattern like those stored: a short chain up and down the weights (`specs/sparsey.md` 3.9). It begins with features
 * of one random cell of each mac, or with the cue, and has as many active inputs as the stored patterns on average.
 * Empty where nothing is stored.
 */
export function sample(network: Network, steps: number, cue?: ArrayLike<number>): number[] {
  const { clock, rng, activeTotal } = network;
  if (clock.now === 0) return [];
  const size = Math.round(activeTotal / clock.now);
  let x: ArrayLike<number> = cue ?? start(network, size);
  for (let s = 0; s < steps; s++) {
    const votes = softVotes(network, x);
    if (s === steps - 1) {
      // Equal votes must not always go to the first inputs.
      for (let j = 0; j < votes.length; j++) votes[j] += 1e-3 * rng.uniform();
      return strongestInputs(votes, size);
    }
    const drawn = Array.from(votes.keys()).filter((j) => rng.uniform() < votes[j] ** 2);
    x = drawn.length < FEWEST ? strongestInputs(votes, size) : drawn;
  }
  return Array.from(x);
}

function softVotes(network: Network, active: ArrayLike<number>): Float64Array {
  resetNetwork(network);
  return decodeVotes(network, runFrame(network, active, "recognize", { soft: true }).code);
}

/** At most `size` features of one random connected cell in each mac of the first level. */
function start({ levels, rng }: Network, size: number): number[] {
  const features = new Set<number>();
  const [{ macs, fields }] = levels;
  for (const [m, { crosstalk, up }] of macs.entries()) {
    const connected = Array.from(crosstalk.fanIn.keys()).filter((i) => crosstalk.fanIn[i] > 0);
    if (connected.length === 0) continue;
    const cell = connected[rng.integer(connected.length)];
    for (const [unit, input] of fields[m].entries()) if (up.weight(unit, cell) > 0) features.add(input);
  }
  const all = Array.from(features);
  return Array.from(rng.permutation(all.length).subarray(0, size), (i) => all[i]);
}
