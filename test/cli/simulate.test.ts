import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { openParticles } from "../../src/runs/particle-file.node.ts";
import { build, filigree, start } from "./support.ts";

beforeAll(build);

const folder = mkdtempSync(join(tmpdir(), "filigree-simulate-"));

test("one scene of two materials into a file", async () => {
  const args = [
    "simulate",
    "--material",
    "water,jelly",
    "--points",
    "300",
    "--frames",
    "4",
    "--tracers",
    "20",
  ];
  const { code, stdout, stderr } = await filigree([...args, "-o", "a.npz", "--json"], folder);
  expect(code, stderr).toBe(0);
  const { seconds, ...result } = JSON.parse(stdout);
  expect(seconds).toBeGreaterThan(0);
  expect(result).toEqual({
    output: "a.npz",
    finished: true,
    frames: 4,
    points: 320,
    cells: 26,
    substeps: 10,
    trajectories: null,
  });
  const file = await openParticles(join(folder, "a.npz"));
  expect(file.metadata!.bodies.map(({ material }) => material)).toEqual(["water", "jelly"]);
  expect(file.frames).toBe(4);
  await file.close();
});

test("two threads write the file that one writes", async () => {
  const args = ["simulate", "--material", "sand,goop", "--dim", "3", "--points", "600", "--frames", "4"];
  for (const threads of ["1", "2"]) {
    const { code, stderr } = await filigree([...args, "--threads", threads, "-o", `${threads}.npz`], folder);
    expect(code, stderr).toBe(0);
  }
  const [one, two] = ["1", "2"].map((name) => readFileSync(join(folder, `${name}.npz`)));
  expect(two.equals(one)).toBe(true);
  // Control: another seed is another file.
  await filigree([...args, "--seed", "1", "-o", "3.npz"], folder);
  expect(readFileSync(join(folder, "3.npz")).equals(one)).toBe(false);
});

test("a set with its test split", async () => {
  const args = ["simulate", "--scene", "column", "--points", "100", "--frames", "3", "--trajectories", "2"];
  const { code, stdout, stderr } = await filigree([...args, "--test", "1", "-o", "set"], folder);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("set: 2 to train on and 1 to test on, 3 frames each");
  expect(readdirSync(join(folder, "set")).sort()).toEqual(["metadata.json", "test", "train"]);
  expect(readdirSync(join(folder, "set", "train"))).toEqual(["0000.npz", "0001.npz"]);
});

test("Ctrl-C keeps the frames so far", async () => {
  const args = ["simulate", "--points", "2000", "--frames", "100000", "-o", "long.npz", "--json"];
  const running = start(args, folder);
  // Three frames of 2000 points in two coordinates, float32.
  const unfinished = () => statSync(join(folder, "long.npz.tmp"), { throwIfNoEntry: false });
  while ((unfinished()?.size ?? 0) < 3 * 2000 * 2 * 4) await sleep(20);
  running.kill("SIGINT");
  const { code, stdout, stderr } = await running.done;
  expect(code).toBe(130);
  expect(stderr).toContain("stopping after this frame");
  const { finished, frames } = JSON.parse(stdout);
  expect(finished).toBe(false);
  expect(frames).toBeGreaterThan(1);
  const file = await openParticles(join(folder, "long.npz"));
  expect(file.frames).toBe(frames);
  await file.frame(frames - 1);
  await file.close();
});

test.each([
  [["--material", "gold", "-o", "x.npz"], 2, "expected one of jelly"],
  [["--dim", "4", "-o", "x.npz"], 2, "expected one of 2, 3"],
  [["--speed", "fast", "-o", "x.npz"], 2, "expected a speed of 0 to 20 m/s"],
  [[], 2, "required option '-o, --output <path>' not specified"],
  [["--bodies", "50", "-o", "x.npz"], 1, "50 bodies do not fit into the box"],
  [["--test", "3", "-o", "x.npz"], 1, "--test needs --trajectories"],
  [
    ["--trajectories", "1", "-o", "file"],
    1,
    "cannot write to file: a part of this path is a file, not a folder",
  ],
  [["--material", "sand,water", "--bodies", "1", "-o", "x.npz"], 2, "1 of --bodies cannot be of 2 materials"],
] as const)("%j fails in one line", async (args, expected, message) => {
  writeFileSync(join(folder, "file"), "");
  const { code, stderr } = await filigree(["simulate", ...args], folder);
  expect(code).toBe(expected);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain(message);
  expect(existsSync(join(folder, "x.npz"))).toBe(false);
});
