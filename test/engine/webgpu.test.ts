import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { gradients } from "../../src/engine/gradients.ts";
import type { Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { maxPool, mul, reduceSum, relu } from "../../src/engine/operators/index.ts";
import { createSession } from "../../src/engine/session.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { random } from "../../src/random.ts";
import { tenSteps } from "../browser/ten-steps.ts";
import { differenceOf } from "./operators/runtime-check.ts";

// Debian's Chromium brings a Vulkan driver that needs no GPU: WebGPU in software.
const software = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (!process.env.VK_ICD_FILENAMES && existsSync(software)) process.env.VK_ICD_FILENAMES = software;

async function hasAdapter(): Promise<boolean> {
  const graph = createGraph("probe");
  output(relu(input(graph, "x", [4])));
  try {
    await (await createSession(graph, { device: "webgpu" })).release();
    return true;
  } catch (error) {
    console.warn(
      `The WebGPU tests are skipped: ${(error as Error).message}. In software: Debian's chromium and libvulkan1, with VK_ICD_FILENAMES=${software}`,
    );
    return false;
  }
}

const webgpu = await hasAdapter();

test.skipIf(!webgpu)("ten training steps on WebGPU give the losses of the CPU to 1e-4", async () => {
  const [there, here] = [await tenSteps("webgpu"), await tenSteps("cpu")];
  expect(there).toHaveLength(10);
  there.forEach((loss, i) => expect(Math.abs(loss - here[i])).toBeLessThan(1e-4));
  // The losses of different steps differ by more than the tolerance.
  expect(Math.abs(there[9] - here[8])).toBeGreaterThan(1e-4);
});

test.skipIf(!webgpu).each<[string, (x: Value) => Value]>([
  ["side by side", (x) => maxPool(x, 2)],
  ["overlapping and padded", (x) => maxPool(x, 3, { strides: 2, pads: 1 })],
])("max pooling, windows %s: its gradient on WebGPU is that of the reference", async (_, pool) => {
  const shape = [2, 3, 7, 8];
  const graph = createGraph("pool");
  const x = input(graph, "x", shape, { batched: false });
  const y = pool(x);
  output(gradients(reduceSum(mul(y, y)), [x])[0], { batched: false });
  const rng = random(2);
  // Whole numbers: ties, and sums without rounding.
  const data = Float32Array.from({ length: 2 * 3 * 7 * 8 }, () => rng.integer(9) - 4);
  const session = await createSession(graph, { device: "webgpu" });
  const found = await session.run({ x: tensor("float32", shape, data) });
  await session.release();
  const expected = evaluate(graph, { x: { shape, data: Float64Array.from(data) } });
  const [name] = graph.outputs;
  expect(differenceOf(found[name], expected[name])).toBe(0);
});
