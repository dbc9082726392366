import { expect, test } from "vitest";
import { gnsConfig } from "../../src/giorom/baselines.ts";
import { CONFIGS, liteConfig, type StepperConfig } from "../../src/giorom/config.ts";
import { stepper } from "../../src/giorom/stepper.ts";

const SIZE = { windows: 1, points: 4, edges: 8, degree: 2, pairs: 8, perNode: 2, perPoint: 2 };

const count = (config: StepperConfig) =>
  [...stepper(config, SIZE).parameters.values()].reduce((sum, t) => sum + t.data.length, 0);

// Figures of GIOROM spec 3.7; the authors' notebooks print the second, and the third is their "2.39M".
test.each([
  ["v1-2d", CONFIGS["v1-2d"], 2_017_564],
  ["v1-3d-large", CONFIGS["v1-3d-large"], 2_006_574],
  ["T-3d", CONFIGS["T-3d"], 2_387_669],
  ["T-2d", CONFIGS["T-2d"], 3_493_694],
  ["lite", liteConfig({ dim: 2 }), 126_490],
])("%s has exactly the published number of parameters", (_, config, expected) => {
  expect(count(config)).toBe(expected);
});

test("one more layer of the authors' own list shows in the count", () => {
  const wider = { ...CONFIGS["T-3d"], latent: { ...CONFIGS["T-3d"].latent, projection: [256, 256] } };
  // A projection of three layers, 128 → 256 → 256 → 128, in place of one.
  expect(count(wider) - count(CONFIGS["T-3d"])).toBe(131_712 - 16_512);
});

test("GNS is ten rounds of messages and nothing else", () => {
  const encoders = 14 * 128 + 128 + 3 * 128 + 128 + 2 * (2 * (128 * 128 + 128) + 256);
  const round = 5 * 128 * 128 + 2 * 128 + 2 * (2 * (128 * 128 + 128) + 256);
  const decoder = 2 * (128 * 128 + 128) + 2 * 128 + 2;
  expect(count(gnsConfig({ dim: 2 }))).toBe(encoders + 10 * round + decoder);
});
