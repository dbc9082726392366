import { describe, expect, test } from "vitest";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { flatten, relu } from "../../src/engine/operators/index.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { evaluateClassifier } from "../../src/nn/classification.ts";
import { layers } from "../../src/nn/layers.ts";
import { evaluatePredictive } from "../../src/nn/predictive.ts";
import { alignChannels } from "../../src/sparsity/align.ts";

const SCALE = { mean: [0], std: [1] };
const INPUTS = [-3, -1, -0.2, 0.4, 1, 2, 5];
const LABELS = [0, 1, 0, 1, 1, 0, 1];
const split = {
  inputs: tensor("float32", [INPUTS.length, 1, 1, 1], Float32Array.from(INPUTS)),
  labels: Int32Array.from(LABELS),
};

/** Logits (0, w·x), so that P(class 1) = 1/(1 + e^−wx). */
function logistic(weight: number) {
  const graph = createGraph("logistic");
  const { linear } = layers(graph, 0);
  output(linear("fc", flatten(input(graph, "input", [1, 1, 1, 1])), 2, { bias: false }));
  const [[name, t]] = graph.parameters;
  t.data.set([0, weight]);
  return { graph, deviations: (s: number) => new Map([[name, tensor("float32", t.shape, [0, s])]]) };
}

/** Mean and standard deviation of 1/(1 + e^−wx) with w from N(mean, sigma²), by the trapezoidal rule. */
function integrate(x: number, mean: number, sigma: number) {
  let [zeroth, first, second] = [0, 0, 0];
  for (let t = -8; t <= 8; t += 1e-3) {
    const density = Math.exp((-t * t) / 2);
    const p = 1 / (1 + Math.exp(-(mean + sigma * t) * x));
    zeroth += density;
    first += density * p;
    second += density * p * p;
  }
  return { p: first / zeroth, spread: Math.sqrt(second / zeroth - (first / zeroth) ** 2) };
}

test("widths that are rounded up on loading change nothing", async () => {
  const graph = createGraph("narrow");
  const { conv2d, linear } = layers(graph, 0);
  const features = relu(conv2d("conv", input(graph, "input", [1, 1, 1, 1]), 5, { kernel: 1 }));
  output(linear("fc", flatten(features), 2));
  const aligned = alignChannels(graph);
  expect(aligned.nodes.length).toBeGreaterThan(graph.nodes.length);
  const { shape, data } = graph.parameters.get("conv.weight")!;
  const deviations = new Map([["conv.weight", tensor("float32", shape, data.map(Math.abs))]]);
  const [found, expected] = await Promise.all(
    [aligned, graph].map((g) =>
      evaluatePredictive(g, deviations, split, SCALE, { draws: 20, batch: 4, threads: 1 }),
    ),
  );
  expect(expected.spread.right).toBeGreaterThan(0.01);
  expect(found.loss).toBeCloseTo(expected.loss, 5);
  expect(found.spread.right).toBeCloseTo(expected.spread.right, 5);
});

describe("a classifier with uncertain weights", () => {
  const { graph, deviations } = logistic(0.7);
  const evaluate = (sigma: number, draws: number, seed = 1) =>
    evaluatePredictive(graph, deviations(sigma), split, SCALE, { draws, seed, batch: 4, threads: 1 });

  test("predicts the integral over its posterior", async () => {
    const found = await evaluate(1.5, 4000);
    const exact = INPUTS.map((x, i) => {
      const { p, spread } = integrate(x, 0.7, 1.5);
      const chosen = Number(p > 0.5);
      return {
        right: chosen === LABELS[i],
        loss: -Math.log(LABELS[i] ? p : 1 - p),
        confidence: Math.max(p, 1 - p),
        spread,
      };
    });
    const mean = (list: typeof exact, pick: (e: (typeof exact)[number]) => number) =>
      list.reduce((sum, e) => sum + pick(e), 0) / list.length;
    // 4000 draws: a mean is off by about 0.4/√4000 = .006.
    expect(found.accuracy).toBe(mean(exact, (e) => Number(e.right)));
    expect(Math.abs(found.loss - mean(exact, (e) => e.loss))).toBeLessThan(0.02);
    expect(Math.abs(found.confidence - mean(exact, (e) => e.confidence))).toBeLessThan(0.01);
    for (const [side, right] of [
      ["right", true],
      ["wrong", false],
    ] as const) {
      const expected = mean(
        exact.filter((e) => e.right === right),
        (e) => e.spread,
      );
      expect(Math.abs(found.spread[side] - expected)).toBeLessThan(0.01);
    }
    // Control: the network of the means alone is surer of itself.
    expect((await evaluate(0, 1)).confidence).toBeGreaterThan(found.confidence + 0.03);
  });

  test("is the network of its means where nothing is uncertain", async () => {
    const { spread, confidence: _, draws, ...found } = await evaluate(0, 3);
    const { samples: __, ...plain } = await evaluateClassifier(graph, split, SCALE, { threads: 1 });
    expect(spread.right).toBeLessThan(1e-7);
    expect(spread.wrong).toBeLessThan(1e-7);
    expect(draws).toBe(3);
    expect(found.accuracy).toBe(plain.accuracy);
    expect(found.loss).toBeCloseTo(plain.loss, 6);
    expect(found.calibrationError).toBeCloseTo(plain.calibrationError, 6);
  });

  test("draws by its seed, and leaves the model as it was", async () => {
    const before = [...graph.parameters.values()].map((t) => [...t.data]);
    const [a, again, other] = [await evaluate(1, 5), await evaluate(1, 5), await evaluate(1, 5, 2)];
    expect(again).toEqual(a);
    expect(other).not.toEqual(a);
    expect([...graph.parameters.values()].map((t) => [...t.data])).toEqual(before);
  });
});
