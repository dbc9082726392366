import type { Dim } from "../physics/particles.ts";
import { type Neighbors, radiusNeighbors } from "../physics/radius-graph.ts";
import type { Window } from "./features.ts";
import { ballistic } from "./rules.ts";
import type { Setting } from "./setting.ts";

/** Of the training noise: what differs less from a free flight is one. Noise itself hides any difference so small. */
const TOLERANCE = 0.1;

/**
 * Which particles fly freely: in all of the window gravity alone moved them and all within a radius of them, and no wall is
 * as near as that. The best prediction for these is known without a network (GIOROM spec 9, 21).
 *
 * @param neighbors Of the newest positions within the radius, where they are known.
 */
export function freeFlight(window: Window, setting: Setting, neighbors?: Neighbors): boolean[] {
  const { bounds, gravity, radius, noise } = setting;
  const dim = bounds.length as Dim;
  const now = window[window.length - 1];
  const count = now.length / dim;
  const alone = new Uint8Array(count);
  if (gravity && window.length > 2) {
    const rule = ballistic(gravity, bounds);
    const expected = window.slice(2).map((_, t) => rule(window.slice(t, t + 2)));
    for (let i = 0; i < count; i++)
      alone[i] = Number(
        bounds.every(([low, high], k) => {
          const at = i * dim + k;
          const moved = expected.every((x, t) => Math.abs(window[t + 2][at] - x[at]) <= TOLERANCE * noise);
          return moved && now[at] - low > radius && high - now[at] > radius;
        }),
      );
  }
  const { starts, senders } = neighbors ?? radiusNeighbors(now, dim, radius);
  return Array.from(alone, (_, i) => senders.subarray(starts[i], starts[i + 1]).every((j) => alone[j] === 1));
}
