import { Problem } from "../../problem.ts";

/** Rounds of iterations of steps (sst.md 3.4): every iteration has its own active vectors, every round ends in a new SVD. */
export interface Clock {
  /** T3, steps an iteration. */
  readonly iterationSteps: number;
  /** T2, iterations a round. */
  readonly roundIterations: number;
  /** Steps over which the learning rate rises at the start of every iteration. */
  readonly warmup: number;
}

/**
 * The spec's defaults: 200 steps, fewer in short runs; a warm-up of a tenth; one expected visit to every vector a round.
 * Throws a `Problem` for lengths that are no clock.
 */
export function defaultClock(
  width: number,
  rank: number,
  { steps, ...given }: Partial<Clock> & { steps?: number } = {},
): Clock {
  const {
    iterationSteps = steps === undefined ? 200 : Math.min(200, Math.max(20, Math.floor(steps / 80))),
    roundIterations = Math.ceil(width / rank),
  } = given;
  const { warmup = Math.min(iterationSteps, Math.max(2, Math.round(iterationSteps / 10))) } = given;
  for (const [name, value] of Object.entries({ iterationSteps, roundIterations }))
    if (!(Number.isInteger(value) && value > 0))
      throw new Problem(`${name} is ${value}; take a whole number above 0`);
  if (!(Number.isInteger(warmup) && warmup >= 0 && warmup <= iterationSteps))
    throw new Problem(
      `a warm-up of ${warmup} steps in iterations of ${iterationSteps}; take a whole number from 0 to ${iterationSteps}`,
    );
  return { iterationSteps, roundIterations, warmup };
}

/** Factor on the learning rate at `step` (from 0): 1/warmup, 2/warmup, … 1 after every switch. */
export function warmupFactor({ iterationSteps, warmup }: Clock, step: number): number {
  return warmup > 0 ? Math.min(1, ((step % iterationSteps) + 1) / warmup) : 1;
}

/** What ends with the step that makes `taken` steps in all. */
export function boundaryAfter(
  { iterationSteps, roundIterations }: Clock,
  taken: number,
): "round" | "iteration" | undefined {
  if (taken % iterationSteps !== 0) return undefined;
  return taken % (iterationSteps * roundIterations) === 0 ? "round" : "iteration";
}
