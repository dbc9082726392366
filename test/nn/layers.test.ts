import { expect, test } from "vitest";
import { createGraph, input } from "../../src/engine/graph.ts";
import { layers } from "../../src/nn/layers.ts";
import { Problem } from "../../src/problem.ts";

test.each([
  [3, 4, 2],
  [4, 3, 2],
  [4, 4, 0],
  [4, 4, 0.5],
])("a convolution of %d channels to %d in %d groups is refused", (inputs, channels, groups) => {
  const graph = createGraph("net");
  const x = input(graph, "x", [1, inputs, 8, 8]);
  const build = () => layers(graph, 0).conv2d("c", x, channels, { groups });
  expect(build).toThrow(Problem);
  expect(build).toThrow(
    `conv2d "c": ${inputs} channels to ${channels} in ${groups} groups; take a number that`,
  );
});

test("groups that divide the channels share out the weights", () => {
  const graph = createGraph("net");
  layers(graph, 0).conv2d("c", input(graph, "x", [1, 4, 8, 8]), 6, { groups: 2 });
  expect(graph.parameters.get("c.weight")!.shape).toEqual([6, 2, 3, 3]);
});
