import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadDataset } from "../../data/load.node.ts";
import { readSafetensors, writeSafetensors } from "../../data/safetensors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { RunHooks, RunOutcome } from "../../sparsity/tickets/experiment.ts";
import { runBase, runVariant } from "../../sparsity/tickets/experiment.ts";
import type { Weights } from "../../sparsity/tickets/masks.ts";
import { runDefinitions, ticketName } from "../../sparsity/tickets/run-definitions.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { readBytes, writeWhole } from "../files.node.ts";
import { parseJson } from "../run-directory.node.ts";

/** A run of an experiment: `base`, or one of `runDefinitions`. */
export interface ExperimentJob {
  seed: number;
  name: string;
}

/**
 * Runs one job in the directory of its experiment, which then holds `seed-<n>/<name>.json`, and for the base
 * `moments.safetensors`. Undefined where the signal stopped it, or where the base never came to the moment it needs.
 */
export async function runJob(
  settings: ExperimentSettings,
  directory: string,
  { seed, name }: ExperimentJob,
  hooks: RunHooks = {},
): Promise<RunOutcome | undefined> {
  const file = (leaf: string) => join(directory, `seed-${seed}`, leaf);
  let outcome: RunOutcome | undefined;
  const images = settings.task === "mnist" ? await loadDataset("mnist") : undefined;
  const own = { ...hooks, images };
  if (name === "base") {
    const base = await runBase(settings, seed, own);
    if (!base) return undefined;
    await writeWhole(file("moments.safetensors"), encodeMoments(base.moments));
    outcome = base.outcome;
  } else {
    const moments = await readMoments(directory, seed);
    const ticket = settings.giveUp && (await readOutcome(directory, { seed, name: ticketName(settings) }));
    outcome = await runVariant(settings, seed, name, { moments, ticket }, own);
  }
  if (outcome) await writeWhole(file(`${name}.json`), JSON.stringify(outcome));
  return outcome;
}

/** The outcome of a job that is done. */
export async function readOutcome(
  directory: string,
  { seed, name }: ExperimentJob,
): Promise<RunOutcome | undefined> {
  const text = await readFile(join(directory, `seed-${seed}`, `${name}.json`), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as RunOutcome);
}

/** The outcomes of all jobs that are done, seed by seed. */
export async function readOutcomes(settings: ExperimentSettings, directory: string): Promise<RunOutcome[]> {
  const seeds = (await readdir(directory))
    .flatMap((name) => /^seed-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number);
  const names = ["base", ...runDefinitions(settings).keys()];
  const jobs = seeds.sort((a, b) => a - b).flatMap((seed) => names.map((name) => ({ seed, name })));
  const outcomes = await Promise.all(jobs.map((job) => readOutcome(directory, job)));
  return outcomes.filter((outcome) => outcome !== undefined);
}

/** The settings of the experiment in a directory; undefined where there is none. */
export async function readSettings(directory: string): Promise<ExperimentSettings | undefined> {
  const path = join(directory, "settings.json");
  const text = await readFile(path, "utf8").catch(() => undefined);
  const settings = text === undefined ? {} : (parseJson(text, path) as object);
  // Others keep a file of this name too.
  return "baseSteps" in settings ? (settings as ExperimentSettings) : undefined;
}

/** The base network's weights at the moments of its training. */
export async function readMoments(directory: string, seed: number): Promise<Map<string, Weights>> {
  const path = join(directory, `seed-${seed}`, "moments.safetensors");
  const moments = new Map<string, Map<string, Float32Array>>();
  for (const [key, { data }] of readSafetensors(await readBytes(path), path).tensors) {
    const [moment, name] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
    if (!moments.has(moment)) moments.set(moment, new Map());
    moments.get(moment)!.set(name, data as Float32Array);
  }
  return moments;
}

function encodeMoments(moments: ReadonlyMap<string, Weights>): Uint8Array {
  const tensors = new Map<string, Tensor>();
  for (const [moment, weights] of moments)
    for (const [name, data] of weights)
      tensors.set(`${moment}/${name}`, { dtype: "float32", shape: [data.length], data });
  return writeSafetensors(tensors);
}

/** Makes the directory of an experiment, or checks that what it holds was made with the same settings. */
export async function prepareDirectory(
  directory: string,
  settings: ExperimentSettings,
  resume: boolean,
): Promise<void> {
  const path = join(directory, "settings.json");
  const text = JSON.stringify(settings, undefined, 1);
  const old = await readFile(path, "utf8").catch(() => undefined);
  if (old === undefined) return await writeWhole(path, text);
  if (!resume)
    throw new Problem(
      `${directory} already holds an experiment; go on with it by --resume, or name another folder by --runs`,
    );
  if (old !== text)
    throw new Problem(
      `${directory} was started with other settings (see its settings.json); repeat them, or name another folder by --runs`,
    );
}
