import type { MotionStatistics } from "../physics/statistics.ts";

/** What a trained stepper needs to know of its data beside the weights. Lengths in units of the box, motion per frame. */
export interface Setting {
  /** Where walls stop particles, for every axis. */
  bounds: (readonly [number, number])[];
  /** Of the graph of particles. */
  radius: number;
  /** Around the nodes of the latent grid; 0 without one. */
  latentRadius: number;
  statistics: MotionStatistics;
  /**
   * Known acceleration of each axis in box lengths per frame², which is applied first: the network then learns the rest, and
   * `statistics` are of that. Missing: the network learns it all.
   */
  gravity?: number[];
  /** Standard deviation of the noise on the last velocity that the stepper was trained with. */
  noise: number;
  /** Seconds from one frame to the next. */
  frameInterval: number;
}

/** Scale of a normalised quantity: the noise of training belongs to it, at inference too. */
export const scaleOf = (std: number, noise: number): number => Math.hypot(std, noise) || 1;
