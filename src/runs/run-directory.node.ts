import { appendFile, mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileProblem } from "../data/file-problem.node.ts";
import { withLock } from "../data/lock.node.ts";
import type { TrainingSnapshot } from "../nn/trainer.ts";
import { Problem } from "../problem.ts";
import { loadCheckpoint, saveCheckpoint } from "./checkpoint.node.ts";
import { writeWhole } from "./files.node.ts";
import type { Recipe } from "./recipe.ts";
import { formatRecipe, parseRecipe, recipeDifference } from "./recipe.ts";
import type { MetricsLine, RunRecord, RunResult } from "./run-result.ts";

/** `runs/<name>/` while its run is going on. */
export interface RunDirectory {
  readonly path: string;
  /** Where a resumed run goes on. */
  readonly resumed: Resumed | undefined;
  /** The lines of metrics.jsonl that belong to it. */
  readonly lines: readonly MetricsLine[];
  save(snapshot: TrainingSnapshot): Promise<void>;
  append(line: MetricsLine): Promise<void>;
  /** Writes a file of the directory whole or not at all. */
  write(name: string, contents: Uint8Array | string): Promise<void>;
  /** The newest checkpoint that this process has written or started from. */
  lastCheckpoint(): string | undefined;
}

interface Resumed {
  path: string;
  snapshot: TrainingSnapshot;
}

export interface OpenOptions {
  /** Go on from the newest checkpoint. Otherwise the directory must not hold a run yet. */
  resume?: boolean;
  /** What to do where the directory holds a run of another recipe. */
  otherRecipe?: string;
  /** Hears what the user should know but what stops nothing. */
  warn?: (message: string) => void;
}

/** Opens or makes the directory of a run and keeps other processes out of it until `work` is done. */
export async function withRunDirectory<T>(
  path: string,
  recipe: Recipe,
  options: OpenOptions,
  work: (directory: RunDirectory) => Promise<T>,
): Promise<T> {
  try {
    await mkdir(path, { recursive: true });
    return await withLock(
      join(path, ".lock"),
      async () => await work(openDirectory(path, await prepare(path, recipe, options))),
      { busy: inUse(path) },
    );
  } catch (error) {
    throw fileProblem("write to", path, error);
  }
}

function inUse(path: string): (pid: string) => Problem {
  return (pid) => new Problem(`${path} is in use by process ${pid}; wait until it is done, or stop it`);
}

/** Writes the recipe of a new run, or checks that of an old one and brings its files to the state of its checkpoint. */
async function prepare(
  path: string,
  recipe: Recipe,
  {
    resume = false,
    otherRecipe = `go on with its own by giving ${path}, or use another name`,
    warn = () => {},
  }: OpenOptions,
): Promise<Pick<RunDirectory, "resumed" | "lines">> {
  const file = join(path, "recipe.yaml");
  const old = await readRecipeIn(path);
  if (!old) {
    await writeWhole(file, formatRecipe(recipe));
    await writeWhole(join(path, "metrics.jsonl"), "");
    return { resumed: undefined, lines: [] };
  }
  if (!resume)
    throw new Problem(
      `${path} already holds a run; go on with it by --resume, or give this one another name`,
    );
  const difference = recipeDifference(old, recipe);
  if (difference)
    throw new Problem(`${path} was started with another recipe (${difference}); ${otherRecipe}`);
  for (const [name, version] of Object.entries(recipe.versions))
    if (old.versions[name] !== version)
      warn(
        `the run was started with ${name} ${old.versions[name]}, this is ${version}: its numbers may differ`,
      );
  const resumed = await loadCheckpoint(join(path, "checkpoints"), warn);
  const written = new Map((await readMetrics(path)).map((line) => [line.epoch, line]));
  // What came after the checkpoint will be computed again, so no epoch stands twice.
  const lines = (resumed?.snapshot.history ?? []).map(
    (record) => written.get(record.epoch) ?? { ...record, seconds: 0 },
  );
  await writeWhole(join(path, "metrics.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return { resumed, lines };
}

function openDirectory(path: string, start: Pick<RunDirectory, "resumed" | "lines">): RunDirectory {
  const checkpoints = join(path, "checkpoints");
  let last = start.resumed?.path;
  return {
    ...start,
    path,
    save: async (now) => {
      last = await saveCheckpoint(checkpoints, now);
    },
    append: async (line) => {
      const file = join(path, "metrics.jsonl");
      try {
        await appendFile(file, `${JSON.stringify(line)}\n`, { flush: true });
      } catch (error) {
        throw fileProblem("write", file, error);
      }
    },
    write: (name, contents) => writeWhole(join(path, name), contents),
    lastCheckpoint: () => last,
  };
}

/**
 * `path`, or where something is there already `path-2`, `path-3`, …: a directory of its own for what is about to start.
 * With `resume` the last of them that is there.
 */
export async function numberedDirectory(path: string, { resume = false } = {}): Promise<string> {
  const nth = (n: number) => (n === 1 ? path : `${path}-${n}`);
  let n = 1;
  while (await exists(nth(n))) n++;
  return nth(resume && n > 1 ? n - 1 : n);
}

/** Removes a run, so that another can start in its place. Whatever is not a run, or is going on, stays. */
export async function removeRun(path: string): Promise<void> {
  if (!(await readRecipeIn(path))) return;
  try {
    await withLock(join(path, ".lock"), () => rm(path, { recursive: true }), { busy: inUse(path) });
  } catch (error) {
    throw fileProblem("remove", path, error);
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** What the directory of a run says, whether or not the run is finished or going on. */
export async function readRun(path: string): Promise<RunRecord> {
  const recipe = await readRecipeIn(path);
  if (!recipe) throw new Problem(`${path} is not the directory of a run: it has no recipe.yaml`);
  const file = join(path, "result.json");
  const text = await readFile(file, "utf8").catch(() => undefined);
  return {
    recipe,
    lines: await readMetrics(path),
    result: text === undefined ? undefined : (parseJson(text, file) as RunResult),
  };
}

/** The recipe of a run's directory; undefined where there is none. */
export async function readRecipeIn(path: string): Promise<Recipe | undefined> {
  const file = join(path, "recipe.yaml");
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseRecipe(text, file, { name: "run", threads: 1 });
}

/** The lines of metrics.jsonl, without a last one that a kill has cut short. */
export async function readMetrics(path: string): Promise<MetricsLine[]> {
  const file = join(path, "metrics.jsonl");
  const text = await readFile(file, "utf8").catch(() => "");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line, i) => parseJson(line, `${file}:${i + 1}`) as MetricsLine);
}

/** What a file of ours says. Throws a `Problem` for one that is damaged. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(`${where}: not JSON; the file is damaged`);
  }
}
