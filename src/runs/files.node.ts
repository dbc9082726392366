import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileProblem } from "../data/file-problem.node.ts";
import { Problem } from "../problem.ts";

/** The bytes of a file; a `Problem` where it cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const { buffer, byteOffset, byteLength } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    throw fileProblem("read", path, error);
  }
}

/**
 * Writes a file whole or not at all: into `<path>.tmp`, to the disk, then renamed. Whoever reads `path` sees the old
 * contents or the new, even after a power cut. Folders on the way are made.
 */
export async function writeWhole(path: string, contents: Uint8Array | string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(temporary, "w");
    try {
      await handle.writeFile(contents);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw fileProblem("write", path, error);
  }
}

/**
 * Throws the `Problem` that `writeWhole(path)` would meet, before hours of work for the file; and one where `path` is among
 * `others`: what is read, or written too.
 */
export async function checkWritable(path: string, ...others: readonly string[]): Promise<void> {
  if (path === "") throw new Problem("what is written has an empty name; give it one");
  if (others.some((other) => resolve(other) === resolve(path)))
    throw new Problem(`${path} is named twice; what is written needs a file of its own`);
  const temporary = `${path}.tmp`;
  try {
    if ((await stat(path).catch(() => undefined))?.isDirectory())
      throw Object.assign(new Error(), { code: "EISDIR" });
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, "");
  } catch (error) {
    throw fileProblem("write", path, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** Makes a rename outlive a power cut; systems that cannot open folders (Windows) need no such thing. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
