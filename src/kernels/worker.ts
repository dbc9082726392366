import { Problem } from "../problem.ts";

export interface Worker {
  terminate(): unknown;
}

const scriptOf = (script: string) => `
const node = globalThis.process?.getBuiltinModule?.("node:worker_threads");
const port = node ? node.parentPort : self;
port.onmessage = ({ data }) => {
  port.postMessage("ready");
  ${script};
};`;

/**
 * Starts a worker thread of Node.js, which does not keep the process alive, or a web worker; it runs `script`, in which
 * `data` is the name of what it is given.
 *
 * Rejects with a `Problem` where none can be started.
 */
export function startWorker(script: string, data: unknown): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const failed = (reason: unknown) =>
      reject(
        new Problem(
          `no worker thread can be started: ${reason instanceof Error ? reason.message : reason}; use one thread`,
        ),
      );
    try {
      const node = globalThis.process?.getBuiltinModule?.("node:worker_threads");
      if (node) {
        const worker = new node.Worker(scriptOf(script), { eval: true });
        worker.once("message", () => {
          worker.unref();
          resolve(worker);
        });
        worker.once("error", failed);
        worker.postMessage(data);
      } else {
        const url = URL.createObjectURL(new Blob([scriptOf(script)], { type: "text/javascript" }));
        const worker = new globalThis.Worker(url);
        worker.onmessage = () => {
          URL.revokeObjectURL(url);
          resolve(worker);
        };
        worker.onerror = ({ message }) =>
          failed(message || "the page's content security policy may forbid workers from blobs");
        worker.postMessage(data);
      }
    } catch (error) {
      failed(error);
    }
  });
}

/** Whether this thread may wait: a browser's main thread may not. */
export function canSleep(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}
