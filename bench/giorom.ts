/**
 * One frame of a block of N particles in 2D: GNS on all of them, GIOROM on a few with all decoded, GNS on the few alone, and the
 * material point method itself. One thread, random weights (they do not change the time), each in a process of its own.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finishJob, ownJob, runJobs } from "../protocols/support/jobs.ts";
import { reportMarks } from "../protocols/support/marks.ts";
import { writeResults } from "../protocols/support/results.ts";
import { gnsConfig } from "../src/giorom/baselines.ts";
import { liteConfig, type StepperConfig } from "../src/giorom/config.ts";
import {
  exportKernelDecoder,
  kernelDecoder,
  openKernelDecoder,
} from "../src/giorom/decoders/kernel-decoder.ts";
import { bakeRows } from "../src/giorom/decoders/rows.ts";
import { movingLeastSquaresRows, NEIGHBORS } from "../src/giorom/decoders/weightings.ts";
import { defaultLatentRadius, latentGrid } from "../src/giorom/latent-grid.ts";
import { connectivityRadius, pick } from "../src/giorom/sample.ts";
import { openSimulator } from "../src/giorom/simulator.ts";
import { SMALLEST, stepper } from "../src/giorom/stepper.ts";
import { exportStepper } from "../src/giorom/stepper-file.ts";
import { MATERIALS } from "../src/physics/materials.ts";
import { farthestPoints } from "../src/physics/sampling.ts";
import { fillShape } from "../src/physics/shapes.ts";
import { createSimulation, largestTimeStep } from "../src/physics/simulation.ts";
import { random } from "../src/random.ts";

/** Particles, and how many of them GIOROM carries. */
const SIZES = [
  [676, 64],
  [2_704, 128],
  [10_816, 256],
  [43_264, 512],
  [99_856, 1_000],
] as const;
const KINDS = ["GNS on all", "GIOROM", "GNS on the few", "MPM"] as const;
const WIDTH = 128;
const GRID = 16;
const SIDE = 0.4;
const FRAME = 5e-3;
const BOUNDS: [number, number][] = [
  [0.06, 0.94],
  [0.06, 0.94],
];
/** The second question: how long decoding takes in 3D. */
const DECODED = 100_000;
const SOURCES = 1_000;
/** Every measurement lasts at least so long, unless one frame does. */
const MILLISECONDS = 1500;

interface Job {
  kind: (typeof KINDS)[number] | "decoding in 3D";
  particles: number;
  few: number;
}

interface Figures {
  /** Processor milliseconds a frame, median. */
  frame: number;
  /** Of them, decoding to all particles. */
  decode: number;
  peakMiB: number;
}

const processor = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function median(run: () => Promise<void> | void): Promise<number> {
  await run();
  const times: number[] = [];
  for (let spent = 0; spent < MILLISECONDS; ) {
    const before = processor();
    await run();
    times.push(processor() - before);
    spent += times[times.length - 1];
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** A learned kernel (its weights do not change the time) for random points of a cube: weights once, then a frame. */
async function measureDecoding(): Promise<Figures> {
  const { uniform, normal } = random(1);
  const queries = Float64Array.from({ length: 3 * DECODED }, () => 0.3 + 0.4 * uniform());
  const sources = pick(queries, 3, farthestPoints(queries, 3, SOURCES));
  const geometry = { dim: 3, sources, queries } as const;
  const kernel = await openKernelDecoder(exportKernelDecoder(kernelDecoder(3, 2, NEIGHBORS), 3), {
    threads: 1,
  });
  const bake = await median(async () => void bakeRows(await kernel.rows(geometry), queries, 3));
  const decoder = bakeRows(await kernel.rows(geometry), queries, 3);
  await kernel.release();
  const displacements = Float64Array.from({ length: 3 * SOURCES }, normal);
  const decode = await median(() => void decoder.decode(displacements));
  return { frame: bake, decode, peakMiB: process.resourceUsage().maxRSS / 1024 };
}

async function measure({ kind, particles, few }: Job): Promise<Figures> {
  if (kind === "decoding in 3D") return measureDecoding();
  const spacing = SIDE / Math.sqrt(particles);
  const block = Float64Array.from(fillShape("box", 2, [SIDE, SIDE], spacing), (x) => x + 0.5);
  const result = (frame: number, decode = 0): Figures => ({
    frame: frame + decode,
    decode,
    peakMiB: process.resourceUsage().maxRSS / 1024,
  });
  if (kind === "MPM") {
    const cells = Math.round(1 / (2 * spacing));
    const substeps = Math.ceil(FRAME / largestTimeStep([MATERIALS.water], cells));
    const simulation = createSimulation({
      dim: 2,
      cells,
      dt: FRAME / substeps,
      bodies: [{ material: MATERIALS.water, positions: block }],
    });
    return result(await median(() => simulation.step(substeps)));
  }
  const config: StepperConfig =
    kind === "GIOROM"
      ? liteConfig({ dim: 2, hidden: WIDTH, grid: GRID, channels: 16 })
      : gnsConfig({ dim: 2, hidden: WIDTH });
  const chosen = kind === "GNS on all" ? undefined : farthestPoints(block, 2, few);
  const points = chosen ? pick(block, 2, chosen) : block;
  const radius = connectivityRadius(block, 2, points.length / 2);
  const setting = {
    bounds: BOUNDS,
    radius,
    latentRadius: defaultLatentRadius(latentGrid(GRID, BOUNDS)),
    statistics: {
      velocityMean: [0, 0],
      velocityStd: [1e-3, 1e-3],
      accelerationMean: [0, 0],
      accelerationStd: [1e-4, 1e-4],
    },
    noise: 0,
    frameInterval: FRAME,
  };
  const simulator = await openSimulator(exportStepper(stepper(config, SMALLEST), { config, setting }), {
    threads: 1,
  });
  const window = new Array<Float64Array>(config.history + 1).fill(points);
  const frame = await median(async () => {
    await simulator.step(window);
  });
  await simulator.release();
  if (kind !== "GIOROM") return result(frame);
  const geometry = { dim: 2, sources: points, queries: block } as const;
  const decoder = bakeRows(movingLeastSquaresRows(geometry), block, 2);
  const displacements = points.map((_, i) => 1e-3 * i);
  return result(frame, await median(() => void decoder.decode(displacements)));
}

const own = ownJob<Job>();
if (own) finishJob(await measure(own));
else await bench();

async function bench(): Promise<void> {
  const most = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);
  const sizes = SIZES.filter(([particles]) => particles <= most);
  const jobs: Job[] = sizes.flatMap(([particles, few]) => KINDS.map((kind) => ({ kind, particles, few })));
  jobs.push({ kind: "decoding in 3D", particles: DECODED, few: SOURCES });
  const folder = await mkdtemp(join(tmpdir(), "filigree-bench-"));
  const figures = await runJobs<Job, Figures>(jobs, 1, folder, ({ kind, particles }, { frame, peakMiB }) =>
    console.log(`${particles} particles, ${kind}: ${frame.toFixed(1)} ms, ${peakMiB.toFixed(0)} MiB`),
  );
  await rm(folder, { recursive: true });
  const rows = sizes.map(([particles, few], i) => {
    const [all, giorom, sparse, mpm] = figures.slice(4 * i, 4 * i + 4);
    return {
      particles,
      few,
      milliseconds: {
        all: all.frame,
        giorom: giorom.frame,
        decode: giorom.decode,
        few: sparse.frame,
        mpm: mpm.frame,
      },
      peakMiB: { all: all.peakMiB, giorom: giorom.peakMiB, few: sparse.peakMiB, mpm: mpm.peakMiB },
      /** GNS on all ÷ (GIOROM's step and decoding). */
      ratio: all.frame / giorom.frame,
      /** The honest control: what fewer particles alone give GNS. */
      ratioOfFewer: all.frame / sparse.frame,
    };
  });
  for (const r of rows)
    console.log(
      `${r.particles}: GNS ÷ GIOROM ${r.ratio.toFixed(1)}; GNS on all ÷ GNS on ${r.few} ${r.ratioOfFewer.toFixed(1)}`,
    );
  const last = figures[figures.length - 1];
  const decoding = {
    particles: DECODED,
    few: SOURCES,
    bakeMilliseconds: last.frame,
    frameMilliseconds: last.decode,
  };
  console.log(
    `${DECODED} points from ${SOURCES} in 3D: weights in ${last.frame.toFixed(0)} ms, a frame in ${last.decode.toFixed(2)} ms`,
  );
  if (Number.isFinite(most)) return;
  const claims = {
    "at 676 particles at least 10 times": rows[0].ratio >= 10,
    "the ratio grows with the particles": rows.every((r, i) => i === 0 || r.ratio > rows[i - 1].ratio),
    "25 times by 2,704": rows[1].ratio >= 25,
    "100 times by 99,856": rows[4].ratio >= 100,
    "100,000 points from 1,000 in 3D: weights within 1 s, a frame within 10 ms":
      decoding.bakeMilliseconds <= 1000 && decoding.frameMilliseconds <= 10,
    "decoding is at most a tenth of the step": rows.every(
      (r) => r.milliseconds.decode <= 0.1 * r.milliseconds.giorom,
    ),
  };
  await writeResults("giorom-speed", "npm run bench -- giorom", { rows, decoding, claims });
  reportMarks(Object.entries(claims).map(([claim, passed]) => ({ claim, passed })));
}
