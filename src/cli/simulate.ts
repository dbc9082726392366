import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { MaterialName } from "../physics/materials.ts";
import { MATERIAL_NAMES } from "../physics/materials.ts";
import type { Dim } from "../physics/particles.ts";
import type { RecordingOptions } from "../physics/recording.ts";
import type { SceneName } from "../physics/scene.ts";
import { SCENES } from "../physics/scene.ts";
import type { Shape } from "../physics/shapes.ts";
import { SHAPES } from "../physics/shapes.ts";
import { MOST_THREADS } from "../physics/threads.ts";
import { Problem } from "../problem.ts";
import { formatCount, formatMany, formatSeconds } from "../runs/format.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, wholeNumber } from "./command.ts";
import { INTERRUPTED, onInterrupt } from "./interrupt.ts";
import { note, startProgress } from "./progress.ts";

interface SimulateOptions extends JsonOption {
  output: string;
  material?: MaterialName[];
  dim: string;
  points?: number;
  cells?: number;
  frames: number;
  scene: SceneName;
  bodies?: number;
  shape?: Shape;
  speed?: number;
  tracers: number;
  seed: number;
  threads: number;
  trajectories?: number;
  test: number;
}

const MEANINGS: Record<MaterialName, string> = {
  jelly: "elastic solid, fixed corotated",
  water: "Newtonian fluid, slightly compressible",
  goop: "non-Newtonian: flows above a yield stress (Bingham)",
  sand: "granular, Drucker–Prager",
  plasticine: "elastoplastic, von Mises",
};

export function simulateCommand(): Command {
  return createCommand("simulate", {
    summary: "simulate a random scene of particles by the material point method",
    examples: [
      "filigree simulate --material sand --dim 3 --points 100000 --frames 300 -o sand.npz",
      "filigree simulate --material water,jelly --bodies 3 -o scene.npz",
      "filigree simulate --material sand --scene column --trajectories 24 --test 6 -o sand-column",
    ],
    words: { heading: "Materials:", meanings: MEANINGS },
    keys: {
      output: "the file, or with --trajectories the folder",
      finished: "false where Ctrl-C stopped it",
      frames: "frames in the file; with --trajectories of each one",
      points: "points in the file, tracers included; null with --trajectories",
      cells: "cells of the background grid along one side; null with --trajectories",
      substeps: "time steps a frame; null with --trajectories",
      trajectories: "{ train, test }: complete trajectories; null without --trajectories",
      seconds: "time this call has taken",
    },
  })
    .requiredOption("-o, --output <path>", "the .npz file, or with --trajectories a folder")
    .option(
      "--material <names>",
      "one, or several with commas, which the bodies take in turn; sand if not given",
      materials,
    )
    .option("--dim <n>", "2 or 3", choice(["2", "3"]), "2")
    .option(
      "--points <n>",
      "material points; if not given, as many as the bodies hold at two a cell and axis",
      wholeNumber(1, 1e7),
    )
    .option(
      "--cells <n>",
      "cells of the grid along one side; chosen for --points, else 32",
      wholeNumber(12, 1024),
    )
    .option("--frames <n>", "frames to save, 5 ms apart, the first included", wholeNumber(2), 120)
    .option(
      "--scene <name>",
      Object.entries(SCENES)
        .map(([name, says]) => `${name}: ${says}`)
        .join("; "),
      choice(Object.keys(SCENES) as SceneName[]),
      "drop",
    )
    .option("--bodies <n>", "how many; one a material if not given", wholeNumber(1, 100))
    .option("--shape <name>", `${SHAPES.join(", ")}; any in a drop, box in a column`, choice(SHAPES))
    .option("--speed <v>", "largest component of the first velocities; 3 m/s in a drop, 1 in a column", speed)
    .option("--tracers <n>", "points without mass that move along", wholeNumber(0, 1e7), 0)
    .option("--seed <n>", "of shapes, places and velocities", wholeNumber(0), 0)
    .option(
      "--threads <n>",
      "threads that share each time step, which changes no bit; they pay for tens of thousands of points",
      wholeNumber(1, MOST_THREADS),
      1,
    )
    .option("--trajectories <n>", "simulate a training set of so many into a folder", wholeNumber(1, 9999))
    .option("--test <n>", "with --trajectories: and so many to test on", wholeNumber(0, 9999), 0)
    .action(async (options: SimulateOptions) => {
      if (options.trajectories === undefined) await simulateOne(options);
      else await simulateMany(options, options.trajectories);
    });
}

function materials(text: string): MaterialName[] {
  return text.split(",").map(choice(MATERIAL_NAMES));
}

function speed(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 20))
    throw new InvalidArgumentError("expected a speed of 0 to 20 m/s");
  return value;
}

function recordingOptions(options: SimulateOptions): RecordingOptions {
  const { scene, seed, points, cells, shape, speed, tracers, material = ["sand"] } = options;
  const dim = Number(options.dim) as Dim;
  const bodies = options.bodies ?? material.length;
  if (bodies < material.length)
    throw new InvalidArgumentError(
      `${bodies} of --bodies cannot be of ${material.length} materials; ask for ${material.length} or more, or for fewer materials`,
    );
  return { scene, dim, seed, bodies, points, cells, shape, speed, materials: material, tracers };
}

async function simulateOne(options: SimulateOptions): Promise<void> {
  const { output, frames } = options;
  if (options.test > 0) throw new Problem("--test needs --trajectories: one trajectory cannot be split");
  const { startRecording } = await import("../physics/recording.ts");
  const { checkWritable } = await import("../runs/files.node.ts");
  const { saveRecording } = await import("../runs/particle-file.node.ts");
  await checkWritable(output);
  const recording = startRecording(recordingOptions(options));
  await recording.simulation.useThreads(options.threads);
  const { points, metadata } = recording;
  const { cells, substeps } = metadata;
  note(
    `${output}: ${formatMany(points, "point")} on ${new Array(metadata.dim).fill(cells).join(" × ")} cells, ${substeps} time steps a frame`,
  );
  const interrupt = onInterrupt("stopping after this frame");
  const progress = startProgress({ label: "simulating", total: frames, unit: "frames" });
  const started = performance.now();
  try {
    const saved = await saveRecording(output, recording, {
      frames,
      signal: interrupt.signal,
      onFrame: (_, frame) => progress.update(frame + 1),
    });
    progress.end();
    const seconds = (performance.now() - started) / 1000;
    const finished = saved === frames;
    emit(
      options,
      { output, finished, frames: saved, points, cells, substeps, trajectories: null, seconds },
      saved < 2
        ? `${output}: not written, stopped before the second frame`
        : `${output}: ${formatCount(saved)} of ${formatMany(frames, "frame")} of ${formatMany(points, "point")} in ${formatSeconds(seconds)}`,
    );
    if (!finished) process.exitCode = INTERRUPTED;
  } finally {
    progress.end();
    interrupt.dispose();
  }
}

async function simulateMany(options: SimulateOptions, train: number): Promise<void> {
  const { output, frames, test, threads } = options;
  const { simulateParticleSet } = await import("../runs/particle-set.node.ts");
  const interrupt = onInterrupt("stopping after this frame; complete trajectories stay");
  const total = (train + test) * frames;
  // From the first frame on: a folder that is refused should leave one line.
  let progress: ReturnType<typeof startProgress> | undefined;
  const started = performance.now();
  try {
    const { trajectories, finished } = await simulateParticleSet(output, {
      ...recordingOptions(options),
      frames,
      threads,
      trajectories: { train, test },
      signal: interrupt.signal,
      onFrame: (trajectory, frame) => {
        progress ??= startProgress({ label: "simulating", total, unit: "frames" });
        progress.update(trajectory * frames + frame + 1, `trajectory ${trajectory + 1} of ${train + test}`);
      },
    });
    progress?.end();
    const seconds = (performance.now() - started) / 1000;
    emit(
      options,
      { output, finished, frames, points: null, cells: null, substeps: null, trajectories, seconds },
      `${output}: ${trajectories.train} to train on and ${trajectories.test} to test on, ${formatMany(frames, "frame")} each, in ${formatSeconds(seconds)}`,
    );
    if (!finished) process.exitCode = INTERRUPTED;
  } finally {
    progress?.end();
    interrupt.dispose();
  }
}
