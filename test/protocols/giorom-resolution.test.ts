import { expect, test } from "vitest";
import { asSums, farthest, MODELS, RADIUS, sparse } from "../../protocols/support/giorom/models.ts";
import { BOUNDS } from "../../protocols/support/giorom/scenes.ts";
import type { Setting } from "../../src/giorom/setting.ts";
import { openSimulator } from "../../src/giorom/simulator.ts";
import { SMALLEST, stepper } from "../../src/giorom/stepper.ts";
import { exportStepper } from "../../src/giorom/stepper-file.ts";

const SETTING: Setting = {
  bounds: BOUNDS,
  radius: RADIUS,
  latentRadius: 0.1,
  statistics: {
    velocityMean: [0, 0],
    velocityStd: [5e-3, 5e-3],
    accelerationMean: [0, 0],
    accelerationStd: [1e-3, 1e-3],
  },
  noise: 0,
  frameInterval: 5e-3,
};

/** Six frames of a block in a smooth flow. */
const block = Float64Array.from(
  { length: 1152 },
  (_, i) => 0.3 + 0.4 * ((i & 1 ? (i >> 1) % 24 : ((i >> 1) / 24) | 0) / 24),
);
const frames = Array.from({ length: 6 }, (_, t) =>
  Float32Array.from(block, (x, i) => x + 4e-3 * t * Math.sin(5 * block[i ^ 1])),
);

test("samples of another density change a network of means little, and much where its means grow as sums", async () => {
  const config = MODELS.lite.config;
  const bytes = exportStepper(stepper(config, SMALLEST, { seed: 1 }), { config, setting: SETTING });
  /** Mean change of the accelerations of the first 50 particles, which are in both samples. */
  const change = async (share: number, control: boolean) => {
    const accelerations = async (ratio: number) => {
      const adjust = control ? asSums(ratio) : undefined;
      const simulator = await openSimulator(bytes, { threads: 1, adjust });
      const window = sparse(frames, farthest(frames, ratio)).frames;
      const next = await simulator.step(window);
      await simulator.release();
      return next.slice(0, 100).map((x, i) => x - 2 * window[5][i] + window[4][i]);
    };
    const [usual, other] = [await accelerations(0.2), await accelerations(share)];
    const size = (v: Float64Array) => Math.hypot(...v);
    return size(other.map((a, i) => a - usual[i])) / size(usual);
  };
  for (const share of [0.1, 0.5]) {
    const [means, sums] = [await change(share, false), await change(share, true)];
    expect(sums).toBeGreaterThan(2 * means);
  }
  expect(await change(0.2, true)).toBeLessThan(1e-6);
});
