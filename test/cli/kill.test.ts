import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { listCheckpoints } from "../../src/runs/checkpoint.node.ts";
import { readMetrics } from "../../src/runs/run-directory.node.ts";
import { temporaryFolder, writeTask } from "../runs/support.ts";
import { build, start } from "./support.ts";

beforeAll(build);

const KILLS = 8;
/** 30 epochs of 600 samples in batches of 20. */
const STEPS = 900;
/** Steps after which a run is killed, however fast the machine is, so that there is something left for every kill. */
const FURTHEST = 90;

test(`a run that is killed ${KILLS} times ends in the same bytes as one that is left alone`, async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "task.yaml"), writeTask(folder, { epochs: 30, train: 600 }));
  const run = (runs: string) => start(["run", "task.yaml", "--resume", "--json", "--runs", runs], folder);

  const killed = join(folder, "killed", "task");
  const newest = async () => {
    const [path] = await listCheckpoints(join(killed, "checkpoints"));
    return path === undefined ? 0 : Number(/step-(\d+)/.exec(path)![1]);
  };
  const delays: number[] = [];
  for (let i = 0; i < KILLS; i++) {
    const before = await newest();
    const child = run("killed");
    let over = false;
    child.done.then(() => {
      over = true;
    });
    // Two die while they start up; the others have got somewhere first.
    const early = i === 1 || i === 5;
    while (!early && !over && (await newest()) === before) await sleep(5);
    const delay = Math.random() * (early ? 1500 : 200);
    delays.push(delay);
    const end = performance.now() + delay;
    for (let left = delay; left > 0 && !over; left = end - performance.now()) {
      if ((await newest()) >= before + FURTHEST) break;
      await sleep(Math.min(left, 5));
    }
    child.kill("SIGKILL");
    const { signal, stderr } = await child.done;
    expect(signal, `the run was over before kill ${i + 1}: ${stderr}`).toBe("SIGKILL");
  }
  const outcomes = [await run("killed").done, await run("whole").done];
  for (const { code, stderr } of outcomes) expect(code, stderr).toBe(0);

  const bytes = (runs: string, file: string) => readFileSync(join(folder, runs, "task", file));
  for (const file of ["model.onnx", "trained.onnx"])
    expect(bytes("killed", file).equals(bytes("whole", file)), `delays ${delays}`).toBe(true);
  expect(await newest()).toBe(STEPS);
  const metrics = async (runs: string) =>
    (await readMetrics(join(folder, runs, "task"))).map((line) => ({ ...line, seconds: 0 }));
  expect(await metrics("killed")).toEqual(await metrics("whole"));
  expect(await metrics("killed")).toHaveLength(30);
});
