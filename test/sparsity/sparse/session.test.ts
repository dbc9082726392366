import { expect, test } from "vitest";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { conv, flatten, gemm, relu, sigmoid } from "../../../src/engine/operators/index.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { createSession } from "../../../src/engine/session.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import { MODELS } from "../../../src/nn/models/index.ts";
import { transformer } from "../../../src/nn/models/transformer.ts";
import { vgg } from "../../../src/nn/models/vgg.ts";
import { random } from "../../../src/random.ts";
import { alignChannels } from "../../../src/sparsity/align.ts";
import { createSparseSession } from "../../../src/sparsity/sparse/session.ts";
import { errorOf, randomFeeds, sparseTensor } from "./support.ts";

const rng = random(5);

function prunedModel(name: string) {
  const graph = MODELS[name]({ inputShape: [3, 16, 16], classes: 10, seed: 1 });
  for (const { shape, data } of graph.parameters.values())
    if (shape.length > 1) for (let i = 0; i < data.length; i++) if (rng.uniform() < 0.8) data[i] = 0;
  return graph;
}

test.each(["lenet-300-100", "small-cnn", "vgg-bn", "resnet20", "mobilenet-v2", "densenet40"])(
  "%s without ONNX Runtime agrees with ONNX Runtime",
  async (name) => {
    const graph = prunedModel(name);
    for (const batch of name === "mobilenet-v2" ? [3] : [1, 6]) {
      const sized = rebatch(graph, batch);
      const feeds = randomFeeds(rng, sized);
      const session = await createSparseSession(graph, { batch, plan: "sparse" });
      const dense = await createSession(sized, { threads: 1 });
      const [found, expected] = [await session.run(feeds), await dense.run(feeds)];
      const [a, b] = [found, expected].map((r) => r[graph.outputs[0]].data as Float32Array);
      const size = Math.max(...b.map(Math.abs));
      expect(size).toBeGreaterThan(1e-3);
      expect(Math.max(...a.map((v, i) => Math.abs(v - b[i]))) / size).toBeLessThan(1e-5);
      expect(session.plan.layers.every((l) => l.run === "sparse")).toBe(true);
      await session.release();
      await dense.release();
    }
  },
);

test("a transformer's layers take all tokens of all samples, its last one a row of each sample", async () => {
  const model = transformer({
    vocabulary: 11,
    context: 5,
    width: 24,
    heads: 3,
    blocks: 2,
    predict: "last",
    seed: 1,
  });
  for (const { shape, data } of model.parameters.values())
    if (shape.length > 1) for (let i = 0; i < data.length; i++) if (rng.uniform() < 0.8) data[i] = 0;
  for (const batch of [1, 3, 7])
    for (const plan of ["sparse", "measure"] as const) {
      const sized = rebatch(model, batch);
      const [ids] = sized.inputs;
      const { shape, dtype } = sized.types.get(ids)!;
      const feeds = {
        [ids]: tensor(
          dtype as "int32",
          shape,
          Int32Array.from({ length: sizeOf(shape) }, () => rng.integer(11)),
        ),
      };
      const session = await createSparseSession(model, { batch, plan });
      expect(session.plan.layers).toHaveLength(9);
      const found = await session.run(feeds);
      expect(errorOf(sized, feeds, found), `batch ${batch}, ${plan}`).toBeLessThan(1e-5);
      // Once more, on what the first run left behind.
      expect(await session.run(feeds)).toEqual(found);
      await session.release();
    }
});

test("weights that are padded on loading run sparse, too", async () => {
  const graph = vgg({ inputShape: [3, 8, 8], classes: 4, layout: [6, 10, "pool", 5], seed: 1 });
  for (const { shape, data } of graph.parameters.values())
    if (shape.length > 1) for (let i = 0; i < data.length; i++) if (rng.uniform() < 0.8) data[i] = 0;
  const aligned = alignChannels(graph);
  expect(aligned.nodes.filter((n) => n.op === "Pad").length).toBeGreaterThan(3);
  const sized = rebatch(graph, 3);
  const feeds = randomFeeds(rng, sized);
  const session = await createSparseSession(aligned, { batch: 3, plan: "sparse" });
  expect(session.plan.layers.filter((l) => l.run === "sparse")).toHaveLength(4);
  expect(errorOf(sized, feeds, await session.run(feeds))).toBeLessThan(1e-5);
  await session.release();
});

/** A wide layer with hardly a weight, one in full use, and an operator that only ONNX Runtime has. */
function mixture() {
  const graph = createGraph("mixture");
  const x = input(graph, "x", [1, 3, 8, 8]);
  const y = flatten(
    relu(conv(x, parameter(graph, "c/weight", sparseTensor(rng, [16, 3, 3, 3])), { pads: 1 })),
  );
  const wide = gemm(y, parameter(graph, "wide/weight", sparseTensor(rng, [1024, 1024], 0.005)), {
    transB: true,
  });
  output(gemm(sigmoid(wide), parameter(graph, "full/weight", sparseTensor(rng, [1024, 32])), {}));
  return graph;
}

test("each layer runs where it is faster, and the plan says why", async () => {
  const graph = mixture();
  const session = await createSparseSession(graph, { batch: 16 });
  const { plan } = session;
  const byLayer = Object.fromEntries(plan.layers.map((l) => [l.layer, l]));
  expect(byLayer.wide.why).toMatch(/^sparse [\d.]+ ms against dense [\d.]+ ms at 0\.5\d* % density/);
  expect(byLayer.wide.ms!.sparse).toBeLessThan(byLayer.wide.ms!.dense);
  expect(byLayer.full.why).toMatch(/^dense: 100 % of its weights are in use/);
  expect(Object.keys(plan.ms!)).toContain("dense");
  const feeds = randomFeeds(rng, rebatch(graph, 16));
  expect(errorOf(rebatch(graph, 16), feeds, await session.run(feeds))).toBeLessThan(1e-5);
  await session.release();
});

test("a small network is tried whole however full it is, a larger one is not", async () => {
  for (const [size, tried] of [
    [8, true],
    [64, false],
  ] as const) {
    const graph = vgg({ inputShape: [3, size, size], classes: 4, layout: [6, 10, "pool"], seed: 1 });
    const session = await createSparseSession(graph, { batch: 8 });
    expect(Object.keys(session.plan.ms!).some((name) => name.startsWith("sparse everywhere"))).toBe(tried);
    expect(session.plan.layers[0].why).toMatch(/^dense: 100 % of its weights are in use/);
    const sized = rebatch(graph, 8);
    const feeds = randomFeeds(rng, sized);
    expect(errorOf(sized, feeds, await session.run(feeds))).toBeLessThan(1e-5);
    await session.release();
  }
});

test("a plan is data: saved and given back, it repeats the choice without measuring", async () => {
  const graph = mixture();
  const measured = await createSparseSession(graph, { batch: 4 });
  const saved = JSON.parse(JSON.stringify(measured.plan));
  const again = await createSparseSession(graph, { batch: 4, plan: saved });
  expect(again.plan).toEqual(measured.plan);
  const sized = rebatch(graph, 4);
  const feeds = randomFeeds(rng, sized);
  expect(errorOf(sized, feeds, await again.run(feeds))).toBeLessThan(1e-5);
  await expect(createSparseSession(graph, { batch: 5, plan: saved })).rejects.toThrow("batches of 4, not 5");
  await expect(createSparseSession(graph, { batch: 4, plan: "fast" as "sparse" })).rejects.toThrow(
    'there is no plan "fast"; take measure, sparse or the plan of an earlier session',
  );
  saved.layers[0].node = "elsewhere";
  await expect(createSparseSession(graph, { batch: 4, plan: saved })).rejects.toThrow('"elsewhere"');
  await measured.release();
  await again.release();
});

test("two threads are tried beside one, and the plan repeats what was faster", async () => {
  const graph = mixture();
  const session = await createSparseSession(graph, { batch: 4, threads: 2 });
  const { plan } = session;
  expect(Object.keys(plan.ms!)).toEqual(
    expect.arrayContaining([
      "dense",
      expect.stringMatching(/^sparse .*threads: 1$/),
      expect.stringMatching(/^sparse .*threads: 2$/),
    ]),
  );
  const [best] = Object.entries(plan.ms!).sort(([, a], [, b]) => a - b)[0];
  expect(plan.kernelThreads).toBe(best.endsWith("threads: 2") ? 2 : 1);
  const sized = rebatch(graph, 4);
  const feeds = randomFeeds(rng, sized);
  for (const kernelThreads of [1, 2]) {
    const again = await createSparseSession(graph, { batch: 4, plan: { ...plan, kernelThreads } });
    expect(again.plan).toEqual({ ...plan, kernelThreads });
    expect(errorOf(sized, feeds, await again.run(feeds))).toBeLessThan(1e-5);
    await again.release();
  }
  await session.release();
});

test("a hybrid hands values over between the pieces", async () => {
  const graph = mixture();
  for (const batch of [1, 5]) {
    const session = await createSparseSession(graph, { batch, plan: "sparse" });
    const feeds = randomFeeds(rng, rebatch(graph, batch));
    expect(errorOf(rebatch(graph, batch), feeds, await session.run(feeds))).toBeLessThan(1e-5);
    await session.release();
  }
});

test("results stay what they were when the session runs again", async () => {
  const graph = prunedModel("lenet-300-100");
  const session = await createSparseSession(graph, { batch: 2, plan: "sparse" });
  const sized = rebatch(graph, 2);
  const [first] = Object.values(await session.run(randomFeeds(rng, sized)));
  const before = [...first.data];
  const [second] = Object.values(await session.run(randomFeeds(rng, sized)));
  expect([...first.data]).toEqual(before);
  expect([...second.data]).not.toEqual(before);
  await session.release();
});

test("a batch that is none is refused", async () => {
  await expect(createSparseSession(prunedModel("lenet-300-100"), { batch: 0 })).rejects.toThrow("batch of 0");
});

test("a number of threads that is none is refused", async () => {
  const options = { batch: 1, threads: 0 };
  await expect(createSparseSession(prunedModel("lenet-300-100"), options)).rejects.toThrow("0 threads");
});

test("an input that is missing or of another size is named", async () => {
  const graph = prunedModel("lenet-300-100");
  const session = await createSparseSession(graph, { batch: 2, plan: "sparse" });
  await expect(session.run({})).rejects.toThrow('input "input" takes a float32 tensor of shape [2,3,16,16]');
  const small = { input: sparseTensor(rng, [1, 3, 16, 16]) };
  await expect(session.run(small)).rejects.toThrow("not float32 [1,3,16,16]");
  await session.release();
});
