import { readRelations } from "../data/relations.ts";
import { euclideanPoints } from "../geometry/euclidean-points.ts";
import { drawHierarchy } from "../geometry/hierarchy-disk.ts";
import { lorentzPoints } from "../geometry/lorentz-points.ts";
import type { Manifold, Space } from "../geometry/manifold.ts";
import { poincarePoints } from "../geometry/poincare-points.ts";
import type { Reconstruction, TreeEmbeddingOptions } from "../geometry/tree-embedding.ts";
import { embedEpochs, reconstruction } from "../geometry/tree-embedding.ts";
import { Stopped } from "../problem.ts";
import { readBytes, writeWhole } from "./files.node.ts";

const MANIFOLDS: Record<Space, () => Manifold> = {
  lorentz: () => lorentzPoints(),
  poincare: () => poincarePoints(),
  euclidean: () => euclideanPoints,
};

export interface EmbedRequest extends TreeEmbeddingOptions {
  space: Space;
  /** Where the coordinates go. */
  output: string;
  /** Where the picture of two hyperbolic dimensions goes, if one is wanted. */
  disk?: string;
  /** Once aborted, embedding stops after the epoch at hand. */
  signal?: AbortSignal;
}

export interface EmbedResult extends Reconstruction {
  relations: string;
  nodes: number;
  /** Those that follow from others included. */
  pairs: number;
  space: Space;
  dimension: number;
  /** The two files. */
  output: string;
  disk: string | null;
  seconds: number;
}

/**
 * Embeds the hierarchy in a file (see `readRelations`), and writes a line "name⇥coordinates" for each node: those of
 * `poincare` and `euclidean` are as many as dimensions, those of `lorentz` one more, the time coordinate first. Throws
 * `Stopped`, and writes nothing, where the signal came before the last epoch was over.
 */
export async function embedFile(path: string, request: EmbedRequest): Promise<EmbedResult> {
  const { space, dimension, output, disk } = request;
  const start = performance.now();
  const relations = readRelations(new TextDecoder().decode(await readBytes(path)), path);
  const manifold = MANIFOLDS[space]();
  const points = await embedUnless(request.signal, embedEpochs(manifold, relations, request));
  const quality = reconstruction(relations, (u, v) => manifold.distance(points[u], points[v]));
  const lines = relations.names.map((name, i) => `${name}\t${points[i].join("\t")}\n`);
  await writeWhole(output, lines.join(""));
  if (disk !== undefined) await writeWhole(disk, drawHierarchy(relations, manifold, points));
  return {
    relations: path,
    nodes: relations.names.length,
    pairs: relations.pairs.length / 2,
    space,
    dimension,
    ...quality,
    output,
    disk: disk ?? null,
    seconds: (performance.now() - start) / 1000,
  };
}

async function embedUnless(
  signal: AbortSignal | undefined,
  epochs: Generator<number, Float64Array[]>,
): Promise<Float64Array[]> {
  for (;;) {
    const { done, value } = epochs.next();
    if (done) return value;
    // Signals are heard between two turns of the event loop only.
    await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted)
      throw new Stopped(
        `stopped after epoch ${value + 1}: nothing was written; embed again, with fewer --epochs to be done sooner`,
      );
  }
}
