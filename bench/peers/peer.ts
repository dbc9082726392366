import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Answer } from "../training/child.ts";

/** A process that trains one case and takes turns with others. */
export interface Peer {
  /** What it said when it was ready: versions, notes. */
  hello: Record<string, unknown>;
  take(steps: number): Promise<Answer>;
  /** Milliseconds for which its main thread has been on a processor (Linux; NaN elsewhere). */
  busy(): number;
  end(): void;
}

/** Starts a peer, with `env` added to this process's environment, and waits until it is ready. */
export async function startPeer(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command} ${args[0]} ended early`);
    return JSON.parse(value);
  };
  return {
    hello: await next(),
    take: (steps) => {
      child.stdin.write(`${steps}\n`);
      return next();
    },
    busy: () => {
      try {
        return Number(readFileSync(`/proc/${child.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
      } catch {
        return Number.NaN;
      }
    },
    end: () => child.stdin.end(),
  };
}
