import { expect, test, vi } from "vitest";
import type { Graph } from "../../src/engine/graph.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { withCounts } from "../../src/runs/budget.ts";
import { layersWithin } from "../../src/runs/layers-within.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { findGroups } from "../../src/sparsity/groups/kinds.ts";
import type { GroupedLayer } from "../../src/sparsity/k-anneal-options.ts";

/** A machine that multiplies and does nothing else: a million times a second, one sample after the other. */
vi.mock("../../src/runs/latency.ts", () => ({
  measureLatency: async (graphs: readonly Graph[]) => graphs.map((g) => accountModel(g).total.macs / 1000),
}));

const graph = smallCnn({ inputShape: [1, 16, 16], classes: 10, seed: 3 });
const sets = findGroups(graph, "filter");
const macs = (model: Graph) => accountModel(model).total.macs;
const left = (layers: readonly GroupedLayer[]) =>
  withCounts(graph, sets, Object.fromEntries(layers.map(({ name, keep }) => [name, keep as number])));

test.each([
  ["macs=50%", 0.5, 8],
  ["ms=60%", 0.6, undefined],
  ["ms=60%", 0.6, 4],
  [`ms=${0.4 * (macs(graph) / 1000)}`, 0.4, undefined],
])("%s leaves as much in whole blocks, and hardly less", async (budget, share, round) => {
  const layers = await layersWithin(graph, sets, budget, { round });
  expect(layers.map((l) => l.name)).toEqual(sets.map((s) => s.name));
  expect(layers.map((l) => l.partition)).toEqual(sets.map((s) => s.partition));
  for (const { keep } of layers) expect((keep as number) % (round ?? 8)).toBe(0);
  const found = macs(left(layers)) / macs(graph);
  expect(found).toBeLessThanOrEqual(share);
  expect(found).toBeGreaterThan(0.55 * share);
});

test("other budgets are left to training, and what nothing meets is refused", async () => {
  const [network, ...others] = await layersWithin(graph, sets, "macs=50%");
  expect(network).toMatchObject({ name: "network", keep: { at: expect.any(Function) } });
  expect(others).toEqual([]);
  await expect(layersWithin(graph, sets, "ms=1%")).rejects.toThrow(/ms cannot be met: with 8 groups a layer/);
});
