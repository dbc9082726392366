/** giorom.md P4: all particles from the true displacements of a fifth of them, on trajectories that no decoder was trained on. */
import { frameDecoder } from "../src/giorom/decoders/decode-frames.ts";
import { openFrameNetwork, trainFrameNetwork } from "../src/giorom/decoders/frame-network.ts";
import { openKernelDecoder, trainKernelDecoder } from "../src/giorom/decoders/kernel-decoder.ts";
import { subspaceModes, trainSubspace } from "../src/giorom/decoders/neural-subspace.ts";
import { bakeRows, type Rows } from "../src/giorom/decoders/rows.ts";
import { splatRows } from "../src/giorom/decoders/splat.ts";
import { bakeModes, orthogonalModes } from "../src/giorom/decoders/subspace.ts";
import {
  type Geometry,
  inverseDistanceRows,
  movingLeastSquaresRows,
  nearestRows,
} from "../src/giorom/decoders/weightings.ts";
import type { Positions } from "../src/giorom/features.ts";
import { pick } from "../src/giorom/sample.ts";
import { startRecording } from "../src/physics/recording.ts";
import { farthestPoints } from "../src/physics/sampling.ts";
import { trajectorySeed } from "../src/physics/trajectory.ts";
import { random } from "../src/random.ts";
import { reportMarks } from "./support/marks.ts";
import { writeResults } from "./support/results.ts";

const MATERIALS = ["jelly", "water", "sand"] as const;
const TRAINING = 24;
const TESTS = 6;
const FRAMES = 120;
const RATIO = 0.2;
const SHOWN = [20, 60, 119];
const REBASE = 20;
const POD_FRAMES = 60;
const POD_MODES = 32;

function record(
  material: (typeof MATERIALS)[number],
  split: "train" | "test",
  index: number,
): Float32Array[] {
  const seed = trajectorySeed(4, split, index);
  const recording = startRecording({
    scene: "drop",
    dim: 2,
    bodies: 1,
    seed,
    split,
    shape: "box",
    materials: [material],
  });
  return Array.from({ length: FRAMES }, (_, t) => {
    if (t > 0) recording.advance();
    return recording.positions();
  });
}

interface Scene {
  frames: Float32Array[];
  chosen: Uint32Array;
  geometry: Geometry;
}

type Bake = (
  geometry: Geometry,
  scene: Scene,
) => Promise<{ decode(u: Positions): ArrayLike<number> | Promise<ArrayLike<number>> }>;

const rowsOf =
  (rows: (geometry: Geometry) => Rows | Promise<Rows>): Bake =>
  async (geometry) =>
    bakeRows(await rows(geometry), geometry.queries, 2);

const rows: { material: string; decoder: string; errors: number[] }[] = [];
for (const material of MATERIALS) {
  const training = Array.from({ length: TRAINING }, (_, i) => record(material, "train", i));
  const options = { dim: 2, trajectories: training, ratio: RATIO, seed: 0, threads: 1 } as const;
  const kernel = await openKernelDecoder(await trainKernelDecoder(options), { threads: 1 });
  const subspace = await trainSubspace(options);
  const splat = await trainFrameNetwork("splat", options);
  const ball = await trainFrameNetwork("ball", options);
  const scenes = Array.from({ length: TESTS }, (_, i): Scene => {
    const frames = record(material, "test", i);
    const chosen = farthestPoints(frames[0], 2, Math.round((RATIO * frames[0].length) / 2));
    return { frames, chosen, geometry: { dim: 2, sources: pick(frames[0], 2, chosen), queries: frames[0] } };
  });
  const decoders: Record<string, { bake: Bake; rebase?: number; permute?: boolean }> = {
    "rigid translation": {
      bake: rowsOf(({ sources, queries }) => {
        const n = sources.length / 2;
        const q = queries.length / 2;
        return {
          sources: n,
          starts: Uint32Array.from({ length: q + 1 }, (_, i) => i * n),
          columns: Uint32Array.from({ length: q * n }, (_, i) => i % n),
          weights: new Float32Array(q * n).fill(1 / n),
        };
      }),
    },
    nearest: { bake: rowsOf(nearestRows) },
    "inverse distance": { bake: rowsOf(inverseDistanceRows) },
    "moving least squares": { bake: rowsOf(movingLeastSquaresRows) },
    "splat and gather, no network": { bake: rowsOf((g) => splatRows(g, { draws: 8 })) },
    "modes of the trajectory's own first half": {
      bake: async (geometry, { frames, chosen }) => {
        const snapshots = frames.slice(1, POD_FRAMES).map((f) => f.map((x, i) => x - frames[0][i]));
        const queries = orthogonalModes(snapshots, POD_MODES);
        const count = queries.length / frames[0].length;
        const sources = Float64Array.from({ length: chosen.length * 2 * count }, (_, i) => {
          const row = Math.floor(i / count);
          return queries[(2 * chosen[row >> 1] + (row & 1)) * count + (i % count)];
        });
        return bakeModes({ sources, queries, count }, geometry.queries);
      },
    },
    "neural subspace": {
      bake: async (geometry) => bakeModes(await subspaceModes(subspace, geometry), geometry.queries),
    },
    "splat, gather and network": { bake: (geometry) => openFrameNetwork(splat, geometry, { threads: 1 }) },
    "network of the sources, mean over a ball": {
      bake: (geometry) => openFrameNetwork(ball, geometry, { threads: 1 }),
    },
    kernel: { bake: rowsOf((g) => kernel.rows(g)) },
    "kernel, affine": { bake: rowsOf((g) => kernel.rows(g, { affine: true })) },
    [`moving least squares, re-based every ${REBASE} frames`]: {
      bake: rowsOf(movingLeastSquaresRows),
      rebase: REBASE,
    },
    "control: displacements of other particles": { bake: rowsOf(inverseDistanceRows), permute: true },
  };
  for (const [decoder, { bake, rebase, permute }] of Object.entries(decoders)) {
    const squares = SHOWN.map(() => 0);
    for (const scene of scenes) {
      const { frames, chosen, geometry } = scene;
      const baked = async (g: Geometry) => {
        const own = await bake(g, scene);
        return { decode: async (u: Positions) => Float32Array.from(await own.decode(u)) };
      };
      const decoding = await frameDecoder(geometry, { bake: baked, rebaseEvery: rebase });
      const order = random(2).permutation(chosen.length);
      for (let t = 1; t < FRAMES; t++) {
        const at = SHOWN.indexOf(t);
        if (at < 0 && rebase === undefined) continue;
        const now = pick(frames[t], 2, chosen);
        const moved = permute
          ? now.map(
              (_, i) =>
                geometry.sources[i] +
                now[2 * order[i >> 1] + (i & 1)] -
                geometry.sources[2 * order[i >> 1] + (i & 1)],
            )
          : now;
        const found = await decoding.next(moved);
        if (at >= 0)
          squares[at] +=
            found.reduce((sum, x, i) => sum + (x - frames[t][i]) ** 2, 0) / (frames[t].length / 2) / TESTS;
      }
    }
    rows.push({ material, decoder, errors: squares.map(Math.sqrt) });
    console.log(material, decoder, squares.map((s) => Math.sqrt(s).toFixed(4)).join(" / "));
  }
  await kernel.release();
}

const error = (material: string, decoder: string) =>
  rows.find((r) => r.material === material && r.decoder === decoder)!.errors[2];
const rebased = `moving least squares, re-based every ${REBASE} frames`;
const claims = {
  "the kernel beats nearest and inverse distances on every material": MATERIALS.every(
    (m) => error(m, "kernel") < Math.min(error(m, "nearest"), error(m, "inverse distance")),
  ),
  "it beats moving least squares on water and sand": ["water", "sand"].every(
    (m) => error(m, "kernel") < error(m, "moving least squares"),
  ),
  "re-basing helps where neighbours part: water and sand": ["water", "sand"].every(
    (m) => error(m, rebased) < error(m, "moving least squares"),
  ),
  "control: displacements of other particles are worse than one for all": MATERIALS.every(
    (m) => error(m, "control: displacements of other particles") > error(m, "rigid translation"),
  ),
};
await writeResults("giorom-decoders", "npm run protocol -- giorom-decoders", {
  frames: SHOWN,
  ratio: RATIO,
  training: TRAINING,
  tests: TESTS,
  rows,
  claims,
});
reportMarks(Object.entries(claims).map(([claim, passed]) => ({ claim, passed })));
