import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, filigree } from "./support.ts";

beforeAll(build);

const folder = mkdtempSync(join(tmpdir(), "filigree-tickets-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Far too short to grok. */
const tiny = ["tickets", "--quick", "--task", "modsub", "--p", "5", "--steps", "20", "--workers", "2"];

test("an experiment over two processes: a page, one JSON object, and no second one in its place", async () => {
  const { code, stdout, stderr } = await filigree([...tiny, "--json"], folder);
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ directory: "runs/tickets-modsub-5-mlp", finished: true });
  expect(existsSync(join(folder, result.report))).toBe(true);
  expect(result.runs.map((r: { name: string }) => r.name)).toEqual(
    expect.arrayContaining(["base", "ticket-0.6", "dense-l1", "snip", "synflow-100", "random-0"]),
  );
  expect(result.verdicts.every((v: { of: number }) => v.of === 1)).toBe(true);
  expect(stderr).toMatch(/seed 0 {2}base/);

  const again = await filigree(tiny, folder);
  expect(again.code).toBe(1);
  expect(again.stderr).toMatch(
    /filigree: runs\/tickets-modsub-5-mlp already holds an experiment; go on with it by --resume/,
  );

  const resumed = await filigree([...tiny, "--resume", "--json"], folder);
  expect(resumed.code).toBe(0);
  expect(JSON.parse(resumed.stdout).runs).toEqual(result.runs);
});

test("a worker that is killed, as where memory runs out, is no run that is done", async () => {
  // Only workers have someone to send to.
  const dies = `process.send && process.on("message", () => process.kill(process.pid, "SIGKILL"))`;
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(dies)}` };
  const { code, stderr } = await filigree([...tiny, "--runs", "killed"], folder, env);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^filigree: the process of run base, seed 0, was killed \(SIGKILL\); .*fewer --workers.*by --resume$/m,
  );
});

test("a sweep that is watched: lines about mask and spectrum, and a cell for each ratio and decay", async () => {
  const { code, stdout, stderr } = await filigree(
    [...tiny, "--sweep", "--ratios", "0,0.6", "--decays", "0.5", "--watch", "--json"],
    folder,
  );
  expect(code).toBe(0);
  const { directory, diagram, cells } = JSON.parse(stdout);
  expect(directory).toBe("runs/tickets-sweep-modsub-5-mlp");
  expect(existsSync(join(folder, diagram))).toBe(true);
  expect(cells).toMatchObject([
    { ratio: 0, decay: 0.5, times: [null], median: null },
    { ratio: 0.6, decay: 0.5, times: [null], median: null },
  ]);
  expect(stderr).toMatch(/seed 0 base, step +0: train .*, 48 of 48 neurons alive, spectrum [▁-█]{2}\n/);
});

test("options that do not go together", async () => {
  const decays = await filigree([...tiny, "--decays", "1"], folder);
  expect(decays.code).toBe(1);
  expect(decays.stderr).toMatch(/--decays is for --sweep/);
  const images = await filigree(["tickets", "--task", "mnist", "--model", "transformer"], folder);
  expect(images.stderr).toMatch(/task mnist is for --model mlp/);
  const blocks = await filigree([...tiny, "--blocks", "2"], folder);
  expect(blocks.stderr).toMatch(/--blocks is for --model transformer/);
  const quick = await filigree(["tickets", "--task", "mnist", "--quick"], folder);
  expect(quick.stderr).toMatch(/--quick is for the modular tasks, and mnist has but one setting/);
  const modulus = await filigree(["tickets", "--task", "s5", "--p", "7"], folder);
  expect(modulus.stderr).toMatch(/--p is for tasks with a modulus, and s5 has none/);
  const ratios = await filigree([...tiny, "--ratios", "0.5,1"], folder);
  expect(ratios.code).toBe(2);
  expect(ratios.stderr).toMatch(/different numbers from 0 to below 1/);
});

test("tasks that make no sense are refused before anything is written", async () => {
  const { code, stderr } = await filigree(["tickets", "--task", "modad"], folder);
  expect(code).toBe(2);
  expect(stderr).toMatch(/did you mean "modadd"/);
  const division = await filigree(["tickets", "--quick", "--task", "moddiv", "--p", "6"], folder);
  expect(division.code).toBe(1);
  expect(division.stderr).toMatch(/6 is not prime/);
  expect(existsSync(join(folder, "runs/tickets-moddiv-6-mlp"))).toBe(false);
});
