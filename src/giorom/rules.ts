import type { Positions, Window } from "./features.ts";

/** Anything that gives the next positions from the past ones: a network or a rule. */
export type Predictor = (window: Window) => Positions | Promise<Positions>;

/** A predictor that needs no training. */
export type Rule = (window: Window) => Float64Array;

/** Everything stays where it is. */
export const staticRule: Rule = (window) => Float64Array.from(window[window.length - 1]);

export const constantVelocity: Rule = (window) => {
  const [before, now] = window.slice(-2);
  return Float64Array.from(now, (x, i) => 2 * x - before[i]);
};

/**
 * Free flight, stopped by the walls.
 *
 * @param gravity Acceleration of each axis in box lengths per frame².
 */
export function ballistic(gravity: readonly number[], bounds: readonly (readonly [number, number])[]): Rule {
  const dim = gravity.length;
  return (window) => {
    const [before, now] = window.slice(-2);
    return Float64Array.from(now, (x, i) => {
      const [low, high] = bounds[i % dim];
      return Math.min(high, Math.max(low, 2 * x - before[i] + gravity[i % dim]));
    });
  };
}
