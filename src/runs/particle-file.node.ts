import { join } from "node:path";
import { fileProblem } from "../data/file-problem.node.ts";
import { type NpzFile, openNpz } from "../data/npz-file.node.ts";
import { createNpzRows } from "../data/npz-rows.node.ts";
import { type Tensor, tensor, toNumbers } from "../engine/tensor.ts";
import type { Dim } from "../physics/particles.ts";
import type { Recording } from "../physics/recording.ts";
import { KINEMATIC, PARTICLE_TYPES, type TrajectoryMetadata } from "../physics/trajectory.ts";
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

/** LagrangeBench's fluid, solid wall, moving wall and rigid body as GNS numbers them. */
const FROM_LAGRANGEBENCH = [PARTICLE_TYPES.water, KINEMATIC, KINEMATIC, 0];

/** `test.npz/00003`, a trajectory of an archive of several, in its two parts; no key for a file of its own. */
function parsePath(path: string): { archive: string; key?: string } {
  const [, archive = path, key] = /^(.+\.npz)[\\/]([^\\/.]+)$/.exec(path) ?? [];
  return { archive, key };
}

/** The file in which a trajectory is. */
export const archiveOf = (path: string): string => parsePath(path).archive;

/**
 * Paths of the trajectories in an archive of LagrangeBench's layout, `00000_position` and `00000_particle_type` for each, as
 * {@link openParticles} takes them; none for other files.
 */
export async function listTrajectories(archive: string): Promise<string[]> {
  const file = await openNpz(archive).catch((error) => {
    throw fileProblem("read", archive, error);
  });
  await file.close();
  return keysOf(file).map((key) => join(archive, key));
}

function keysOf({ names }: NpzFile): string[] {
  if (names.includes("positions")) return [];
  const own = names.filter((name) => name.endsWith("_position"));
  return own.map((name) => name.slice(0, -"_position".length)).sort();
}

/**
 * Opens a trajectory: a .npz file with `positions`, [frames, points, dim], and optionally `particle_type`, [points], which is the
 * GNS layout; Filigree's own files add `metadata`, JSON in UTF-8 bytes. In an archive of LagrangeBench's layout, which may hold
 * several, one is named as if the archive were a folder: `test.npz/00003`.
 */
export async function openParticles(path: string): Promise<ParticleFile> {
  const { archive, key } = parsePath(path);
  const file = await openNpz(archive).catch((error) => {
    throw fileProblem("read", archive, error);
  });
  try {
    const keys = keysOf(file);
    const own = key ?? (keys.length === 1 ? keys[0] : undefined);
    if (own === undefined && keys.length > 1)
      throw new Problem(
        `${path}: holds ${keys.length} trajectories; name one, such as ${join(path, keys[0])}`,
      );
    const name = own === undefined ? "positions" : `${own}_position`;
    const positions = await file.rows(name);
    if (!positions)
      throw new Problem(
        key === undefined
          ? `${path}: has no array "positions" of shape [frames, points, dim]`
          : `${archive}: has no trajectory ${key}; there are ${keys.length}${keys.length > 0 ? `, from ${keys[0]}` : ""}`,
      );
    const [frames, points, dim] = positions.shape;
    if (positions.shape.length !== 3 || (dim !== 2 && dim !== 3))
      throw new Problem(
        `${path}: positions are of shape [${positions.shape}]; expected [frames, points, 2 or 3]`,
      );
    if (frames < 2) throw new Problem(`${path}: holds ${frames} frame; nothing moves in fewer than 2`);
    const types = await file.tensor(own === undefined ? "particle_type" : `${own}_particle_type`);
    if (types && types.data.length !== points)
      throw new Problem(`${path}: has ${points} points, but ${types.data.length} values in particle_type`);
    const particleTypes = types ? toNumbers(types) : new Float64Array(points);
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
      particleTypes: own === undefined ? particleTypes : particleTypes.map((type) => gnsType(type, path)),
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

function gnsType(type: number, path: string): number {
  const known = FROM_LAGRANGEBENCH[type];
  if (known === undefined)
    throw new Problem(
      `${path}: a particle is of type ${type}; LagrangeBench's are 0 to ${FROM_LAGRANGEBENCH.length - 1}`,
    );
  return known;
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
