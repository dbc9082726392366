import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "../../src/data/lock.node.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const MAIN = join(root, "dist", "cli", "main.js");

/**
 * Compiles what has changed; test files that run at once take turns. This process does not stand still meanwhile, or nobody
 * would touch the lock, and where the compiler takes a minute another file would take it for abandoned.
 */
export async function build(): Promise<void> {
  mkdirSync(join(root, "dist"), { recursive: true });
  await withLock(join(root, "dist", ".build.lock"), async () => {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const child = spawn(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")]);
    let stdout = "";
    child.stdout.on("data", (text) => (stdout += text));
    const code = await new Promise((resolve) => child.on("close", resolve));
    if (code !== 0) console.warn(`the build has errors:\n${stdout}`);
  });
}

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  pid: number;
  done: Promise<Outcome>;
  /** What has come on stderr so far. */
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
}

/** What a developer may have set for work of their own. */
const NEUTRAL = { FILIGREE_DATA: "", FILIGREE_DEBUG: "" };

/** Starts the compiled command in `cwd`. */
export function start(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...process.env, ...NEUTRAL, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  return {
    pid: child.pid!,
    done: new Promise((resolve) =>
      child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr })),
    ),
    stderr: () => stderr,
    kill: (signal) => child.kill(signal),
  };
}

export function filigree(args: readonly string[], cwd: string, env?: NodeJS.ProcessEnv): Promise<Outcome> {
  return start(args, cwd, env).done;
}
