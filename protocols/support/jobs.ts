import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
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

/**
 * Runs each job in a process of its own (the same script with `--job`), so many at a time; results in the jobs' order.
 * Results are kept in `folder` under a name made of everything in the job, so that an interrupted protocol goes on where
 * it was.
 */
export async function runJobs<J, R>(
  jobs: readonly J[],
  parallel: number,
  folder: string,
  done: (job: J, result: R) => void,
): Promise<R[]> {
  await mkdir(folder, { recursive: true });
  const results = new Array<R>(jobs.length);
  let next = 0;
  const work = async () => {
    while (next < jobs.length) {
      const i = next++;
      const kept = await keptResult<R>(jobs[i], folder);
      results[i] = kept ?? (await runJob<R>(jobs[i]));
      if (!kept) await writeFile(fileOf(jobs[i], folder), serialize(results[i]));
      done(jobs[i], results[i]);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return results;
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
