import { moduleFor } from "./instantiate.ts";
import { canSleep, startWorker, type Worker } from "./worker.ts";

/** A kernel function's name and what it is called with; undefined: here all threads wait for each other. */
export type Call = readonly [name: string, args: readonly (number | boolean)[]] | undefined;

/** Threads that work on one shared memory together with the thread that made them. */
export interface Team {
  /** The other threads begin with their calls of this job. Whoever calls must then `meet` as often as they do. */
  start(job: number): void;
  /** Returns when every thread has come as far as this. */
  meet(): void;
  end(): Promise<void>;
}

export interface TeamSource {
  /** Of a shared arena. */
  memory: WebAssembly.Memory;
  /** Kernel modules as text; the names of their functions differ. */
  wasm: readonly string[];
  /** Of each other thread, the calls of each job. All of a job's lists meet equally often, also at its end. */
  jobs: readonly (readonly (readonly Call[])[])[];
}

/** Whether threads can share memory here: always in Node.js; in browsers where the page is cross-origin isolated. */
export function canShareMemory(): boolean {
  return typeof SharedArrayBuffer !== "undefined";
}

/**
 * Starts one thread for each element of `jobs`: a worker thread of Node.js or a web worker, which holds nothing but the
 * kernels and its lists of calls. Whoever waits looks at the shared numbers for some microseconds, then sleeps until it is
 * woken; a browser's main thread may not sleep and goes on looking. In Node.js the threads do not keep the process alive.
 *
 * Throws a `Problem` where no worker can be started.
 */
export async function createTeam({ memory, wasm, jobs }: TeamSource): Promise<Team> {
  const control = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  const modules = wasm.map((text) => moduleFor(text, memory));
  const threads = 1 + jobs.length;
  const workers = await Promise.all(
    jobs.map((own): Promise<Worker> => startWorker(SCRIPT, { control, memory, modules, threads, jobs: own })),
  );
  const { meet, start } = meeting(control, threads, canSleep());
  return {
    meet,
    start,
    end: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

interface WorkerData {
  control: Int32Array;
  memory: WebAssembly.Memory;
  modules: WebAssembly.Module[];
  threads: number;
  jobs: readonly (readonly Call[])[];
}

/**
 * How threads wait for each other: `control` counts jobs, holds the number of the latest, and counts arrivals at
 * meetings. The text of this function also runs in the workers, so that it must not refer to anything outside itself.
 */
function meeting(control: Int32Array, threads: number, sleeps: boolean) {
  const [STARTED, JOB, ARRIVED] = [0, 1, 2];
  // Some ten microseconds: about what it costs to be put to sleep and woken.
  const LOOKS = 5000;
  let due = 0;
  let taken = 0;
  /** Until the number at `index`, which only rises, has come to `value`. Differences stay right when it overflows. */
  const until = (index: number, value: number) => {
    for (let looks = 0; ; looks++) {
      const now = Atomics.load(control, index);
      if (((now - value) | 0) >= 0) return;
      if (sleeps && looks > LOOKS) Atomics.wait(control, index, now);
    }
  };
  return {
    start: (job: number) => {
      Atomics.store(control, JOB, job);
      Atomics.add(control, STARTED, 1);
      Atomics.notify(control, STARTED);
    },
    nextJob: () => {
      taken = (taken + 1) | 0;
      until(STARTED, taken);
      return Atomics.load(control, JOB);
    },
    meet: () => {
      due = (due + threads) | 0;
      if (((Atomics.add(control, ARRIVED, 1) + 1) | 0) === due) Atomics.notify(control, ARRIVED);
      else until(ARRIVED, due);
    },
  };
}

/** What a worker does, for good: its text is the worker's script, so that it must not refer to anything but `meet`. */
function work({ control, memory, modules, threads, jobs }: WorkerData, make: typeof meeting): void {
  const kernels: Record<string, (...args: readonly (number | boolean)[]) => void> = Object.assign(
    {},
    ...modules.map((module) => new WebAssembly.Instance(module, { env: { memory } }).exports),
  );
  const { nextJob, meet } = make(control, threads, true);
  for (;;)
    for (const call of jobs[nextJob()])
      if (call) kernels[call[0]](...call[1]);
      else meet();
}

const SCRIPT = `(${work})(data, ${meeting})`;
