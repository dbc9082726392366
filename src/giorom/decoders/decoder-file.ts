import { decodeModel } from "../../engine/onnx/proto.ts";
import type { SessionOptions } from "../../engine/session.ts";
import { Problem } from "../../problem.ts";
import type { Decoder } from "./decode-frames.ts";
import {
  FRAME_NETWORK_KEY,
  FRAME_NETWORKS,
  openFrameNetworkFile,
  trainFrameNetwork,
} from "./frame-network.ts";
import {
  type DecoderTrainingOptions,
  KERNEL_KEY,
  openKernelDecoder,
  trainKernelDecoder,
} from "./kernel-decoder.ts";
import { SUBSPACE_KEY, subspaceModes, trainSubspace } from "./neural-subspace.ts";
import { bakeRows } from "./rows.ts";
import { bakeModes } from "./subspace.ts";
import type { Geometry } from "./weightings.ts";

/** The decoders that are trained (GIOROM spec 3.10). */
export const DECODER_NETWORKS = {
  kernel: "weights of the 8 nearest by a small network, computed once",
  subspace: "sums of 20 learned ways to move, fitted to the particles in every frame",
  ...FRAME_NETWORKS,
} as const;

export type DecoderNetwork = keyof typeof DECODER_NETWORKS;

/** Trains a decoder on dense clouds; gives the .onnx file. */
export function trainDecoderNetwork(
  network: DecoderNetwork,
  options: DecoderTrainingOptions,
): Promise<Uint8Array> {
  if (network === "kernel") return trainKernelDecoder(options);
  return network === "subspace" ? trainSubspace(options) : trainFrameNetwork(network, options);
}

/** A trained decoder of any kind. */
export interface DecoderFile {
  /** For a reference configuration. */
  bake(geometry: Geometry): Decoder | Promise<Decoder>;
  release(): Promise<void>;
}

/**
 * Opens a trained decoder's .onnx file, whichever it is. `affine`, true by default, keeps all affine motions exact; a kernel
 * alone can do without. Rejects with a `Problem` for other files.
 */
export async function openDecoderFile(
  bytes: Uint8Array,
  { affine = true, ...options }: SessionOptions & { affine?: boolean } = {},
): Promise<DecoderFile> {
  const { metadata } = decodeModel(bytes);
  if (metadata[KERNEL_KEY] !== undefined) {
    const kernel = await openKernelDecoder(bytes, options);
    return {
      bake: async (geometry) =>
        bakeRows(await kernel.rows(geometry, { affine }), geometry.queries, geometry.dim),
      release: kernel.release,
    };
  }
  const known = [SUBSPACE_KEY, FRAME_NETWORK_KEY].find((key) => metadata[key] !== undefined);
  if (known === undefined)
    throw new Problem(
      `not a kernel decoder, nor another: its metadata have no entry ${KERNEL_KEY}, ${SUBSPACE_KEY} or ${FRAME_NETWORK_KEY}`,
    );
  if (!affine)
    throw new Problem("the decoder has no weights to do without affine functions: it is no kernel");
  if (known === FRAME_NETWORK_KEY) return openFrameNetworkFile(bytes, options);
  return {
    bake: async (geometry) => bakeModes(await subspaceModes(bytes, geometry), geometry.queries),
    release: async () => {},
  };
}
