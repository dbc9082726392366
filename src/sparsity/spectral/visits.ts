import type { Clock } from "./clock.ts";
import type { LinearMap } from "./linear-maps.ts";

/** How much training singular vectors get out of a number of steps. */
export interface Visits {
  /** Steps over T2·T3. */
  rounds: number;
  /** Steps in which a pair of singular vectors trains, on average, in the layer where that is least: steps · r/k. */
  stepsPerPair: number;
  /** That layer's weight. */
  weight: string;
}

export function visitsIn(steps: number, clock: Clock, maps: readonly LinearMap[], rank: number): Visits {
  const share = ({ outputs, inputs }: LinearMap) => Math.min(1, rank / Math.min(outputs, inputs));
  const least = maps.reduce((a, b) => (share(b) < share(a) ? b : a));
  return {
    rounds: steps / (clock.iterationSteps * clock.roundIterations),
    stepsPerPair: steps * share(least),
    weight: least.weight,
  };
}

/**
 * What to say before a training of so many steps in which most singular vectors would stay where they begin (sst.md 9.12):
 * one of fewer than two rounds, or one that draws the pairs of some layer less than once on average. Undefined where there
 * is nothing to say.
 */
export function tooFewVisits(
  steps: number,
  clock: Clock,
  maps: readonly LinearMap[],
  rank: number,
): string | undefined {
  const { rounds, stepsPerPair, weight } = visitsIn(steps, clock, maps, rank);
  const { iterationSteps, roundIterations } = clock;
  const remedy = "train longer, take a larger rank, or fewer iterationSteps";
  if (rounds < 2)
    return `${steps} steps are ${rounds.toFixed(2)} rounds of ${roundIterations} × ${iterationSteps}; with fewer than two most singular vectors stay where they begin: ${remedy}`;
  const draws = stepsPerPair / iterationSteps;
  if (draws < 1)
    return `${steps} steps draw each pair of singular vectors of ${weight} ${draws.toFixed(2)} times on average, so most stay where they begin: ${remedy}`;
  return undefined;
}

/**
 * What to say where singular triplets, their gradients and Adam's moments take more numbers than the weights', theirs and
 * Adam's would (sst.md 3.9): of square layers, from a third of their width on.
 */
export function moreThanFullRank(maps: readonly LinearMap[], rank: number): string | undefined {
  let [triplets, weights] = [0, 0];
  for (const { outputs, inputs } of maps) {
    const k = Math.min(outputs, inputs);
    triplets += k * (outputs + inputs + 1) + 3 * (Math.min(rank, k) * (outputs + inputs) + k);
    weights += 4 * outputs * inputs;
  }
  if (triplets <= weights) return undefined;
  return `with Adam, rank ${rank} holds ${(triplets / weights).toFixed(2)} times the numbers of full rank; take one below a third of the layers' width`;
}
