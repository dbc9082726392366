import { Problem } from "../problem.ts";
import type { Positions, Window } from "./features.ts";
import { byMotion } from "./kinematic.ts";
import type { Predictor } from "./rules.ts";
import { pick } from "./sample.ts";
import type { SparseTrajectory } from "./windows.ts";

export interface RolloutOptions {
  /** Frames to predict. */
  frames: number;
  /** Particles that do not obey the simulator (GNS's type 3), and where they are in each predicted frame. */
  prescribed?: { points: Iterable<number>; at: (frame: number) => Positions };
  dim: number;
  onFrame?(frame: number, positions: Positions): void;
  signal?: AbortSignal;
}

/**
 * Predicts frame after frame from its own predictions; `seed` are the true frames to start from, which are not part of the
 * result. Stops with a `Problem` that names frame and particle when a position is no longer a number.
 */
export async function rollout(
  predict: Predictor,
  seed: Window,
  { frames, prescribed, dim, onFrame, signal }: RolloutOptions,
): Promise<Positions[]> {
  const window = [...seed];
  const predicted: Positions[] = [];
  for (let frame = 0; frame < frames && !signal?.aborted; frame++) {
    const next = await predict(window);
    if (prescribed) {
      const told = prescribed.at(frame);
      for (const i of prescribed.points) for (let k = 0; k < dim; k++) next[i * dim + k] = told[i * dim + k];
    }
    const lost = next.findIndex((x) => !Number.isFinite(x));
    if (lost >= 0)
      throw new Problem(
        `frame ${seed.length + frame}: particle ${Math.floor(lost / dim)} is predicted at ${next[lost]} on axis ${"xyz"[lost % dim]}; ` +
          "the rollout has become unstable: train longer, or with more noise",
      );
    window.shift();
    window.push(next);
    predicted.push(next);
    onFrame?.(frame, next);
  }
  return predicted;
}

/**
 * Goes on with a known trajectory from its first `seen` frames, kinematic particles as they are given: what is predicted and
 * what is true of all others, at most `most` frames.
 */
export async function rolloutTrajectory(
  predict: Predictor,
  { frames, types }: SparseTrajectory,
  { seen, most, dim }: { seen: number; most: number; dim: number },
): Promise<{ predicted: Positions[]; truth: Positions[] }> {
  const truth = frames.slice(seen, seen + most);
  const { free, kinematic } = byMotion(types, frames[0].length / dim);
  const predicted = await rollout(predict, frames.slice(0, seen), {
    frames: truth.length,
    dim,
    prescribed: { points: kinematic, at: (t) => truth[t] },
  });
  const judged = (all: readonly Positions[]) => all.map((frame) => pick(frame, dim, free));
  return { predicted: judged(predicted), truth: judged(truth) };
}

/** Mean over particles of |x − x̂|². */
export function squaredError(found: ArrayLike<number>, expected: ArrayLike<number>, dim: number): number {
  let sum = 0;
  for (let i = 0; i < expected.length; i++) sum += (found[i] - expected[i]) ** 2;
  return sum / (expected.length / dim);
}

/** |x̂ − x|/|x|, the positions of all particles taken as one vector (GIOROM spec 3.9). */
export function relativeL2(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [off, length] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    off += (found[i] - expected[i]) ** 2;
    length += expected[i] ** 2;
  }
  return Math.sqrt(off / length);
}

/**
 * Mean of the squared error over the first `frames` predicted frames, all if not given (GIOROM spec 3.9; the seed does not
 * count). Throws a `Problem` where there are not so many, or of other particles.
 */
export function rolloutError(
  predicted: readonly ArrayLike<number>[],
  truth: readonly ArrayLike<number>[],
  dim: number,
  frames?: number,
): number {
  if (frames === undefined && predicted.length !== truth.length)
    throw new Problem(
      `${predicted.length} frames are predicted, ${truth.length} are true; say how many to compare`,
    );
  const compared = frames ?? truth.length;
  if (!(Number.isInteger(compared) && compared >= 1 && compared <= Math.min(predicted.length, truth.length)))
    throw new Problem(
      `${compared} frames cannot be compared; ${predicted.length} are predicted, ${truth.length} are true`,
    );
  let sum = 0;
  for (let t = 0; t < compared; t++) {
    if (predicted[t].length !== truth[t].length)
      throw new Problem(
        `frame ${t} has ${predicted[t].length} numbers predicted and ${truth[t].length} true; compare the same particles`,
      );
    sum += squaredError(predicted[t], truth[t], dim);
  }
  return sum / compared;
}
