import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TrainingSnapshot } from "../../nn/trainer.ts";
import { Problem } from "../../problem.ts";
import { listCheckpoints, loadCheckpoint } from "../checkpoint.node.ts";
import { readBytes, writeWhole } from "../files.node.ts";

/** What a training depends on beside its set; absent where it was not given. */
export type Settings = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Where a training goes on: the newest checkpoint of the folder, if `resume` asks for it; a `Problem` where the training was
 * started with other settings. Without `resume` it begins anew, and what is there of an earlier one goes.
 */
export async function openCheckpoints(
  folder: string,
  settings: Settings,
  { resume, warn }: { resume?: boolean; warn(text: string): void },
): Promise<TrainingSnapshot | undefined> {
  const path = join(folder, "settings.json");
  const there = await listCheckpoints(folder);
  if (!resume || there.length === 0) {
    for (const old of there) await rm(old, { force: true });
    await writeWhole(path, `${JSON.stringify(settings)}\n`);
    return undefined;
  }
  const started = JSON.parse(new TextDecoder().decode(await readBytes(path))) as Settings;
  const other = Object.keys({ ...started, ...settings }).find((key) => started[key] !== settings[key]);
  if (other !== undefined)
    throw new Problem(
      `${folder}: this training was started with ${other} ${started[other] ?? "not given"}, not ${settings[other] ?? "left out"}; give the same again, or leave out --resume to begin anew`,
    );
  return (await loadCheckpoint(folder, warn))?.snapshot;
}
