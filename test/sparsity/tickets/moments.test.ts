import { expect, test } from "vitest";
import type { CurvePoint } from "../../../src/sparsity/tickets/detector.ts";
import { createMoments } from "../../../src/sparsity/tickets/moments.ts";

/** A run whose only weight is the step it is at; which step each moment was taken at. */
function takenAt(points: readonly CurvePoint[], threshold?: number) {
  const moments = createMoments(threshold);
  const live = new Map([["w", new Float32Array(1)]]);
  for (const point of points) {
    live.get("w")![0] = point.step;
    moments.observe(point, live);
  }
  return Object.fromEntries([...moments.weights()].map(([name, w]) => [name, w.get("w")![0]]));
}

/** Evaluated every 100 steps: memorises at 300, passes .5, .8 and .95 at 1000, 1200 and 1500, and falls back now and then. */
const curve = (steps: number): CurvePoint[] =>
  Array.from({ length: steps / 100 + 1 }, (_, i) => {
    const step = 100 * i;
    const rising = step >= 1500 ? 0.96 : step >= 1200 ? 0.85 : step >= 1000 ? 0.6 : 0.1;
    return { step, train: step >= 300 ? 1 : 0.4, test: step % 700 === 0 ? 0.2 : rising };
  });

test("each moment is the first evaluation at which it has come", () => {
  expect(takenAt(curve(4000))).toEqual({
    memorised: 600,
    half: 1000,
    most: 1200,
    generalised: 1500,
    later500: 2000,
    later1500: 3000,
  });
});

test("memory within 100 steps counts after 200; what never comes is missing; the threshold decides", () => {
  const fast = [0, 50, 100, 150, 200, 250].map((step) => ({ step, train: step >= 50 ? 1 : 0, test: 0.6 }));
  expect(takenAt(fast)).toEqual({ half: 0, memorised: 200 });
  expect(takenAt(fast, 0.55)).toEqual({ half: 0, memorised: 200, generalised: 0 });
});
