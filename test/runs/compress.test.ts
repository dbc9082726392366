import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { glyphs } from "../../src/data/synthetic/glyphs.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { replay } from "../../src/engine/replay.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { sizeOf } from "../../src/engine/tensor.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { countsWithin, parseBudget, planBudget, withCounts } from "../../src/runs/budget.ts";
import type { CompressOptions } from "../../src/runs/compress.node.ts";
import { compress } from "../../src/runs/compress.node.ts";
import type { GroupRequest } from "../../src/runs/compress-request.ts";
import { createSize } from "../../src/runs/compression-size.node.ts";
import { executeRun } from "../../src/runs/execute-run.node.ts";
import { requireSameOutputs } from "../../src/runs/same-outputs.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { packModel } from "../../src/sparsity/encoding/packed-model.ts";
import { findGroups } from "../../src/sparsity/groups/kinds.ts";
import { expectProblemLater } from "../data/support.ts";
import { recipeOf, writeTask } from "./support.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "filigree-compress-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const request = (name: string, changes: Partial<GroupRequest> = {}): GroupRequest => ({
  model: "small-cnn",
  data: "glyphs",
  inputScale: "standard",
  method: "wgsef",
  budget: { keep: { conv1: 6, conv2: 10, fc1: 20 } },
  epochs: 4,
  seed: 0,
  batch: 100,
  threads: 1,
  optimizer: "sgd",
  learningRate: 0.08,
  directory: join(folder, name),
  ...changes,
});
const options: CompressOptions = { output: "small.onnx" };
const network = () => smallCnn({ inputShape: [1, 16, 16], classes: 10, seed: 3 });

test("a built-in network comes out with exactly the groups asked for, smaller by the book", async () => {
  const { result, onnx } = (await compress(request("built-in"), options))!;
  expect(result.kept).toEqual({ conv1: 6, conv2: 10, fc1: 20 });
  // wgsef.md section 6, P3.
  expect(result.parameters).toEqual({ before: 38282, after: 4040 });
  expect(result.macs).toEqual({ before: 365184, after: 51784 });
  // What conv1 makes and what its rectifier makes of it, 16×16 float32 each.
  expect(result.activationBytes).toEqual({ before: 2 * 16 * 1024, after: 2 * 6 * 1024 });
  expect(result.bytes.after).toBe(onnx.length);
  expect(result.bytes.after).toBeLessThan(result.bytes.before / 8);
  expect(result.outputError).toBeLessThan(1e-5);
  expect(result.accuracy.after).toBeGreaterThan(0.3);
  expect(result.validation).toBeNull();
  expect(result.skippingZeros).toBeNull();
});

test("single weights leave zeros behind, and the kernels that skip them are measured", async () => {
  const { result } = (await compress(
    request("weights", { groups: "unstructured", budget: { keep: 0.05 }, epochs: 2 }),
    options,
  ))!;
  const kept = Object.values(result.kept).reduce((a, b) => a + b);
  // In no group: fc2's 10·64 weights and all biases.
  expect(result.nonZeros.after).toBeLessThanOrEqual(kept + 640 + 16 + 32 + 64 + 10);
  expect(kept).toBeLessThan(0.06 * result.nonZeros.before);
  const { before, after, masked } = result.latencyMs;
  expect(result.parameters.after).toBeGreaterThan(0.5 * result.parameters.before);
  for (const b of ["b1", "b64"] as const) {
    const { ms, skipped, why } = result.skippingZeros![b];
    // The fastest is named first.
    expect(why).toMatch(skipped ? /^sparse .* ms/ : /^dense .* ms/);
    for (const figure of [before[b], after[b], masked[b], ms]) expect(figure).toBeGreaterThan(0);
  }
});

test("posteriors leave as many weights as the slab allows, and lie beside the model", async () => {
  const task = join(folder, "task");
  const recipe = { ...recipeOf(writeTask(task)), sparsifier: null };
  await executeRun(recipe, join(task, "trained"));
  const warnings: string[] = [];
  const compressed = async (slab: number) =>
    (await compress(
      {
        ...request(`posterior-${slab}`),
        model: join(task, "trained", "model.onnx"),
        data: join(task, "data.npz"),
        method: "turbo-vbi",
        slab,
        optimizer: "adam",
        learningRate: 0.005,
        epochs: 8,
        batch: 20,
      },
      { ...options, warn: (message) => warnings.push(message) },
    ))!;
  const { result, model, onnx, deviations, runs } = await compressed(0.1);
  const trained = importModel(await readFile(join(runs.sparse, "trained.onnx")));
  expect(result.patterns!.map((l) => l.name)).toEqual(["conv1", "conv2", "fc"]);
  for (const { name, nonZeros } of result.patterns!)
    expect(trained.parameters.get(`${name}.weight`)!.data.filter((w) => w !== 0)).toHaveLength(nonZeros);
  expect(result).toMatchObject({ requested: null, budget: null, groups: "weight" });
  for (const { latencyMs } of result.patterns!)
    expect(latencyMs).toEqual({ dense: expect.any(Number), sparse: expect.any(Number) });
  expect(result.kept).toEqual(Object.fromEntries(result.patterns!.map((l) => [l.name, l.nonZeros])));
  expect(result.commit!.before).toBeGreaterThan(0.3);
  expect(result.outputError).toBeLessThan(1e-5);
  expect(result.nonZeros.after).toBeLessThan(0.7 * result.nonZeros.before);
  expect(result.packedBytes).toBe(packModel(onnx).bytes.length);
  // Convolutions of the task see 8×8 places.
  const used = (name: string) => model.parameters.get(`${name}.weight`)!.data.filter((w) => w !== 0).length;
  expect(result.usedMacs.after).toBe(64 * (used("conv1") + used("conv2")) + used("fc"));
  expect(result.usedMacs.before).toBe(result.macs.before);
  for (const [name, { shape, data }] of deviations!) {
    const weights = model.parameters.get(name)!;
    expect(shape).toEqual(weights.shape);
    expect([...data].map((s) => s > 0)).toEqual([...weights.data].map((w) => w !== 0));
  }
  expect(warnings).toEqual([]);
  // Weights as wide as that are not what these data speak for.
  const wide = (await compressed(10)).result;
  const total = (r: typeof result) => Object.values(r.kept).reduce((a, b) => a + b);
  expect(total(wide)).toBeLessThan(0.8 * total(result));
  expect(warnings).toEqual([expect.stringMatching(/^no weight of .* is left; a smaller slab keeps more/)]);
});

test("filter shapes that are zero are measured as fewer columns, and the file is in the fastest form", async () => {
  const { result, model } = (await compress(
    request("shapes", { groups: "filter-shape", budget: { keep: 0.25 }, epochs: 2 }),
    options,
  ))!;
  expect(result.columns.map((c) => c.layer)).toContain("conv2");
  for (const { columns, used, form, why } of result.columns) {
    expect(used).toBeLessThan(columns);
    expect(why).toMatch(
      form === "whole"
        ? /whole [\d.e-]+ ms.*against|against whole [\d.e-]+ ms.*; whole all the same/
        : new RegExp(`^${form} .* ms against`),
    );
  }
  // Every layer of the file multiplies by as many columns as the report says, for each number that it gives.
  const layers = Object.fromEntries(accountModel(model).layers.map((l) => [l.name, l]));
  for (const { layer, columns, used, form } of result.alignedTo === 1 ? result.columns : []) {
    const { macs, outputShape } = layers[layer];
    const found = macs / sizeOf(outputShape.slice(1));
    if (form === "gather") expect(found).toBe(used);
    else if (form === "whole") expect(found).toBe(columns);
    else expect(found).toBeLessThan(columns);
  }
  expect(result.outputError).toBeLessThan(1e-5);
});

test("stopped half-way and resumed, it ends in the same bytes", async () => {
  const whole = (await compress(request("whole"), options))!;
  const controller = new AbortController();
  let steps = 0;
  const stopped = await compress(request("stopped"), {
    ...options,
    signal: controller.signal,
    onStep: () => ++steps === 170 && controller.abort(),
  });
  expect(stopped).toBeUndefined();
  const { keep } = request("stopped").budget as { keep: Record<string, number> };
  await expectProblemLater(
    compress(request("stopped", { budget: { keep: { ...keep, conv1: 5 } } }), { ...options, resume: true }),
    /sparse was started with another recipe \(sparsifier\.keep\.conv1: 6 against 5\); .*leave out --resume/,
  );
  const resumed = (await compress(request("stopped"), { ...options, resume: true }))!;
  const weights = async (runs: { sparse: string }) => readFile(join(runs.sparse, "trained.onnx"));
  expect((await weights(resumed.runs)).equals(await weights(whole.runs))).toBe(true);
});

test("a file meets a budget of MACs", async () => {
  const path = join(folder, "file.onnx");
  await writeFile(path, exportModel(network()));
  const { result } = (await compress(
    request("file", {
      model: path,
      budget: { within: "macs=0.3" },
      optimizer: "adam",
      learningRate: 0.002,
      validation: 0.1,
    }),
    options,
  ))!;
  expect(result.macs.after).toBeLessThanOrEqual(0.3 * result.macs.before);
  expect(result.macs.after).toBeGreaterThan(0.25 * result.macs.before);
  expect(result).toMatchObject({ requested: null, budget: "macs=0.3" });
  expect(result.validation!.after).toBeGreaterThan(result.validation!.before);
});

test.each(["dense", "scratch"] as const)("%s, to compare with, starts from a file too", async (method) => {
  const path = join(folder, `${method}.onnx`);
  await writeFile(path, exportModel(network()));
  const { result } = (await compress(
    request(method, { model: path, method, budget: { within: "macs=0.3" }, epochs: 2 }),
    options,
  ))!;
  expect(result.commit).toBeNull();
  expect(result.natural).toEqual(result.kept);
  if (method === "dense") expect(result.macs.after).toBe(result.macs.before);
  else {
    expect(result.kept).toEqual(result.requested);
    expect(result.macs.after).toBeLessThanOrEqual(0.3 * result.macs.before);
    expect(result.macs.after).toBeGreaterThan(0.25 * result.macs.before);
  }
  // Ten classes.
  expect(result.accuracy.after).toBeGreaterThan(0.2);
});

test("a budget that nothing meets is refused with what is possible", () => {
  const graph = network();
  const sets = findGroups(graph);
  const least = accountModel(withCounts(graph, sets, { conv1: 1, conv2: 1, fc1: 1 })).total.macs;
  expect(() => planBudget(graph, sets, parseBudget("macs=0.0001"))).toThrow(
    `a budget of 37 macs cannot be met: with one group a layer ${least.toLocaleString("en-US")} are left, 0.796 % of 365,184; most of it in conv1 2,304, conv2 576, fc1 16; channels of fc2 have to stay: it is tied to the graph's output`,
  );
  const kept = countsWithin(graph, sets, planBudget(graph, sets, parseBudget("macs=0.5")));
  const share = (keep: typeof kept) =>
    accountModel(withCounts(graph, sets, keep)).total.macs / accountModel(graph).total.macs;
  expect(share(kept)).toBeLessThanOrEqual(0.5);
  for (const { name, partition } of sets)
    if (kept[name] < partition.groups)
      expect(share({ ...kept, [name]: kept[name] + 1 })).toBeGreaterThan(0.5);
});

test("control: a network with one wrong weight does not pass the comparison of outputs", async () => {
  const { test: split, scale } = glyphs({ train: 10, test: 100 });
  const graph = network();
  const spoiled = replay(graph, {
    tensor: (name, t): Tensor => {
      if (name !== "conv2.weight") return t;
      const data = (t.data as Float32Array).slice();
      data[7] += 0.05;
      return { ...t, data } as Tensor;
    },
  });
  expect(await requireSameOutputs(graph, replay(graph), split, scale)).toBe(0);
  await expect(requireSameOutputs(graph, spoiled, split, scale)).rejects.toThrow(
    /outputs differ .* no model was written/,
  );
});

test("a budget in milliseconds comes to whole blocks, and the smallest network is named where it takes longer", async () => {
  const graph = network();
  const size = (within: string) => createSize(graph, request("time", { budget: { within } }));
  const { keep } = await (await size("ms@64=100%"))(graph);
  expect(Object.keys(keep!)).toEqual(["conv1", "conv2", "fc1"]);
  for (const k of Object.values(keep!)) expect(k % 8).toBe(0);
  await expect(size("ms@64=0.1%")).rejects.toThrow(/cannot be met: with 8 groups a layer .* are left/);
  await expect(
    createSize(graph, request("time", { groups: "kernel", budget: { within: "ms=50%" } })),
  ).rejects.toThrow(/needs groups that leave the network as channels/);
});
