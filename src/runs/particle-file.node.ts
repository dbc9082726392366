import { fileProblem } from "../data/file-problem.node.ts";
import { openNpz } from "../data/npz-file.node.ts";
import { createNpzRows } from "../data/npz-rows.node.ts";
import { type Tensor, tensor, toNumbers } from "../engine/tensor.ts";
import type { Dim } from "../physics/particles.ts";
import type { Recording } from "../physics/recording.ts";
import type { TrajectoryMetadata } from "../physics/trajectory.ts";
import { Problem } from "../problem.ts";

/** A trajectory on disk, of which frames are read when they are asked for. */
export interface ParticleFile {
  readonly dim: Dim;
  readonly frames: number;
  readonly points: number;
  /** GNS's number of each point's material; all 0 where the file does not say. */
  readonly particleTypes: Float64Array;
  /** How many of the points, at the end, are tracers without mass. */
  readonly tracers: number;
  /** Missing in files that are not Filigree's. */
  readonly metadata?: TrajectoryMetadata;
  /** Positions in frame `t`, from 0, [points, dim]; a `Problem` names the first that is not finite, or a frame that there is not. */
  frame(t: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens a trajectory: a .npz file with `positions`, [frames, points, dim], and optionally `particle_type`, [points], which is the
 * GNS layout; Filigree's own files add `metadata`, JSON in UTF-8 bytes.
 */
export async function openParticles(path: string): Promise<ParticleFile> {
  const file = await openNpz(path).catch((error) => {
    throw fileProblem("read", path, error);
  });
  try {
    const positions = await file.rows("positions");
    if (!positions) throw new Problem(`${path}: has no array "positions" of shape [frames, points, dim]`);
    const [frames, points, dim] = positions.shape;
    if (positions.shape.length !== 3 || (dim !== 2 && dim !== 3))
      throw new Problem(
        `${path}: positions are of shape [${positions.shape}]; expected [frames, points, 2 or 3]`,
      );
    if (frames < 2) throw new Problem(`${path}: holds ${frames} frame; nothing moves in fewer than 2`);
    const types = await file.tensor("particle_type");
    if (types && types.data.length !== points)
      throw new Problem(`${path}: has ${points} points, but ${types.data.length} values in particle_type`);
    const metadata = metadataOf(await file.tensor("metadata"));
    const frame = async (t: number) => {
      if (!(Number.isInteger(t) && t >= 0 && t < frames))
        throw new Problem(`${path}: there is no frame ${t}; there are ${frames}, from 0`);
      const row = await positions.row(t);
      const lost = row.findIndex((x) => !Number.isFinite(x));
      if (lost >= 0)
        throw new Problem(`${path}: frame ${t}: particle ${Math.floor(lost / dim)} is at ${row[lost]}`);
      return row;
    };
    return {
      dim,
      frames,
      points,
      particleTypes: types ? toNumbers(types) : new Float64Array(points),
      tracers: metadata ? points - metadata.bodies[metadata.bodies.length - 1].end : 0,
      metadata,
      frame,
      close: file.close,
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Filigree's own metadata; undefined where an array of this name holds something else. */
function metadataOf(json: Tensor | undefined): TrajectoryMetadata | undefined {
  if (json?.dtype !== "uint8") return undefined;
  try {
    const found = JSON.parse(new TextDecoder().decode(json.data as Uint8Array)) as TrajectoryMetadata | null;
    return found?.bodies?.length ? found : undefined;
  } catch {
    return undefined;
  }
}

export interface SaveOptions {
  /** Frames to record, the first included. */
  frames: number;
  /** Stops after the frame that is being simulated; what is done is saved, unless `whole`. */
  signal?: AbortSignal;
  /** Saves nothing rather than fewer frames. */
  whole?: boolean;
  /** After every frame, with its positions. */
  onFrame?(positions: Float32Array, frame: number): void;
}

/**
 * Simulates and writes frame by frame; how many frames there are in the end. The file appears once it is complete, and
 * not at all with fewer than two frames.
 */
export async function saveRecording(
  path: string,
  recording: Recording,
  { frames, signal, whole = false, onFrame }: SaveOptions,
): Promise<number> {
  const { points, metadata, particleTypes } = recording;
  try {
    const rows = await createNpzRows(path, "positions", [points, metadata.dim]);
    try {
      for (let frame = 0; frame < frames && !signal?.aborted; frame++) {
        if (frame > 0) recording.advance();
        const positions = recording.positions();
        await rows.append(positions);
        onFrame?.(positions, frame);
        // Lets Ctrl-C through.
        await new Promise(setImmediate);
      }
      if (rows.rows() < (whole ? frames : 2)) {
        await rows.discard();
        return rows.rows();
      }
      const json = new TextEncoder().encode(JSON.stringify(metadata));
      await rows.finish(
        new Map([
          ["particle_type", tensor("uint8", [points], particleTypes)],
          ["metadata", tensor("uint8", [json.length], json)],
        ]),
      );
      return rows.rows();
    } catch (error) {
      await rows.discard();
      throw error;
    }
  } catch (error) {
    throw fileProblem("write", path, error);
  }
}
