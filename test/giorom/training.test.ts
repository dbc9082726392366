import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { flatArrays } from "../../src/engine/parameters.ts";
import { chamferDistance } from "../../src/giorom/chamfer.ts";
import { liteConfig, transformerConfig } from "../../src/giorom/config.ts";
import { integrate, type Window, windowFeatures } from "../../src/giorom/features.ts";
import { allocateFeeds, fillFeeds, neighborhoods, sizeFor } from "../../src/giorom/neighborhood.ts";
import { relativeL2, rollout, rolloutError, rolloutTrajectory } from "../../src/giorom/rollout.ts";
import { ballistic, constantVelocity, staticRule } from "../../src/giorom/rules.ts";
import type { Setting } from "../../src/giorom/setting.ts";
import { openSimulator } from "../../src/giorom/simulator.ts";
import { stepper } from "../../src/giorom/stepper.ts";
import { exportStepper } from "../../src/giorom/stepper-file.ts";
import { accelerationLoss, type TrainStepperOptions, trainStepper } from "../../src/giorom/train-stepper.ts";
import type { SparseTrajectory } from "../../src/giorom/windows.ts";
import { windowSource } from "../../src/giorom/windows.ts";
import { createOptimizer } from "../../src/nn/optimizers.ts";
import type { TrainingSnapshot } from "../../src/nn/trainer.ts";
import { createTrainingStep } from "../../src/nn/training-step.ts";
import { random } from "../../src/random.ts";
import { expectProblem, expectProblemLater } from "../data/support.ts";
import { asNumeric, largestDifference, vectors } from "./support.ts";

const SETTING: Setting = {
  bounds: [
    [0, 1],
    [0, 1],
  ],
  radius: 0.25,
  latentRadius: 0.3,
  statistics: {
    velocityMean: [0, 0],
    velocityStd: [0.01, 0.01],
    accelerationMean: [0, 0],
    accelerationStd: [0.001, 0.001],
  },
  noise: 0,
  frameInterval: 0.005,
};
const CONFIG = liteConfig({ dim: 2, hidden: 16, layers: 1, grid: 4, channels: 4 });

/** Points that swing around a centre, each at its own distance. */
function swinging(seed: number, count: number, frames: number): SparseTrajectory {
  const { uniform } = random(seed);
  const phase = 6 * uniform();
  const at = Array.from({ length: count }, () => [uniform() - 0.5, uniform() - 0.5]);
  return {
    frames: Array.from({ length: frames }, (_, t) =>
      Float64Array.from(
        at.flatMap(([x, y]) => {
          const angle = 0.3 * Math.sin(0.3 * t + phase);
          return [
            0.5 + 0.6 * (x * Math.cos(angle) - y * Math.sin(angle)),
            0.5 + 0.6 * (x * Math.sin(angle) + y * Math.cos(angle)),
          ];
        }),
      ),
    ),
  };
}

test("Adamax, with which the later networks were trained, takes the vectors' two steps", () => {
  const { theta0, grads, lr, theta2 } = vectors.adamax;
  const after = (rate: number) => {
    const parameters = flatArrays([["theta", [2]]]);
    const gradients = flatArrays([["theta", [2]]], parameters);
    parameters.values.set(theta0);
    const optimizer = createOptimizer({ kind: "adamax" }, { parameters, gradients });
    for (const g of grads) {
      gradients.values.set(g);
      optimizer.step(rate);
    }
    return largestDifference(parameters.values, theta2);
  };
  // Stored as float32.
  expect(after(lr)).toBeLessThan(1e-7);
  expect(after(1.01 * lr)).toBeGreaterThan(1e-5);
});

test.each([
  ["lite", CONFIG],
  ["its transformer", transformerConfig({ dim: 2, hidden: 16, layers: 1, grid: 4, channels: 4 })],
])("two windows are learned by heart (spec 7.13): %s", async (_, config) => {
  const training = [swinging(1, 14, 7), swinging(2, 11, 7)];
  const source = windowSource(training, config, SETTING, { stepsPerEpoch: 1, seed: 0 });
  const model = stepper(config, source.size, { trains: true });
  const step = await createTrainingStep(model, accelerationLoss, { threads: 1 });
  const optimizer = createOptimizer({ kind: "adam" }, step);
  const [feeds] = source.feeds(0, 0);
  const losses: number[] = [];
  for (let i = 0; i < 200; i++) {
    losses.push((await step.run(feeds)).loss);
    optimizer.step(2e-3);
  }
  await step.release();
  expect(losses[0]).toBeGreaterThan(0.5);
  expect(losses[199]).toBeLessThan(0.02);
});

const settings = {
  config: CONFIG,
  setting: { ...SETTING, noise: 1e-4 },
  training: [swinging(1, 14, 40), swinging(2, 11, 40), swinging(5, 17, 40)],
  validation: [swinging(3, 13, 40)],
  horizon: 10,
  steps: 24,
  stepsPerEpoch: 8,
  seed: 4,
  threads: 1,
};

test("training goes on where it was stopped, to the same bytes", async () => {
  const whole = await trainStepper(settings);
  const stop = new AbortController();
  let saved: TrainingSnapshot | undefined;
  const models: Uint8Array[] = [];
  const onBest = async (model: Uint8Array) => void models.push(model);
  const first = await trainStepper({
    ...settings,
    onBest,
    signal: stop.signal,
    onStep: ({ step }) => step === 12 && stop.abort(),
    save: async (snapshot) => {
      const { tensors, ...rest } = snapshot();
      saved = { tensors: structuredCloneTensors(tensors), ...rest };
    },
  });
  expect(first.finished).toBe(false);
  const second = await trainStepper({ ...settings, onBest, resume: saved });
  expect(second.finished).toBe(true);
  expect(second.history.map(({ metrics }) => metrics.rolloutError)).toEqual(
    whole.history.map(({ metrics }) => metrics.rolloutError),
  );
  expect(Buffer.compare(models[models.length - 1], whole.model)).toBe(0);
  const other = await trainStepper({ ...settings, seed: 5 });
  expect(Buffer.compare(other.model, whole.model)).not.toBe(0);
});

test("the loss of positions is that of accelerations in box lengths, without noise", async () => {
  const first = async (positionLossWeight?: number) => {
    const losses: number[] = [];
    await trainStepper({
      ...settings,
      setting: SETTING,
      validation: [],
      steps: 1,
      stepsPerEpoch: 1,
      positionLossWeight,
      onStep: ({ loss }) => losses.push(loss),
    });
    return losses[0];
  };
  // Accelerations are normalised by 1e-3, and there is no noise.
  expect((await first(3e6)) / (await first())).toBeCloseTo(4, 4);
  await expectProblemLater(first(-1), /positionLossWeight is -1; take a number of at least 0/);

  const trajectory = swinging(1, 4, 7);
  const options = { batch: 1, stepsPerEpoch: 1, seed: 0, cleanTargets: true };
  const noisy = { ...SETTING, noise: 1e-3 };
  const [{ cleanTargets, targets }] = windowSource([trajectory], CONFIG, noisy, options).feeds(0, 0);
  const [a, b, c] = trajectory.frames.slice(-3);
  const byHand = c.map((x, i) => (x - 2 * b[i] + a[i]) / Math.hypot(1e-3, 1e-3));
  expect(largestDifference(cleanTargets.data.slice(0, 8) as Float32Array, byHand)).toBeLessThan(1e-5);
  expect(largestDifference(targets.data.slice(0, 8) as Float32Array, byHand)).toBeGreaterThan(0.1);
});

describe("a training whose parts do not fit together is refused", () => {
  const { statistics } = SETTING;
  const set = (change: object) => ({ setting: { ...SETTING, ...change } });
  const train = (frames: readonly (readonly number[])[], types?: number[]) => ({
    training: [{ frames: frames.map((frame) => Float64Array.from(frame)), types }],
  });
  const typed = { ...CONFIG, types: 9 };
  const still = (frame: number[]) => Array.from({ length: 8 }, () => frame);

  test.each([
    [{ config: liteConfig({ dim: 3 }) }, /bounds of the setting are of 2 axes, the network is of 3/],
    [{ config: { ...CONFIG, hidden: 0 } }, /hidden of the network is 0/],
    [set({ bounds: [...SETTING.bounds.slice(1), [1, 0]] }), /bounds of the setting are 1 to 0 on an axis/],
    [set({ radius: -1 }), /radius of the setting is -1; take a number above 0/],
    [set({ radius: undefined }), /radius of the setting is undefined/],
    [set({ latentRadius: 0 }), /latentRadius of the setting is 0/],
    [set({ noise: -1 }), /noise of the setting is -1; take a number of at least 0/],
    [set({ frameInterval: 0 }), /frameInterval of the setting is 0/],
    [set({ gravity: [-9.8] }), /gravity of the setting is of length 1; give 2 numbers/],
    [set({ statistics: { ...statistics, velocityStd: [1, 1, 1] } }), /velocityStd .* is of length 3; give 2/],
    [
      set({ statistics: { ...statistics, accelerationMean: [0, Number.NaN] } }),
      /accelerationMean .* has NaN/,
    ],
    [{ steps: 0 }, /steps is 0; take a whole number of at least 1/],
    [{ horizon: 0 }, /horizon is 0/],
    [{ batch: 1.5 }, /batch is 1.5/],
    [{ stepsPerEpoch: 0 }, /stepsPerEpoch is 0/],
    [train(still([0.5])), /training trajectory 0: a frame has 1 numbers; give 2 for each particle/],
    [train(still([])), /training trajectory 0: a frame has 0 numbers/],
    [train([...still([0.5, 0.5]), []]), /frame 8 has 0 numbers, frame 0 has 2; give the same particles/],
    [train([...still([0.5, 0.5]), [0.5, Number.NaN]]), /frame 8: particle 0 is at NaN on axis y/],
    [{ config: typed }, /training trajectory 0: 0 particles have a type; a network that tells 9 apart/],
    [
      { config: typed, ...train(still([0.5, 0.5]), [9]) },
      /particle 0 is of type 9; the network knows 0 to 8/,
    ],
    [{ validation: [swinging(1, 5, 6)] }, /validation trajectory 0 has 6 frames; .* needs 7/],
  ])("%#", async (change, words) => {
    await expectProblemLater(trainStepper({ ...settings, ...change } as TrainStepperOptions), words);
  });
});

const structuredCloneTensors = (tensors: TrainingSnapshot["tensors"]) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, t]) => [name, { ...t, data: t.data.slice() }]),
  ) as typeof tensors;

describe("the .onnx file", () => {
  const none = { windows: 1, points: 1, edges: 1, degree: 1, pairs: 1, perNode: 1, perPoint: 1 };
  const trained = stepper(CONFIG, none, { seed: 9 });
  const bytes = exportStepper(trained, { config: CONFIG, setting: SETTING });

  test.each([3, 17, 60])("steps %i particles as the reference evaluation does", async (count) => {
    const window: Window = swinging(count, count, 6).frames;
    const simulator = await openSimulator(bytes, { threads: 1 });
    const found = await simulator.step(window);
    await simulator.release();
    const { of, grid } = neighborhoods(CONFIG, SETTING);
    const hood = of(window[5] as Float64Array);
    const size = sizeFor([hood], CONFIG);
    const feeds = allocateFeeds(CONFIG, size);
    fillFeeds(feeds, [hood], CONFIG, SETTING, grid);
    windowFeatures(window, SETTING, feeds.features.data as Float32Array);
    const graph = stepper(CONFIG, size, { seed: 9 });
    const expected = evaluate(graph, asNumeric(feeds))[graph.outputs[0]].data;
    expect(largestDifference(found, integrate(window, expected, SETTING))).toBeLessThan(1e-6);
    expect(largestDifference(found, constantVelocity(window) as Float64Array)).toBeGreaterThan(1e-5);
  });

  test("other files and short windows are refused in words", async () => {
    const plain = Uint8Array.from(bytes);
    const at = Buffer.from(plain).indexOf("filigree.giorom");
    plain[at] = 88;
    await expect(openSimulator(plain)).rejects.toThrow(/not a particle simulator/);
    const simulator = await openSimulator(bytes, { threads: 1 });
    await expect(simulator.step(swinging(1, 5, 3).frames)).rejects.toThrow(/needs 6 frames/);
    const { frames } = swinging(1, 5, 6);
    const newest = (frame: Float64Array) => [...frames.slice(0, 5), frame];
    for (const [window, words] of [
      [newest(new Float64Array(8)), /window of a step: frame 5 has 8 numbers, frame 0 has 10/],
      [newest(new Float64Array(10).fill(Number.NaN)), /frame 5: particle 0 is at NaN on axis x/],
      [frames.map(() => new Float64Array()), /a frame has 0 numbers; give 2 for each particle/],
      [frames.map(() => new Float64Array(3)), /a frame has 3 numbers/],
    ] as const)
      await expectProblemLater(simulator.step(window), words);
    await simulator.release();
    const config = { ...CONFIG, types: 9 };
    const tells = await openSimulator(exportStepper(stepper(config, none), { config, setting: SETTING }));
    await expectProblemLater(tells.step(frames), /0 particles have a type; .* needs one of all 5/);
    await tells.release();
  });
});

describe("rollouts", () => {
  const { frames } = swinging(1, 9, 12);

  test("the rules are what they say", async () => {
    const seed = [Float64Array.from([0.5, 0.5]), Float64Array.from([0.52, 0.49])];
    const run = async (rule: Parameters<typeof rollout>[0]) =>
      (await rollout(rule, seed, { frames: 3, dim: 2 })).map((f) =>
        Array.from(f, (x) => Number(x.toFixed(9))),
      );
    expect(await run(staticRule)).toEqual([
      [0.52, 0.49],
      [0.52, 0.49],
      [0.52, 0.49],
    ]);
    expect(await run(constantVelocity)).toEqual([
      [0.54, 0.48],
      [0.56, 0.47],
      [0.58, 0.46],
    ]);
    expect(
      await run(
        ballistic(
          [0, -0.01],
          [
            [0, 0.57],
            [0, 1],
          ],
        ),
      ),
    ).toEqual([
      [0.54, 0.47],
      [0.56, 0.44],
      [0.57, 0.4],
    ]);
  });

  test("the seed does not count, prescribed particles stay where they are told", async () => {
    const predicted = await rollout(staticRule, frames.slice(0, 2), {
      frames: 4,
      dim: 2,
      prescribed: { points: [3], at: (t) => frames[2 + t] },
    });
    expect(predicted.length).toBe(4);
    predicted.forEach((f, t) => {
      expect(Array.from(f.slice(6, 8))).toEqual(Array.from(frames[2 + t].slice(6, 8)));
    });
    const truth = frames.slice(2, 6);
    let byHand = 0;
    for (const [t, f] of predicted.entries())
      for (let i = 0; i < 18; i++) byHand += (f[i] - truth[t][i]) ** 2 / 9 / 4;
    expect(rolloutError(predicted, truth, 2)).toBeCloseTo(byHand, 12);
  });

  test("what cannot be compared is refused", () => {
    const [a, b] = frames;
    expectProblem(() => rolloutError([a, b], [a], 2), /2 frames are predicted, 1 are true; say how many/);
    expectProblem(
      () => rolloutError([a], [a, b], 2, 2),
      /2 frames cannot be compared; 1 are predicted, 2 are/,
    );
    expectProblem(() => rolloutError([a], [a], 2, -1), /-1 frames cannot be compared/);
    expectProblem(() => rolloutError([], [], 2), /0 frames cannot be compared/);
    expectProblem(() => rolloutError([a], [a.slice(2)], 2), /frame 0 has 18 numbers predicted and 16 true/);
    expect(rolloutError([a, b], [a], 2, 1)).toBe(0);
  });

  test("a position that is no number stops it with frame and particle", async () => {
    let step = 0;
    const broken = (window: Window) => {
      const next = Float64Array.from(window[window.length - 1]);
      if (step++ === 2) next[5] = Number.NaN;
      return next;
    };
    await expect(rollout(broken, frames.slice(0, 6), { frames: 5, dim: 2 })).rejects.toThrow(
      /frame 8: particle 2 is predicted at NaN on axis y/,
    );
  });

  test("too few frames to learn from", () => {
    const short = [swinging(1, 5, 6)];
    expect(() => windowSource(short, CONFIG, SETTING, { stepsPerEpoch: 1, seed: 0 })).toThrow(
      /no trajectory has 7 frames/,
    );
  });
});

/** Two particles that fly freely, and between them an obstacle that is told to jump. */
function aroundAnObstacle(frames: number): SparseTrajectory {
  return {
    types: [5, 3, 5],
    frames: Array.from({ length: frames }, (_, t) =>
      Float64Array.from([0.3 + 1e-3 * t, 0.5, 0.5, 0.5 + 0.01 * (t % 3), 0.7, 0.5 - 1e-3 * t]),
    ),
  };
}

test("kinematic particles carry no noise and no loss; their neighbours carry all of it", () => {
  const trajectory = aroundAnObstacle(9);
  const setting = { ...SETTING, noise: 1e-3 };
  const options = { batch: 2, stepsPerEpoch: 1, seed: 0 };
  const read = (types?: ArrayLike<number>) => {
    const [{ features, lossWeights }] = windowSource(
      [{ ...trajectory, types }],
      CONFIG,
      setting,
      options,
    ).feeds(0, 0);
    const width = features.shape[1];
    return {
      weights: [...(lossWeights.data as Float32Array).slice(0, 6)],
      // Along x the obstacle stays and the last one stays, but for noise.
      speeds: [1, 2].map((i) => Number(features.data[i * width])),
    };
  };
  const typed = read(trajectory.types);
  const [half, sixth] = [1 / 8, 1 / 12].map(Math.fround);
  expect(typed.weights).toEqual([half, 0, half, half, 0, half]);
  expect(typed.speeds[0]).toBe(0);
  expect(typed.speeds[1]).not.toBe(0);
  // Control: without types nobody is told where to be.
  const untyped = read();
  expect(untyped.weights).toEqual(new Array(6).fill(sixth));
  expect(untyped.speeds[0]).not.toBe(0);
});

test("a trajectory goes on with its obstacles where they are given, and is judged by the others", async () => {
  const trajectory = aroundAnObstacle(9);
  const windows: number[] = [];
  const predict = (window: Window) => {
    windows.push(window[window.length - 1][3]);
    return constantVelocity(window);
  };
  const { predicted, truth } = await rolloutTrajectory(predict, trajectory, { seen: 3, most: 4, dim: 2 });
  expect([predicted.length, truth.length]).toEqual([4, 4]);
  expect(predicted.map((frame) => frame.length)).toEqual([4, 4, 4, 4]);
  // Free flight is exact, and the network sees the obstacle where the scene has it.
  expect(rolloutError(predicted, truth, 2)).toBeLessThan(1e-20);
  expect(windows).toEqual([2, 3, 4, 5].map((t) => trajectory.frames[t][3]));
  const without = await rolloutTrajectory(
    constantVelocity,
    { frames: trajectory.frames },
    { seen: 3, most: 4, dim: 2 },
  );
  expect(rolloutError(without.predicted, without.truth, 2)).toBeGreaterThan(1e-5);
});

test("relative L2 and Chamfer distance, against loops over all pairs", () => {
  const { uniform } = random(3);
  for (const dim of [2, 3] as const) {
    const a = Float64Array.from({ length: dim * 60 }, () => uniform());
    const b = Float64Array.from({ length: dim * 45 }, () => 0.2 + uniform());
    const nearest = (from: Float64Array, to: Float64Array) => {
      let sum = 0;
      for (let i = 0; i < from.length; i += dim) {
        let least = Number.POSITIVE_INFINITY;
        for (let j = 0; j < to.length; j += dim) {
          let d = 0;
          for (let k = 0; k < dim; k++) d += (from[i + k] - to[j + k]) ** 2;
          least = Math.min(least, d);
        }
        sum += least;
      }
      return sum / (from.length / dim);
    };
    expect(chamferDistance(a, b, dim)).toBeCloseTo(nearest(a, b) + nearest(b, a), 12);
    expect(chamferDistance(a, a, dim)).toBe(0);
    // Another order of the particles is the same cloud, but not the same positions.
    const turned = Float64Array.from(a, (_, i) => a[(i + dim) % a.length]);
    expect(chamferDistance(a, turned, dim)).toBe(0);
    const norm = (x: Float64Array) => Math.hypot(...x);
    const off = a.map((x, i) => x - turned[i]);
    expect(relativeL2(a, turned)).toBeCloseTo(norm(off) / norm(turned), 12);
    expect(relativeL2(a, a)).toBe(0);
  }
  // One point far away, as in a rollout that falls apart, costs no grid as wide.
  expect(
    chamferDistance(Float64Array.from([0, 0, 1e30, 0]), Float64Array.from([0, 0, 0, 1]), 2),
  ).toBeGreaterThan(1e50);
});

test("mirrored windows: velocities and accelerations change sign together, along the floor alone", () => {
  const speedingUp: SparseTrajectory = {
    frames: Array.from({ length: 12 }, (_, t) =>
      Float64Array.from([0.3 + 2e-3 * t ** 2, 0.3 + 1e-3 * t ** 2, 0.5 + 2e-3 * t ** 2, 0.4 + 1e-3 * t ** 2]),
    ),
  };
  const signs = (mirror: boolean) => {
    const options = { batch: 1, stepsPerEpoch: 40, seed: 0, mirror };
    const source = windowSource([speedingUp], CONFIG, SETTING, options);
    const found = new Set<string>();
    for (const { features, targets } of source.feeds(0, 0)) {
      const last = 2 * (CONFIG.history - 1);
      found.add(
        [features.data[last], targets.data[0], features.data[last + 1], targets.data[1]]
          .map((x) => Math.sign(Number(x)))
          .join(),
      );
    }
    return [...found].sort();
  };
  expect(signs(false)).toEqual(["1,1,1,1"]);
  expect(signs(true)).toEqual(["-1,-1,1,1", "1,1,1,1"]);
});
