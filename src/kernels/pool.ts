import { instantiate, moduleFor } from "./instantiate.ts";
import { canSleep, startWorker, type Worker } from "./worker.ts";

/** A kernel function's name and what it is called with. */
export type PoolCall = readonly [name: string, args: readonly number[]];

/** Threads that help the one that made them with calls in any order. */
export interface Pool {
  /**
   * Makes all calls of a batch; they are done when it returns. Whoever is awake takes the next call, this thread too: where
   * the others sleep, or their processor has other work, it does without them.
   */
  run(batch: number): void;
  end(): Promise<void>;
}

export interface PoolSource {
  /** Of a shared arena. */
  memory: WebAssembly.Memory;
  /** Kernel modules as text; the names of their functions differ. */
  wasm: readonly string[];
  /** This thread included. */
  threads: number;
  /** What may be asked for. No call may depend on another of its batch. */
  batches: readonly (readonly PoolCall[])[];
}

interface HelperData {
  control: Int32Array;
  memory: WebAssembly.Memory;
  modules: WebAssembly.Module[];
  batches: PoolSource["batches"];
}

/**
 * Starts the other threads, worker threads of Node.js or web workers. They look for work for some microseconds, then sleep
 * until they are woken.
 *
 * Rejects with a `Problem` where none can be started.
 */
export async function createPool({ memory, wasm, threads, batches }: PoolSource): Promise<Pool> {
  const control = new Int32Array(
    new SharedArrayBuffer((2 + 2 * batches.length) * Int32Array.BYTES_PER_ELEMENT),
  );
  const data: HelperData = { control, memory, modules: wasm.map((text) => moduleFor(text, memory)), batches };
  const helpers = await Promise.all(
    Array.from({ length: threads - 1 }, (): Promise<Worker> => startWorker(SCRIPT, data)),
  );
  const kernels: Kernels = Object.assign({}, ...wasm.map((text) => instantiate<Kernels>(text, memory)));
  const { run } = sharing(control, batches, kernels, canSleep());
  return {
    run,
    end: async () => {
      await Promise.all(helpers.map((helper) => helper.terminate()));
    },
  };
}

type Kernels = Record<string, (...args: readonly number[]) => void>;

/**
 * How calls are shared out. `control` counts the batches that were begun and says which was the last; of each batch it holds
 * the next call to be taken and how many are done. A helper that comes late finds no call left to take: it may be any
 * number of batches behind, for a batch has the same calls whenever it is run. The text of this function also runs in the
 * workers, so that it must not refer to anything outside itself.
 */
function sharing(control: Int32Array, batches: PoolSource["batches"], kernels: Kernels, sleeps: boolean) {
  const [BEGUN, BATCH, FIRST] = [0, 1, 2];
  // Some ten microseconds: about what it costs to be put to sleep and woken.
  const LOOKS = 5000;
  const calls = batches.map((batch) => batch.map(([name, args]) => kernels[name].bind(undefined, ...args)));
  /** Waits while the number at `index` is `value`; returns the new one. */
  const changed = (index: number, value: number): number => {
    for (let looks = 0; ; looks++) {
      const now = Atomics.load(control, index);
      if (now !== value) return now;
      if (sleeps && looks > LOOKS) Atomics.wait(control, index, value);
    }
  };
  const work = (batch: number) => {
    const own = calls[batch];
    const next = FIRST + 2 * batch;
    const done = next + 1;
    for (let i = Atomics.add(control, next, 1); i < own.length; i = Atomics.add(control, next, 1)) {
      own[i]();
      if (Atomics.add(control, done, 1) + 1 === own.length) Atomics.notify(control, done);
    }
  };
  return {
    run: (batch: number) => {
      const done = FIRST + 2 * batch + 1;
      Atomics.store(control, done, 0);
      Atomics.store(control, done - 1, 0);
      Atomics.store(control, BATCH, batch);
      Atomics.add(control, BEGUN, 1);
      Atomics.notify(control, BEGUN);
      work(batch);
      for (let n = Atomics.load(control, done); n < batches[batch].length; ) n = changed(done, n);
    },
    help: (): never => {
      for (let begun = 0; ; ) {
        begun = changed(BEGUN, begun);
        work(Atomics.load(control, BATCH));
      }
    },
  };
}

/** What a helper does, for good: its text is the worker's script, so that it must not refer to anything but `share`. */
function help({ control, memory, modules, batches }: HelperData, share: typeof sharing): void {
  const kernels: Kernels = Object.assign(
    {},
    ...modules.map((module) => new WebAssembly.Instance(module, { env: { memory } }).exports),
  );
  share(control, batches, kernels, true).help();
}

const SCRIPT = `(${help})(data, ${sharing})`;
