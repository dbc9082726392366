import { Problem } from "../problem.ts";
import { checkNumbers, checkOneOf, checkPositive, checkWhole } from "./checks.ts";
import type { Material } from "./materials.ts";
import type { BodyState, SimulationOptions } from "./simulation.ts";

/** Throws a `Problem` for parts that make no simulation; whether particles lie inside is seen when they are placed. */
export function checkSimulation({
  dim,
  cells,
  bodies,
  gravity = [0, 0, 0],
  walls = "free-slip",
  bound = 0,
  tracers = [],
}: SimulationOptions): void {
  checkWhole("dim", dim, 2, 3);
  checkWhole("cells", cells, 1);
  if (bodies.every(({ positions }) => positions.length === 0))
    throw new Problem("a simulation needs at least one particle");
  for (const [b, body] of bodies.entries()) checkBody(`body ${b}`, body, dim);
  checkNumbers("gravity", gravity, gravity.length === 3 ? 3 : dim);
  checkOneOf("walls", walls, ["free-slip", "no-slip"]);
  checkWhole("bound", bound, 0);
  checkPoints("tracers", tracers, dim);
}

function checkBody(
  name: string,
  { material, positions, velocities, affine, deformation, volume }: BodyState,
  dim: number,
): void {
  checkMaterial(`the material of ${name}`, material);
  checkPoints(`positions of ${name}`, positions, dim);
  const { length } = positions;
  if (velocities) checkNumbers(`velocities of ${name}`, velocities, length);
  if (affine) checkNumbers(`affine of ${name}`, affine, length * dim);
  if (deformation) checkNumbers(`deformation of ${name}`, deformation, length * dim);
  if (volume !== undefined) checkPositive(`the volume of a particle of ${name}`, volume);
}

function checkPoints(name: string, points: ArrayLike<number>, dim: number): void {
  if (points.length % dim !== 0)
    throw new Problem(`${name} is of length ${points.length}; give ${dim} numbers for each point`);
}

const FAMILIES: readonly Material["family"][] = [
  "elastic",
  "newtonian",
  "nonNewtonian",
  "granular",
  "elastoplastic",
];

function checkMaterial(name: string, material: Material): void {
  if (!material) throw new Problem(`${name} is missing; take one of MATERIALS, or one of your own`);
  const { family, young, poisson, density } = material;
  checkOneOf(`the family of ${name}`, family, FAMILIES);
  checkPositive(`young of ${name}`, young);
  checkPositive(`density of ${name}`, density);
  if (!(poisson > -1 && poisson < 0.5))
    throw new Problem(`poisson of ${name} is ${poisson}; take a number between -1 and 0.5`);
}
