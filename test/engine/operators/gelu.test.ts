import { expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { decodeModel, encodeModel } from "../../../src/engine/onnx/proto.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { openSession, toRuntime } from "../../../src/engine/runtime.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";
import { runtimeError } from "./runtime-check.ts";

const KINDS = ["none", "tanh"] as const;

/** Φ(x) by Simpson's rule on the density. */
function normalDistribution(x: number): number {
  const steps = 2000;
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += (i % 2 ? 4 : 2) * density((x * i) / steps);
  return 0.5 + (sum * x) / steps / 3;
}

test("gelu is x times the normal distribution function, and tanh is close to that", () => {
  const xs = [-6, -2.5, -1, -0.1, 0, 0.3, 1, 2, 4];
  for (const approximate of KINDS) {
    const graph = createGraph("gelu");
    output(op.gelu(input(graph, "x", [xs.length]), { approximate }));
    const found = evaluate(graph, { x: { shape: [xs.length], data: Float64Array.from(xs) } });
    const tolerance = approximate === "none" ? 12 : 3;
    for (const [i, x] of xs.entries())
      expect(found[graph.outputs[0]].data[i]).toBeCloseTo(x * normalDistribution(x), tolerance);
  }
});

const wide = (x: number) => 4 * x;

test.each(KINDS)("%s: first and second derivatives agree with central differences", (approximate) => {
  const once: GradientCase = { shapes: [[40]], domain: wide, build: ([x]) => op.gelu(x, { approximate }) };
  const twice: GradientCase = {
    ...once,
    build: ([x]) => gradients(op.reduceSum(op.gelu(x, { approximate })), [x])[0],
  };
  expect(gradientError(once)).toBeLessThan(1e-6);
  expect(gradientError(twice)).toBeLessThan(1e-6);
});

test.each(KINDS)("%s: ONNX Runtime computes the same, far out too", async (approximate) => {
  const build: GradientCase["build"] = ([x]) => op.gelu(x, { approximate });
  expect(await runtimeError({ shapes: [[50]], build, domain: wide })).toBeLessThan(1e-5);
  expect(await runtimeError({ shapes: [[50]], build, domain: (x) => 1e4 * x })).toBeLessThan(1e-5);
});

test.each(KINDS)(
  "%s: files of opset 20 hold it as one node, ours spell it out, both mean the same",
  async (approximate) => {
    const xs = tensor("float32", [1, 6], [-3, -1, -0.2, 0.4, 1, 5]);
    const type = { kind: "tensor" as const, dtype: "float32" as const, shape: [1, 6] };
    const attributes = [{ name: "approximate", type: "string" as const, value: approximate }];
    const newer = encodeModel({
      irVersion: 9,
      opsets: [{ domain: "", version: 20 }],
      producerName: "test",
      producerVersion: "",
      metadata: {},
      functions: [],
      graph: {
        name: "g",
        nodes: [{ opType: "Gelu", domain: "", name: "it", inputs: ["x"], outputs: ["y"], attributes }],
        initializers: [],
        inputs: [{ name: "x", type }],
        outputs: [{ name: "y", type }],
        valueInfo: [],
        sparseInitializers: 0,
      },
    });
    const imported = importModel(newer);
    expect(imported.nodes.map((n) => n.op)).toEqual(["Gelu"]);
    const ours = exportModel(imported);
    const written = decodeModel(ours).graph.nodes.map((n) => n.opType);
    expect(written).toContain(approximate === "none" ? "Erf" : "Tanh");
    expect(written).not.toContain("Gelu");
    const results: Float32Array[] = [];
    for (const bytes of [newer, ours]) {
      const session = await openSession(bytes, { device: "cpu", threads: 1 });
      results.push((await session.run({ x: toRuntime(xs) })).y.data as Float32Array);
      await session.release();
    }
    results[0].forEach((v, i) => expect(results[1][i]).toBeCloseTo(v, 6));
  },
);
