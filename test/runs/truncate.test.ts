import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { gemm, relu, sqrt } from "../../src/engine/operators/index.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { layers } from "../../src/nn/layers.ts";
import { random } from "../../src/random.ts";
import { evaluateFile } from "../../src/runs/evaluate-file.node.ts";
import { requireSameResults } from "../../src/runs/same-outputs.ts";
import { truncateFile } from "../../src/runs/truncate-file.node.ts";
import { temporaryFolder, writeTask } from "./support.ts";

const [WIDTH, RANK] = [48, 4];

/** A network whose first weight has rank 4 exactly, and its second full rank with one value far above the others. */
function writeNetwork(path: string, change: (graph: Graph) => void = () => {}): void {
  const rng = random(3);
  const normal = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
  const [left, right] = [normal(WIDTH * RANK), normal(RANK * WIDTH)];
  const low = normal(WIDTH * WIDTH).map((_, i) => {
    let sum = 0;
    for (let q = 0; q < RANK; q++)
      sum += left[Math.floor(i / WIDTH) * RANK + q] * right[q * WIDTH + (i % WIDTH)];
    return sum;
  });
  const high = normal(WIDTH * WIDTH).map((v, i) => 0.01 * v + (i === 0 ? 10 : 0));
  const graph = createGraph("thin");
  const { linear } = layers(graph, 1);
  const weight = (data: Float32Array) => ({
    initializer: () => tensor("float32", [WIDTH, WIDTH], data.slice()),
  });
  const x = input(graph, "x", [1, WIDTH]);
  const a = relu(linear("low", x, WIDTH, weight(low)));
  output(linear("head", relu(linear("high", a, WIDTH, weight(high))), 3));
  change(graph);
  writeFileSync(path, exportModel(graph, { metadata: { "filigree.data": "made up" } }));
}

function outputsOf(path: string): Float64Array {
  const rng = random(9);
  const graph = importModel(readFileSync(path), { batch: 5 });
  const data = Float64Array.from({ length: 5 * WIDTH }, () => rng.normal());
  return evaluate(graph, { x: { shape: [5, WIDTH], data } })[graph.outputs[0]].data;
}

const furthest = (a: Float64Array, b: Float64Array) =>
  Math.max(...a.map((v, i) => Math.abs(v - b[i]))) / Math.max(...a.map(Math.abs));

test("a weight of low rank becomes two thin ones, and the network stays the same", async () => {
  const folder = temporaryFolder();
  const [path, thin] = [join(folder, "net.onnx"), join(folder, "thin.onnx")];
  writeNetwork(path);
  const options = { aim: "size", batch: 1, output: thin } as const;
  const result = await truncateFile(path, { ...options, rule: { kind: "energy", share: 0.99 } });
  const [low, high] = result.layers;
  expect([low.weight, low.rank, low.of, low.form]).toEqual(["low.weight", RANK, WIDTH, "factors"]);
  expect(high).toMatchObject({ weight: "high.weight", rank: 1, form: "factors" });
  const before = 2 * (WIDTH * WIDTH + WIDTH) + 3 * WIDTH + 3;
  const saved = 2 * WIDTH * WIDTH - (RANK + 1) * 2 * WIDTH;
  expect(result.parameters).toEqual({ before, after: before - saved });
  expect(result.macs.before - result.macs.after).toBe(saved);
  expect(result.bytes).toEqual({ before: statSync(path).size, after: statSync(thin).size });
  expect(result.bytes.after).toBeLessThan(0.25 * result.bytes.before);
  expect(result.accuracy).toBeNull();
  // What is cut of the second weight is its noise.
  expect(Math.abs(high.error / (0.01 * WIDTH) - 1)).toBeLessThan(0.1);
  expect(furthest(outputsOf(path), outputsOf(thin))).toBeLessThan(0.1);
  const exact = { ...options, rule: { kind: "energy", share: 0.9999 } as const, layers: ["low.weight"] };
  await truncateFile(path, exact);
  expect(furthest(outputsOf(path), outputsOf(thin))).toBeLessThan(1e-5);
  // Control: rank 2 is too little.
  await truncateFile(path, { ...exact, rule: { kind: "rank", rank: 2 } });
  expect(furthest(outputsOf(path), outputsOf(thin))).toBeGreaterThan(0.05);
});

test("layers in which two products do not pay stay as they were, or are merged", async () => {
  const folder = temporaryFolder();
  const [path, thin] = [join(folder, "net.onnx"), join(folder, "thin.onnx")];
  writeNetwork(path);
  const options = { rule: { kind: "rank", rank: 40 }, batch: 1, output: thin } as const;
  const { layers: kept } = await truncateFile(path, options);
  expect(kept.map((l) => l.form)).toEqual(["whole", "whole"]);
  expect([...outputsOf(thin)]).toEqual([...outputsOf(path)]);
  const { layers: cut, parameters } = await truncateFile(path, { ...options, others: "merged" });
  expect(cut.map((l) => l.form)).toEqual(["merged", "merged"]);
  expect(parameters.after).toBe(parameters.before);
  expect([...outputsOf(thin)]).not.toEqual([...outputsOf(path)]);
});

test("with data, says what the written file gets right; calibrated, cuts other directions", async () => {
  const folder = temporaryFolder();
  writeTask(folder);
  const [path, thin, data] = ["net.onnx", "thin.onnx", "data.npz"].map((name) => join(folder, name));
  const options = {
    rule: { kind: "rank", rank: 2 },
    others: "merged",
    batch: 4,
    data,
    output: thin,
  } as const;
  const byWeights = await truncateFile(path, options);
  const accuracyOf = async (file: string) => (await evaluateFile(file, data, { batch: 20 })).accuracy;
  expect(byWeights.accuracy).toEqual({ before: await accuracyOf(path), after: await accuracyOf(thin) });
  const calibrated = await truncateFile(path, { ...options, calibrate: 100 });
  expect(calibrated.accuracy!.after).toBe(await accuracyOf(thin));
  // No weight of that rank is nearer than what singular values alone give: it is chosen for another end.
  calibrated.layers.forEach((l, i) => expect(l.error).toBeGreaterThan(byWeights.layers[i].error));
  await expect(truncateFile(path, { ...options, data: undefined, calibrate: 5 })).rejects.toThrow(
    "say which",
  );
  await expect(truncateFile(path, { ...options, calibrate: 5000 })).rejects.toThrow(
    /cannot calibrate with 5000 samples: data has \d+ to train on/,
  );
});

test("writes nothing where outputs are not what they should be", async () => {
  const folder = temporaryFolder();
  const [path, thin] = [join(folder, "net.onnx"), join(folder, "thin.onnx")];
  // The root of a negative number is no number.
  writeNetwork(path, (graph) => {
    const [name] = graph.outputs;
    graph.outputs = [];
    const minus = constant(graph, tensor("float32", [3, 3], [-1, 0, 0, 0, -1, 0, 0, 0, -1]));
    const logits = { graph, name, ...graph.types.get(name)! };
    const squares = gemm(relu(logits), minus);
    output(sqrt(squares));
  });
  const options = { rule: { kind: "rank", rank: 2 }, aim: "size", batch: 1, output: thin } as const;
  await expect(truncateFile(path, options)).rejects.toThrow("no model was written");
  expect(existsSync(thin)).toBe(false);
});

test("the same results: rounding passes, another network does not", async () => {
  const network = (slope: number) => {
    const graph = createGraph("line");
    const weight = constant(graph, tensor("float32", [1, 1], [slope]));
    output(gemm(input(graph, "x", [2, 1]), weight));
    return graph;
  };
  const x = tensor("float32", [2, 1], [1, 2]);
  expect(await requireSameResults(network(3), network(3.00001), [x])).toBeLessThan(1e-5);
  await expect(requireSameResults(network(3), network(3.01), [x])).rejects.toThrow("3.3e-3");
});
