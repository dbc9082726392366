import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deserialize, serialize } from "node:v8";

/** The job this process was started for by `runJobs`; undefined in the process that was started by hand. */
export function ownJob<J>(): J | undefined {
  const at = process.argv.indexOf("--job");
  return at < 0 ? undefined : (JSON.parse(process.argv[at + 1]) as J);
}

/** Hands the result of this process's job to the process that started it. */
export function finishJob(result: unknown): void {
  process.send!(result, () => process.connected && process.disconnect());
}

/** Where results are kept, each under all that its job says. */
export interface Store {
  get(job: unknown): Promise<unknown>;
  put(job: unknown, result: unknown): Promise<void>;
}

/**
 * Runs each job in a process of its own (the same script with `--job`), so many at a time; results in the jobs' order. They
 * are kept in a folder or a store, so that an interrupted protocol goes on where it was.
 */
export async function runJobs<J, R>(
  jobs: readonly J[],
  parallel: number,
  kept: string | Store,
  done: (job: J, result: R) => void,
): Promise<R[]> {
  const { get, put } = typeof kept === "string" ? inFolder(kept) : kept;
  const results = new Array<R>(jobs.length);
  let next = 0;
  const work = async () => {
    while (next < jobs.length) {
      const i = next++;
      const old = (await get(jobs[i])) as R | undefined;
      results[i] = old ?? (await runJob<R>(jobs[i]));
      if (!old) await put(jobs[i], results[i]);
      done(jobs[i], results[i]);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return results;
}

/** A file a result, under a name made of the job. */
export function inFolder(folder: string): Store {
  return {
    get: (job) => keptResult(job, folder),
    put: async (job, result) => {
      await mkdir(folder, { recursive: true });
      await writeFile(fileOf(job, folder), serialize(result));
    },
  };
}

/**
 * Results that are plain JSON as lines of one file. In docs/results/runs they go along with the repository, so that what takes
 * days goes on elsewhere. A line that was cut short is as none.
 *
 * @param settings What results depend on besides the job.
 */
export function inLines(path: string, settings: object): Store {
  const startOf = (job: unknown) => `{"job":${JSON.stringify(job)},"settings":${JSON.stringify(settings)},`;
  const read = () => readFile(path, "utf8").catch(() => "");
  return {
    get: async (job) => {
      const start = startOf(job);
      const lines = (await read()).split("\n").slice(0, -1);
      const line = lines.find((l) => l.startsWith(start) && isJson(l));
      return line && JSON.parse(line).result;
    },
    put: async (job, result) => {
      await mkdir(dirname(path), { recursive: true });
      const before = await read();
      const line = `${startOf(job)}"result":${JSON.stringify(result)}}\n`;
      await appendFile(path, before === "" || before.endsWith("\n") ? line : `\n${line}`);
    },
  };
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

/** The result of a job that has run before, for jobs that build on it. */
export async function keptResult<R>(job: unknown, folder: string): Promise<R | undefined> {
  const bytes = await readFile(fileOf(job, folder)).catch(() => undefined);
  return bytes && (deserialize(bytes) as R);
}

function fileOf(job: unknown, folder: string): string {
  return join(folder, createHash("sha256").update(JSON.stringify(job)).digest("hex").slice(0, 16));
}

function runJob<R>(job: unknown): Promise<R> {
  return new Promise((resolve, reject) => {
    const child = fork(process.argv[1], [...process.argv.slice(2), "--job", JSON.stringify(job)], {
      serialization: "advanced",
    });
    let result: R | undefined;
    child.on("message", (message) => {
      result = message as R;
    });
    child.on("exit", (code) =>
      result !== undefined
        ? resolve(result)
        : reject(new Error(`job ${JSON.stringify(job)} ended with code ${code}`)),
    );
  });
}
