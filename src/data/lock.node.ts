import { randomUUID } from "node:crypto";
import { readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** A lock that its holder has not touched for so long was left by a process that is gone. */
const STALE_MS = 60_000;
const TOUCH_MS = 10_000;
const POLL_MS = 100;

export interface LockOptions {
  /** Makes the error for a lock that process `pid` holds. Without it, `withLock` waits for its turn. */
  busy?: (pid: string) => Error;
}

/** Runs `work` while no other process runs work under the same lock file. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  { busy }: LockOptions = {},
): Promise<T> {
  const owner = `${hostname()} ${process.pid} ${randomUUID()}`;
  for (let removed = false; !(await take(path, owner, removed)); ) {
    removed = await isAbandoned(path);
    if (removed) await rm(path, { force: true });
    else {
      // A lock that is only just being taken, or whose taker was killed right then, names no process yet.
      const pid = (await readFile(path, "utf8").catch(() => "")).split(" ")[1];
      if (busy && pid !== undefined) throw busy(pid);
      await sleep(POLL_MS);
    }
  }
  const touch = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    await rm(path, { force: true });
  }
}

async function take(path: string, owner: string, removed: boolean): Promise<boolean> {
  try {
    await writeFile(path, owner, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    // On a full disk the file is there, but empty.
    await rm(path, { force: true }).catch(() => {});
    throw error;
  }
  if (!removed) return true;
  // Another process may have seen the same abandoned lock and be about to remove ours in its stead.
  await sleep(POLL_MS);
  return (await readFile(path, "utf8").catch(() => "")) === owner;
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    const [host, pid] = (await readFile(path, "utf8")).split(" ");
    const age = Date.now() - (await stat(path)).mtimeMs;
    return age > STALE_MS || (host === hostname() && !isAlive(Number(pid)));
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
