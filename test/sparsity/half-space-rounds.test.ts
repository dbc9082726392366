import { expect, test } from "vitest";
import { createHalfSpaceRounds } from "../../src/sparsity/half-space-rounds.ts";

/** Single weights under the group lasso: the proximal step is soft thresholding at αλ = .1. */
const step = { k: 1, lambda: 1, alpha: 0.1, mu: 0 };
const f32 = (...values: number[]) => ({ w: Float32Array.from(values) });

function decide(weights: number[], gradient: number[]) {
  const partition = {
    groups: weights.length,
    parts: [{ parameter: "w", outer: 1, channels: weights.length, inner: 1 }],
  };
  const rounds = createHalfSpaceRounds([{ name: "w", partition, keep: 1 }], "group-lasso");
  rounds.decide(f32(...weights), f32(...gradient), [step]);
  return rounds;
}

test.each([
  // s = (−.1·(1 + 1), −.01): the far group has more to do.
  ["a far group moves more than a near one dies", [5, 0.01], [1, 0], [[1, 0]]],
  // s = (0, −.01): the far group rests, the near one is to die.
  ["the far group rests", [5, 0.01], [-1, 0], undefined],
  // s = (−.1, .5 − .1): a zero group is to come back with more than the far one moves.
  ["a zero group wants to come back", [5, 0], [0, -5], undefined],
  // s = (−.1, .1 − .1): not with a gradient inside the threshold.
  ["a zero group that does not", [5, 0], [0, -1], [[1, 0]]],
  // s = (.5 − .1): the step leads away from zero, but is longer than the distance to it: .15 < .1·|−5 + 1|.
  ["a group nearer to zero than a step is long", [0.15], [-5], undefined],
  ["the same, further away", [0.45], [-5], [[1]]],
  // Both parts move by .3: μ = 1 wants more, not as much.
  ["a draw is proximal", [5, 0], [2, -4], undefined],
] as const)("%s", (_, weights, gradient, far) => {
  const rounds = decide([...weights], [...gradient]);
  expect(rounds.state()).toEqual(far);
  expect(rounds.decided).toBe(far !== undefined);
});

test("a half-space round moves the far groups, kills those that turn, and leaves the others where they are", () => {
  const rounds = decide([5, 0.5, 0.01, 0], [1, 0, 0, 0]);
  expect(rounds.state()).toEqual([[1, 1, 0, 0]]);
  const before = f32(5, 0.5, 0.01, 0);
  rounds.remember(before);
  // The optimiser's step along a batch's gradients 1, 6, 3, 3.
  const after = f32(4.9, -0.1, -0.29, -0.3);
  rounds.step(0, after, step, () => Number.POSITIVE_INFINITY);
  // 4.9 − αλ; −.1 − αλ has turned around.
  expect(after.w[0]).toBeCloseTo(4.8, 6);
  expect([...after.w.subarray(1)]).toEqual([0, Math.fround(0.01), 0]);
});

test("what a checkpoint holds decides the rest of the epoch", () => {
  const rounds = decide([5, 0.01], [1, 0]);
  const other = decide([5, 0.01], [-1, 0]);
  other.restore(rounds.state());
  expect(other.decided).toBe(true);
  expect(other.state()).toEqual(rounds.state());
  other.restore(undefined);
  expect(other.decided).toBe(false);
});
