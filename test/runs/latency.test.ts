import { afterEach, expect, test, vi } from "vitest";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { relu } from "../../src/engine/operators/index.ts";
import { random } from "../../src/random.ts";
import type { LatencyModel } from "../../src/runs/latency.ts";
import { measureLatency, median } from "../../src/runs/latency.ts";

afterEach(() => vi.restoreAllMocks());

/**
 * Models whose runs take so many milliseconds of processor time, on a machine that gives this process about 3 ms at a time and
 * then 33 ms to others; and the times that the clock shows.
 */
function onBusyMachine(milliseconds: readonly number[]) {
  const rng = random(5);
  const slice = () => 3 * (0.5 + rng.uniform());
  let [clock, left] = [0, slice()];
  vi.spyOn(performance, "now").mockImplementation(() => clock);
  const graph = createGraph("model");
  output(relu(input(graph, "x", [1, 2])));
  const shown = milliseconds.map((): number[] => []);
  const models = milliseconds.map((work, i): LatencyModel => {
    const run = async () => {
      const start = clock;
      let todo = work;
      while (todo > left) {
        todo -= left;
        clock += left + 33;
        left = slice();
      }
      left -= todo;
      clock += todo;
      shown[i].push(clock - start);
      return {};
    };
    return { graph, open: async () => ({ run, release: async () => {} }) };
  });
  return { models, shown };
}

test("what others take of the machine is not a model's time", async () => {
  const work = [0.8, 1, 2];
  const { models, shown } = onBusyMachine(work);
  const times = await measureLatency(models, { batch: 1, runs: 400, atLeast: 0 });
  times.forEach((time, i) => expect(time).toBeCloseTo(work[i], 9));
  // Control: more than half of the longest model's runs are held up, so that their median is not its time.
  expect(median(shown[2])).toBeGreaterThan(30);
});
