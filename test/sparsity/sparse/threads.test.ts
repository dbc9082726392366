import { expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { conv, flatten, gemm, relu, sigmoid } from "../../../src/engine/operators/index.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { MODELS } from "../../../src/nn/models/index.ts";
import { random } from "../../../src/random.ts";
import { createRoom } from "../../../src/sparsity/sparse/cells.ts";
import { sparseKernels } from "../../../src/sparsity/sparse/kernels.ts";
import { operationOf } from "../../../src/sparsity/sparse/operation-of.ts";
import { sparseLayers } from "../../../src/sparsity/sparse/pieces.ts";
import { compileProgram } from "../../../src/sparsity/sparse/program.ts";
import type { RunnerOptions } from "../../../src/sparsity/sparse/runner.ts";
import { createRunner } from "../../../src/sparsity/sparse/runner.ts";
import { randomFeeds, sparseTensor } from "./support.ts";

const rng = random(11);

/** Outputs of one thread and of `threads`, as bits. */
async function bitsOf(graph: Graph, threads: number, options: RunnerOptions): Promise<Uint32Array[]> {
  const feeds = [randomFeeds(rng, graph), randomFeeds(rng, graph)];
  const found: Uint32Array[] = [];
  for (const kernelThreads of [1, threads]) {
    const runner = await createRunner(graph, new Set(sparseLayers(graph)), {
      threads: 1,
      ...options,
      kernelThreads,
    });
    const bits: number[] = [];
    for (const feed of feeds)
      for (const { data } of Object.values(await runner.run(feed)))
        bits.push(...new Uint32Array(data.buffer as ArrayBuffer, data.byteOffset, data.length));
    found.push(Uint32Array.from(bits));
    await runner.release();
  }
  return found;
}

async function expectSameBits(graph: Graph, threads: number, options: RunnerOptions = {}) {
  const [one, many] = await bitsOf(graph, threads, options);
  expect(one.some((b) => b !== 0)).toBe(true);
  expect(many).toEqual(one);
}

/** Rows of very different length, one of them empty. */
function linear(batch: number, rows: number, columns: number) {
  const graph = createGraph("linear");
  const x = input(graph, "x", [batch, columns]);
  const w = sparseTensor(rng, [rows, columns], 0.3);
  for (let row = 0; row < rows; row++)
    if (row % 3 > 0) w.data.fill(0, row * columns, row * columns + Math.floor((columns * (row % 3)) / 2));
  output(
    relu(
      gemm(x, parameter(graph, "w", w), {
        transB: true,
        c: parameter(graph, "b", sparseTensor(rng, [rows])),
      }),
    ),
  );
  return graph;
}

test.each(["row", "block"] as const)("linear layers stored by %s: the bits of one thread", async (format) => {
  for (const [batch, rows, columns] of [
    [1, 21, 30],
    [5, 3, 8],
    [33, 10, 2000],
  ])
    await expectSameBits(linear(batch, rows, columns), 3, { format });
});

test("convolutions with strides and groups: the bits of one thread", async () => {
  for (const [batch, lanes, format] of [
    [1, 1, "row"],
    [6, 4, "block"],
    [6, 16, "row"],
  ] as const) {
    const graph = createGraph("conv");
    const x = input(graph, "x", [batch, 6, 9, 7]);
    const a = relu(
      conv(x, parameter(graph, "a", sparseTensor(rng, [9, 6, 3, 3], 0.3)), { pads: 1, strides: 2 }),
    );
    const b = conv(a, parameter(graph, "b", sparseTensor(rng, [12, 3, 3, 3], 0.5)), { pads: 1, group: 3 });
    output(conv(b, parameter(graph, "c", sparseTensor(rng, [8, 12, 1, 3], 0.5)), { pads: [0, 1, 0, 1] }));
    await expectSameBits(graph, 3, { lanes, format });
  }
});

test.each(["resnet20", "mobilenet-v2", "densenet40"])("%s: the bits of one thread", async (name) => {
  const graph = MODELS[name]({ inputShape: [3, 8, 8], classes: 10, seed: 1 });
  for (const { shape, data } of graph.parameters.values())
    if (shape.length > 1) for (let i = 0; i < data.length; i++) if (rng.uniform() < 0.9) data[i] = 0;
  await expectSameBits(rebatch(graph, 5), 2);
});

test("ONNX Runtime takes over between the kernels and gives back", async () => {
  const graph = createGraph("mixture");
  const x = input(graph, "x", [5, 3, 8, 8]);
  const y = sigmoid(conv(x, parameter(graph, "c", sparseTensor(rng, [6, 3, 3, 3], 0.4)), { pads: 1 }));
  output(gemm(flatten(y), parameter(graph, "w", sparseTensor(rng, [384, 7], 0.1)), {}));
  const runner = await createRunner(graph, new Set(sparseLayers(graph)), { kernelThreads: 2 });
  expect(runner.pieces.map((p) => p.kind)).toEqual(["sparse", "dense", "sparse"]);
  await runner.release();
  await expectSameBits(graph, 2);
});

test("thousands of short runs, each of them right", async () => {
  const graph = linear(4, 12, 20);
  const runner = await createRunner(graph, new Set(sparseLayers(graph)), { kernelThreads: 2 });
  const feeds = [randomFeeds(rng, graph), randomFeeds(rng, graph)];
  const resultOf = async (feed: (typeof feeds)[number]) => Object.values(await runner.run(feed))[0].data;
  const expected = [await resultOf(feeds[0]), await resultOf(feeds[1])];
  expect([...expected[0]]).not.toEqual([...expected[1]]);
  for (let i = 0; i < 2000; i++) {
    const found = await resultOf(feeds[i % 2]);
    if (found.some((v, at) => v !== expected[i % 2][at])) throw new Error(`run ${i} differs`);
  }
  await runner.release();
});

test("control: one thread of two leaves the others' rows undone", () => {
  const graph = linear(1, 8, 20);
  const room = createRoom();
  const arrays = new Map([...graph.inputs, ...graph.outputs].map((name) => [name, room.reserve(4 * 64)]));
  const operations = graph.nodes.map((node) => operationOf(graph, node)!);
  const { inputs, outputs } = graph;
  const program = compileProgram(
    { graph, operations, inputs, outputs, arrays, batch: 1, lanes: 1, threads: 2 },
    room,
  );
  const { memory } = room.open();
  const floats = new Float32Array(memory.buffer);
  floats.fill(1, arrays.get("x")!.address / 4, arrays.get("x")!.address / 4 + 20);
  const kernels = sparseKernels(memory);
  const y = arrays.get(outputs[0])!.address / 4;
  const run = (thread: number) => program.run({ kernels, floats, thread, threads: 2, meet: () => {} });
  run(0);
  const half = floats.slice(y, y + 8);
  run(1);
  run(0);
  run(1);
  expect(floats.slice(y, y + 8)).not.toEqual(half);
});
