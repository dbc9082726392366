import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import type { Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { fnoConfig, gatConfig, neuralMpmConfig } from "../../src/giorom/baselines.ts";
import type { StepperConfig } from "../../src/giorom/config.ts";
import { integrate, type Window } from "../../src/giorom/features.ts";
import { spectralConvolution } from "../../src/giorom/fno.ts";
import { lowFrequencies, mixModes } from "../../src/giorom/fourier.ts";
import { freeFlight } from "../../src/giorom/free-flight.ts";
import { graphAttention } from "../../src/giorom/graph-attention.ts";
import { latentGrid } from "../../src/giorom/latent-grid.ts";
import { wavesAt } from "../../src/giorom/particle-waves.ts";
import { rollout } from "../../src/giorom/rollout.ts";
import { ballistic } from "../../src/giorom/rules.ts";
import type { Setting } from "../../src/giorom/setting.ts";
import { openSimulator } from "../../src/giorom/simulator.ts";
import { splinePairs } from "../../src/giorom/splines.ts";
import { SMALLEST, stepper } from "../../src/giorom/stepper.ts";
import { exportStepper } from "../../src/giorom/stepper-file.ts";
import { layers } from "../../src/nn/layers.ts";
import { poolStatistics } from "../../src/physics/statistics.ts";
import { random } from "../../src/random.ts";
import { asNumeric, cloud, feedsFor, largestDifference, numeric, pattern, setParameter } from "./support.ts";

const BOX: [number, number][] = [
  [0.1, 0.9],
  [0.1, 0.9],
];
const SETTING: Setting = {
  bounds: BOX,
  radius: 0.15,
  latentRadius: 0.3,
  statistics: {
    velocityMean: [0, 0],
    velocityStd: [0.02, 0.02],
    accelerationMean: [0, 0],
    accelerationStd: [0.01, 0.01],
  },
  noise: 1e-4,
  frameInterval: 0.005,
};

const GAT = gatConfig({ dim: 2, hidden: 6, history: 2 });
const FNO = fnoConfig({ dim: 2, hidden: 6, history: 2, grid: 6, channels: 2 });
const IMAGES = neuralMpmConfig({ dim: 2, hidden: 6, history: 2, grid: 8, channels: 2 });

const count = (config: StepperConfig) =>
  [...stepper(config, SMALLEST).parameters.values()].reduce((sum, t) => sum + t.data.length, 0);

/** What every network has: an encoder of the features and a decoder to accelerations, three layers each. */
const ends = (hidden: number, features: number) =>
  (features + 1) * hidden +
  2 * (hidden + 1) * hidden +
  2 * hidden +
  2 * (hidden + 1) * hidden +
  2 * hidden +
  2;

describe("numbers of parameters, counted by hand", () => {
  test("graph attention: two rounds of three heads", () => {
    const edgeEncoder = 4 * 128 + 2 * 129 * 128 + 2 * 128;
    const round = 3 * 128 * 128 + 2 * 3 * 128 + 3 * 128;
    expect(count(gatConfig({ dim: 2, hidden: 128 }))).toBe(ends(128, 14) + edgeEncoder + 2 * round);
  });

  test("a Fourier operator on particles: what `lite` has on its grid", () => {
    const modes = 12 * 6;
    const blocks = 2 * (2 * modes * 16 * 16 + 16 + 16 * 16);
    const around = 33 * 16 + 17 * 16 + 17 * 16 + 17 * 32;
    expect(count(fnoConfig({ dim: 2 }))).toBe(ends(32, 14) + blocks + around);
  });

  test("NeuralMPM: twelve nodes, six, three", () => {
    const conv = (to: number, from: number, side: number) => to * from * side * side + to;
    const unet =
      conv(16, 8, 3) +
      conv(16, 16, 2) +
      conv(32, 16, 3) +
      conv(32, 32, 2) +
      conv(64, 32, 3) +
      conv(32, 64, 2) +
      conv(32, 64, 3) +
      conv(16, 32, 2) +
      conv(16, 32, 3) +
      conv(32, 16, 1);
    expect(count(neuralMpmConfig({ dim: 2 }))).toBe(ends(32, 14) + 33 * 8 + unet + 33 * 32);
  });
});

describe("one round of graph attention", () => {
  const [points, hidden, heads] = [4, 3, 2];
  const pairs = [0, 1, 2, 3].flatMap((r) => [0, 1, 2, 3].filter((s) => (r + s) % 3 !== 1).map((s) => [r, s]));
  const edges = pairs.length + 1;
  const x = pattern([points, hidden], 7);
  const e = pattern([edges, hidden], 90);
  const parameters = {
    value: pattern([heads * hidden, hidden], 500),
    receiver: pattern([heads, hidden], 600).map((v) => 4 * v),
    sender: pattern([heads, hidden], 700).map((v) => 4 * v),
    edge: pattern([heads, hidden], 800),
  };

  function found(scores: number): Float64Array {
    const graph = createGraph("gat");
    const whole = (name: string, ...shape: number[]) => input(graph, name, shape, { dtype: "int32" });
    const state = { x: input(graph, "x", [points, hidden]), e: input(graph, "e", [edges, hidden]) };
    const out = graphAttention(
      layers(graph, 0),
      "gat",
      state,
      {
        senders: { index: whole("senders", edges) },
        receivers: { index: whole("receivers", edges), slots: whole("slots", points, 4) },
        weights: input(graph, "weights", [edges, 1]),
      },
      heads,
    );
    output(out.x);
    setParameter(graph, "gat.value.weight", parameters.value);
    for (const part of ["receiver", "sender"] as const)
      setParameter(
        graph,
        `gat.${part}`,
        parameters[part].map((v) => scores * v),
      );
    setParameter(
      graph,
      "gat.edge.weight",
      parameters.edge.map((v) => scores * v),
    );
    const slots = [0, 1, 2, 3].flatMap((r) => {
      const own = pairs.flatMap(([to], k) => (to === r ? [k] : []));
      return [...own, ...new Array<number>(4 - own.length).fill(edges - 1)];
    });
    return evaluate(graph, {
      x: numeric([points, hidden], x),
      e: numeric([edges, hidden], e),
      senders: numeric([edges], [...pairs.map(([, s]) => s), 0]),
      receivers: numeric([edges], [...pairs.map(([r]) => r), 0]),
      slots: numeric([points, 4], slots),
      weights: numeric([edges, 1], [...pairs.map(() => 1), 0]),
    })[out.x.name].data;
  }

  /** Node by node and edge by edge; `scores` 0 leaves plain means. */
  function byHand(scores: number): number[] {
    const value = (i: number, h: number) =>
      Array.from({ length: hidden }, (_, c) =>
        [0, 1, 2].reduce(
          (sum, k) => sum + parameters.value[(h * hidden + c) * hidden + k] * x[i * hidden + k],
          0,
        ),
      );
    const dot = (weights: ArrayLike<number>, h: number, v: ArrayLike<number>, at = 0) =>
      [0, 1, 2].reduce((sum, k) => sum + scores * weights[h * hidden + k] * v[at + k], 0);
    return [0, 1, 2, 3].flatMap((r) => {
      const own = pairs.map(([to, s], k) => ({ to, s, k })).filter(({ to }) => to === r);
      const heard = new Array<number>(hidden).fill(0);
      for (let h = 0; h < heads; h++) {
        const shares = own.map(({ s, k }) => {
          const score =
            dot(parameters.receiver, h, value(r, h)) +
            dot(parameters.sender, h, value(s, h)) +
            dot(parameters.edge, h, e, k * hidden);
          return Math.exp(10 * Math.tanh((score > 0 ? score : 0.2 * score) / 10));
        });
        const total = shares.reduce((a, b) => a + b, 0);
        own.forEach(({ s }, k) =>
          value(s, h).forEach((v, c) => {
            heard[c] += (v * shares[k]) / total / heads;
          }),
        );
      }
      return heard.map((v, c) => x[r * hidden + c] + (v > 0 ? v : Math.expm1(v)));
    });
  }

  test("is what a loop over heads, particles and edges gives", () => {
    expect(largestDifference(found(1), byHand(1))).toBeLessThan(1e-6);
    // Control: the scores matter. Without them it is a mean.
    expect(largestDifference(found(0), byHand(0))).toBeLessThan(1e-6);
    expect(largestDifference(found(1), found(0))).toBeGreaterThan(1e-2);
  });
});

test("on the nodes of a periodic grid the waves of particles are the transform of the grid", () => {
  const [size, width, signed, last] = [6, 2, 4, 2];
  const modes = signed * last;
  const field = pattern([size * size, width], 40);
  const graph = createGraph("grid");
  const z = input(graph, "z", [1, size, size, width]);
  const onGrid = spectralConvolution(layers(graph, 0), "k", z, width, lowFrequencies(2, signed, last));
  output(onGrid);
  const real = pattern([modes, width, width], 100);
  const imaginary = pattern([modes, width, width], 200);
  setParameter(graph, "k.real", real);
  setParameter(graph, "k.imaginary", imaginary);
  const expected = evaluate(graph, { z: numeric([1, size, size, width], field) })[onGrid.name].data;

  const places = Float64Array.from({ length: 2 * size * size }, (_, i) =>
    i & 1 ? ((i >> 1) % size) / size : Math.floor((i >> 1) / size) / size,
  );
  const unit: [number, number][] = [
    [0, 1],
    [0, 1],
  ];
  const options = { width, blocks: 1, signed, last, block: "plain" } as const;
  const waves = wavesAt(places, unit, options);
  const coefficients = new Float64Array(2 * modes * width);
  for (let i = 0; i < size * size; i++)
    for (let m = 0; m < 2 * modes; m++)
      for (let c = 0; c < width; c++)
        coefficients[m * width + c] += (waves[i * 2 * modes + m] * field[i * width + c]) / size ** 2;
  const mixing = createGraph("mixing");
  const given = (name: string, ...shape: number[]): Value => input(mixing, name, shape);
  const mixed = mixModes(
    given("c", 1, 2, modes, width),
    given("r", modes, width, width),
    given("i", modes, width, width),
  );
  output(mixed);
  const found = evaluate(mixing, {
    c: numeric([1, 2, modes, width], coefficients),
    r: numeric([modes, width, width], real),
    i: numeric([modes, width, width], imaginary),
  })[mixed.name].data;
  const back = Float64Array.from({ length: size * size * width }, (_, at) => {
    const [i, c] = [Math.floor(at / width), at % width];
    let sum = 0;
    for (let m = 0; m < 2 * modes; m++) {
      const twice = m % last === 0 ? 1 : 2;
      sum += twice * waves[i * 2 * modes + m] * found[m * width + c];
    }
    return sum;
  });
  expect(largestDifference(back, expected)).toBeLessThan(1e-6);
  expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.05);
});

describe("splines between particles and grid", () => {
  const grid = latentGrid(9, BOX);
  const { uniform } = random(3);
  const places = Float64Array.from({ length: 60 }, () => 0.1 + 0.8 * uniform());
  const { starts, senders, gather, scatter } = splinePairs(places, grid);

  test("a linear field on the nodes is the same at particles away from the walls", () => {
    let inner = 0;
    for (let i = 0; i < 30; i++) {
      const own = Array.from({ length: starts[i + 1] - starts[i] }, (_, p) => starts[i] + p);
      expect(own.reduce((sum, p) => sum + gather[p], 0)).toBeCloseTo(1, 12);
      const field = (x: number, y: number) => 2 * x - 3 * y + 0.5;
      const got = own.reduce(
        (sum, p) =>
          sum + gather[p] * field(grid.positions[2 * senders[p]], grid.positions[2 * senders[p] + 1]),
        0,
      );
      const [x, y] = [places[2 * i], places[2 * i + 1]];
      if (Math.min(x, y) < 0.2 || Math.max(x, y) > 0.8) continue;
      inner++;
      expect(got).toBeCloseTo(field(x, y), 12);
    }
    expect(inner).toBeGreaterThan(5);
  });

  test("the published weights, and twice as many particles at the same places give nodes the same", () => {
    // X = 0.7 of a cell beyond node 2: base 2, f = 0.7, weights of spec 3.1.
    const one = splinePairs(
      Float64Array.of(2.7 / 10, 4 / 10),
      latentGrid(11, [
        [0, 1],
        [0, 1],
      ]),
    );
    const along = [0.5 * 0.8 ** 2, 0.75 - 0.3 ** 2, 0.5 * 0.2 ** 2];
    const across = [0.125, 0.75, 0.125];
    expect(Array.from(one.senders)).toEqual([2, 3, 4].flatMap((i) => [3, 4, 5].map((j) => 11 * i + j)));
    along
      .flatMap((a) => across.map((b) => a * b))
      .forEach((w, p) => expect(one.gather[p]).toBeCloseTo(w, 12));
    const twice = splinePairs(Float64Array.from([...places, ...places]), grid);
    expect(
      largestDifference(
        twice.scatter.subarray(0, scatter.length),
        scatter.map((w) => w / 2),
      ),
    ).toBeLessThan(1e-12);
  });
});

describe("the .onnx files", () => {
  test.each([
    ["graph attention", GAT],
    ["waves of particles", FNO],
    ["splines and an image network", IMAGES],
  ])("%s: steps any number of particles as the reference evaluation does", async (_, config) => {
    const trained = stepper(config, SMALLEST, { seed: 9 });
    const simulator = await openSimulator(exportStepper(trained, { config, setting: SETTING }), {
      threads: 1,
    });
    for (const points of [4, 31]) {
      const window = cloud(points, points);
      const { feeds, size } = feedsFor(config, SETTING, [window]);
      const graph = stepper(config, size, { seed: 9 });
      const expected = integrate(window, evaluate(graph, asNumeric(feeds))[graph.outputs[0]].data, SETTING);
      expect(largestDifference(await simulator.step(window), expected)).toBeLessThan(1e-6);
      const straightOn = integrate(window, new Float64Array(2 * points), SETTING);
      expect(largestDifference(expected, straightOn)).toBeGreaterThan(1e-5);
    }
    await simulator.release();
  });
});

describe("known gravity first", () => {
  const gravity = [0, -2e-4];
  const known: Setting = { ...SETTING, gravity };
  const rule = ballistic(gravity, BOX);
  /** A block that flies: six frames under gravity alone. */
  const falling = (bottom: number): Window => {
    const block = Float64Array.from({ length: 32 }, (_, i) =>
      i & 1 ? bottom + 0.04 * (i >> 3) : 0.4 + 0.04 * ((i >> 1) & 3),
    );
    const frames: Float64Array[] = [block, block.map((x, i) => x + (i & 1 ? 0 : 1e-3))];
    while (frames.length < 6) frames.push(rule(frames.slice(-2)));
    return frames;
  };
  const config = gatConfig({ dim: 2, hidden: 6 });
  const bytes = (setting: Setting) =>
    exportStepper(stepper(config, SMALLEST, { seed: 2 }), { config, setting });

  test("who flies: not near a wall, not after a push, and nobody near who does not", () => {
    expect(freeFlight(falling(0.5), known).every(Boolean)).toBe(true);
    expect(freeFlight(falling(0.12), known).some(Boolean)).toBe(false);
    const pushed = falling(0.5).map((f) => Float64Array.from(f));
    pushed[3][0] += 1e-3;
    const free = freeFlight(pushed, known);
    expect(free[0]).toBe(false);
    const near = (i: number) =>
      Math.hypot(pushed[5][2 * i] - pushed[5][0], pushed[5][2 * i + 1] - pushed[5][1]);
    free.forEach((flies, i) => expect(flies).toBe(near(i) > SETTING.radius));
    expect(free).toContain(true);
    expect(freeFlight(falling(0.5), SETTING).some(Boolean)).toBe(false);
  });

  test("a free fall is exact up to a wall; without known gravity an untrained network's is not", async () => {
    const seed = falling(0.5);
    const truth = await rollout(rule, seed, { frames: 12, dim: 2 });
    for (const [setting, exact] of [
      [known, true],
      [SETTING, false],
    ] as const) {
      const simulator = await openSimulator(bytes(setting), { threads: 1 });
      const found = await rollout((w) => simulator.step(w), seed, { frames: 12, dim: 2 });
      await simulator.release();
      expect(largestDifference(found[11], truth[11]) < 1e-12).toBe(exact);
    }
  });

  test("statistics are of what gravity does not explain", () => {
    const pooled = (expected?: Parameters<typeof poolStatistics>[1]) => {
      const pool = poolStatistics(2, expected);
      for (const frame of falling(0.5)) pool.frame(Float32Array.from(frame));
      return pool.result();
    };
    const [plain, rest] = [pooled(), pooled(rule)];
    expect(plain.accelerationMean[1]).toBeCloseTo(gravity[1], 6);
    // Positions are rounded to float32, about 1e-7 in a second difference.
    expect(Math.abs(rest.accelerationMean[1])).toBeLessThan(3e-7);
    expect(rest.velocityStd).toEqual(plain.velocityStd);
  });
});
