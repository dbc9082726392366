import { expect, test } from "vitest";
import { random } from "../../../src/random.ts";
import { createDetector, grokTimes } from "../../../src/sparsity/tickets/detector.ts";
import { vectors } from "./vectors.ts";

const { curve, P, tMem, tGen, tau, stableTGen } = vectors.timing;
const points = curve.steps.map((step: number, i: number) => ({
  step,
  train: curve.train[i],
  test: curve.test[i],
}));

test("times of the vectors", () => {
  const times = grokTimes(points, { threshold: P });
  expect(times).toMatchObject({ memorised: tMem, generalised: tGen, generalisedForGood: stableTGen, tau });
  expect(times.transition).toEqual({ from: 10, to: 40 });
});

test("online, it says after every point what the definitions say of the curve so far", () => {
  const rng = random(2);
  for (let trial = 0; trial < 200; trial++) {
    const random50 = Array.from({ length: 50 }, (_, i) => ({
      step: 10 * i,
      train: rng.uniform() ** (8 / (i + 1)),
      test: rng.uniform() ** (3 / (i + 1)),
    }));
    const detector = createDetector({ threshold: 0.8, holdFor: 30 });
    random50.forEach((point, i) => {
      detector.observe(point);
      const past = random50.slice(0, i + 1);
      const first = (f: (index: number) => boolean) => past.find((_, j) => f(j))?.step;
      const forGood = first((j) => past.slice(j).every((q) => q.test >= 0.8));
      expect(detector.times().memorised).toBe(first((j) => past[j].train >= 0.8));
      expect(detector.times().generalised).toBe(first((j) => past[j].test >= 0.8));
      expect(detector.times().generalisedForGood).toBe(forGood);
      expect(detector.grokked()).toBe(forGood !== undefined && point.step - forGood >= 30);
    });
  }
});

test("a curve that never generalises has no time", () => {
  const times = grokTimes([{ step: 0, train: 1, test: 0.94 }]);
  expect(times.generalised).toBeUndefined();
  expect(times.tau).toBeUndefined();
});
