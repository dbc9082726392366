import { expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { gradients } from "../../src/engine/gradients.ts";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import * as op from "../../src/engine/operators/index.ts";
import { flatArrays, flattenParameters } from "../../src/engine/parameters.ts";
import { createSession } from "../../src/engine/session.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { tensor, toNumbers, zeros } from "../../src/engine/tensor.ts";
import { random } from "../../src/random.ts";

test("a training step is one run: parameters are read in place, gradients land in preallocated arrays", async () => {
  const rng = random(3);
  const normals = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
  const graph = createGraph("step");
  const x = input(graph, "x", [5, 3]);
  const w = parameter(graph, "w", tensor("float32", [2, 3], normals(6)));
  const loss = op.reduceMean(op.pow(op.gemm(x, w, { transB: true }), 2));
  output(loss);
  const [dw] = gradients(loss, [w]);
  output(dw);
  const flat = flattenParameters(graph);
  const slots = flatArrays([[dw.name, dw.shape]]);
  const session = await createSession(graph, { feedParameters: true, threads: 1 });
  const feeds = { x: tensor("float32", [5, 3], normals(15)) };
  const fetches = { [loss.name]: tensor("float32", [], [0]), ...Object.fromEntries(slots.tensors) };
  for (const scale of [1, -2]) {
    for (let i = 0; i < flat.values.length; i++) flat.values[i] *= scale;
    await session.run(feeds, fetches);
    const expected = evaluate(graph, { x: { shape: [5, 3], data: toNumbers(feeds.x) } });
    expect(fetches[loss.name].data[0]).toBeCloseTo(expected[loss.name].data[0], 4);
    slots.values.forEach((g, i) => expect(g).toBeCloseTo(expected[dw.name].data[i], 4));
  }
  await session.release();
});

test("a device that is not here is refused by name", async () => {
  const graph = createGraph("tiny");
  output(op.relu(input(graph, "x", [1])));
  await expect(createSession(graph, { device: "cuda" })).rejects.toThrow(
    /device "cuda" is not available here: .*; take "cpu", on the command line --device cpu$/,
  );
});

test.each<[string, Record<string, Tensor>, RegExp]>([
  ["nothing", {}, /input "x" is not fed: it takes float32 \[2,3\]/],
  ["another shape", { x: zeros([3, 2]) }, /input "x" takes float32 \[2,3\], but is fed float32 \[3,2\]/],
  ["another type", { x: zeros([2, 3], "int32") }, /input "x" takes float32 \[2,3\], but is fed int32/],
  ["more than it takes", { x: zeros([2, 3]), y: zeros([1]) }, /there is no input "y" to feed; there is x/],
])("a session that is fed %s says what it takes", async (_, feeds, message) => {
  const graph = createGraph("double");
  const x = input(graph, "x", [2, 3]);
  output(op.add(x, x));
  const session = await createSession(graph, { threads: 1 });
  await expect(session.run(feeds)).rejects.toThrow(message);
  await session.release();
});
