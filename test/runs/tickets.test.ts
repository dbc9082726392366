import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reportDirectory } from "../../src/runs/report/directory-report.node.ts";
import { readMoments } from "../../src/runs/tickets/experiment-directory.node.ts";
import { executeExperiment, runCount } from "../../src/runs/tickets/experiment-pool.node.ts";
import { analyzeMasks } from "../../src/runs/tickets/mask-analysis.node.ts";
import { phaseCells, phaseDiagram } from "../../src/runs/tickets/phase-diagram.ts";
import { writeSweep } from "../../src/runs/tickets/sweep-report.node.ts";
import { summarizeExperiment } from "../../src/runs/tickets/ticket-summary.ts";
import { writeReport } from "../../src/runs/tickets/write-report.node.ts";
import type { RunOutcome } from "../../src/sparsity/tickets/experiment.ts";
import { stepLimit } from "../../src/sparsity/tickets/experiment.ts";
import { runDefinitions } from "../../src/sparsity/tickets/run-definitions.ts";
import type { ExperimentSettings } from "../../src/sparsity/tickets/settings.ts";
import { POLYNOMIAL, QUICK } from "../../src/sparsity/tickets/settings.ts";
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
  /** Its base never comes to a moment of its training that others take anything from. */
  const definitions = [...runDefinitions(TINY)].filter(
    ([name, { label }]) => !label.startsWith("ticket taken") && name !== "imp-early",
  );
  const names = definitions.map(([name]) => name);

  test("stops after any run, goes on with --resume to the numbers of one that never stopped, and writes a page", async () => {
    const stopped = join(folder, "stopped");
    const abort = new AbortController();
    let runs = 0;
    const first = await executeExperiment(TINY, stopped, {
      seeds: [0, 1],
      workers: 0,
      signal: abort.signal,
      onRun: () => ++runs === 5 && abort.abort(),
    });
    expect(first.finished).toBe(false);
    expect(first.outcomes.length).toBe(5);
    // What is there so far has a page, whichever runs are done.
    const soFar = join(folder, "so-far.html");
    expect(await reportDirectory(stopped, soFar)).toEqual({ report: soFar, runs: 5 });
    expect(await readFile(soFar, "utf8")).toContain("Test accuracy over training");
    const again: string[] = [];
    const rest = await executeExperiment(TINY, stopped, {
      seeds: [0, 1],
      workers: 0,
      resume: true,
      onRun: ({ seed, name }) => again.push(`${seed} ${name}`),
    });
    const whole = await executeExperiment(TINY, join(folder, "whole"), { seeds: [0], workers: 0 });
    expect(rest.finished).toBe(true);
    expect(new Set(again).size).toBe(2 * (names.length + 1));
    expect(runCount(TINY)).toBe(runDefinitions(TINY).size + 1);
    const numbers = (all: RunOutcome[]) => all.map(({ seconds: _, ...rest }) => JSON.stringify(rest)).sort();
    expect(numbers(rest.outcomes.filter((o) => o.seed === 0))).toEqual(numbers(whole.outcomes));

    const page = await readFile(await writeReport(TINY, stopped, rest.outcomes), "utf8");
    for (const [, { label }] of definitions) expect(page).toContain(label.replace("'", "&#39;"));
    expect(page).not.toMatch(/NaN|undefined/);
    const [summary] = summarizeExperiment(TINY, rest.outcomes).runs;
    expect(summary).toMatchObject({ name: "base", generalised: [null, null] });
  });

  test("has the same page when it is asked for later", async () => {
    const [stopped, later] = [join(folder, "stopped"), join(folder, "later.html")];
    expect(await reportDirectory(stopped, later)).toEqual({ report: later, runs: 2 * (names.length + 1) });
    expect(await readFile(later, "utf8")).toBe(await readFile(join(stopped, "report.html"), "utf8"));
  });

  test("refuses a directory that holds one, and other settings", async () => {
    const path = join(folder, "stopped");
    await expect(executeExperiment(TINY, path, { seeds: [0], workers: 0 })).rejects.toThrow(
      /already holds an experiment/,
    );
    await expect(
      executeExperiment({ ...TINY, steps: 30 }, path, { seeds: [0], workers: 0, resume: true }),
    ).rejects.toThrow(/other settings/);
  });

  test("a damaged file of moments is named", async () => {
    await writeFile(join(folder, "stopped", "seed-0", "moments.safetensors"), "broken");
    await expect(readMoments(join(folder, "stopped"), 0)).rejects.toThrow(/moments.safetensors/);
  });

  test("of several files of moments that cannot be read, the first is named, even where another fails sooner", async () => {
    const path = join(folder, "whole");
    await mkdir(join(path, "seed-1"));
    await writeFile(join(path, "seed-1", "moments.safetensors"), new Uint8Array(20_000_000));
    await expect(analyzeMasks(TINY, path, [0, 1, 2])).rejects.toThrow(/seed-1/);
  });
});

test("a ticket trains without what its mask has cut off; searches find masks of its density", async () => {
  const settings: ExperimentSettings = {
    ...TINY,
    ratio: 0.8,
    ratios: [],
    runs: ["imp", "edge-popup", "dense-l1"],
  };
  const { outcomes } = await executeExperiment(settings, join(folder, "smaller"), { seeds: [0], workers: 0 });
  const of = (name: string) => outcomes.find((o) => o.name === name)!;
  // Two embeddings of 12 × 7 and two layers of 6 × 12.
  const all = 2 * 84 + 2 * 72;
  expect(of("base").parameters).toBe(all);
  expect(of("dense-l1").parameters).toBe(all);
  const alive = all - Math.floor(0.8 * all);
  for (const name of ["imp", "edge-popup"]) {
    const { density, parameters } = of(name);
    expect(Math.abs(density!.total * all - alive)).toBeLessThanOrEqual(4);
    expect(parameters).toBeGreaterThanOrEqual(alive);
  }
  expect(of("imp").parameters).toBeLessThan(all);
});

test("a task without tokens: every run, and a page without spectra", async () => {
  const settings: ExperimentSettings = {
    ...POLYNOMIAL,
    hidden: 6,
    width: 5,
    fraction: 40,
    baseSteps: 20,
    steps: 10,
    ratios: [0.6],
  };
  const directory = join(folder, "polynomial");
  const { outcomes } = await executeExperiment(settings, directory, { seeds: [0], workers: 0 });
  expect(outcomes.map((o) => o.name)).toEqual(
    expect.arrayContaining(["base", "ticket-0.6", "snip", "grasp", "synflow-100", "dense-l1"]),
  );
  const page = await readFile(await writeReport(settings, directory, outcomes), "utf8");
  expect(page).not.toMatch(/NaN|undefined|Fourier|Circularity/);
  expect(page).toContain("Living share of each neuron");
});

test("a deeper transformer: its first block's neurons are those that are looked at", async () => {
  const settings: ExperimentSettings = {
    ...TINY,
    model: "transformer",
    blocks: 2,
    width: 8,
    runs: ["snip", "synflow-1"],
  };
  const directory = join(folder, "deeper");
  const { outcomes } = await executeExperiment(settings, directory, { seeds: [0], workers: 0 });
  // Embedding and its reverse 8 × 7; in each block four layers of 8 × 8 and two of 6 × 8.
  expect(outcomes.find((o) => o.name === "base")!.parameters).toBe(2 * 56 + 2 * (4 * 64 + 2 * 48));
  expect(outcomes.map((o) => o.name).sort()).toEqual(["base", "snip", "synflow-1", "ticket-0.6"]);
  const page = await readFile(await writeReport(settings, directory, outcomes), "utf8");
  expect(page).not.toMatch(/NaN|undefined/);
  expect(page).toContain("transformer of 2 blocks");
  expect(page).toContain("block2.mlp.in");
});

test("permutations: a page with representations in place of frequencies", async () => {
  const settings: ExperimentSettings = {
    ...TINY,
    task: "s5",
    fraction: 0.02,
    baseSteps: 20,
    steps: 10,
    runs: [],
  };
  const directory = join(folder, "permutations");
  const { outcomes } = await executeExperiment(settings, directory, { seeds: [0], workers: 0 });
  const page = await readFile(await writeReport(settings, directory, outcomes), "utf8");
  expect(page).not.toMatch(/NaN|undefined|frequency|Circularity/);
  expect(page).toMatch(/Power at each representation.*>sign<.*>5′</s);
  // A group of controls that has no runs has no figure.
  expect(page).not.toContain("Masks found without training");
  expect(page).toContain("never memorised and never generalised");
});

test("a sweep trains every ratio under every decay, and draws what it finds", async () => {
  const settings = { ...TINY, sweep: { ratios: [0, 0.6], decays: [0, 1] } };
  const directory = join(folder, "sweep");
  const { outcomes } = await executeExperiment(settings, directory, { seeds: [0, 1], workers: 0 });
  expect(outcomes.map((o) => `${o.seed} ${o.name}`).sort()).toEqual(
    [0, 1].flatMap((seed) => [
      `${seed} base`,
      ...["0-decay-0", "0-decay-1", "0.6-decay-0", "0.6-decay-1"].map((r) => `${seed} ratio-${r}`),
    ]),
  );
  const of = (name: string) => outcomes.find((o) => o.name === name && o.seed === 0)!;
  expect(of("ratio-0-decay-1").density).toBeUndefined();
  expect(of("ratio-0.6-decay-1").density!.total).toBeCloseTo(0.4, 1);
  // The same network, batches and decay as the base: what differs is only how long it trains.
  expect(of("ratio-0-decay-1").curve).toEqual(of("base").curve.slice(0, 3));
  expect(of("ratio-0-decay-0").loss).not.toBe(of("ratio-0-decay-1").loss);

  const { report, diagram } = await writeSweep(settings, directory, outcomes);
  const text = await readFile(report, "utf8");
  expect(text).not.toMatch(/NaN|undefined/);
  expect(await reportDirectory(directory)).toEqual({ report, runs: 10 });
  expect(await readFile(report, "utf8")).toBe(text);
  const svg = await readFile(diagram, "utf8");
  expect(svg).toMatch(/^<svg[^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  expect(svg.match(/>×</g)).toHaveLength(4);
});

test("cells of a sweep: never is the longest time", () => {
  const settings = { ...TINY, sweep: { ratios: [0.5], decays: [0, 0.1, 1] } };
  const outcome = (decay: number, seed: number, generalisedForGood?: number): RunOutcome => ({
    name: `ratio-0.5-decay-${decay}`,
    seed,
    times: { generalisedForGood },
    steps: 4000,
    curve: [],
    bestTest: 0.5,
    parameters: 0,
    loss: 0,
    seconds: 0,
  });
  const cells = phaseCells(settings, [
    ...[300, undefined, 100].map((t, seed) => outcome(0, seed, t)),
    ...[300, undefined, undefined].map((t, seed) => outcome(0.1, seed, t)),
    ...[300, 100].map((t, seed) => outcome(1, seed, t)),
  ]);
  expect(cells.map((c) => c.median)).toEqual([300, null, 300]);
  const { html } = phaseDiagram(cells);
  expect(html).toContain(">2 of 3<");
  expect(html).toContain(">1 of 3<");
  expect(html).not.toContain(">2 of 2<");
});

describe("runs that are given up", () => {
  const settings = { ...TINY, steps: 5000, giveUp: { times: 10, least: 1000 } };
  const ticket = (generalisedForGood?: number) => ({ times: { generalisedForGood } }) as RunOutcome;

  test("at ten times the ticket's time, not before `least`, not after `steps`", () => {
    expect(stepLimit(settings, ticket(30))).toBe(1000);
    expect(stepLimit(settings, ticket(300))).toBe(3000);
    expect(stepLimit(settings, ticket(3000))).toBe(5000);
    expect(stepLimit(settings, ticket())).toBe(5000);
    expect(stepLimit(TINY, ticket(300))).toBe(TINY.steps);
  });

  test("wait for the ticket", async () => {
    const order: string[] = [];
    const { outcomes } = await executeExperiment(
      { ...TINY, giveUp: { times: 10, least: 10 }, runs: ["dense-0", "random", "ticket-0.6"] },
      join(folder, "given-up"),
      { seeds: [0], workers: 0, onRun: ({ name }) => order.push(name) },
    );
    expect(order.slice(0, 2)).toEqual(["base", "ticket-0.6"]);
    expect(order.slice(2).sort()).toEqual(["dense-0", "random"]);
    // It never generalised, so nothing is decided.
    expect(outcomes.every((o) => o.steps >= TINY.steps)).toBe(true);
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
    parameters: 0,
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
    expect(judge(run("imp-0", 4000))).toEqual([true]);
    expect(judge(run("imp-0"))).toEqual([false]);
    expect(judge(ticket, run("snip"), run("random", 2000))).toEqual([true]);
    expect(judge(ticket, run("snip"), run("random", 1990))).toEqual([false]);
    expect(judge(run("taken-memorised"))).toEqual([true]);
    expect(judge(run("taken-memorised", 10))).toEqual([false]);
  });

  test("a ticket that never generalises makes nothing slower than it", () => {
    expect(judge(run("ticket-0.6"), run("base", 1000))).toEqual([false]);
  });
});
