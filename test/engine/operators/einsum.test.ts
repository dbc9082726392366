import { describe, expect, test } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { einsum } from "../../../src/engine/operators/einsum.ts";
import type { Numeric } from "../../../src/engine/operators/operator.ts";
import { apply } from "../../../src/engine/operators/operator.ts";
import { sizeOf } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";
import { gradientError } from "./gradient-check.ts";
import { differenceOf, runtimeDifference, runtimeError } from "./runtime-check.ts";

const cases: [equation: string, ...shapes: number[][]][] = [
  ["ij,jk->ik", [2, 3], [3, 4]],
  ["ij,jk->ki", [2, 3], [3, 4]],
  ["ji,kj", [3, 2], [4, 3]],
  ["bij,bjk->bik", [2, 3, 4], [2, 4, 3]],
  ["bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]],
  ["bqhd,bkhd->bhqk", [2, 3, 2, 4], [2, 5, 2, 4]],
  ["btd,od->bto", [2, 3, 4], [5, 4]],
  ["od,btd->bto", [5, 4], [2, 3, 4]],
  ["i,j->ij", [3], [4]],
  ["i,i->", [4], [4]],
  ["bi,bi->b", [2, 4], [2, 4]],
  ["bi,bi->bi", [2, 4], [2, 4]],
  ["ij->ji", [2, 3]],
  ["ij->j", [2, 3]],
  ["ijk->", [2, 3, 2]],
  ["ij,k->i", [2, 3], [4]],
  ["a,b,c->cab", [2], [3], [2]],
  ["ij,jk,kl->il", [2, 3], [3, 2], [2, 4]],
  ["bi,oik,bk->bo", [2, 3], [4, 3, 2], [2, 2]],
  ["...ij,...jk->...ik", [2, 3, 2, 4], [2, 3, 4, 2]],
  ["...ij,jk->...ik", [2, 3, 2, 4], [4, 2]],
  ["...ij,...jk", [3, 2, 4], [2, 1, 4, 2]],
  ["i...->...", [3, 2, 2]],
  ["...i,...i->...", [2, 3, 4], [3, 4]],
];

const build = (equation: string, node: boolean) => (operands: Parameters<typeof einsum>[1][]) =>
  node ? apply(operands[0].graph, "Einsum", operands, { equation })[0] : einsum(equation, ...operands);

describe.each(cases)("%s", (equation, ...shapes) => {
  test("lowered, it computes what the definition says", () => {
    const graph = createGraph("einsum");
    const rng = random(3);
    const operands = shapes.map((s, i) => input(graph, `x${i}`, s));
    output(build(equation, true)(operands));
    output(build(equation, false)(operands));
    expect(graph.nodes.filter((n) => n.op === "Einsum")).toHaveLength(1);
    const feeds: Record<string, Numeric> = {};
    shapes.forEach((shape, i) => {
      feeds[`x${i}`] = { shape, data: Float64Array.from({ length: sizeOf(shape) }, () => rng.normal()) };
    });
    const [byDefinition, lowered] = graph.outputs.map((o) => evaluate(graph, feeds)[o]);
    expect(differenceOf(lowered, byDefinition)).toBeLessThan(1e-14);
  });
  test.each([true, false])("gradients agree with central differences (operator: %s)", (node) => {
    expect(gradientError({ shapes, build: build(equation, node) })).toBeLessThan(1e-6);
  });
  test.each([true, false])("ONNX Runtime agrees (operator: %s)", async (node) => {
    // The shape inference of ONNX refuses ellipses that broadcast; the lowered form needs none.
    if (node && (equation === "...ij,...jk" || equation === "...i,...i->...")) return;
    expect(await runtimeError({ shapes, build: build(equation, node) })).toBeLessThan(1e-5);
  });
});

test("axes of length 1 are broadcast", () => {
  const shapes = [
    [1, 3, 4],
    [2, 4, 2],
  ];
  expect(gradientError({ shapes, build: build("bij,bjk->bik", false) })).toBeLessThan(1e-6);
  expect(gradientError({ shapes, build: build("bij,bjk->bik", true) })).toBeLessThan(1e-6);
});

test.each(["ii->i", "ii->", "bii->b"])(
  "a diagonal %s is evaluated; its gradient is refused by name",
  async (equation) => {
    const graph = createGraph("diagonal");
    const shape = equation.startsWith("b") ? [2, 3, 3] : [3, 3];
    const x = input(graph, "x", shape, { batched: false });
    output(einsum(equation, x), { batched: false });
    const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => i + 1);
    expect(await runtimeDifference(graph, { x: { shape, data } })).toBeLessThan(1e-6);
    expect(() => gradientError({ shapes: [shape], build: build(equation, false) })).toThrow(
      /Einsum ".*" takes a diagonal/,
    );
  },
);

test("what does not fit is refused", () => {
  const graph = createGraph("refusals");
  const a = input(graph, "a", [2, 3]);
  expect(() => einsum("ij,jk->ik", a, a)).toThrow(/index "j" has lengths 3 and 2/);
  expect(() => einsum("ijk->i", a)).toThrow(/term "ijk" does not fit shape \[2,3\]/);
  expect(() => einsum("ij->k", a)).toThrow(/index "k" of the result/);
  expect(() => einsum("ij,jk->ik", a)).toThrow(/2 terms for 1 operands/);
});
