import { Problem } from "../problem.ts";
import { deriveSeed, random } from "../random.ts";
import { checkOneOf, checkWhole } from "./checks.ts";
import type { MaterialName } from "./materials.ts";
import { MATERIAL_NAMES, MATERIALS } from "./materials.ts";
import type { Dim } from "./particles.ts";
import type { SceneOptions } from "./scene.ts";
import { drawScene, MOST_POINTS, WALL_NODES } from "./scene.ts";
import type { Simulation } from "./simulation.ts";
import { createSimulation, largestTimeStep } from "./simulation.ts";
import type { Split, TrajectoryMetadata } from "./trajectory.ts";
import { PARTICLE_TYPES } from "./trajectory.ts";

/** Seconds from one frame to the next. */
export const FRAME_INTERVAL = 5e-3;

/** Time steps a frame where the materials allow it. */
const SUBSTEPS = 10;

export interface RecordingOptions extends SceneOptions {
  /** Of the bodies, in turn. */
  materials: readonly MaterialName[];
  /** Massless points that move along, scattered over the bodies. Default 0. */
  tracers?: number;
  split?: Split;
}

export interface Recording {
  metadata: TrajectoryMetadata;
  /** Material points and tracers. */
  points: number;
  /** Of each point: GNS's number of its material. */
  particleTypes: number[];
  simulation: Simulation;
  /** The positions now, [points, dim]: material points, then tracers. */
  positions(): Float32Array;
  /** Simulates up to the next frame; throws a `Problem` when a particle is no longer anywhere. */
  advance(): void;
}

/** A random scene, ready to be simulated frame by frame; a `Problem` where the options make none. */
export function startRecording(options: RecordingOptions): Recording {
  checkRecording(options);
  const { dim, materials, seed, scene: name, tracers = 0, split = "train" } = options;
  const scene = drawScene(options);
  const { cells, walls } = scene;
  const names = scene.bodies.map((_, b) => materials[b % materials.length]);
  const bodies = scene.bodies.map(({ positions, velocities }, b) => ({
    material: MATERIALS[names[b]],
    positions,
    velocities,
  }));
  const limit = largestTimeStep(
    bodies.map(({ material }) => material),
    cells,
  );
  const substeps = Math.max(SUBSTEPS, Math.ceil(FRAME_INTERVAL / limit));
  const carried = scatterTracers(bodies, dim, cells, tracers, seed);
  const simulation = createSimulation({
    dim,
    cells,
    dt: FRAME_INTERVAL / substeps,
    bodies,
    walls,
    bound: WALL_NODES,
    tracers: carried.positions,
  });
  const { particles } = simulation;
  const types = simulation.bodies.flatMap(({ start, end }, b) =>
    new Array<number>(end - start).fill(PARTICLE_TYPES[names[b]]),
  );
  let frame = 0;
  return {
    metadata: {
      dim,
      dt: FRAME_INTERVAL,
      substeps,
      cells,
      bounds: Array.from({ length: dim }, () => [...simulation.bounds]),
      walls,
      scene: name,
      seed,
      split,
      bodies: simulation.bodies.map(({ start, end }, b) => ({
        material: names[b],
        shape: scene.bodies[b].shape,
        start,
        end,
      })),
    },
    points: particles.count + tracers,
    particleTypes: [...types, ...carried.owners.map((i) => types[i])],
    simulation,
    positions: () => {
      const out = new Float32Array((particles.count + tracers) * dim);
      out.set(particles.x);
      out.set(simulation.tracers, particles.count * dim);
      return out;
    },
    advance: () => {
      simulation.step(substeps);
      frame++;
      const lost = particles.x.findIndex((value) => !Number.isFinite(value));
      if (lost < 0) return;
      throw new Problem(
        `frame ${frame}: particle ${Math.floor(lost / dim)} is at ${particles.x[lost]} on axis ${"xyz"[lost % dim]}; ` +
          "the simulation has become unstable: use a lower --speed or another seed",
      );
    },
  };
}

/** What a recording needs beside its scene. */
function checkRecording({ materials, tracers = 0, split = "train" }: RecordingOptions): void {
  if (materials.length === 0)
    throw new Problem(`materials is empty; name at least one of ${MATERIAL_NAMES.join(", ")}`);
  for (const name of materials) checkOneOf("a material", name, MATERIAL_NAMES);
  checkWhole("tracers", tracers, 0, MOST_POINTS);
  checkOneOf("split", split, ["train", "test"]);
}

/** Every tracer in the cell of a random particle, so that they fill the bodies as the particles do. */
function scatterTracers(
  bodies: readonly { positions: Float64Array }[],
  dim: Dim,
  cells: number,
  count: number,
  seed: number,
) {
  const { uniform, integer } = random(deriveSeed(seed, "tracers"));
  const all = bodies.flatMap(({ positions }) => Array.from(positions));
  const positions = new Float64Array(count * dim);
  const owners: number[] = [];
  for (let t = 0; t < count; t++) {
    const owner = integer(all.length / dim);
    owners.push(owner);
    for (let k = 0; k < dim; k++)
      positions[t * dim + k] = all[owner * dim + k] + (uniform() - 0.5) / (2 * cells);
  }
  return { positions, owners };
}
