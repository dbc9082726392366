import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileProblem } from "../data/file-problem.node.ts";
import type { Dim } from "../physics/particles.ts";
import type { RecordingOptions } from "../physics/recording.ts";
import { FRAME_INTERVAL, startRecording } from "../physics/recording.ts";
import type { MotionStatistics } from "../physics/statistics.ts";
import { poolStatistics } from "../physics/statistics.ts";
import type { Split, TrajectoryMetadata } from "../physics/trajectory.ts";
import { trajectorySeed } from "../physics/trajectory.ts";
import { Problem } from "../problem.ts";
import { writeWhole } from "./files.node.ts";
import { saveRecording } from "./particle-file.node.ts";

export interface ParticleSetOptions extends Omit<RecordingOptions, "split"> {
  frames: number;
  /** How many trajectories each split gets. */
  trajectories: Readonly<Record<Split, number>>;
  /** That share a time step. Default 1. */
  threads?: number;
  signal?: AbortSignal;
  onFrame?(trajectory: number, frame: number): void;
}

export interface ParticleSetResult {
  /** Trajectories that are complete. */
  trajectories: Record<Split, number>;
  finished: boolean;
  statistics?: MotionStatistics;
}

/**
 * Simulates `<folder>/train/0000.npz` … and `<folder>/test/0000.npz` …, then writes `<folder>/metadata.json` with GNS's keys. Its
 * statistics are those of the training trajectories' material points. When stopped, the trajectory at hand is dropped and
 * no metadata are written.
 */
export async function simulateParticleSet(
  folder: string,
  options: ParticleSetOptions,
): Promise<ParticleSetResult> {
  const { frames, signal, dim, threads = 1 } = options;
  await refuseLeftovers(folder, options.trajectories);
  const statistics = poolStatistics(dim);
  const done = { train: 0, test: 0 };
  let recordingAt = 0;
  let scene: TrajectoryMetadata | undefined;
  for (const split of ["train", "test"] as const)
    for (let index = 0; index < options.trajectories[split]; index++, recordingAt++) {
      const seed = trajectorySeed(options.seed, split, index);
      const recording = startRecording({ ...options, seed, split });
      // Behind what may be refused: an older set stays what it was then.
      await rm(metadataPath(folder), { force: true }).catch((error) => {
        throw fileProblem("write to", folder, error);
      });
      const material = recording.simulation.particles.count * dim;
      scene = recording.metadata;
      if (signal?.aborted) return { trajectories: done, finished: false };
      const path = join(folder, split, `${String(index).padStart(4, "0")}.npz`);
      await recording.simulation.useThreads(threads);
      statistics.nextTrajectory();
      const complete = await saveRecording(path, recording, {
        frames,
        signal,
        whole: true,
        onFrame: (positions, frame) => {
          if (split === "train") statistics.frame(positions.subarray(0, material));
          options.onFrame?.(recordingAt, frame);
        },
      });
      await recording.simulation.useThreads(1);
      if (complete < frames) return { trajectories: done, finished: false };
      done[split]++;
    }
  const result = statistics.result();
  await writeWhole(
    metadataPath(folder),
    `${JSON.stringify(
      {
        bounds: scene?.bounds,
        dim,
        dt: FRAME_INTERVAL,
        sequence_length: frames - 1,
        default_connectivity_radius: scene && connectivityRadius(dim, 1 / (2 * scene.cells)),
        vel_mean: result.velocityMean,
        vel_std: result.velocityStd,
        acc_mean: result.accelerationMean,
        acc_std: result.accelerationStd,
        seed: options.seed,
        trajectories: done,
      },
      null,
      2,
    )}\n`,
  );
  return { trajectories: done, finished: true, statistics: result };
}

function metadataPath(folder: string): string {
  return join(folder, "metadata.json");
}

/** Trajectories of an earlier set that would stay beside the new ones would count as theirs. */
async function refuseLeftovers(folder: string, trajectories: Readonly<Record<Split, number>>): Promise<void> {
  for (const split of ["train", "test"] as const) {
    const names = await readdir(join(folder, split)).catch(() => [] as string[]);
    const left = names.filter(
      (name) => name.endsWith(".npz") && !(Number(name.slice(0, -4)) < trajectories[split]),
    );
    if (left.length > 0)
      throw new Problem(
        `${join(folder, split)} holds ${left.sort()[0]}, which is not one of the ${trajectories[split]} asked for; choose another folder, or remove this one`,
      );
  }
}

/** For points with this spacing: about ten neighbours each in 2D (GIOROM spec 3.4). */
function connectivityRadius(dim: Dim, spacing: number): number {
  return (dim === 2 ? 2.2 : 2) * spacing;
}
