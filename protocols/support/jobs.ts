import { fork } from "node:child_process";

/** The job this process was started for by `runJobs`; undefined in the process that was started by hand. */
export function ownJob<J>(): J | undefined {
  const at = process.argv.indexOf("--job");
  return at < 0 ? undefined : (JSON.parse(process.argv[at + 1]) as J);
}

/** Hands the result of this process's job to the process that started it. */
export function finishJob(result: unknown): void {
  process.send!(result, () => process.disconnect());
}

/** Runs each job in a process of its own (the same script with `--job`), so many at a time; results in the jobs' order. */
export async function runJobs<J, R>(jobs: readonly J[], parallel: number, done: (job: J, result: R) => void): Promise<R[]> {
  const results = new Array<R>(jobs.length);
  let next = 0;
  const work = async () => {
    while (next < jobs.length) {
      const i = next++;
      results[i] = await runJob<R>(jobs[i]);
      done(jobs[i], results[i]);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return results;
}

function runJob<R>(job: unknown): Promise<R> {
  return new Promise((resolve, reject) => {
    const child = fork(process.argv[1], [...process.argv.slice(2), "--job", JSON.stringify(job)], { serialization: "advanced" });
    let result: R | undefined;
    child.on("message", (message) => {
      result = message as R;
    });
    child.on("exit", (code) => (result !== undefined ? resolve(result) : reject(new Error(`job ${JSON.stringify(job)} ended with code ${code}`))));
  });
}
