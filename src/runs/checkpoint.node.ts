import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { bytesOf } from "../data/bytes.ts";
import { readSafetensors, writeSafetensors } from "../data/safetensors.ts";
import { snapshotWeights } from "../nn/early-stopping.ts";
import type { TrainingSnapshot } from "../nn/trainer.ts";
import { Problem } from "../problem.ts";
import { readBytes, writeWhole } from "./files.node.ts";

/** Checkpoints that stay: the newest, and one in case it is damaged. */
const KEPT = 2;
const NAME = /^step-(\d+)\.safetensors$/;

/** Where training stands as the bytes of a safetensors file: what is not a tensor is JSON in its metadata. */
export function encodeCheckpoint(snapshot: TrainingSnapshot): Uint8Array {
  const { tensors, progress, history, sparsifier } = snapshot;
  const state = JSON.stringify({ progress, history, sparsifier });
  return writeSafetensors(new Map(Object.entries(tensors)), { state, sha256: digest(tensors, state) });
}

/** The reverse; a `Problem` for bytes that are not exactly those that were written. */
export function decodeCheckpoint(bytes: Uint8Array, name: string): TrainingSnapshot {
  const { tensors: map, metadata } = readSafetensors(bytes, name);
  const tensors = Object.fromEntries(map);
  if (metadata.state === undefined) throw new Problem(`${name}: not a checkpoint of Filigree`);
  if (metadata.sha256 !== digest(tensors, metadata.state))
    throw new Problem(`${name}: the checkpoint is damaged (SHA-256)`);
  return { tensors, ...(JSON.parse(metadata.state) as Omit<TrainingSnapshot, "tensors">) };
}

function digest(tensors: TrainingSnapshot["tensors"], state: string): string {
  const hash = createHash("sha256").update(state);
  for (const name of Object.keys(tensors).sort()) hash.update(name).update(bytesOf(tensors[name].data));
  return hash.digest("hex");
}

/** Writes `step-<n>.safetensors` and removes all but the newest two; returns its path. */
export async function saveCheckpoint(folder: string, snapshot: TrainingSnapshot): Promise<string> {
  refuseNonFinite(snapshot);
  const path = join(folder, `step-${String(snapshot.progress.step).padStart(8, "0")}.safetensors`);
  await writeWhole(path, encodeCheckpoint(snapshot));
  for (const old of (await listCheckpoints(folder)).slice(KEPT)) await rm(old, { force: true });
  return path;
}

const BEST = "best.safetensors";

/** Writes the weights of a snapshot to `best.safetensors`, in place of those that were there. */
export async function saveBest(folder: string, snapshot: TrainingSnapshot): Promise<void> {
  await writeWhole(join(folder, BEST), encodeCheckpoint({ ...snapshot, tensors: snapshotWeights(snapshot) }));
}

/** The weights that the epoch of this index ended with. Throws a `Problem` where the file has others. */
export async function loadBest(folder: string, epoch: number): Promise<TrainingSnapshot["tensors"]> {
  const path = join(folder, BEST);
  const { tensors, history } = decodeCheckpoint(await readBytes(path), path);
  if (history.length - 1 !== epoch)
    throw new Problem(
      `${path} has the weights of epoch ${history.length}, but the best were those of epoch ${epoch + 1}; start the run anew`,
    );
  return tensors;
}

/** The paths of a folder's checkpoints, newest first. */
export async function listCheckpoints(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const steps = names.flatMap((name) => {
    const step = NAME.exec(name)?.[1];
    return step === undefined ? [] : [{ name, step: Number(step) }];
  });
  return steps.sort((a, b) => b.step - a.step).map(({ name }) => join(folder, name));
}

/** The newest checkpoint that is whole; `warn` hears of those that are not. */
export async function loadCheckpoint(
  folder: string,
  warn: (message: string) => void,
): Promise<{ path: string; snapshot: TrainingSnapshot } | undefined> {
  for (const path of await listCheckpoints(folder)) {
    try {
      return { path, snapshot: decodeCheckpoint(await readBytes(path), path) };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      warn(`${error.message}; going back to the checkpoint before it`);
    }
  }
  return undefined;
}

/** A checkpoint that holds a NaN would only bring back what went wrong. */
function refuseNonFinite({ tensors, progress }: TrainingSnapshot): void {
  for (const [name, { data }] of Object.entries(tensors))
    if (data instanceof Float32Array && !data.every(Number.isFinite))
      throw new Problem(
        `"${name}" is no longer finite after step ${progress.step}; lower the learning rate or clip the gradient`,
      );
}
