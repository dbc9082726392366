import { expect, test } from "vitest";
import type { RegressionPrior } from "../../protocols/support/turbo/sparse-regression.ts";
import { clusteredProblem, recover, shuffled } from "../../protocols/support/turbo/sparse-regression.ts";
import { median } from "../../src/runs/latency.ts";

/** turbovbi.md P1 with few trials: `npm run protocol -- turbo-regression` has the full ones. */
const problems = [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => clusteredProblem(seed, 100, "segments"));
const lambda = 0.17;

const errorOf = (data: typeof problems, prior: RegressionPrior) =>
  median(data.map((p) => recover(p, prior, "structured").nmse));

test("a chain finds clustered weights better than independent bits; control: not in another order", () => {
  const iid = errorOf(problems, { kind: "iid", lambda });
  const chain = errorOf(problems, { kind: "chain", lambda });
  expect(chain).toBeLessThan(0.8 * iid);
  const control = problems.map((p, seed) => shuffled(p, seed));
  expect(errorOf(control, { kind: "chain", lambda })).toBeGreaterThan(1.3 * chain);
  expect(errorOf(control, { kind: "iid", lambda }) / iid).toBeCloseTo(1, 6);
});
