import { deriveSeed } from "../random.ts";
import type { MaterialName } from "./materials.ts";
import type { Dim } from "./particles.ts";

/** What the file of a trajectory says about it, as JSON. Times in seconds, lengths in units of the box. */
export interface TrajectoryMetadata {
  dim: Dim;
  /** From one frame to the next. */
  dt: number;
  /** Time steps of the simulation in that. */
  substeps: number;
  /** Cells of the background grid along one side. */
  cells: number;
  /** Where walls stop particles, for every axis. */
  bounds: [number, number][];
  walls: string;
  scene: string;
  seed: number;
  split: Split;
  /** Points `start` ≤ i < `end` are this body; what comes after all bodies is tracers. */
  bodies: { material: MaterialName; shape: string; start: number; end: number }[];
}

export type Split = "train" | "test";

/**
 * GNS's numbers for particle types where it has one (water 5, sand 6, goop 7), free ones of its nine for the rest.
 */
export const PARTICLE_TYPES: Readonly<Record<MaterialName, number>> = {
  jelly: 1,
  plasticine: 4,
  water: 5,
  sand: 6,
  goop: 7,
};

/** GNS's type of particles that move as they are told: ramps, walls and other obstacles. */
export const KINEMATIC = 3;

/**
 * The seed of a trajectory. The lowest bit is the split, so that no trajectory can be in both, whatever seeds and numbers are
 * chosen.
 */
export function trajectorySeed(seed: number, split: Split, index: number): number {
  const drawn = deriveSeed(seed, "trajectory", split, index);
  return (split === "test" ? drawn | 1 : drawn & ~1) >>> 0;
}
