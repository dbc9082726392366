import { type Memory, memoryFromBytes } from "../memory/memory.ts";
import { readBytes, writeWhole } from "./files.node.ts";

/** Writes a memory to a file, whole or not at all. */
export async function saveMemory(path: string, memory: Memory): Promise<void> {
  await writeWhole(path, memory.toBytes());
}

/** The memory in a file; a `Problem` where it cannot be read, is damaged or is something else. */
export async function loadMemory(path: string): Promise<Memory> {
  return memoryFromBytes(await readBytes(path), path);
}
