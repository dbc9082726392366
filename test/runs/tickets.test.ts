import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readMoments } from "../../src/runs/tickets/experiment-directory.node.ts";
import { executeExperiment, runCount } from "../../src/runs/tickets/experiment-pool.node.ts";
import { summarizeExperiment } from "../../src/runs/tickets/ticket-summary.ts";
import { writeReport } from "../../src/runs/tickets/write-report.node.ts";
import type { ExperimentSettings, RunOutcome } from "../../src/sparsity/tickets/experiment.ts";
import { QUICK, runDefinitions } from "../../src/sparsity/tickets/experiment.ts";
import { verdicts } from "../../src/sparsity/tickets/verdicts.ts";

/** Too small and short to grok: what is tested is the machinery. */
const TINY: ExperimentSettings = {
  ...QUICK,
  p: 7,
  width: 12,
  hidden: 6,
  baseSteps: 40,
  steps: 20,
  after: 10,
  ratios: [0.6],
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickets-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("an experiment in its directory", () => {
  /** Its base never generalises, so tickets that are taken at a moment of its training have nothing to be taken from. */
  const names = [...runDefinitions(TINY)]
    .filter(([, { label }]) => !label.startsWith("ticket taken"))
    .map(([name]) => name);

  test("stops after any run, goes on with --resume to the numbers of one that never stopped, and writes a page", async () => {
    const stopped = join(folder, "stopped");
    const abort = new AbortController();
    let runs = 0;
    const first = await executeExperiment(TINY, stopped, {
      seeds: [0, 1],
      processes: 0,
      signal: abort.signal,
      onRun: () => ++runs === 5 && abort.abort(),
    });
    expect(first.finished).toBe(false);
    expect(first.outcomes.length).toBe(5);
    const again: string[] = [];
    const rest = await executeExperiment(TINY, stopped, {
      seeds: [0, 1],
      processes: 0,
      resume: true,
      onRun: ({ seed, name }) => again.push(`${seed} ${name}`),
    });
    const whole = await executeExperiment(TINY, join(folder, "whole"), { seeds: [0, 1], processes: 0 });
    expect(rest.finished).toBe(true);
    expect(new Set(again).size).toBe(2 * (names.length + 1));
    expect(runCount(TINY)).toBe(runDefinitions(TINY).size + 1);
    const numbers = (all: RunOutcome[]) => all.map(({ seconds: _, ...rest }) => JSON.stringify(rest)).sort();
    expect(numbers(rest.outcomes)).toEqual(numbers(whole.outcomes));

    const page = await readFile(await writeReport(TINY, stopped, rest.outcomes), "utf8");
    for (const { label } of runDefinitions(TINY).values())
      if (!label.startsWith("ticket taken")) expect(page).toContain(label.replace("'", "&#39;"));
    expect(page).not.toMatch(/NaN|undefined/);
    const [summary] = summarizeExperiment(TINY, rest.outcomes).runs;
    expect(summary).toMatchObject({ name: "base", generalised: [null, null] });
  });

  test("refuses a directory that holds one, and other settings", async () => {
    const path = join(folder, "stopped");
    await expect(executeExperiment(TINY, path, { seeds: [0], processes: 0 })).rejects.toThrow(
      /already holds an experiment/,
    );
    await expect(
      executeExperiment({ ...TINY, steps: 30 }, path, { seeds: [0], processes: 0, resume: true }),
    ).rejects.toThrow(/other settings/);
  });

  test("a damaged file of moments is named", async () => {
    await writeFile(join(folder, "stopped", "seed-0", "moments.safetensors"), "broken");
    await expect(readMoments(join(folder, "stopped"), 0)).rejects.toThrow(/moments.safetensors/);
  });
});

describe("verdicts", () => {
  const run = (name: string, generalisedForGood?: number, steps = 4000): RunOutcome => ({
    name,
    seed: 0,
    times: { generalisedForGood },
    steps,
    curve: [],
    bestTest: 0.5,
    loss: 0,
    seconds: 0,
  });
  const judge = (...runs: RunOutcome[]) => verdicts(runs, QUICK).map((v) => v.holds);

  test("hold at the pass marks and fail right below them", () => {
    const ticket = run("ticket-0.6", 200);
    expect(judge(ticket, run("base", 1000))).toEqual([true]);
    expect(judge(ticket, run("base", 999))).toEqual([false]);
    expect(judge(ticket, run("dense-l1", 600), run("dense-l2", undefined))).toEqual([true]);
    expect(judge(ticket, run("dense-l1", 600), run("dense-l2", 590))).toEqual([false]);
    expect(judge(run("dense-0"))).toEqual([true]);
    expect(judge(run("dense-0", 3990))).toEqual([false]);
    expect(judge(run("ticket-0.7-0", 990))).toEqual([true]);
    expect(judge(run("ticket-0.7-0", 1000))).toEqual([false]);
    expect(judge(ticket, run("snip"), run("random", 2000))).toEqual([true]);
    expect(judge(ticket, run("snip"), run("random", 1990))).toEqual([false]);
    expect(judge(run("taken-memorised"))).toEqual([true]);
    expect(judge(run("taken-memorised", 10))).toEqual([false]);
  });

  test("a ticket that never generalises makes nothing slower than it", () => {
    expect(judge(run("ticket-0.6"), run("base", 1000))).toEqual([false]);
  });
});
