import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { createGraph, input, output, valueNamed } from "../../../src/engine/graph.ts";
import { lowerBlocked } from "../../../src/engine/lowering/blocked.ts";
import { lowerPlain } from "../../../src/engine/lowering/plain.ts";
import * as op from "../../../src/engine/operators/index.ts";
import { findOperator, INTERNAL_DOMAIN } from "../../../src/engine/operators/operator.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { toNumbers } from "../../../src/engine/tensor.ts";
import { block, normals, runBlocked, runPlain, worstDifference } from "./compare.ts";

interface Check {
  graph: Graph;
  feeds: Record<string, Tensor<"float32">>;
}

/** A function of inputs of the given shapes; outputs are its value and the gradients of a random projection of it. */
function check(shapes: readonly number[][], build: (inputs: Value[]) => Value, seed = 1): Check {
  const graph = createGraph("check");
  const feeds: Check["feeds"] = {};
  const values = shapes.map((shape, i) => {
    feeds[`x${i}`] = normals(shape, seed + i);
    return input(graph, `x${i}`, shape, { batched: false });
  });
  const y = build(values);
  feeds.weights = normals(y.shape, seed + 100);
  const loss = op.reduceSum(op.mul(y, input(graph, "weights", y.shape, { batched: false })));
  for (const v of new Set([y, ...gradients(loss, values)].map((v) => v.name)))
    output(valueNamed(graph, v), { batched: false });
  return { graph, feeds };
}

/** Largest relative differences of the blocked and of the plain lowering to the evaluation in double precision. */
async function errors({ graph, feeds }: Check): Promise<{ blocked: number; plain: number }> {
  const numeric = Object.fromEntries(
    Object.entries(feeds).map(([name, t]) => [name, { shape: t.shape, data: toNumbers(t) }]),
  );
  const exact = evaluate(graph, numeric);
  const expected = Object.fromEntries(Object.entries(exact).map(([name, v]) => [name, v.data]));
  return {
    blocked: worstDifference(await runBlocked(graph, feeds), expected),
    plain: worstDifference(await runPlain(graph, feeds), expected),
  };
}

const kinds = (graph: Graph) => graph.nodes.map((n) => n.op);

// Single precision rounds to 6e-8; sums of up to some thousand products in any order stay within 1e-5 of the largest sum.
const TOLERANCE = 1e-5;

describe.skipIf(block === 0)("blocked lowering", () => {
  const shape = fc.record({
    n: fc.integer({ min: 1, max: 9 }),
    input: fc.constantFrom(1, 3, 8, 12, 16, 20),
    middle: fc.integer({ min: 1, max: 20 }),
    filters: fc.integer({ min: 1, max: 40 }),
    h: fc.integer({ min: 3, max: 9 }),
    w: fc.integer({ min: 3, max: 9 }),
    kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    strides: fc.tuple(fc.constantFrom(1, 1, 2, 3), fc.constantFrom(1, 1, 2, 3)),
    pads: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2)),
    dilation: fc.constantFrom(1, 1, 1, 2),
    grouping: fc.constantFrom("whole", "whole", "halves", "depthwise"),
    bias: fc.boolean(),
  });

  test("convolutions of any shape, with both gradients", async () => {
    let mostlyBlocked = 0;
    await fc.assert(
      fc.asyncProperty(shape, async (s) => {
        const group = s.grouping === "whole" ? 1 : s.grouping === "halves" ? 2 : s.middle;
        const middle = group === 2 ? 2 * Math.ceil(s.middle / 2) : s.middle;
        const filters = group === 1 ? s.filters : group === 2 ? 2 * Math.ceil(s.filters / 2) : s.middle;
        const [height, width] = [s.h + s.pads[0] + s.pads[2], s.w + s.pads[1] + s.pads[3]];
        fc.pre(height > (s.kernel[0] - 1) * s.dilation && width > (s.kernel[1] - 1) * s.dilation);
        const c = check(
          [
            [s.n, s.input, s.h, s.w],
            [middle, s.input, 1, 1],
            [filters, middle / group, ...s.kernel],
            ...(s.bias ? [[filters]] : []),
          ],
          ([x, w0, w, bias]) =>
            op.conv(op.relu(op.conv(x, w0)), w, {
              bias,
              strides: s.strides,
              pads: s.pads,
              dilations: s.dilation,
              group,
            }),
        );
        const lowered = kinds(lowerBlocked(c.graph, block));
        if (lowered.filter((k) => k === "BlockedConv").length >= 4) mostlyBlocked++;
        const { blocked, plain } = await errors(c);
        expect(blocked).toBeLessThan(TOLERANCE);
        expect(plain).toBeLessThan(TOLERANCE);
      }),
      { numRuns: 40, seed: 5 },
    );
    expect(mostlyBlocked).toBeGreaterThan(10);
  });

  const whole: Record<string, [Check, absent: string[]]> = {
    "3×3, stride 1": [conv(8, 16, 24, 8, { pads: 1 }), ["Conv", "ConvTranspose"]],
    "5×5, unpadded": [conv(2, 20, 24, 10, {}, 5), ["Conv"]],
    "3×3, stride 2": [conv(8, 16, 32, 8, { pads: 1, strides: 2 }), ["Conv", "ConvTranspose"]],
    "1×1": [conv(4, 16, 32, 8, {}, 1), ["Conv", "ConvTranspose"]],
    "1×1, stride 2": [conv(4, 16, 32, 8, { strides: 2 }, 1), ["Conv", "ConvTranspose"]],
    "a large image, in chunks": [conv(2, 8, 32, 32, { pads: 1 }), ["Conv", "ConvTranspose"]],
    depthwise: [
      check(
        [
          [4, 3, 8, 8],
          [24, 3, 3, 3],
          [24, 1, 3, 3],
        ],
        ([x, w0, w]) => op.conv(op.conv(x, w0), w, { pads: 1, group: 24 }),
      ),
      ["Conv"],
    ],
    "a residual block with batch norm": [residual(0), ["BatchNormalization", "Where", "Relu"]],
    "batch norm of values far from zero": [residual(30), ["BatchNormalization"]],
    "max pooling": [pooled(), ["MaxPool", "MaxUnpool"]],
    "global pooling": [
      check(
        [
          [3, 3, 6, 6],
          [12, 3, 3, 3],
        ],
        ([x, w]) => op.globalAveragePool(op.relu(op.conv(x, w))),
      ),
      ["GlobalAveragePool"],
    ],
    "activations that do not keep zero, padded channels": [
      check(
        [
          [3, 3, 6, 6],
          [12, 3, 3, 3],
          [10, 12, 3, 3],
        ],
        ([x, w0, w]) => op.conv(op.sigmoid(op.add(op.conv(x, w0), 0.5)), w),
      ),
      [],
    ],
    "pointwise chains": [
      check(
        [
          [3, 3, 6, 6],
          [16, 3, 3, 3],
          [16, 16, 3, 3],
        ],
        ([x, w0, w]) => {
          const a = op.conv(x, w0);
          return op.conv(op.add(op.mul(op.tanh(a), op.sigmoid(a)), op.leakyRelu(a, { alpha: 0.1 })), w);
        },
      ),
      [],
    ],
  };

  test.each(Object.entries(whole))("%s", async (_, [c, absent]) => {
    const lowered = kinds(lowerBlocked(c.graph, block));
    expect(lowered).toContain("BlockedConv");
    expect(lowered.filter((k) => absent.includes(k))).toEqual([]);
    const { blocked, plain } = await errors(c);
    expect(plain).toBeLessThan(TOLERANCE);
    expect(blocked).toBeLessThan(TOLERANCE);
  });

  test("equal elements under a window: the first one takes the gradient", async () => {
    const { graph, feeds } = pooled();
    for (const t of Object.values(feeds))
      for (let i = 0; i < t.data.length; i++) t.data[i] = Math.round(t.data[i]);
    const [plain, blocked] = [await runPlain(graph, feeds), await runBlocked(graph, feeds)];
    expect(blocked).toEqual(plain);
  });

  test("second derivatives", async () => {
    const c = check(
      [
        [2, 3, 6, 6],
        [8, 3, 3, 3],
        [8, 8, 3, 3],
      ],
      ([x, w0, w]) => {
        const y = op.conv(op.maxPool(op.conv(x, w0, { pads: 1 }), 2), w, { pads: 1 });
        const [dx, dw] = gradients(op.reduceSum(op.mul(y, op.mul(y, y))), [x, w]);
        return op.add(op.reduceSum(op.mul(dx, dx)), op.reduceSum(op.mul(dw, dw)));
      },
    );
    const { blocked, plain } = await errors(c);
    expect(plain).toBeLessThan(TOLERANCE);
    expect(blocked).toBeLessThan(TOLERANCE);
  });

  test("a kernel that is not turned is caught", async () => {
    const [{ graph, feeds }] = whole["3×3, stride 1"];
    const lowered = lowerBlocked(graph, block);
    const backwards = lowered.nodes.filter(
      (n) => n.op === "Slice" && n.inputs[4] && Number(lowered.constants.get(n.inputs[4])?.data[0]) === -1,
    );
    expect(backwards.length).toBeGreaterThan(0);
    for (const node of backwards) Object.assign(node, { op: "Identity", inputs: [node.inputs[0]] });
    expect(worstDifference(await runPlain(lowered, feeds), await runPlain(graph, feeds))).toBeGreaterThan(
      0.1,
    );
  });

  test.each([1, 2])("with %i threads two sessions give the same bits", async (threads) => {
    const [{ graph, feeds }] = whole["a residual block with batch norm"];
    const runs = [];
    for (let i = 0; i < 3; i++) runs.push(await runBlocked(graph, feeds, threads));
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
  });
});

test("the plain lowering leaves no internal operator and keeps the outputs' names", () => {
  const { graph } = pooled();
  const internal = (g: Graph) => g.nodes.filter((n) => findOperator(n.op)!.domain === INTERNAL_DOMAIN);
  expect(internal(graph).length).toBeGreaterThan(2);
  const lowered = lowerPlain(graph);
  expect(internal(lowered)).toEqual([]);
  expect(lowered.outputs).toEqual(graph.outputs);
  expect(lowerPlain(lowered)).toBe(lowered);
});

function conv(
  n: number,
  channels: number,
  filters: number,
  size: number,
  options: Parameters<typeof op.conv>[2],
  kernel = 3,
): Check {
  return check(
    [[n, 8, size, size], [channels, 8, 1, 1], [filters, channels, kernel, kernel], [filters]],
    ([x, w0, w, bias]) => op.conv(op.relu(op.conv(x, w0)), w, { ...options, bias }),
  );
}

function residual(offset: number): Check {
  return check(
    [[3, 3, 6, 6], [12, 3, 3, 3], [12, 12, 3, 3], [12], [12], [12]],
    ([x, w0, w, scale, shift, bias]) => {
      const a = op.conv(x, w0, { bias: op.add(bias, offset), pads: 1 });
      const y = op.relu(op.add(op.batchNormTraining(op.conv(a, w, { pads: 1 }), scale, shift).y, a));
      return op.batchNormTraining(op.add(op.conv(y, w, { pads: 1 }), y), scale, shift).y;
    },
  );
}

function pooled(): Check {
  return check(
    [
      [3, 3, 8, 8],
      [12, 3, 3, 3],
      [9, 12, 3, 3],
    ],
    ([x, w0, w]) => op.conv(op.maxPool(op.relu(op.conv(x, w0, { pads: 1 })), 2), w),
  );
}
