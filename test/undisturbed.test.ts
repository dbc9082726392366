import { expect, test } from "vitest";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { undisturbed } from "../src/undisturbed.ts";

/** What the clock shows of jobs of so many milliseconds, on a machine that gives them about 3 ms at a time and then 33 ms to others. */
function onBusyMachine(work: number, runs: number): number[] {
  const rng = random(5);
  const slice = () => 3 * (0.5 + rng.uniform());
  let left = slice();
  return Array.from({ length: runs }, () => {
    let [todo, shown] = [work, 0];
    while (todo > left) {
      todo -= left;
      shown += left + 33;
      left = slice();
    }
    left -= todo;
    return shown + todo;
  });
}

test("what others take of the machine is not a job's time", () => {
  for (const work of [0.8, 1, 2]) expect(undisturbed(onBusyMachine(work, 400))).toBeCloseTo(work, 9);
  // Control: more than half of the longest job's runs are held up, so that their median is not its time.
  expect(median(onBusyMachine(2, 400))).toBeGreaterThan(30);
});
