import { describe, expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output, parameter, valueNamed } from "../../../src/engine/graph.ts";
import {
  add,
  conv,
  gemm,
  matmul,
  mul,
  reduceSum,
  relu,
  sub,
  transpose,
} from "../../../src/engine/operators/index.ts";
import type { Shape } from "../../../src/engine/tensor.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { classification } from "../../../src/nn/classification.ts";
import type { Sparsifier } from "../../../src/nn/sparsifier.ts";
import { trainingGraph } from "../../../src/nn/training-step.ts";
import { random } from "../../../src/random.ts";
import { gaussianPenalty } from "../../../src/sparsity/turbo-vbi/gaussian-penalty.ts";
import {
  localReparameterization,
  logSigmaName,
} from "../../../src/sparsity/turbo-vbi/local-reparameterization.ts";
import { largestDifference } from "./brute-force.ts";
import { VECTORS } from "./vectors.ts";

type Nested = number | Nested[];

const shapeOf = (v: Nested): number[] => (typeof v === "number" ? [] : [v.length, ...shapeOf(v[0])]);
const flat = (v: Nested): number[] => (typeof v === "number" ? [v] : v.flatMap(flat));
const ofNested = (v: Nested) => tensor("float32", shapeOf(v), flat(v));

/** Sampling with given noise, by the shape of what it is for, and the penalty with given precisions, over the number of samples. */
function sampler(
  options: { noise: (shape: Shape) => Nested; logSigma: Record<string, Nested> },
  penalty?: { precision: Record<string, Nested>; samples: number },
): Sparsifier {
  const means = new Set(Object.keys(options.logSigma));
  const sampling = localReparameterization({
    means,
    logSigma: 0,
    noise: (like) => constant(like.graph, ofNested(options.noise(like.shape)), `epsilon_${like.name}`),
  });
  return {
    ...sampling,
    name: "sampler",
    reparameterize: (value) => {
      sampling.reparameterize(value);
      const own = value.graph.parameters.get(logSigmaName(value.name));
      own?.data.set(flat(options.logSigma[value.name]));
      return undefined;
    },
    penalty: (graph) => {
      if (!penalty) return undefined;
      const terms = [...means].map((name) =>
        gaussianPenalty(valueNamed(graph, name), constant(graph, ofNested(penalty.precision[name])), {
          variance: sampling.variance(graph, name),
          logSigma: valueNamed(graph, logSigmaName(name)),
        }),
      );
      return mul(
        terms.reduce((a, b) => add(a, b)),
        1 / penalty.samples,
      );
    },
  };
}

test("loss and gradients of a 4-5-3 network with given noise", () => {
  const v = VECTORS.mlp_gradient;
  const model = createGraph("mlp");
  let x = input(model, "x", [3, 4]);
  [0, 1].forEach((i) => {
    const y = gemm(x, parameter(model, `w${i}`, ofNested(v.mu[i])), {
      c: parameter(model, `b${i}`, ofNested(v.bias[i])),
    });
    x = i === 0 ? relu(y) : y;
  });
  output(x);
  const both = (pick: (i: number) => Nested) => ({ w0: pick(0), w1: pick(1) });
  const sparsifier = sampler(
    { noise: ([, units]) => v.eps[units === 5 ? 0 : 1], logSigma: both((i) => v.logSigma[i]) },
    { precision: both((i) => v.Erho[i]), samples: v.datasetSize },
  );
  const { graph, loss, gradients } = trainingGraph(model, classification(), sparsifier);
  const found = evaluate(graph, {
    x: { shape: [3, 4], data: Float64Array.from(flat(v.x)) },
    labels: { shape: [3], data: Float64Array.from(v.labels as number[]) },
  });
  const scaled = (value: Value) => Array.from(found[value.name].data, (g) => g * v.datasetSize);
  // Parameters are float32, and variances are floored at 1e-10 instead of 1e-12.
  expect(scaled(loss)[0]).toBeCloseTo(v.loss, 4);
  const names = [...graph.parameters.keys()];
  const gradientOf = (name: string) => scaled(gradients[names.indexOf(name)]);
  [0, 1].forEach((i) => {
    expect(largestDifference(gradientOf(`w${i}`), flat(v.dMu[i]))).toBeLessThan(2e-5);
    expect(largestDifference(gradientOf(`w${i}/logSigma`), flat(v.dLogSigma[i]))).toBeLessThan(2e-5);
    expect(largestDifference(gradientOf(`b${i}`), flat(v.dBias[i]))).toBeLessThan(2e-5);
  });
});

describe("what is sampled", () => {
  const v = VECTORS.conv_lrt;
  const sample = (noise: number) => {
    const model = createGraph("conv");
    const x = input(model, "x", shapeOf(v.x));
    output(conv(x, parameter(model, "w", ofNested(v.mu)), { strides: v.stride, pads: v.padding }));
    const logSigma = { w: v.sigma.map((o: Nested[]) => o.map((i) => mapNested(i, Math.log))) };
    const ones = (shape: Shape): Nested =>
      shape.length ? Array.from({ length: shape[0] }, () => ones(shape.slice(1))) : noise;
    const { graph, loss } = trainingGraph(
      model,
      ([y]) => ({ loss: reduceSum(y), metrics: { y } }),
      sampler({ noise: ones, logSigma }),
    );
    const results = evaluate(graph, { x: { shape: shapeOf(v.x), data: Float64Array.from(flat(v.x)) } });
    expect(loss.shape).toEqual([]);
    return results[graph.outputs[1]].data;
  };

  test("convolution: mean and variance of every output", () => {
    expect(largestDifference(sample(0), flat(v.mean))).toBeLessThan(1e-6);
    const spread = sample(1).map((y, i) => (y - flat(v.mean)[i]) ** 2);
    expect(largestDifference(spread, flat(v.variance))).toBeLessThan(1e-6);
  });

  test("a turned weight and a MatMul", () => {
    const rng = random(1);
    const numbers = (rows: number, columns: number) =>
      Array.from({ length: rows }, () => Array.from({ length: columns }, () => rng.normal()));
    const [x, w, s] = [numbers(4, 3), numbers(2, 3), numbers(2, 3)];
    const model = createGraph("turned");
    output(matmul(input(model, "x", [4, 3]), transpose(parameter(model, "w", ofNested(w)), [1, 0])));
    const { graph } = trainingGraph(
      model,
      ([y]) => ({ loss: reduceSum(y), metrics: { y } }),
      sampler({ noise: () => numbers(4, 2).map((r) => r.map(() => 1)), logSigma: { w: s } }),
    );
    const found = evaluate(graph, { x: { shape: [4, 3], data: Float64Array.from(flat(x)) } })[
      graph.outputs[1]
    ];
    const expected = x.flatMap((row) =>
      w.map((line, j) => {
        const mean = line.reduce((sum, m, i) => sum + m * row[i], 0);
        const variance = s[j].reduce((sum, o, i) => sum + (row[i] * Math.exp(o)) ** 2, 0);
        return mean + Math.sqrt(variance);
      }),
    );
    expect(largestDifference(found.data, expected)).toBeLessThan(1e-5);
  });

  test("a weight that something else reads is refused by name", () => {
    const model: Graph = createGraph("sum");
    const w = parameter(model, "w", ofNested([[1, 2]]));
    output(sub(matmul(input(model, "x", [1, 1]), w), w));
    expect(() =>
      trainingGraph(
        model,
        ([y]) => ({ loss: reduceSum(y) }),
        sampler({ noise: () => [[1, 1]], logSigma: { w: [[0, 0]] } }),
      ),
    ).toThrow(/Sub .* reads the weight "w"/);
  });
});

function mapNested(v: Nested, f: (x: number) => number): Nested {
  return typeof v === "number" ? f(v) : v.map((x) => mapNested(x, f));
}
