/**
 * How fast is the material point method? Particles × time steps per second in 2D and 3D, beside the same loops in C++
 * (bench/peers/mpm.cpp, built by `g++ -O3 -march=native`; without a compiler that is left out), and what a second thread
 * gains. One thread beside C++ is processor time, two beside one is time on the clock; all take turns. After the first
 * steps all particles must lie at the same places, which shows that all do the same work. With all cases it writes
 * docs/results/mpm.json.
 *
 * usage: mpm.js [--cases "jelly 2D,sand 3D"] [--threads 2] [--rounds 9] [--turn 400, milliseconds]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeResults } from "../protocols/support/results.ts";
import type { Material } from "../src/physics/materials.ts";
import { lame, MATERIALS } from "../src/physics/materials.ts";
import type { Dim } from "../src/physics/particles.ts";
import { fillShape } from "../src/physics/shapes.ts";
import type { SimulationOptions } from "../src/physics/simulation.ts";
import { createSimulation, largestTimeStep } from "../src/physics/simulation.ts";
import { median } from "../src/runs/latency.ts";
import { startPeer } from "./peers/peer.ts";

const CASES = ["jelly 2D", "sand 2D", "jelly 3D", "sand 3D"];

const { values: options } = parseArgs({
  options: {
    cases: { type: "string", default: CASES.join() },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "9" },
    turn: { type: "string", default: "400" },
  },
});
const rounds = Number(options.rounds);
const threads = Number(options.threads);

/** Steps after which places are compared: the body has hit the floor and is deformed. */
const WARM_STEPS = 200;
/** Box lengths. C++ may fuse a product with a sum, which rounds differently; contact makes more of it, step by step. */
const TOLERANCE = 1e-9;

/** A block that falls on the floor, turning. */
function fallingBlock(name: "jelly" | "sand", dim: Dim) {
  const cells = dim === 2 ? 128 : 48;
  const size = dim === 2 ? [0.4, 0.4] : [0.3, 0.3, 0.3];
  const bound = 3;
  const centre = [0.5, (bound - 1) / cells + 0.02 + size[1] / 2, 0.5];
  const at = Float64Array.from(fillShape("box", dim, size, 1 / (2 * cells)));
  const velocities = at.map((_, i) => {
    const k = i % dim;
    const spin = k === 0 ? -at[i + 1] : k === 1 ? at[i - 1] : 0;
    return 2 * spin + (k === 1 ? -2 : 0.5);
  });
  const material = MATERIALS[name];
  return {
    dim,
    cells,
    dt: largestTimeStep([material], cells),
    bound,
    bodies: [
      { material: material as Material, positions: at.map((x, i) => x + centre[i % dim]), velocities },
    ],
  } satisfies SimulationOptions;
}

type Block = ReturnType<typeof fallingBlock>;

/** The scene as the peer reads it. */
function writeScene(path: string, { dim, cells, dt, bound, bodies: [body] }: Block): void {
  const { material, positions, velocities } = body;
  const { mu, lambda } = lame(material);
  const volume = (1 / (2 * cells)) ** dim;
  const sine = material.family === "granular" ? Math.sin((material.frictionAngle * Math.PI) / 180) : 0;
  const cone = (Math.sqrt(2 / 3) * 2 * sine) / (3 - sine);
  const bulk = (dim * lambda + 2 * mu) / (2 * mu);
  const family = material.family === "granular" ? 1 : 0;
  const mass = material.density * volume;
  const head = [dim, cells, dt, positions.length / dim, family, mu, lambda, mass, volume, cone, bulk, bound];
  const bytes = [Float64Array.from(head), positions, velocities].map((part) => new Uint8Array(part.buffer));
  writeFileSync(path, Buffer.concat(bytes));
}

function processorMilliseconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e3;
}

function clockMilliseconds(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i] - b[i]));
  return worst;
}

async function measure(name: "jelly" | "sand", dim: Dim, program: string | undefined) {
  const folder = mkdtempSync(join(tmpdir(), "filigree-mpm-"));
  const block = fallingBlock(name, dim);
  const [scene, state] = [join(folder, "scene"), join(folder, "state")];
  writeScene(scene, block);
  const peer = program ? await startPeer(program, [scene, state]) : undefined;
  const single = createSimulation(block);
  const several = createSimulation(block);
  await several.useThreads(threads);
  try {
    const { count, x } = single.particles;
    for (const simulation of [single, several]) simulation.step(WARM_STEPS);
    await peer?.take(WARM_STEPS);
    const difference = peer
      ? largestDifference(x, new Float64Array(new Uint8Array(readFileSync(state)).buffer))
      : null;
    if (largestDifference(x, several.particles.x) > 0 || (difference !== null && !(difference < TOLERANCE)))
      throw new Error(`${name} in ${dim}D: particles are not where they should be after ${WARM_STEPS} steps`);
    const steps = Math.max(1, Math.round(Number(options.turn) / processorMilliseconds(() => single.step())));
    const times = {
      filigree: [] as number[],
      cpp: [] as number[],
      one: [] as number[],
      several: [] as number[],
    };
    for (let round = 0; round < rounds; round++) {
      times.one.push(
        clockMilliseconds(() => times.filigree.push(processorMilliseconds(() => single.step(steps)))),
      );
      if (peer) times.cpp.push((await peer.take(steps)).times[0]);
      times.several.push(clockMilliseconds(() => several.step(steps)));
    }
    const perSecond = (milliseconds: number[]) => (count * steps * 1e3) / median(milliseconds);
    return {
      material: name,
      dim,
      particles: count,
      cells: block.cells,
      /** Particles × steps per second. */
      filigree: perSecond(times.filigree),
      cpp: peer ? perSecond(times.cpp) : null,
      /** Speed of one thread as a share of C++'s. */
      ratio: peer ? median(times.cpp.map((t, i) => t / times.filigree[i])) : null,
      /** Largest distance to C++'s particles, in box lengths. */
      difference,
      /** Speed of several threads over that of one. */
      gain: median(times.one.map((t, i) => t / times.several[i])),
    };
  } finally {
    await several.useThreads(1);
    peer?.end();
    rmSync(folder, { recursive: true });
  }
}

/** Builds the peer, if there is a compiler. */
function compilePeer(to: string): boolean {
  const source = fileURLToPath(new URL("../../bench/peers/mpm.cpp", import.meta.url));
  const flags = ["-O3", "-march=native", "-std=c++17"];
  const { status } = spawnSync("g++", [...flags, "-o", to, source], { stdio: "inherit" });
  if (status !== 0) console.log("g++ does not run here: nothing to compare with");
  return status === 0;
}

const folder = mkdtempSync(join(tmpdir(), "filigree-mpm-"));
const program = join(folder, "mpm");
const compiled = compilePeer(program);
const rows = [];
for (const name of options.cases.split(",")) {
  const [material, dim] = name.split(" ");
  const row = await measure(
    material as "jelly" | "sand",
    Number(dim[0]) as Dim,
    compiled ? program : undefined,
  );
  rows.push(row);
  const millions = (rate: number) => `${(rate / 1e6).toFixed(2)} million`;
  console.log(
    `${name}, ${row.particles} particles: ${millions(row.filigree)} particle steps a second; ` +
      (row.cpp && row.ratio && row.difference !== null
        ? `C++ ${millions(row.cpp)}, ${row.ratio.toFixed(2)} of its speed, ${row.difference.toExponential(1)} apart; `
        : "") +
      `${threads} threads ${row.gain.toFixed(2)}×`,
  );
}
rmSync(folder, { recursive: true });
if (rows.length === CASES.length)
  await writeResults("mpm", `npm run bench -- mpm --threads ${threads} --rounds ${rounds}`, {
    threads,
    warmSteps: WARM_STEPS,
    tolerance: TOLERANCE,
    rows,
    goals: compiled
      ? {
          "one thread: at least 0.7 of the speed of C++, in every case": rows.every(
            ({ ratio }) => ratio !== null && ratio >= 0.7,
          ),
        }
      : {},
  });
