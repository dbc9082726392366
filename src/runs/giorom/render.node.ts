import { access } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { openNpz } from "../../data/npz-file.node.ts";
import type { ParticleFile } from "../particle-file.node.ts";
import { archiveOf, openParticles } from "../particle-file.node.ts";
import { particlePage } from "./particle-page.node.ts";
import type { RolloutDescription } from "./rollout.node.ts";

export interface RenderOptions {
  /** A rollout, or any recording: then it is shown alone. */
  file: string;
  /** The scene; default the one that the rollout names, where it can be found. */
  truth?: string;
  /** Points that are shown; more are thinned out evenly. */
  points: number;
  /** Every so many frames. */
  stride: number;
}

export interface RenderResult {
  html: string;
  frames: number;
  points: number;
  /** What stands beside each other. */
  panels: string[];
}

/** One page without any other file: truth, prediction and error side by side, to play and to scrub. */
export async function renderParticles({ file, truth, points, stride }: RenderOptions): Promise<RenderResult> {
  const predicted = await openParticles(file);
  let scene: ParticleFile | undefined;
  try {
    const description = await describe(file);
    const path = truth ?? (description && (await findScene(file, description.scene)));
    scene = path ? await openParticles(path) : undefined;
    const step = Math.max(1, Math.ceil(predicted.points / points));
    const shown = Uint32Array.from({ length: Math.ceil(predicted.points / step) }, (_, i) => i * step);
    const count =
      Math.floor((Math.min(predicted.frames, scene?.frames ?? predicted.frames) - 1) / stride) + 1;
    const take = async (from: ParticleFile) => {
      const { dim } = from;
      const out = new Uint16Array(count * shown.length * dim);
      let at = 0;
      for (let t = 0; t < count; t++) {
        const frame = await from.frame(t * stride);
        for (const i of shown)
          for (let k = 0; k < dim; k++)
            out[at++] = Math.round(65535 * Math.max(0, Math.min(1, frame[i * dim + k])));
      }
      return out;
    };
    const types = Uint8Array.from(shown, (i) => predicted.particleTypes[i]);
    const html = particlePage({
      title: file,
      dim: predicted.dim,
      frames: count,
      interval: (predicted.metadata?.dt ?? 0.005) * stride,
      seedFrames: description ? Math.ceil(description.seedFrames / stride) : 0,
      bounds: description?.bounds ?? predicted.metadata?.bounds,
      types,
      prediction: await take(predicted),
      truth: scene && (await take(scene)),
    });
    const panels = scene ? ["truth", "prediction", "error"] : [description ? "prediction" : "recording"];
    return { html, frames: count, points: shown.length, panels };
  } finally {
    await predicted.close();
    await scene?.close();
  }
}

async function describe(path: string): Promise<RolloutDescription | undefined> {
  const npz = await openNpz(archiveOf(path));
  const json = await npz.tensor("rollout");
  await npz.close();
  return json && (JSON.parse(new TextDecoder().decode(json.data as Uint8Array)) as RolloutDescription);
}

/** As it was named when the rollout was made, or beside the rollout. */
async function findScene(rollout: string, scene: string): Promise<string | undefined> {
  for (const path of isAbsolute(scene) ? [scene] : [scene, join(dirname(rollout), scene)])
    if (
      await access(archiveOf(path)).then(
        () => true,
        () => false,
      )
    )
      return path;
  return undefined;
}
