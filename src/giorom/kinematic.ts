import { KINEMATIC } from "../physics/trajectory.ts";

/** Particles by whether they obey the simulator, as indices in ascending order. */
export interface ByMotion {
  free: Uint32Array;
  /** These move as they are told, whatever pushes them. */
  kinematic: Uint32Array;
}

/** Sorts `count` particles by GNS's types; without types all are free. */
export function byMotion(types: ArrayLike<number> | undefined, count: number): ByMotion {
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  return {
    free: all.filter((i) => types?.[i] !== KINEMATIC),
    kinematic: all.filter((i) => types?.[i] === KINEMATIC),
  };
}
