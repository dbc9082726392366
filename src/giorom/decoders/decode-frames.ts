import type { Positions } from "../features.ts";
import type { Geometry } from "./weightings.ts";

/** A decoder for one reference configuration. */
export interface Decoder {
  decode(displacements: Positions): Float32Array | Promise<Float32Array>;
}

export interface DecodeOptions {
  /** Makes a decoder for a reference configuration. */
  bake: (geometry: Geometry) => Decoder | Promise<Decoder>;
  /**
   * Frames after which the decoded cloud becomes the reference, and decoding starts again from there: neighbours at the start are
   * none for long in a fluid (GIOROM spec 3.10). Default never.
   */
  rebaseEvery?: number;
}

export interface FrameDecoder {
  /** Positions of all queries, [queries, dim], for the next frame's sources, [sources, dim]; valid until the next call. */
  next(sources: Positions): Promise<Float32Array>;
}

/** Decodes frame after frame; `reference` is the first one, known in full. */
export async function frameDecoder(
  reference: Geometry,
  { bake, rebaseEvery = Number.POSITIVE_INFINITY }: DecodeOptions,
): Promise<FrameDecoder> {
  let base = reference;
  let decoder = await bake(base);
  let since = 0;
  return {
    next: async (sources) => {
      const found = await decoder.decode(Float64Array.from(sources, (x, i) => x - base.sources[i]));
      if (++since < rebaseEvery) return found;
      since = 0;
      base = { dim: base.dim, sources: Float64Array.from(sources), queries: found.slice() };
      decoder = await bake(base);
      return found;
    },
  };
}
