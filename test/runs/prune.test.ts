import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { add, cast, mul, reduceMean, relu, sigmoid } from "../../src/engine/operators/index.ts";
import type { Numeric } from "../../src/engine/operators/operator.ts";
import { toNumbers } from "../../src/engine/tensor.ts";
import { layers } from "../../src/nn/layers.ts";
import { decoder } from "../../src/nn/models/decoder.ts";
import { resnet } from "../../src/nn/models/resnet.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { transformer } from "../../src/nn/models/transformer.ts";
import { random } from "../../src/random.ts";
import type { Importance, PruneOptions } from "../../src/runs/prune.ts";
import { pruneModel } from "../../src/runs/prune.ts";
import { pruneFile } from "../../src/runs/prune-file.node.ts";
import { startRun } from "../../src/runs/run-sparsifier.ts";
import { sampleInputs } from "../../src/runs/sample-inputs.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { exactDifference } from "../sparsity/shrink/equality.ts";
import { recipeOf, temporaryFolder } from "./support.ts";

const [INPUTS, HIDDEN, OUTPUTS] = [6, 10, 3];

/** A hidden layer that is .5 where nothing comes in. */
function withSigmoid(): Graph {
  const graph = createGraph("sigmoid");
  const { linear } = layers(graph, 5);
  const x = input(graph, "x", [1, INPUTS]);
  output(linear("out", sigmoid(linear("hidden", x, HIDDEN)), OUTPUTS));
  // The first neuron has one large weight, so that sums and squares disagree about it.
  graph.parameters.get("hidden.weight")!.data.set([0.9, 0, 0, 0, 0, 0]);
  graph.parameters.get("hidden.bias")!.data[0] = 0;
  return graph;
}

/** Tokens with a mask, and numbers beside them. */
function severalInputs(): Graph {
  const graph = createGraph("several");
  const { embedding, linear } = layers(graph, 2);
  const ids = input(graph, "ids", [1, 4], { dtype: "int64" });
  const mask = input(graph, "mask", [1, 4, 1], { dtype: "int64" });
  const numbers = input(graph, "numbers", [1, 8]);
  const words = reduceMean(mul(embedding("table", ids, 9, 8), cast(mask, "float32")), [1]);
  output(linear("out", relu(linear("hidden", add(words, numbers), 12)), 2));
  return graph;
}

const image = { inputShape: [1, 8, 8], classes: 4 };
const NETWORKS: Record<string, () => Graph> = {
  cnn: () => smallCnn({ ...image, widths: [6, 8, 10] }),
  resnet: () => resnet({ ...image, inputShape: [3, 8, 8], widths: [4, 6], blocks: [2, 1] }),
  transformer: () => transformer({ vocabulary: 7, context: 4, width: 12, heads: 3, mlpWidth: 10, blocks: 2 }),
  decoder: () =>
    decoder({ layout: "llama", vocabulary: 7, context: 4, width: 12, heads: 3, mlpWidth: 10, blocks: 1 }),
  sigmoid: withSigmoid,
  several: severalInputs,
};

const numeric = (feeds: ReturnType<typeof sampleInputs>): Record<string, Numeric> =>
  Object.fromEntries(Object.entries(feeds).map(([n, t]) => [n, { shape: t.shape, data: toNumbers(t) }]));

const counts = (graph: Graph, options: PruneOptions) =>
  Object.fromEntries(
    pruneModel(graph, options).layers.map(({ name, keep }) => [name, keep.reduce((a, b) => a + b, 0)]),
  );

const macs = (graph: Graph) => accountModel(graph).total.macs;

test.each<Importance>(["l2", "l1"])("by %s: what is left is what a loop over neurons leaves", (by) => {
  const graph = withSigmoid();
  const of = (name: string) => graph.parameters.get(name)!.data;
  const [w, b, v, c] = ["hidden.weight", "hidden.bias", "out.weight", "out.bias"].map(of);
  const size = (x: number) => (by === "l2" ? x * x : Math.abs(x));
  const importance = Array.from({ length: HIDDEN }, (_, j) =>
    [...w.subarray(j * INPUTS, (j + 1) * INPUTS), b[j]].reduce((sum, x) => sum + size(x), 0),
  );
  const kept = [...importance.keys()].sort((i, j) => importance[j] - importance[i]).slice(0, 4);
  // The two norms choose differently.
  expect(kept.includes(0)).toBe(by === "l2");

  const { graph: small, layers: found } = pruneModel(graph, { keep: 0.4, by });
  expect([...found[0].keep]).toEqual(importance.map((_, j) => Number(kept.includes(j))));
  const x = Float64Array.from({ length: INPUTS }, (_, i) => Math.fround(Math.sin(i)));
  const made = evaluate(small, { x: { shape: [1, INPUTS], data: x } })[small.outputs[0]].data;
  for (let o = 0; o < OUTPUTS; o++) {
    let sum = c[o];
    for (const j of kept) {
      let z = b[j];
      for (let i = 0; i < INPUTS; i++) z += w[j * INPUTS + i] * x[i];
      sum += v[o * HIDDEN + j] / (1 + Math.exp(-z));
    }
    expect(made[o]).toBeCloseTo(sum, 12);
  }
});

const CASES: [string, PruneOptions][] = [
  ["cnn", { keep: 0.5 }],
  ["cnn", { keep: 0.5, groups: "channel" }],
  ["cnn", { keep: 0.5, groups: "zero-invariant", by: "l1" }],
  ["cnn", { budget: "parameters=0.3", groups: "unstructured" }],
  ["cnn", { keep: 0.3, groups: "filter-shape" }],
  ["resnet", { budget: "macs=0.5" }],
  ["resnet", { keep: 0.5, groups: "layer" }],
  ["resnet", { keep: 0.5, by: "random", seed: 3 }],
  ["transformer", { keep: 0.5 }],
  ["transformer", { keep: 0.6, groups: "head" }],
  ["transformer", { budget: "macs=0.85", groups: "neuron" }],
  ["transformer", { budget: "macs=0.7", groups: "head,neuron" }],
  ["decoder", { keep: 0.5, groups: "neuron" }],
  ["sigmoid", { keep: 0.5 }],
  ["several", { keep: 0.5, by: "l1" }],
];

test.each(CASES)("%s pruned with %j is smaller and computes what its zeros do", (name, options) => {
  const graph = NETWORKS[name]();
  const before = new Map([...graph.parameters].map(([n, t]) => [n, t.data.slice()]));
  const { graph: small, zeroed } = pruneModel(graph, options);
  const feeds = numeric(sampleInputs(graph));
  expect(exactDifference(small, zeroed, feeds)).toBeLessThan(1e-12);
  expect(exactDifference(small, graph, feeds)).toBeGreaterThan(1e-3);
  expect(accountModel(small).total.nonZeros).toBeLessThan(0.9 * accountModel(graph).total.nonZeros);
  if (options.groups !== "unstructured" && options.groups !== "filter-shape")
    expect(accountModel(small).total.parameters).toBeLessThan(0.9 * accountModel(graph).total.parameters);
  // The original is as it was, and training what is left would leave it so.
  for (const [n, t] of graph.parameters) expect(t.data).toEqual(before.get(n));
  const arrays = new Set<unknown>(
    [...graph.parameters.values(), ...graph.constants.values()].map((t) => t.data),
  );
  for (const t of [...small.parameters.values(), ...small.constants.values()])
    expect(arrays.has(t.data)).toBe(false);
});

describe("how much stays", () => {
  test("shares and counts, rounded up to a multiple", () => {
    const graph = NETWORKS.cnn();
    expect(counts(graph, { keep: 0.5 })).toEqual({ conv1: 3, conv2: 4, fc1: 5 });
    expect(counts(graph, { keep: 0.5, round: 4 })).toEqual({ conv1: 4, conv2: 4, fc1: 8 });
    expect(counts(graph, { keep: { conv2: 3 } })).toEqual({ conv1: 6, conv2: 3, fc1: 10 });
  });

  test.each([1, 4])("a budget is met, in multiples of %i, and nothing more would fit", (round) => {
    const graph = NETWORKS.cnn();
    const { graph: small, layers: found } = pruneModel(graph, { budget: "macs=0.5", round });
    expect(macs(small)).toBeLessThanOrEqual(0.5 * macs(graph));
    const kept = Object.fromEntries(found.map(({ name, keep }) => [name, keep.reduce((a, b) => a + b, 0)]));
    for (const { name, keep } of found) {
      expect(kept[name] % round === 0 || kept[name] === keep.length).toBe(true);
      const wider = { ...kept, [name]: Math.min(keep.length, kept[name] + round) };
      if (wider[name] > kept[name])
        expect(macs(pruneModel(graph, { keep: wider }).graph)).toBeGreaterThan(0.5 * macs(graph));
    }
  });

  test.each<[PruneOptions, RegExp]>([
    [{}, /either keep or budget/],
    [{ keep: 0.5, budget: "macs=0.5" }, /either keep or budget/],
    [{ keep: { conv1: 7 } }, /"conv1" has 6 groups; cannot keep 7 of them: ask for 1 to 6/],
    [{ keep: Number.NaN }, /cannot keep NaN/],
    [{ keep: { conv9: 1 } }, /no layer "conv9" that can shrink; did you mean/],
    [{ budget: "macs=0.0001" }, /cannot be met/],
    [{ keep: 0.5, by: "l3" as Importance }, /no importance "l3"; there are l2, l1, random/],
  ])("%j is refused", (options, message) => {
    expect(() => pruneModel(NETWORKS.cnn(), options)).toThrow(message);
  });
});

describe("excluded layers keep all their groups", () => {
  test.each<[string, PruneOptions, Record<string, number>]>([
    ["cnn", { keep: 0.5, exclude: ["conv2"] }, { conv1: 3, fc1: 5 }],
    // The last layer has no groups to lose, and what it reads goes all the same.
    ["cnn", { keep: 0.5, exclude: ["fc2"] }, { conv1: 3, conv2: 4, fc1: 5 }],
    ["cnn", { keep: 0.5, groups: "kernel", exclude: ["conv1"] }, { conv2: 24 }],
    // One of several layers that a sum couples keeps the channels of all.
    ["resnet", { keep: 0.5, exclude: ["stage1.block2.2.conv"] }, {}],
    ["resnet", { keep: 0.5, groups: "layer", exclude: ["stage1.block1.2.conv"] }, { branches: 1 }],
  ])("%s with %j", (name, options, expected) => {
    const found = counts(NETWORKS[name](), options);
    if (Object.keys(expected).length > 0) expect(found).toEqual(expected);
    const { layers: left } = pruneModel(NETWORKS[name](), options);
    for (const layer of options.exclude!) expect(left.flatMap((l) => l.layers)).not.toContain(layer);
  });

  test("in a budget, too", () => {
    const graph = NETWORKS.cnn();
    const { graph: small } = pruneModel(graph, { budget: "macs=0.5", exclude: ["conv1"] });
    expect(small.parameters.get("conv1.weight")!.data).toEqual(graph.parameters.get("conv1.weight")!.data);
    expect(macs(small)).toBeLessThanOrEqual(0.5 * macs(graph));
  });

  test("in lists made by hand a layer is whatever reads the weights", () => {
    const groups = {
      a: [{ "conv1.weight": [0, 1] }, { "conv1.weight": [2] }],
      b: [{ "fc1.bias": [0] }, { "fc1.bias": [1] }],
    };
    expect(counts(NETWORKS.cnn(), { keep: 0.5, groups, exclude: ["conv1"] })).toEqual({ b: 1 });
  });

  test("in a recipe, with a share and with a budget", () => {
    const layersOf = (keep: string) => {
      const recipe = recipeOf(`model: m\ndata: d\nsparsifier: { method: magnitude, ${keep} }`);
      return startRun(NETWORKS.cnn(), recipe).method!.layers;
    };
    expect(layersOf("keep: 0.5, exclude: [conv2]").map((l) => l.name)).toEqual(["conv1", "fc1"]);
    // The control: the layer is there else.
    expect(layersOf("keep: 0.5").map((l) => l.name)).toEqual(["conv1", "conv2", "fc1"]);
    const [{ partition }] = layersOf("budget: macs=0.5, exclude: [conv2]");
    expect(partition.parts.map((p) => p.parameter)).not.toContain("conv2.weight");
    expect(() => layersOf("keep: 0.5, exclude: [conv22]")).toThrow(
      /exclude: there is no layer "conv22"; did you mean "conv2"\?; there are conv1, conv2, fc1, fc2/,
    );
  });

  test("all of them leave nothing", () => {
    expect(() => pruneModel(NETWORKS.sigmoid(), { keep: 0.5, exclude: ["hidden"] })).toThrow(
      /exclude: no layer is left that can shrink/,
    );
  });
});

test("norms find what matters; groups at random do not (control)", () => {
  const graph = NETWORKS.cnn();
  const rng = random(4);
  // Half of the filters of each layer are next to nothing.
  for (const name of ["conv1", "conv2", "fc1"]) {
    const [w, b] = [graph.parameters.get(`${name}.weight`)!, graph.parameters.get(`${name}.bias`)!];
    const filters = b.data.length;
    for (const j of rng.permutation(filters).slice(0, filters / 2)) {
      const size = w.data.length / filters;
      for (let i = j * size; i < (j + 1) * size; i++) w.data[i] *= 1e-4;
      b.data[j] *= 1e-4;
    }
  }
  const feeds = numeric(sampleInputs(graph));
  const lost = (by: Importance) => exactDifference(pruneModel(graph, { keep: 0.5, by }).graph, graph, feeds);
  expect(lost("l2")).toBeLessThan(1e-3);
  expect(lost("l1")).toBeLessThan(1e-3);
  expect(lost("random")).toBeGreaterThan(0.1);
});

test("random inputs pick rows that are there, and let masks pass", () => {
  const graph = severalInputs();
  const { ids, mask, numbers } = sampleInputs(graph);
  const rows = toNumbers(ids);
  expect(rows.every((row) => row >= 0 && row < 9)).toBe(true);
  expect(new Set(rows).size).toBeGreaterThan(1);
  expect([...toNumbers(mask)]).toEqual([1, 1, 1, 1]);
  expect(numbers.dtype).toBe("float32");
});

test("a file in, a smaller file out that says what it is", async () => {
  const folder = temporaryFolder();
  const [path, half] = [join(folder, "net.onnx"), join(folder, "half.onnx")];
  const graph = severalInputs();
  writeFileSync(path, exportModel(graph, { metadata: { "filigree.data": "made up" } }));
  const result = await pruneFile(path, { keep: 0.5, batch: 3, output: half });
  expect(result.layers).toMatchObject(
    [
      { name: "table", groups: 8 },
      { name: "hidden", groups: 12, kept: 6 },
    ].slice(-1),
  );
  expect(result.bytes).toEqual({ before: statSync(path).size, after: statSync(half).size });
  expect(result.parameters.before - result.parameters.after).toBe(6 * (8 + 1 + 2));
  expect(result.outputError).toBeLessThan(1e-6);
  // The file is what the library makes.
  const feeds = numeric(sampleInputs(graph));
  const written = importModel(readFileSync(half));
  expect(exactDifference(written, pruneModel(graph, { keep: 0.5 }).graph, feeds)).toBeLessThan(1e-6);
  await expect(
    pruneFile(path, { keep: 0.5, exclude: ["x"], output: join(folder, "no.onnx") }),
  ).rejects.toThrow('no layer "x"');
  expect(existsSync(join(folder, "no.onnx"))).toBe(false);
});
