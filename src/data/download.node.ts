import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Problem, Stopped } from "../problem.ts";
import { fileProblem } from "./file-problem.node.ts";
import { withLock } from "./lock.node.ts";
import type { RemoteFile } from "./registry.ts";

export interface DownloadOptions {
  onProgress?: (file: string, bytes: number, total: number) => void;
  /** A connection that delivers nothing for so long is given up. Default 30,000 ms. */
  stallMs?: number;
  /** Stops the download once it is aborted; what has arrived stays. */
  signal?: AbortSignal;
  /** What to do where no mirror has the file: the end of the error. */
  otherwise?: string;
}

/** Tries per mirror that may go by without a single new byte. */
const FRUITLESS_TRIES = 2;

/**
 * Downloads a file into `dir` unless it is there, and returns its path.
 *
 * The mirrors are tried in turn. What has arrived stays in `<name>.part`; a broken connection, and a later call, go on
 * from there (HTTP Range). The file gets its name, by an atomic rename, only when its SHA-256 is right; several
 * processes that want the same file at once download it once.
 *
 * Throws a `Problem` that says what every mirror did, or what keeps the file from being written; `Stopped` after an abort.
 */
export async function download(
  file: RemoteFile,
  mirrors: readonly string[],
  dir: string,
  options: DownloadOptions = {},
): Promise<string> {
  const path = join(dir, file.name);
  if (await sizeOn(path)) return path;
  const fetched = async () => {
    if (await sizeOn(path)) return path;
    const failures: string[] = [];
    for (const mirror of mirrors) {
      const failure = await fromMirror(file, new URL(file.name, mirror).href, path, options);
      if (!failure) return path;
      failures.push(`${mirror}: ${failure}`);
    }
    const { otherwise } = options;
    throw new Problem(
      `${file.name}: cannot be downloaded (${failures.join("; ")})${otherwise ? `; ${otherwise}` : ""}`,
    );
  };
  try {
    await mkdir(dir, { recursive: true });
    return await withLock(`${path}.lock`, fetched);
  } catch (error) {
    throw fileProblem("write", path, error);
  }
}

/** Brings the file to `path`, or says why not. */
async function fromMirror(
  file: RemoteFile,
  url: string,
  path: string,
  options: DownloadOptions,
): Promise<string | undefined> {
  const part = `${path}.part`;
  for (let fruitless = 0, clean = false; fruitless < FRUITLESS_TRIES; ) {
    if ((await sizeOn(part)) > file.bytes) await rm(part);
    const before = await sizeOn(part);
    clean ||= before === 0;
    const failure = before === file.bytes ? undefined : await transfer(file, url, part, options);
    const after = await sizeOn(part);
    if (after === file.bytes) {
      if ((await sha256Of(part)) === file.sha256) {
        await rename(part, path);
        return undefined;
      }
      await rm(part);
      // What an earlier call or another mirror left may be at fault: this mirror gets one try of its own.
      if (clean) return "its bytes are not the expected ones (SHA-256)";
      continue;
    }
    if (failure?.final) return failure.reason;
    if (after <= before) fruitless++;
    if (fruitless === FRUITLESS_TRIES) return failure?.reason ?? `ends after ${after} of ${file.bytes} bytes`;
  }
}

interface Failure {
  reason: string;
  /** Trying again is no use. */
  final: boolean;
}

/** One request: appends to `part` where the server goes on from its end, starts it anew where it does not. */
async function transfer(
  file: RemoteFile,
  url: string,
  part: string,
  { onProgress, stallMs = 30_000, signal }: DownloadOptions,
): Promise<Failure | undefined> {
  const have = await sizeOn(part);
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), stallMs);
  const stop = signal ? AbortSignal.any([abort.signal, signal]) : abort.signal;
  const written = <T>(work: Promise<T>) =>
    work.catch((error) => {
      throw fileProblem("write", part, error);
    });
  try {
    const headers: Record<string, string> = have ? { range: `bytes=${have}-` } : {};
    const response = await fetch(url, { headers, signal: stop });
    if (!response.ok || !response.body) {
      abort.abort();
      if (response.status === 416) await rm(part, { force: true });
      return { reason: `HTTP ${response.status}`, final: response.status >= 400 && response.status !== 416 };
    }
    const continues =
      response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${have}-`);
    if (response.status === 206 && !continues) {
      await rm(part, { force: true });
      return { reason: "answers with another range than asked for", final: false };
    }
    const handle = await written(open(part, continues ? "a" : "w"));
    try {
      let size = continues ? have : 0;
      for await (const chunk of response.body) {
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), stallMs);
        size += chunk.length;
        if (size > file.bytes)
          return { reason: `sends more than the expected ${file.bytes} bytes`, final: true };
        await written(handle.writeFile(chunk));
        onProgress?.(file.name, size, file.bytes);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (signal?.aborted)
      throw new Stopped(
        `${file.name}: stopped; what has arrived stays, and the same command goes on from there`,
      );
    return { reason: abort.signal.aborted ? `silent for ${stallMs} ms` : reasonOf(error), final: false };
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

/** fetch hides what went wrong (ENOTFOUND, ECONNREFUSED) in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message ? `${message}: ${cause.message}` : message;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

async function sizeOn(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
