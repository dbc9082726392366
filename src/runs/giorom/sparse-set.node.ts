import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileProblem } from "../../data/file-problem.node.ts";
import { type Positions, ruleOf } from "../../giorom/features.ts";
import { byMotion } from "../../giorom/kinematic.ts";
import { connectivityRadius, pick } from "../../giorom/sample.ts";
import type { SparseTrajectory } from "../../giorom/windows.ts";
import type { Dim } from "../../physics/particles.ts";
import { farthestPoints, randomPoints } from "../../physics/sampling.ts";
import type { MotionStatistics } from "../../physics/statistics.ts";
import { poolStatistics } from "../../physics/statistics.ts";
import type { Split } from "../../physics/trajectory.ts";
import { Problem } from "../../problem.ts";
import { deriveSeed } from "../../random.ts";
import type { ParticleFile } from "../particle-file.node.ts";
import { listTrajectories, openParticles } from "../particle-file.node.ts";

/** What `metadata.json` of a set says, in GNS's names. */
export interface SetMetadata {
  bounds: [number, number][];
  dim: Dim;
  /** From one frame to the next. */
  dt: number;
}

/** LagrangeBench's `dt` is the solver's, of whose steps it keeps one in `write_every`; it lists three axes in 2D too. */
interface FileMetadata extends SetMetadata {
  write_every: number;
  periodic_boundary_conditions: boolean[];
}

export interface SparseSetOptions {
  /** Share of the material points of a trajectory that are kept. */
  ratio: number;
  /** Samples of each training trajectory: farthest points from several starts, every third at random. */
  samples: number;
  seed: number;
  /** Known, down the second axis in box lengths/s². */
  gravity?: number;
  onTrajectory?(done: number, total: number): void;
}

export interface SparseSet {
  metadata: SetMetadata;
  training: SparseTrajectory[];
  /** The set's own, or the last tenth of the training trajectories, at least one where there are four: never trained on. */
  validation: SparseTrajectory[];
  /** Of all free points of the trajectories that are trained on; of what gravity leaves unexplained, where it is known. */
  statistics: MotionStatistics;
  /** Of each axis, in box lengths per frame². */
  gravity?: number[];
  /** Mean over the trajectories of what suits their samples. */
  radius: number;
  /** Different particle types. */
  types: number;
}

export async function readSetMetadata(folder: string): Promise<SetMetadata> {
  const path = join(folder, "metadata.json");
  const text = await readFile(path, "utf8").catch((error) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR")
      throw new Problem(
        `${folder} is no set of trajectories: it has no metadata.json; make one with filigree simulate --trajectories`,
      );
    throw fileProblem("read", path, error);
  });
  let found: Partial<FileMetadata>;
  try {
    found = JSON.parse(text) as Partial<FileMetadata>;
  } catch {
    throw new Problem(`${path}: not JSON`);
  }
  const { bounds, dim, dt, write_every = 1, periodic_boundary_conditions: periodic } = found;
  if ((dim !== 2 && dim !== 3) || bounds?.length !== dim || !(Number(dt) > 0))
    throw new Problem(`${path}: needs "dim" (2 or 3), "bounds" ([low, high] for every axis) and "dt"`);
  if (periodic?.slice(0, dim).some(Boolean))
    throw new Problem(
      `${path}: the box is periodic; neighbours are sought between walls only, so take a set that has walls on all sides`,
    );
  return { bounds, dim, dt: Number(dt) * write_every };
}

/** Paths of a split's trajectories in the order of their names. */
export async function trajectoryFiles(folder: string, split: Split | "valid"): Promise<string[]> {
  const names = await readdir(join(folder, split)).catch(() => [] as string[]);
  const files = names.filter((name) => name.endsWith(".npz")).sort();
  if (files.length > 0) return files.map((name) => join(folder, split, name));
  const archive = join(folder, `${split}.npz`);
  return (await exists(archive)) ? listTrajectories(archive) : [];
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Reads the training trajectories of a set frame by frame and keeps samples of their points. A set is made by
 * `filigree simulate --trajectories`, or has its layout: `metadata.json`, `train/*.npz`, `test/*.npz`; or LagrangeBench's, where
 * `train.npz`, `valid.npz` and `test.npz` hold all trajectories of a split.
 */
export async function loadSparseSet(
  folder: string,
  { ratio, samples, seed, gravity: known, onTrajectory }: SparseSetOptions,
): Promise<SparseSet> {
  const metadata = await readSetMetadata(folder);
  const trained = await trajectoryFiles(folder, "train");
  if (trained.length === 0)
    throw new Problem(
      (await exists(join(folder, "train.h5")))
        ? `${folder}: holds HDF5 files, which are not read; save their arrays as train.npz, valid.npz and test.npz under the names 00000_position, 00000_particle_type and so on`
        : `${folder}: has no train/*.npz; make a set with filigree simulate --trajectories`,
    );
  const valid = await trajectoryFiles(folder, "valid");
  const paths = [...trained, ...valid];
  const tenth = paths.length < 4 ? 0 : Math.max(1, Math.floor(paths.length / 10));
  const held = valid.length || tenth;
  const { bounds, dim, dt } = metadata;
  const gravity =
    known === undefined ? undefined : Array.from({ length: dim }, (_, k) => (k === 1 ? -known * dt ** 2 : 0));
  const pool = poolStatistics(dim, gravity && ruleOf({ gravity, bounds }));
  const training: SparseTrajectory[] = [];
  const validation: SparseTrajectory[] = [];
  const seen = new Set<number>();
  let radius = 0;
  for (const [index, path] of paths.entries()) {
    const trains = index < paths.length - held;
    const file = await openParticles(path);
    try {
      if (file.dim !== metadata.dim)
        throw new Problem(`${path}: is in ${file.dim}D, its metadata.json says ${metadata.dim}D`);
      const points = file.points - file.tracers;
      const cloud = (await file.frame(0)).subarray(0, points * file.dim);
      const count = sampleSize(points, ratio, path);
      radius += connectivityRadius(cloud, metadata.dim, count) / paths.length;
      const chosen = Array.from({ length: trains ? samples : 1 }, (_, s) => {
        const own = deriveSeed(seed, "sample", index, s);
        if (s % 3 === 2) return randomPoints(points, count, own);
        return farthestPoints(cloud, metadata.dim, count, s === 0 ? 0 : own % points);
      });
      const { free } = byMotion(file.particleTypes, points);
      for (const type of file.particleTypes) seen.add(type);
      const read = await readSamples(file, chosen, (frame, t) => {
        const massive = frame.subarray(0, points * file.dim);
        requireInside(massive, bounds, `${path}: frame ${t}`);
        if (trains) pool.frame(Float32Array.from(pick(massive, file.dim, free)));
      });
      pool.nextTrajectory();
      (trains ? training : validation).push(...read);
    } finally {
      await file.close();
    }
    onTrajectory?.(index + 1, paths.length);
  }
  return {
    metadata,
    training,
    validation,
    statistics: pool.result(),
    radius,
    types: seen.size,
    ...(gravity && { gravity }),
  };
}

/** The given points of every frame, each frame read once. */
export async function readSamples(
  file: ParticleFile,
  chosen: readonly Uint32Array[],
  onFrame?: (frame: Float32Array, t: number) => void,
): Promise<SparseTrajectory[]> {
  const frames: Positions[][] = chosen.map(() => []);
  for (let t = 0; t < file.frames; t++) {
    const frame = await file.frame(t);
    onFrame?.(frame, t);
    chosen.forEach((indices, s) => {
      frames[s].push(Float32Array.from(pick(frame, file.dim, indices)));
    });
  }
  return chosen.map((indices, s) => ({
    frames: frames[s],
    types: Uint8Array.from(indices, (i) => file.particleTypes[i]),
  }));
}

/** Points of a sample; a `Problem` where a share leaves fewer than make a graph. */
export function sampleSize(points: number, ratio: number, what: string): number {
  const count = Math.round(ratio * points);
  if (count < 2)
    throw new Problem(`${what}: ${ratio} of ${points} points is less than 2; keep a larger share`);
  return count;
}

/** Throws for a point that lies further outside the walls than any wall is thick. */
export function requireInside(
  points: Positions,
  bounds: readonly (readonly [number, number])[],
  what: string,
): void {
  const dim = bounds.length;
  for (let i = 0; i < points.length; i++) {
    const [low, high] = bounds[i % dim];
    const slack = 0.1 * (high - low);
    if (points[i] >= low - slack && points[i] <= high + slack) continue;
    throw new Problem(
      `${what}: particle ${Math.floor(i / dim)} is at ${points[i].toPrecision(4)} on axis ${"xyz"[i % dim]}, outside the domain ` +
        `${low.toPrecision(4)} to ${high.toPrecision(4)}; the data must be in the same box as the metadata's bounds`,
    );
  }
}
