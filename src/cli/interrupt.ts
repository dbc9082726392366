import { note } from "./progress.ts";

/** The exit code of a program that Ctrl-C has stopped, as shells know it. */
export const INTERRUPTED = 130;

export interface Interrupt {
  /** Aborted by the first Ctrl-C (or SIGTERM); the second ends the process at once. */
  readonly signal: AbortSignal;
  /** Gives Ctrl-C its usual meaning back. */
  dispose(): void;
}

/** `hint` says what happens now, e.g. "stopping after this step". */
export function onInterrupt(hint: string): Interrupt {
  const controller = new AbortController();
  const handle = () => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    note(`${hint} (once more to stop at once)`);
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.on(name, handle);
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of signals) process.off(name, handle);
    },
  };
}
