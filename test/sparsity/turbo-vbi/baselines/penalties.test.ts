import { describe, expect, test } from "vitest";
import { evaluate } from "../../../../src/engine/evaluate.ts";
import type { Graph } from "../../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../../src/engine/graph.ts";
import { flatten, relu } from "../../../../src/engine/operators/index.ts";
import { sizeOf } from "../../../../src/engine/tensor.ts";
import { layers } from "../../../../src/nn/layers.ts";
import { regression } from "../../../../src/nn/regression.ts";
import { trainingGraph } from "../../../../src/nn/training-step.ts";
import { random } from "../../../../src/random.ts";
import { createBcGnj } from "../../../../src/sparsity/turbo-vbi/baselines/bc-gnj.ts";
import { logUniformPenalty } from "../../../../src/sparsity/turbo-vbi/baselines/log-uniform.ts";
import { createSparseVd } from "../../../../src/sparsity/turbo-vbi/baselines/sparse-vd.ts";
import { createVibNet } from "../../../../src/sparsity/turbo-vbi/baselines/vibnet.ts";
import type { PosteriorSparsifier } from "../../../../src/sparsity/turbo-vbi/posterior.ts";
import { largestDifference } from "../brute-force.ts";
import { VECTORS } from "../vectors.ts";

const LOG_ALPHAS = [-8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 5, 8];

function approximated(logAlphas: readonly number[]): number[] {
  const graph = createGraph("penalty");
  output(logUniformPenalty(input(graph, "x", [logAlphas.length])));
  const x = { shape: [logAlphas.length], data: Float64Array.from(logAlphas) };
  return [...evaluate(graph, { x })[graph.outputs[0]].data];
}

/**
 * E ln|1 + √α ε| − ½ ln α + (γ + ln 2)/2, the divergence that is 0 at α = ∞, by substituting u = ε² sign(ε) around the
 * singular point so that the logarithm is integrable by the midpoint rule.
 */
function divergence(logAlpha: number): number {
  const root = Math.exp(logAlpha / 2);
  const singular = -1 / root;
  let sum = 0;
  const [step, end] = [1e-4, Math.sqrt(14)];
  for (const side of [-1, 1])
    for (let v = step / 2; v < 2 * end; v += step) {
      const t = singular + side * v * v;
      if (Math.abs(t) < 13) sum += Math.exp((-t * t) / 2) * Math.log(Math.abs(1 + root * t)) * 2 * v * step;
    }
  const far = Math.abs(singular) > 13 ? farFromSingular(root) : sum / Math.sqrt(2 * Math.PI);
  return far - logAlpha / 2 + (0.5772156649015329 + Math.LN2) / 2;
}

/** The same expectation where the singular point is too far out to matter. */
function farFromSingular(root: number): number {
  let [sum, weight] = [0, 0];
  for (let t = -9; t <= 9; t += 1e-3) {
    const density = Math.exp((-t * t) / 2);
    sum += density * Math.log(Math.abs(1 + root * t));
    weight += density;
  }
  return sum / weight;
}

describe("the divergence from a log-uniform prior", () => {
  test("equals the vectors", () => {
    // The graph's constants are float32.
    const { logAlpha, negKLplusC } = VECTORS.baseline_kl.sparseVD;
    expect(
      largestDifference(
        approximated(logAlpha).map((v) => -v),
        negKLplusC,
      ),
    ).toBeLessThan(1e-7);
  });

  test("is close to the integral that it approximates", () => {
    const exact = LOG_ALPHAS.map(divergence);
    expect(largestDifference(approximated(LOG_ALPHAS), exact)).toBeLessThan(0.02);
    // Control: without the bend it is not.
    const straight = LOG_ALPHAS.map((a) => Math.log1p(Math.exp(-a)) / 2);
    expect(largestDifference(straight, exact)).toBeGreaterThan(0.3);
  });
});

const METHODS = {
  "sparse-vd": (graph: Graph) => createSparseVd(graph, { samples: 20, seed: 1 }),
  "bc-gnj": (graph: Graph) => createBcGnj(graph, { samples: 20, seed: 1 }),
  vibnet: (graph: Graph) => createVibNet(graph, { samples: 20, seed: 1 }),
} satisfies Record<string, (graph: Graph) => PosteriorSparsifier>;

/** A convolution and two linear layers, whose numbers beside the weights are spread out at random. */
function stepOf(method: keyof typeof METHODS) {
  const model = createGraph("small");
  const { conv2d, linear } = layers(model, 4);
  const x = input(model, "x", [3, 2, 5, 5]);
  const maps = relu(conv2d("conv", x, 3));
  output(linear("fc2", relu(linear("fc1", flatten(maps), 4)), 2));
  const step = trainingGraph(model, regression(), METHODS[method](model));
  const rng = random(9);
  for (const [name, { data }] of step.graph.parameters)
    for (let i = 0; i < data.length; i++)
      if (name.endsWith("/logSigma")) data[i] = -2 + rng.normal();
      else if (name.endsWith("/logAlpha")) data[i] = -1 + rng.normal();
  const numbers = (shape: readonly number[]) => ({
    shape: [...shape],
    data: Float64Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  });
  const feeds = {
    x: numbers([3, 2, 5, 5]),
    targets: numbers([3, 2]),
    [`${method}/weight`]: { shape: [], data: Float64Array.of(0.05) },
    [`${method}/seed`]: { shape: [], data: Float64Array.of(5) },
    [`${method}/noise`]: { shape: [], data: Float64Array.of(1) },
  };
  return { ...step, run: (change = {}) => evaluate(step.graph, { ...feeds, ...change }) };
}

describe.each(Object.keys(METHODS) as (keyof typeof METHODS)[])("%s", (method) => {
  const { graph, loss, gradients, run } = stepOf(method);
  const lossAt = () => run()[loss.name].data[0];

  test("every gradient is that of finite differences, with the same noise", () => {
    const found = run();
    const rng = random(3);
    [...graph.parameters].forEach(([name, { data }], p) => {
      const gradient = found[gradients[p].name].data;
      for (let trial = 0; trial < 3; trial++) {
        const i = rng.integer(data.length);
        const own = data[i];
        // A kink of the activation between the two points would show in one trial, not in all.
        const [above, below] = [2 ** -12, -(2 ** -12)].map((h) => {
          data[i] = own + h;
          return { at: data[i], loss: lossAt() };
        });
        data[i] = own;
        const slope = (above.loss - below.loss) / (above.at - below.at);
        expect(Math.abs(gradient[i] - slope), `${name}[${i}]`).toBeLessThan(
          1e-4 * Math.max(1, Math.abs(slope)),
        );
      }
    });
  });

  test("noise has a part in the loss, and in nothing where it is off", () => {
    const silent = { [`${method}/noise`]: { shape: [], data: Float64Array.of(0) } };
    const other = { [`${method}/seed`]: { shape: [], data: Float64Array.of(6) } };
    expect(Math.abs(run(other)[loss.name].data[0] - lossAt())).toBeGreaterThan(1e-3);
    expect(run({ ...silent, ...other })[loss.name].data[0]).toBe(run(silent)[loss.name].data[0]);
  });
});

test("the gates of an information bottleneck cost what the vectors say", () => {
  const { mu, sigma2, kl } = VECTORS.baseline_kl.vib as Record<string, number[]>;
  const model = createGraph("gates");
  output(layers(model, 0).linear("fc", input(model, "x", [1, mu.length]), 1));
  const { graph, loss } = trainingGraph(model, regression(), createVibNet(model, { samples: 1 }));
  graph.parameters.get("fc.weight/logAlpha")!.data.set(mu.map((m, i) => Math.log(sigma2[i] / m ** 2)));
  const zero = (shape: number[]) => ({ shape, data: new Float64Array(sizeOf(shape)) });
  const at = (weight: number) =>
    evaluate(graph, {
      x: zero([1, mu.length]),
      targets: zero([1, 1]),
      "vibnet/weight": { shape: [], data: Float64Array.of(weight) },
      "vibnet/seed": zero([]),
      "vibnet/noise": zero([]),
    })[loss.name].data[0];
  expect(at(1) - at(0)).toBeCloseTo(
    kl.reduce((a, b) => a + b),
    6,
  );
});

/** Louizos et al. 2017: one scale z = N(μ, αμ²) under a log-uniform prior, and given z weights N(zm, z²s²) under N(0, z²). */
function scaleMixture(w: readonly number[], sigma: readonly number[], logAlpha: number, mu: number): number {
  const ofScale = 0.63576 / (1 + Math.exp(1.8732 + 1.48695 * logAlpha)) + Math.log1p(Math.exp(-logAlpha)) / 2;
  return w.reduce((sum, product, i) => {
    const [m, s] = [product / mu, sigma[i] / mu];
    return sum + (s * s + m * m - 1) / 2 - Math.log(s);
  }, ofScale);
}

test("bc-gnj costs the published divergence, at the scales where that is smallest", () => {
  const [inputs, outputs] = [3, 4];
  const model = createGraph("linear");
  output(layers(model, 4).linear("fc", input(model, "x", [1, inputs]), outputs));
  const { graph, loss } = trainingGraph(model, regression(), createBcGnj(model, { samples: 1 }));
  const rng = random(2);
  const numbers = (name: string) => graph.parameters.get(name)!.data as Float32Array;
  const [w, logSigma, logAlpha] = ["fc.weight", "fc.weight/logSigma", "fc.weight/logAlpha"].map(numbers);
  logSigma.forEach((_, i) => (logSigma[i] = -2 + rng.normal()));
  logAlpha.forEach((_, i) => (logAlpha[i] = -1 + 2 * rng.normal()));
  const zero = (shape: number[]) => ({ shape, data: new Float64Array(sizeOf(shape)) });
  const at = (weight: number) =>
    evaluate(graph, {
      x: zero([1, inputs]),
      targets: zero([1, outputs]),
      "bc-gnj/weight": { shape: [], data: Float64Array.of(weight) },
      "bc-gnj/seed": zero([]),
      "bc-gnj/noise": zero([]),
    })[loss.name].data[0];
  let [least, elsewhere] = [0, 0];
  for (let unit = 0; unit < inputs; unit++) {
    const own = [...w.keys()].filter((i) => i % inputs === unit);
    const of = (values: Float32Array) => own.map((i) => values[i]);
    const costs = Array.from({ length: 4001 }, (_, i) =>
      scaleMixture(of(w), of(logSigma).map(Math.exp), logAlpha[unit], Math.exp(-5 + i / 500)),
    );
    least += Math.min(...costs);
    // Control: at a scale of 1, which is no minimum, it is another.
    elsewhere += scaleMixture(of(w), of(logSigma).map(Math.exp), logAlpha[unit], 1);
  }
  expect(Math.abs(at(1) - at(0) - least)).toBeLessThan(1e-4);
  expect(Math.abs(at(1) - at(0) - elsewhere)).toBeGreaterThan(1);
});
