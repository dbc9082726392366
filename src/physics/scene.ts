import { Problem } from "../problem.ts";
import type { Random } from "../random.ts";
import { random } from "../random.ts";
import { checkNotNegative, checkOneOf, checkWhole } from "./checks.ts";
import type { Dim } from "./particles.ts";
import type { Shape } from "./shapes.ts";
import { fillShape, SHAPES } from "./shapes.ts";
import type { Walls } from "./step.ts";

/** What is drawn at random. */
export const SCENES = {
  drop: "bodies in the air, anywhere, with a velocity and a spin; free-slip walls",
  column: "blocks on a rough floor, sheared sideways; no-slip walls",
} as const;

export type SceneName = keyof typeof SCENES;

/** Points of a scene, and massless ones beside them, at most. */
export const MOST_POINTS = 1e7;

export interface SceneOptions {
  scene: SceneName;
  dim: Dim;
  seed: number;
  /** How many bodies, at most 100. */
  bodies: number;
  /** Of all bodies together, at most 10 million; if not given, what sides of 0.2 to 0.35 hold at two a cell and axis. */
  points?: number;
  /** Cells of the background grid along one axis, 12 to 1024. If not given, 32, or as many as `points` fill well. */
  cells?: number;
  /** One shape for all; if not given, any in a drop and boxes in a column. */
  shape?: Shape;
  /** Largest component of a velocity in m/s and of a spin in 1/s. Default 3 in a drop and 1 in a column. */
  speed?: number;
}

export interface SceneBody {
  shape: Shape;
  positions: Float64Array;
  velocities: Float64Array;
}

export interface Scene {
  cells: number;
  walls: Walls;
  bodies: SceneBody[];
}

/** Nodes of a wall, and how far inside the border particles come to rest. */
export const WALL_NODES = 3;

/** Where a column stands: the height at which the default grid's floor stops particles. */
const floorOf = (cells: number) => (WALL_NODES - 1) / cells + 0.0035;

const DEFAULT_CELLS = 32;

/** Share of the unit box that one body fills where the grid is chosen for its points; several need room between them. */
const FILL = { 2: 0.16, 3: 0.05 } as const;

const ATTEMPTS = 2000;

/**
 * Random shapes, places and velocities; everything follows from `seed`. Bodies never touch at first. Throws a `Problem` for
 * options that make no scene, and for bodies that do not fit.
 */
export function drawScene(options: SceneOptions): Scene {
  checkScene(options);
  const { scene, dim, seed, bodies: count, points } = options;
  const cells = options.cells ?? (points ? cellsFor(points, dim, count) : DEFAULT_CELLS);
  const rng = random(seed);
  const spacing = 1 / (2 * cells);
  const outlines = Array.from({ length: count }, () => ({
    shape: options.shape ?? (scene === "drop" ? SHAPES[rng.integer(SHAPES.length)] : "box"),
    size: Array.from({ length: dim }, () => 0.2 + 0.15 * rng.uniform()),
  }));
  const filled = points
    ? fillExactly(outlines, dim, spacing, points)
    : outlines.map(({ shape, size }) => ({ size, at: fillShape(shape, dim, size, spacing) }));
  const low = floorOf(cells);
  const places = placeBodies(
    filled.map(({ size }) => size),
    scene,
    low,
    rng,
    { points, cells },
  );
  const speed = options.speed ?? (scene === "drop" ? 3 : 1);
  const bodies = filled.map(({ at, size }, b): SceneBody => {
    const positions = Float64Array.from(at, (x, i) => x + places[b][i % dim]);
    const move = scene === "drop" ? tumbling(dim, speed, rng) : sheared(dim, speed, size[1], rng);
    return { shape: outlines[b].shape, positions, velocities: move(Float64Array.from(at)) };
  });
  return { cells, walls: scene === "drop" ? "free-slip" : "no-slip", bodies };
}

function checkScene({ scene, dim, seed, bodies, points, cells, shape, speed }: SceneOptions): void {
  checkOneOf("scene", scene, Object.keys(SCENES));
  checkWhole("dim", dim, 2, 3);
  checkWhole("seed", seed, Number.MIN_SAFE_INTEGER);
  checkWhole("bodies", bodies, 1, 100);
  if (points !== undefined) checkWhole("points", points, 1, MOST_POINTS);
  if (cells !== undefined) checkWhole("cells", cells, 12, 1024);
  if (shape !== undefined) checkOneOf("shape", shape, SHAPES);
  if (speed !== undefined) checkNotNegative("speed", speed);
}

function cellsFor(points: number, dim: Dim, bodies: number): number {
  const volume = FILL[dim] / Math.sqrt(bodies);
  return Math.max(16, Math.round((points / volume) ** (1 / dim) / 2));
}

/** v + ω × r about the body's centre. */
function tumbling(dim: Dim, speed: number, { uniform }: Random) {
  const draw = () => speed * (2 * uniform() - 1);
  const v = Array.from({ length: dim }, draw);
  const spin = dim === 2 ? [0, 0, draw()] : [draw(), draw(), draw()];
  return (r: Float64Array) =>
    r.map((_, i) => {
      const at = i - (i % dim);
      const [x, y, z] = [r[at], r[at + 1], dim === 3 ? r[at + 2] : 0];
      const turn = [spin[1] * z - spin[2] * y, spin[2] * x - spin[0] * z, spin[0] * y - spin[1] * x];
      return v[i % dim] + turn[i % dim];
    });
}

/** Sideways, in proportion to the height over the body's foot. */
function sheared(dim: Dim, speed: number, height: number, { uniform }: Random) {
  const v = Array.from({ length: dim }, (_, k) => (k === 1 ? 0 : speed * (2 * uniform() - 1)));
  return (r: Float64Array) => r.map((_, i) => v[i % dim] * (r[i - (i % dim) + 1] / height + 0.5));
}

/** Centres by rejection: inside the walls, boxes around the bodies at least three cells apart. */
function placeBodies(
  sizes: readonly (readonly number[])[],
  scene: SceneName,
  low: number,
  { uniform }: Random,
  { points, cells }: { points?: number; cells: number },
): number[][] {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const centres: number[][] = [];
    for (const size of sizes) {
      if (size.some((s) => s > 1 - 2 * low)) break;
      const centre = size.map((s, k) => {
        const room = 1 - 2 * low - s;
        return low + s / 2 + (scene === "column" && k === 1 ? 0 : room * uniform());
      });
      const apart = centres.every((other, b) =>
        centre.some((c, k) => Math.abs(c - other[k]) > (size[k] + sizes[b][k]) / 2 + 3 / cells),
      );
      if (!apart) break;
      centres.push(centre);
    }
    if (centres.length === sizes.length) return centres;
  }
  throw new Problem(
    `${sizes.length} bodies${points ? ` of ${points} points in all` : ""} do not fit into the box on a grid of ${cells} cells; use fewer${points ? ", or a finer grid" : ""}`,
  );
}

/** All outlines scaled alike until they hold `points` lattice points, and the surplus taken from the top of the last. */
function fillExactly(
  outlines: readonly { shape: Shape; size: readonly number[] }[],
  dim: Dim,
  spacing: number,
  points: number,
) {
  const fill = (scale: number) =>
    outlines.map(({ shape, size }) => {
      const scaled = size.map((s) => s * scale);
      return { size: scaled, at: fillShape(shape, dim, scaled, spacing) };
    });
  const count = (bodies: ReturnType<typeof fill>) => bodies.reduce((sum, { at }) => sum + at.length / dim, 0);
  const volume = outlines.reduce((sum, { size }) => sum + size.reduce((a, b) => a * b, 1), 0);
  let high = ((points * spacing ** dim) / volume) ** (1 / dim);
  while (count(fill(high)) < points) high *= 1.1;
  let low = high / 1.5;
  for (let i = 0; i < 12; i++) {
    const middle = (low + high) / 2;
    if (count(fill(middle)) < points) low = middle;
    else high = middle;
  }
  const bodies = fill(high);
  const last = bodies[bodies.length - 1];
  const surplus = count(bodies) - points;
  if (surplus >= last.at.length / dim)
    throw new Problem(`${points} points are too few for ${outlines.length} bodies; use fewer bodies`);
  const order = Array.from({ length: last.at.length / dim }, (_, i) => i);
  const top = new Set(
    order.sort((a, b) => last.at[b * dim + 1] - last.at[a * dim + 1] || b - a).slice(0, surplus),
  );
  last.at = last.at.filter((_, i) => !top.has(Math.floor(i / dim)));
  return bodies;
}
