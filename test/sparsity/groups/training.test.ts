import { describe, expect, it } from "vitest";
import { glyphs } from "../../../src/data/synthetic/glyphs.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { flatten, matmul, mul, reshape, softmax, transpose } from "../../../src/engine/operators/index.ts";
import { classification, classificationSource } from "../../../src/nn/classification.ts";
import { layers } from "../../../src/nn/layers.ts";
import { resnet } from "../../../src/nn/models/resnet.ts";
import { smallCnn } from "../../../src/nn/models/small-cnn.ts";
import { train } from "../../../src/nn/trainer.ts";
import type { Recipe } from "../../../src/runs/recipe.ts";
import { readRecipe } from "../../../src/runs/recipe-schema.ts";
import { startRun } from "../../../src/runs/run-sparsifier.ts";
import { accountModel } from "../../../src/sparsity/accounting.ts";
import type { GroupChoice } from "../../../src/sparsity/groups/kinds.ts";
import { findGroups } from "../../../src/sparsity/groups/kinds.ts";
import { groupNorms } from "../../../src/sparsity/groups.ts";
import { createKAnneal } from "../../../src/sparsity/k-anneal.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";

const data = glyphs({ train: 400, test: 10 });

const recipeOf = (sparsifier: object): Recipe =>
  readRecipe({ model: "m", data: "d", sparsifier }, { name: "n", threads: 1 }, (path, reason) => {
    throw new Error(`${path.join(".")}: ${reason}`);
  });

const image = { inputShape: [1, 16, 16], classes: 10, batch: 50 };
const cnn = () => smallCnn({ ...image, widths: [12, 16, 24] });

/** Rows of pixels as tokens, five heads of width 3. */
function attention(): Graph {
  const graph = createGraph("attention");
  const { linear } = layers(graph, 0);
  const [batch, tokens, heads, size] = [image.batch, 16, 5, 3];
  const x = reshape(input(graph, "input", [batch, 1, 16, 16]), [batch * tokens, 16]);
  const cut = (name: string, perm: number[]) =>
    transpose(reshape(linear(name, x, heads * size), [batch, tokens, heads, size]), perm);
  const scores = matmul(cut("q", [0, 2, 1, 3]), cut("k", [0, 2, 3, 1]));
  const context = matmul(softmax(mul(scores, 1 / Math.sqrt(size))), cut("v", [0, 2, 1, 3]));
  const joined = reshape(transpose(context, [0, 2, 1, 3]), [batch * tokens, heads * size]);
  const mixed = reshape(linear("o", joined, 16), [batch, tokens * 16]);
  output(linear("fc", flatten(mixed), 10));
  return graph;
}

/** Pairs of neighbouring filters of conv1 with their biases. */
const pairs: GroupChoice = {
  pairs: Array.from({ length: 6 }, (_, j) => ({
    "conv1.weight": Array.from({ length: 18 }, (_, i) => 18 * j + i),
    "conv1.bias": [2 * j, 2 * j + 1],
  })),
};

async function trained(sparsifier: object, graph = cnn()) {
  const recipe = recipeOf({ method: "wgsef", lambdaStart: 0.05, lambdaEnd: 8, ...sparsifier });
  const method = createKAnneal(startRun(graph, recipe).method!);
  await train(graph, classification(), classificationSource(graph, data.train, data.scale, { seed: 0 }), {
    epochs: 12,
    optimizer: { kind: "sgd", momentum: 0.9 },
    learningRate: 0.05,
    schedule: { kind: "constant" },
    sparsifier: method,
    threads: 1,
  });
  return { graph, outcomes: method.outcomes() };
}

describe("P6: every kind is left with exactly k groups", () => {
  const kinds = ["filter", "zero-invariant", "channel", "neuron", "filter-shape", "kernel"] as const;
  it.each<[string, GroupChoice, () => Graph]>([
    ...[...kinds, "block:4x8" as const, "unstructured" as const].map(
      (kind): [string, GroupChoice, () => Graph] => [kind, kind, cnn],
    ),
    ["head", "head", attention],
    ["layer", "layer", () => resnet({ ...image, widths: [4, 6], blocks: [3, 2] })],
    ["lists made by hand", pairs, cnn],
  ])("%s", async (_, groups, build) => {
    const { graph, outcomes } = await trained({ groups, keep: 0.4 }, build());
    const arrays = Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));
    for (const { name, partition } of findGroups(graph, groups)) {
      const { keep, natural, forced } = outcomes.find((o) => o.name === name)!;
      expect(keep).toBe(Math.max(1, Math.round(0.4 * partition.groups)));
      expect(groupNorms(partition, arrays).filter((n) => n !== 0).length).toBe(keep);
      expect(natural - forced).toBe(keep);
    }
  });
});

describe("one budget over all layers", () => {
  it.each(["macs=0.3", "parameters=0.25", "bytes=20kB", "groups=20"])(
    "%s is met by training",
    async (budget) => {
      const { graph, outcomes } = await trained({ budget });
      const { graph: shrunk } = shrinkZeros(graph);
      const [before, after] = [accountModel(graph).total, accountModel(shrunk).total];
      const kept = outcomes.reduce((sum, o) => sum + o.natural - o.forced, 0);
      const limits: Record<string, [number, number]> = {
        "macs=0.3": [after.macs, 0.3 * before.macs],
        "parameters=0.25": [after.parameters, 0.25 * before.parameters],
        "bytes=20kB": [after.bytes, 20000],
        "groups=20": [kept, 20],
      };
      const [found, limit] = limits[budget];
      expect(found).toBeLessThanOrEqual(limit);
      expect(found).toBeGreaterThan(0.85 * limit);
      expect(outcomes.map((o) => o.name)).toEqual(["conv1", "conv2", "fc1"]);
      expect(Math.min(...outcomes.map((o) => o.natural - o.forced))).toBeGreaterThanOrEqual(1);
      // Not one share for all layers: that is what a budget is for.
      const shares = outcomes.map((o) => (o.natural - o.forced) / o.groups);
      expect(Math.max(...shares) - Math.min(...shares)).toBeGreaterThan(0.1);
    },
  );

  it("with round, widths are multiples, or all there is", async () => {
    const { outcomes } = await trained({ budget: "macs=0.5", round: 8 });
    for (const o of outcomes) {
      expect(o.natural - o.forced).toBe(o.keep);
      expect(o.keep % 8 === 0 || o.keep === o.groups).toBe(true);
    }
  });

  it("control: a budget that counts nothing away leaves every group", async () => {
    const { outcomes } = await trained({ budget: "macs=1" });
    expect(outcomes.map((o) => o.natural)).toEqual([12, 16, 24]);
  });
});
