import type { Random } from "../random.ts";
import type { Positions } from "./features.ts";
import type { Setting } from "./setting.ts";

/**
 * A random image of the box in itself that leaves heights, the second axis, as they are: mirrored along every other axis or not,
 * and in 3D, where the two others are alike, with these in each other's place or not. What happens under gravity between walls
 * happens in every such image, too.
 */
export function randomImage(bounds: Setting["bounds"], rng: Random): (positions: Positions) => Float64Array {
  const dim = bounds.length;
  const square = dim === 3 && bounds[0][0] === bounds[2][0] && bounds[0][1] === bounds[2][1];
  const swapped = square && rng.integer(2) === 1;
  const mirrored = bounds.map((_, axis) => axis !== 1 && rng.integer(2) === 1);
  return (positions) =>
    Float64Array.from(positions, (_, i) => {
      const axis = i % dim;
      const x = positions[swapped ? i - axis + (dim - 1 - axis) : i];
      return mirrored[axis] ? bounds[axis][0] + bounds[axis][1] - x : x;
    });
}
