import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { conv, flatten, gemm, relu } from "../../../src/engine/operators/index.ts";
import { random } from "../../../src/random.ts";
import { hasRelaxedSimd } from "../../../src/sparsity/sparse/kernels.ts";
import { runSparse, sparseTensor } from "./support.ts";

// Node.js 20 has relaxed SIMD behind a flag, later versions without one.
setFlagsFromString("--experimental-wasm-relaxed-simd");

test.each(["row", "block"] as const)("fused multiply–add gives the same, stored by %s", async (format) => {
  expect(hasRelaxedSimd()).toBe(true);
  const rng = random(7);
  for (const batch of [1, 6, 16]) {
    const graph = createGraph("relaxed");
    const x = input(graph, "x", [batch, 4, 9, 9]);
    const y = flatten(relu(conv(x, parameter(graph, "w", sparseTensor(rng, [8, 4, 3, 3], 0.3)))));
    output(gemm(y, parameter(graph, "v", sparseTensor(rng, [y.shape[1], 12], 0.2))));
    expect((await runSparse(rng, graph, { format })).error).toBeLessThan(1e-5);
  }
});
