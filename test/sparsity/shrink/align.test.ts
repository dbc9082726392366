import { describe, expect, it } from "vitest";
import { deriveSeed, random } from "../../../src/random.ts";
import { alignChannels } from "../../../src/sparsity/align.ts";
import { exactDifference, randomFeeds, runtimeDifference } from "./equality.ts";
import { MODELS } from "./models.ts";

describe.each(Object.entries(MODELS))("%s with widths rounded up", (kind, build) => {
  it.each([0, 1, 2, 3, 4])("computes the same, seed %i", async (seed) => {
    const r = random(deriveSeed(seed, kind));
    const graph = build(r);
    const feeds = randomFeeds(graph, r);
    const aligned = alignChannels(graph);
    expect(exactDifference(aligned, graph, feeds)).toBeLessThan(1e-12);
    expect(await runtimeDifference(aligned, graph, feeds)).toBeLessThan(1e-5);
    expect([...aligned.parameters]).toEqual([...graph.parameters]);
  });
});

it("rounds every convolution of a plain network, and the readers with them", () => {
  const graph = MODELS["mini-VGG"](random(1));
  const aligned = alignChannels(graph);
  const widths = aligned.nodes
    .filter((n) => n.op === "Conv")
    .map((n) => aligned.types.get(n.outputs[0])!.shape[1]);
  const before = graph.nodes
    .filter((n) => n.op === "Conv")
    .map((n) => graph.types.get(n.outputs[0])!.shape[1]);
  expect(before.some((w) => w % 8 !== 0)).toBe(true);
  expect(widths).toEqual(before.map((w) => Math.ceil(w / 8) * 8));
});
