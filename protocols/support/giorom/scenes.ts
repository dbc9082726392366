import { MATERIALS, type Material } from "../../../src/physics/materials.ts";
import { drawScene, WALL_NODES } from "../../../src/physics/scene.ts";
import type { Shape } from "../../../src/physics/shapes.ts";
import { createSimulation, largestTimeStep } from "../../../src/physics/simulation.ts";
import { trajectorySeed } from "../../../src/physics/trajectory.ts";

export const FRAMES = 120;
const FRAME_INTERVAL = 5e-3;

/** Of both axes, in box lengths per frame². */
export const GRAVITY = [0, -9.8 * FRAME_INTERVAL ** 2];

export const BOUNDS: [number, number][] = new Array(2).fill([2 / 32, 30 / 32]);

/** What falls over, and how fast it is sheared at first in m/s. */
export const SCENES = {
  sand: { material: MATERIALS.sand, speed: 1, noise: 2e-5 },
  /** Five times as soft as jelly: it sways visibly (GIOROM spec, P3). */
  gel: { material: { ...MATERIALS.jelly, young: 2e4, poisson: 0.3 }, speed: 2.5, noise: 3e-5 },
  water: { material: MATERIALS.water, speed: 1, noise: 3e-5 },
  /** Softer than the preset, which bears its own weight here and hardly moves. */
  plasticine: {
    material: { ...MATERIALS.plasticine, young: 1e5, yieldStress: 1e3 },
    speed: 2.5,
    noise: 3e-5,
  },
  goop: { material: MATERIALS.goop, speed: 1, noise: 3e-5 },
} as const satisfies Record<string, { material: Material; speed: number; noise: number }>;

export type SceneName = keyof typeof SCENES;

export interface Trial {
  split: "train" | "test";
  index: number;
  /** Of the block; a box if not given. */
  shape?: Shape;
  /** Shear as a multiple of the fastest in training; anything up to 1 if not given. */
  shear?: number;
  /** Above the floor and away from walls, from where it falls without other motion; it stands on the floor if not given. */
  lift?: number;
}

/** Frames of a block that stands on a rough floor and collapses, each [particles, 2]. */
export function simulate(
  scene: SceneName,
  { split, index, shape = "box", shear, lift }: Trial,
): Float32Array[] {
  const { material, speed } = SCENES[scene];
  const drawn = drawScene({
    scene: "column",
    dim: 2,
    bodies: 1,
    seed: trajectorySeed(0, split, index),
    shape,
    speed,
  });
  const [{ positions, velocities }] = drawn.bodies;
  const fastest = velocities.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  const factor = lift !== undefined ? 0 : shear === undefined ? 1 : (shear * speed) / fastest;
  const middle = (2 * positions.reduce((sum, x, i) => sum + (i & 1 ? 0 : x), 0)) / positions.length;
  const shift = lift === undefined ? [0, 0] : [0.5 - middle, lift];
  const lifted = positions.map((x, i) => x + shift[i & 1]);
  const substeps = Math.max(10, Math.ceil(FRAME_INTERVAL / largestTimeStep([material], drawn.cells)));
  const simulation = createSimulation({
    dim: 2,
    cells: drawn.cells,
    dt: FRAME_INTERVAL / substeps,
    bodies: [{ material, positions: lifted, velocities: velocities.map((v) => v * factor) }],
    walls: drawn.walls,
    bound: WALL_NODES,
  });
  return Array.from({ length: FRAMES }, (_, frame) => {
    if (frame > 0) simulation.step(substeps);
    return Float32Array.from(simulation.particles.x);
  });
}
