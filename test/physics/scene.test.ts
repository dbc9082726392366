import { describe, expect, test } from "vitest";
import { MATERIALS } from "../../src/physics/materials.ts";
import { type RecordingOptions, startRecording } from "../../src/physics/recording.ts";
import { drawScene, type SceneName } from "../../src/physics/scene.ts";
import { fillShape } from "../../src/physics/shapes.ts";
import { createSimulation, type SimulationOptions } from "../../src/physics/simulation.ts";
import { poolStatistics } from "../../src/physics/statistics.ts";
import { trajectorySeed } from "../../src/physics/trajectory.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";
import { block, largestDifference } from "./support.ts";

test("shapes hold the points that their areas ask for", () => {
  const spacing = 1 / 128;
  const area = (shape: "box" | "ball" | "l", dim: 2 | 3) =>
    (fillShape(shape, dim, [0.3, 0.25, 0.2].slice(0, dim), spacing).length / dim) * spacing ** dim;
  expect(area("box", 2)).toBeCloseTo(0.3 * 0.25, 2);
  expect(area("ball", 2) / ((Math.PI / 4) * 0.3 * 0.25)).toBeCloseTo(1, 1);
  expect(area("l", 2) / (0.75 * 0.3 * 0.25)).toBeCloseTo(1, 1);
  expect(area("ball", 3) / ((Math.PI / 6) * 0.3 * 0.25 * 0.2)).toBeCloseTo(1, 1);
  expect(fillShape("box", 2, [0.4, 0.4], 1 / 64).map((x, i) => x + [0.5, 0.45][i % 2])).toEqual(
    Array.from(block(2, [0.5, 0.45], [0.4, 0.4], 1 / 64), (x) => expect.closeTo(x, 12)),
  );
});

describe.each(["drop", "column"] as SceneName[])("a %s", (scene) => {
  test.each([2, 3] as const)("in %iD keeps its bodies inside the walls and apart", (dim) => {
    for (let seed = 0; seed < 12; seed++) {
      const { bodies, cells } = drawScene({ scene, dim, seed, bodies: 2 });
      const limits = bodies.map(({ positions }) =>
        Array.from({ length: dim }, (_, k) => {
          const along = positions.filter((_, i) => i % dim === k);
          return [Math.min(...along), Math.max(...along)];
        }),
      );
      for (const [low, high] of limits.flat()) {
        expect(low).toBeGreaterThan(2 / cells);
        expect(high).toBeLessThan(1 - 2 / cells);
      }
      const gaps = limits[0].map(([low, high], k) => Math.max(limits[1][k][0] - high, low - limits[1][k][1]));
      expect(Math.max(...gaps)).toBeGreaterThan(2 / cells);
    }
  });

  test("follows from its seed alone", () => {
    const options = { scene, dim: 2, bodies: 2 } as const;
    expect(drawScene({ ...options, seed: 5 })).toEqual(drawScene({ ...options, seed: 5 }));
    expect(drawScene({ ...options, seed: 6 })).not.toEqual(drawScene({ ...options, seed: 5 }));
  });

  test("holds exactly as many points as asked for", () => {
    for (const [dim, points] of [
      [2, 1000],
      [2, 3457],
      [3, 5000],
    ] as const) {
      const { bodies, cells } = drawScene({ scene, dim, seed: 3, bodies: 2, points });
      expect(bodies.reduce((sum, { positions }) => sum + positions.length / dim, 0)).toBe(points);
      expect(cells).toBeGreaterThanOrEqual(16);
    }
  });
});

test("speeds stay within what was asked for", () => {
  const speeds = (speed: number) => {
    const { bodies } = drawScene({ scene: "drop", dim: 2, seed: 1, bodies: 1, shape: "ball", speed });
    return Math.max(...bodies[0].velocities.map(Math.abs));
  };
  expect(speeds(0)).toBe(0);
  // Spin adds ω r, with r up to 0.175.
  expect(speeds(2)).toBeLessThan(2 * 1.175);
  expect(speeds(4)).toBeCloseTo(2 * speeds(2), 12);
});

test("what does not fit, or is not stable, is said in one line", () => {
  expect(() => drawScene({ scene: "drop", dim: 2, seed: 0, bodies: 40 })).toThrow("40 bodies do not fit");
  expect(() => drawScene({ scene: "drop", dim: 3, seed: 0, bodies: 1, points: 1e5, cells: 20 })).toThrow(
    "on a grid of 20 cells; use fewer, or a finer grid",
  );
  const material = MATERIALS.sand;
  const simulate = (positions: number[], dt = 5e-4) =>
    createSimulation({ dim: 2, cells: 32, dt, bodies: [{ material, positions }] });
  expect(() => simulate([0.5, 0.5, 0.5, 1.2])).toThrow("particle 1 is at 1.2 on axis y");
  expect(() => simulate([Number.NaN, 0.5])).toThrow("particle 0 is at NaN on axis x");
  expect(() => simulate([0.5, 0.5], 1e-3)).toThrow("use at most 0.000562 s");
  expect(() => simulate([])).toThrow("at least one particle");
});

test.each([
  [{ bodies: 0 }, /^bodies is 0; take a whole number from 1 to 100$/],
  [{ bodies: -1 }, /bodies is -1/],
  [{ bodies: 1.5 }, /bodies is 1.5/],
  [{ dim: 5 }, /dim is 5; take a whole number from 2 to 3/],
  [{ scene: "drip" }, /scene is "drip"; take one of drop, column/],
  [{ shape: "star" }, /shape is "star"; take one of box, ball, l/],
  [{ speed: -1 }, /speed is -1/],
  [{ seed: Number.NaN }, /seed is NaN/],
  [{ points: 0 }, /points is 0/],
  [{ points: 1e12 }, /points is 1000000000000; take a whole number from 1 to 10000000/],
  [{ cells: 1e6 }, /cells is 1000000/],
  [{ materials: ["stone"] }, /a material is "stone"; take one of jelly, water/],
  [{ materials: [] }, /materials is empty; name at least one of jelly/],
  [{ tracers: -1 }, /tracers is -1/],
  [{ split: "tset" }, /split is "tset"; take one of train, test/],
])("a recording is refused with %o", (change, words) => {
  const options = { scene: "drop", dim: 2, seed: 0, bodies: 1, materials: ["sand"], ...change };
  expectProblem(() => startRecording(options as RecordingOptions), words);
});

describe("parts of a simulation that do not fit together", () => {
  const body = { material: MATERIALS.sand, positions: [0.5, 0.5, 0.5, 0.6] };
  const options = { dim: 2, cells: 32, dt: 5e-4, bodies: [body] } as const;
  const one = (change: object) => ({ bodies: [{ ...body, ...change }] });

  test.each([
    [{ bodies: [] }, /a simulation needs at least one particle/],
    [{ dim: 4 }, /dim is 4/],
    [{ cells: 0.5 }, /cells is 0.5/],
    [{ gravity: [-9.8] }, /gravity is of length 1; give 2 numbers/],
    [{ gravity: [0, Number.NaN] }, /gravity has NaN at place 1/],
    [{ walls: "sticky" }, /walls is "sticky"; take one of free-slip, no-slip/],
    [{ bound: -1 }, /bound is -1/],
    [{ tracers: [0.5] }, /tracers is of length 1; give 2 numbers for each point/],
    [
      one({ positions: [0.5, 0.5, 0.5] }),
      /positions of body 0 is of length 3; give 2 numbers for each point/,
    ],
    [one({ velocities: [1, 2] }), /velocities of body 0 is of length 2; give 4 numbers/],
    [one({ velocities: [1, 2, 3, 4, 5, 6] }), /velocities of body 0 is of length 6; give 4 numbers/],
    [one({ velocities: [0, 0, Number.NaN, 0] }), /velocities of body 0 has NaN at place 2/],
    [one({ affine: [0, 0, 0, 0] }), /affine of body 0 is of length 4; give 8 numbers/],
    [one({ deformation: [1, 0, 0, 1] }), /deformation of body 0 is of length 4; give 8 numbers/],
    [one({ volume: -1 }), /the volume of a particle of body 0 is -1/],
    [one({ material: undefined }), /the material of body 0 is missing/],
    [
      one({ material: { ...MATERIALS.sand, family: "stone" } }),
      /the family of .* is "stone"; take one of elastic/,
    ],
    [one({ material: { ...MATERIALS.sand, density: 0 } }), /density of the material of body 0 is 0/],
    [
      one({ material: { ...MATERIALS.sand, poisson: 0.5 } }),
      /poisson .* is 0.5; take a number between -1 and 0.5/,
    ],
  ])("%#", (change, words) => {
    expectProblem(() => createSimulation({ ...options, ...change } as SimulationOptions), words);
  });

  test("control: what fits is taken", () => {
    const deformation = [1, 0, 0, 1, 1, 0, 0, 1];
    const { bodies } = one({ velocities: [1, 2, 3, 4], affine: new Float64Array(8), deformation });
    const simulation = createSimulation({ ...options, bodies, gravity: [0, -1], tracers: [0.5, 0.5] });
    simulation.step();
    expect(simulation.particles.x.every(Number.isFinite)).toBe(true);
  });
});

describe("a recording", () => {
  const options = { scene: "column", dim: 2, seed: 9, bodies: 1, materials: ["sand"] } as const;

  test("repeats bit by bit, and its tracers go with the flow", () => {
    const [a, b] = [
      startRecording({ ...options, tracers: 300 }),
      startRecording({ ...options, tracers: 300 }),
    ];
    for (let frame = 0; frame < 20; frame++) {
      a.advance();
      b.advance();
    }
    expect(a.positions()).toEqual(b.positions());
    expect(a.points).toBe(a.simulation.particles.count + 300);
    expect(a.particleTypes).toEqual(new Array(a.points).fill(6));
    // Tracers change nothing: the particles are those of a recording without.
    const alone = startRecording(options);
    for (let frame = 0; frame < 20; frame++) alone.advance();
    expect(a.simulation.particles.x).toEqual(alone.simulation.particles.x);
    const mean = (x: Float64Array, axis: number) =>
      x.reduce((sum, value, i) => (i % 2 === axis ? sum + value : sum), 0) / (x.length / 2);
    for (const axis of [0, 1])
      expect(mean(a.simulation.tracers, axis)).toBeCloseTo(mean(a.simulation.particles.x, axis), 1);
  });

  test("a tracer on a particle stays on it", () => {
    const positions = block(3, [0.5, 0.4, 0.5], [0.2, 0.2, 0.2], 1 / 32);
    const simulation = createSimulation({
      dim: 3,
      cells: 16,
      dt: 5e-4,
      bodies: [{ material: MATERIALS.jelly, positions }],
      tracers: positions.subarray(0, 30),
    });
    simulation.step(60);
    expect(largestDifference(simulation.tracers, simulation.particles.x.subarray(0, 30))).toBeLessThan(1e-12);
  });

  test("stops at a particle that is nowhere, and names it", () => {
    const recording = startRecording(options);
    recording.advance();
    recording.simulation.particles.v[2 * 17] = Number.NaN;
    expect(() => recording.advance()).toThrow(/^frame 2: particle \d+ is at NaN/);
  });
});

test("no seed of a training trajectory is one of a test trajectory", () => {
  const seeds = (split: "train" | "test", base: number) =>
    Array.from({ length: 200 }, (_, i) => trajectorySeed(base, split, i));
  // Even across base seeds.
  const train = new Set([0, 1, 2].flatMap((base) => seeds("train", base)));
  for (const seed of [0, 1, 2].flatMap((base) => seeds("test", base))) expect(train.has(seed)).toBe(false);
  expect(train.size).toBe(600);
});

test("statistics are those of all frames, points and trajectories in one pool", () => {
  const { normal } = random(2);
  const pool = poolStatistics(2);
  const v: number[][] = [[], []];
  const a: number[][] = [[], []];
  const stds: number[] = [];
  for (const spread of [0.01, 0.2]) {
    const frames = Array.from({ length: 6 }, () =>
      Float32Array.from({ length: 20 }, () => spread * normal()),
    );
    pool.nextTrajectory();
    for (const frame of frames) pool.frame(frame);
    const own: number[] = [];
    for (let t = 1; t < 6; t++)
      for (let i = 0; i < 20; i++) {
        v[i % 2].push(frames[t][i] - frames[t - 1][i]);
        if (i % 2 === 0) own.push(frames[t][i] - frames[t - 1][i]);
        if (t > 1) a[i % 2].push(frames[t][i] - 2 * frames[t - 1][i] + frames[t - 2][i]);
      }
    stds.push(deviation(own));
  }
  const { velocityMean, velocityStd, accelerationMean, accelerationStd } = pool.result();
  for (const k of [0, 1]) {
    expect(velocityMean[k]).toBeCloseTo(mean(v[k]), 12);
    expect(velocityStd[k]).toBeCloseTo(deviation(v[k]), 12);
    expect(accelerationMean[k]).toBeCloseTo(mean(a[k]), 12);
    expect(accelerationStd[k]).toBeCloseTo(deviation(a[k]), 12);
  }
  // Control: the published code takes the deviation of the trajectories' deviations.
  expect(Math.abs(deviation(stds) / velocityStd[0] - 1)).toBeGreaterThan(0.1);
});

const mean = (values: readonly number[]) => values.reduce((x, y) => x + y) / values.length;
const deviation = (values: readonly number[]) => {
  const m = mean(values);
  return Math.sqrt(mean(values.map((x) => (x - m) ** 2)));
};
