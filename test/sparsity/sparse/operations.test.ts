import { expect, test } from "vitest";
import { createGraph, type Graph, input, output, parameter, type Value } from "../../../src/engine/graph.ts";
import {
  add,
  averagePool,
  batchNorm,
  clip,
  concat,
  conv,
  div,
  flatten,
  gemm,
  globalAveragePool,
  globalMaxPool,
  maxPool,
  mul,
  relu,
  softmax,
  sub,
  tanh,
} from "../../../src/engine/operators/index.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";
import { fuseOperations } from "../../../src/sparsity/sparse/fuse.ts";
import { operationOf } from "../../../src/sparsity/sparse/operation-of.ts";
import { runSparse, sparseTensor } from "./support.ts";

const rng = random(2);

/** A convolution in front makes the operation part of a sparse piece; one behind it asks for a margin. */
function network(batch: number, between: (x: Value, graph: Graph) => Value, width = 6): Graph {
  const graph = createGraph("network");
  const x = input(graph, "x", [batch, 3, 7, width]);
  const y = between(conv(x, parameter(graph, "w", sparseTensor(rng, [6, 3, 3, 3], 0.4)), { pads: 1 }), graph);
  const last =
    y.shape.length === 4
      ? conv(y, parameter(graph, "w2", sparseTensor(rng, [4, y.shape[1], 3, 3], 0.4)), { pads: 1 })
      : gemm(y, parameter(graph, "w2", sparseTensor(rng, [y.shape[1], 4], 0.4)));
  output(last);
  return graph;
}

const vector = (graph: Graph, n: number) =>
  parameter(graph, `v${graph.parameters.size}`, sparseTensor(rng, [n]));
const byChannel = (graph: Graph, n: number) =>
  parameter(graph, `v${graph.parameters.size}`, sparseTensor(rng, [n, 1, 1]));

const cases: Record<string, (x: Value, graph: Graph) => Value> = {
  relu: (x) => relu(x),
  "clip, twice": (x) => clip(clip(x, -1, 0.5), -0.5),
  "clip below only": (x) => clip(x, undefined, 0.3),
  "batch normalisation and relu": (x, g) =>
    relu(
      batchNorm(
        x,
        vector(g, 6),
        vector(g, 6),
        vector(g, 6),
        parameter(g, "variance", tensor("float32", [6], [1, 2, 0.5, 3, 0.1, 1])),
      ),
    ),
  "affine chain": (x, g) => div(mul(sub(0.5, add(x, byChannel(g, 6))), byChannel(g, 6)), 3),
  "residual sum, read twice": (x) => {
    const y = relu(x);
    return relu(add(relu(add(y, x)), y));
  },
  "maximum pool, padded, odd": (x) => maxPool(x, 3, { strides: 2, pads: 1 }),
  "maximum pool, rounded up": (x) => maxPool(x, 2, { strides: 2, ceilMode: true }),
  "maximum pool of pairs": (x) => maxPool(x, 2, { strides: 2 }),
  "maximum pool of pairs, padded, overlapping": (x) => maxPool(x, 2, { strides: 1, pads: 1 }),
  "maximum pool of pairs, dilated, padded on one side": (x) =>
    maxPool(x, 2, { strides: [1, 2], dilations: [1, 3], pads: [0, 1, 1, 0] }),
  "average pool": (x) => averagePool(x, [2, 3], { pads: [1, 0, 0, 1] }),
  "average pool, padding counts": (x) => averagePool(x, 3, { pads: 1, strides: 2, countIncludePad: true }),
  "global pools, concatenated": (x) => concat([globalAveragePool(x), globalMaxPool(x)], 1),
  "concatenation of a value with a margin": (x) => concat([relu(x), x, relu(x)], 1),
  "flattened value that has a margin": (x, g) => {
    output(conv(x, parameter(g, "side", sparseTensor(rng, [2, 6, 3, 3])), { pads: 1 }));
    return flatten(x);
  },
  "flattened and pooled": (x) => flatten(globalAveragePool(x)),
  softmax: (x) => softmax(flatten(x)),
};

test.each(Object.keys(cases))("%s", async (name) => {
  for (const batch of [1, 3, 9])
    for (const lanes of [4, 16]) {
      const { error, pieces } = await runSparse(rng, network(batch, cases[name]), { lanes });
      expect(error, `batch ${batch}, lanes ${lanes}`).toBeLessThan(1e-5);
      expect(pieces).toEqual(["sparse"]);
    }
});

test("pairs of a wide row are pooled as those of a narrow one", async () => {
  for (const name of Object.keys(cases).filter((name) => name.startsWith("maximum pool")))
    for (const width of [8, 17, 22]) {
      const { error } = await runSparse(rng, network(1, cases[name], width));
      expect(error, `${name}, ${width} wide`).toBeLessThan(1e-5);
    }
});

test("activations and normalisations behind a layer are part of it", () => {
  const graph = network(2, cases["batch normalisation and relu"]);
  const operations = graph.nodes.map((node) => operationOf(graph, node)!);
  expect(operations).toHaveLength(4);
  expect(fuseOperations(operations, new Set(graph.outputs)).map((o) => o.kind)).toEqual([
    "product",
    "product",
  ]);
  // What somebody else reads is not to be merged away.
  const kept = new Set([...graph.outputs, graph.nodes[0].outputs[0]]);
  expect(fuseOperations(operations, kept).map((o) => o.kind)).toEqual(["product", "affine", "product"]);
});

test("what the kernels cannot do is left to ONNX Runtime, and the pieces fit together", async () => {
  const between = (x: Value) => {
    const y = relu(x);
    return add(tanh(y), y);
  };
  for (const batch of [1, 6]) {
    const { error, pieces } = await runSparse(rng, network(batch, between));
    expect(error).toBeLessThan(1e-5);
    expect(pieces).toEqual(["sparse", "dense", "sparse"]);
  }
});

test("constants that differ from row to row are nobody's affine map", () => {
  const graph = createGraph("x");
  const x = input(graph, "x", [2, 3, 4, 5]);
  output(add(x, parameter(graph, "c", sparseTensor(rng, [4, 1]))));
  output(add(x, parameter(graph, "d", sparseTensor(rng, [2, 1, 1, 1]))));
  expect(graph.nodes.map((node) => operationOf(graph, node))).toEqual([undefined, undefined]);
});
