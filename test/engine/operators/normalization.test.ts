import { describe, expect, test } from "vitest";
import { gradients } from "../../../src/engine/gradients.ts";
import { constant } from "../../../src/engine/graph.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { apply } from "../../../src/engine/operators/operator.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";
import { runtimeError } from "./runtime-check.ts";

const channels = (count: number) => Array.from({ length: count }, () => [3]);
const training = { training_mode: 1, momentum: 0.7, epsilon: 1e-3 };

const cases: Record<string, GradientCase> = {
  "batch norm, inference": {
    shapes: [[2, 3, 4, 2], ...channels(4)],
    build: ([x, s, b, m, v]) => op.batchNorm(x, s, b, m, op.add(op.mul(v, v), 0.5), { epsilon: 1e-3 }),
  },
  "batch norm, inference, rows": {
    shapes: [[5, 3], ...channels(4)],
    build: ([x, s, b, m, v]) => op.batchNorm(x, s, b, m, op.exp(v)),
  },
  "batch norm, training": {
    shapes: [[4, 3, 2, 3], ...channels(2)],
    build: ([x, s, b]) => op.batchNormTraining(x, s, b).y,
  },
  "batch norm, training, rows": {
    shapes: [[6, 3], ...channels(2)],
    build: ([x, s, b]) => op.batchNormTraining(x, s, b, { epsilon: 1e-2 }).y,
  },
  "batch norm, training, 1-D": {
    shapes: [[3, 3, 4], ...channels(2)],
    build: ([x, s, b]) => op.batchNormTraining(x, s, b).y,
  },
  "batch norm, training, all outputs": {
    shapes: [[4, 3, 2], ...channels(4)],
    build: ([x, s, b, m, v]) => {
      const { y, mean, variance } = op.batchNormTraining(x, s, b);
      return op.concat(
        [
          op.reshape(y, [-1]),
          op.runningAverage(m, op.mul(mean, mean), 0.9),
          op.runningAverage(v, op.mul(variance, variance), 0.9),
        ],
        0,
      );
    },
  },
  "batch norm, training, twice over one input whose mean is read too": {
    shapes: [[4, 3, 2], ...channels(4)],
    build: ([x, s, b, s2, b2]) => {
      const first = op.batchNormTraining(x, s, b);
      const second = op.batchNormTraining(op.mul(x, 1), s2, b2, { epsilon: 0.1 });
      const third = op.batchNormTraining(x, s2, b);
      const mean = op.reshape(op.reduceMean(x, [0, 2]), [3, 1]);
      return op.sum(first.y, second.y, op.mul(third.y, op.reshape(third.variance, [3, 1])), mean);
    },
  },
  "batch norm, training, statistics alone": {
    shapes: [[4, 3, 2], ...channels(2)],
    build: ([x, s, b]) => {
      const { mean, variance } = op.batchNormTraining(x, s, b);
      return op.mul(mean, variance);
    },
  },
  "batch norm, training, ONNX momentum": {
    shapes: [[4, 3, 2], ...channels(4)],
    build: ([x, s, b, m, v]) => {
      const out = apply(x.graph, "BatchNormalization", [x, s, b, m, v], training, { outputCount: 3 });
      return op.concat(
        out.map((o) => op.reshape(op.mul(o, o), [-1])),
        0,
      );
    },
  },
  "layer norm": {
    shapes: [[2, 4, 5], [5], [5]],
    build: ([x, s, bias]) => op.layerNorm(x, s, { bias }),
  },
  "layer norm, statistics too": {
    shapes: [[3, 4], [4]],
    build: ([x, s]) => {
      const out = apply(x.graph, "LayerNormalization", [x, s], {}, { outputCount: 3 });
      return op.sum(...out.map((o) => op.mul(o, o)));
    },
  },
  "layer norm over two axes, no bias": {
    shapes: [
      [3, 2, 4],
      [2, 4],
    ],
    build: ([x, s]) => op.layerNorm(x, s, { axis: 1, epsilon: 1e-2 }),
  },
  "instance norm": {
    shapes: [[2, 3, 4, 2], ...channels(2)],
    build: ([x, s, b]) => op.instanceNorm(x, s, b, { epsilon: 1e-3 }),
  },
  "group norm": {
    shapes: [[2, 6, 3, 2], [6], [6]],
    build: ([x, s, b]) => op.groupNorm(x, 3, s, b),
  },
  "group norm, one group": {
    shapes: [[3, 4, 2], [4], [4]],
    build: ([x, s, b]) => op.groupNorm(x, 1, s, b),
  },
  "RMS norm": { shapes: [[2, 3, 5], [5]], build: ([x, s]) => op.rmsNorm(x, s) },
  dropout: {
    shapes: [[2, 3]],
    build: ([x], graph) =>
      apply(graph, "Dropout", [x, constant(graph, tensor("float32", [], [0.3]))], {}, { outputCount: 2 })[0],
  },
};

describe.each(Object.entries(cases))("%s", (_, c) => {
  test("gradient rule agrees with central differences", () => expect(gradientError(c)).toBeLessThan(1e-6));
  test("ONNX Runtime computes the same", async () => expect(await runtimeError(c)).toBeLessThan(1e-5));
});

const secondOrder: Record<string, GradientCase> = {
  "batch norm": {
    shapes: [[3, 2, 2], [2], [2]],
    build: ([x, s, b]) => gradientNorm(op.batchNormTraining(x, s, b).y, [x, s, b]),
  },
  "layer norm": {
    shapes: [[3, 4], [4]],
    build: ([x, s]) => gradientNorm(op.layerNorm(x, s), [x, s]),
  },
  "group norm": {
    shapes: [[2, 4, 3], [4], [4]],
    build: ([x, s, b]) => gradientNorm(op.groupNorm(x, 2, s, b), [x, s, b]),
  },
  "batch norm, inference": {
    shapes: [[2, 3, 2], ...channels(4)],
    build: ([x, s, b, m, v]) => gradientNorm(op.batchNorm(x, s, b, m, op.exp(v)), [x, s, b, m, v]),
  },
};

/** Σ(∂ Σy³ / ∂v)², a function whose gradient needs second derivatives. */
function gradientNorm(y: Parameters<typeof gradients>[0], wrt: Parameters<typeof gradients>[1]) {
  const loss = op.reduceSum(op.mul(y, op.mul(y, y)));
  return op.sum(...gradients(loss, wrt).map((g) => op.reduceSum(op.mul(g, g))));
}

test.each(Object.entries(secondOrder))("%s: second derivatives", (_, c) => {
  expect(gradientError(c)).toBeLessThan(1e-6);
});

test("means far from zero do not drown the gradient of batch norm", async () => {
  const far: GradientCase = {
    ...cases["batch norm, training"],
    shapes: [[16, 3, 4, 4], ...channels(2)],
    domain: (x) => x + 10,
  };
  expect(await runtimeError(far)).toBeLessThan(1e-4);
});

test("local response normalisation computes what ONNX Runtime does", async () => {
  const lrn = (size: number): GradientCase => ({
    shapes: [[2, 3]],
    build: ([x], graph) => {
      const data = Array.from({ length: 2 * 7 * 3 * 2 }, (_, i) => Math.sin(i * i));
      const image = constant(graph, tensor("float32", [2, 7, 3, 2], data));
      const y = op.localResponseNorm(image, size, { alpha: 0.5, beta: 0.6, bias: 2 });
      return op.add(op.mul(op.reduceSum(x), 0), y);
    },
  });
  expect(await runtimeError(lrn(5))).toBeLessThan(1e-5);
  expect(await runtimeError(lrn(3))).toBeLessThan(1e-5);
});

test("dropout in training mode is refused", () => {
  const dropped: GradientCase = {
    shapes: [[2]],
    build: ([x], graph) =>
      apply(graph, "Dropout", [
        x,
        constant(graph, tensor("float32", [], [0.3])),
        constant(graph, tensor("bool", [], [1])),
      ])[0],
  };
  expect(() => gradientError(dropped)).toThrow(/training_mode must be false/);
});
