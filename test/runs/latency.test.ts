import { afterEach, expect, test, vi } from "vitest";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { relu } from "../../src/engine/operators/index.ts";
import type { LatencyModel } from "../../src/runs/latency.ts";
import { measureLatency } from "../../src/runs/latency.ts";

afterEach(() => vi.restoreAllMocks());

test("latencies are medians of runs that take turns, without those that warm up", async () => {
  let clock = 0;
  vi.spyOn(performance, "now").mockImplementation(() => clock);
  const graph = createGraph("model");
  output(relu(input(graph, "x", [1, 2])));
  const order: string[] = [];
  // Five runs warm up; of the five that count, one is held up.
  const model = (name: string, times: readonly number[]): LatencyModel => {
    let turn = 0;
    const run = async () => {
      order.push(name);
      clock += turn < 5 ? 1000 : times[turn - 5];
      turn++;
      return {};
    };
    return { graph, open: async () => ({ run, release: async () => {} }) };
  };
  const models = [model("a", [3, 1, 2, 90, 4]), model("b", [7, 7, 5, 6, 8])];
  expect(await measureLatency(models, { batch: 1, runs: 5, atLeast: 0 })).toEqual([3, 7]);
  expect(order.join("")).toBe("ab".repeat(10));
});
