import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { writeNpz } from "../../src/data/npz.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { renderParticles } from "../../src/runs/giorom/render.node.ts";
import { loadSparseSet, readSetMetadata, trajectoryFiles } from "../../src/runs/giorom/sparse-set.node.ts";
import { checkDecoder } from "../../src/runs/giorom/train.node.ts";
import { archiveOf, openParticles } from "../../src/runs/particle-file.node.ts";
import { expectProblemLater, SHARED_DATA } from "../data/support.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "filigree-lagrangebench-"));
  return () => rmSync(folder, { recursive: true });
});

const FRAMES = 9;
const POINTS = 24;
const METADATA = {
  dim: 2,
  dt: 1e-3,
  write_every: 10,
  bounds: [
    [0, 2],
    [0, 1],
  ],
  periodic_boundary_conditions: [false, false, true],
};

/** A lattice of fluid that speeds up, with one moving wall particle in four that jumps. */
const isWall = (i: number) => i % 4 === 1;
const at = (seed: number, t: number, i: number) => [
  0.2 + 0.2 * (i % 6) + (isWall(i) ? 0.05 * (t % 2) : 1e-3 * (1 + seed) * t ** 2),
  0.2 + 0.1 * Math.floor(i / 6),
];

function write(
  path: string,
  seeds: readonly number[],
  types = (i: number): number => (isWall(i) ? 2 : 0),
): void {
  const arrays = new Map<string, Tensor>();
  seeds.forEach((seed, n) => {
    const key = String(n).padStart(5, "0");
    const positions = Float32Array.from({ length: FRAMES * POINTS * 2 }, (_, e) => {
      const [t, i] = [Math.floor(e / (2 * POINTS)), (e >> 1) % POINTS];
      return at(seed, t, i)[e % 2];
    });
    arrays.set(`${key}_position`, tensor("float32", [FRAMES, POINTS, 2], positions));
    const kinds = Int32Array.from({ length: POINTS }, (_, i) => types(i));
    arrays.set(`${key}_particle_type`, tensor("int32", [POINTS], kinds));
  });
  writeFileSync(path, writeNpz(arrays));
}

function writeSet(metadata: object = METADATA): void {
  write(join(folder, "train.npz"), [0, 1]);
  write(join(folder, "valid.npz"), [2]);
  write(join(folder, "test.npz"), [3, 4, 5]);
  writeFileSync(join(folder, "metadata.json"), JSON.stringify(metadata));
}

const options = { ratio: 0.5, samples: 2, seed: 0 };

test("a set in LagrangeBench's layout: splits, types in GNS's numbers, statistics of the fluid alone", async () => {
  writeSet();
  const set = await loadSparseSet(folder, options);
  expect(set.metadata).toEqual({ dim: 2, dt: 0.01, bounds: METADATA.bounds });
  expect([set.training.length, set.validation.length, set.types]).toEqual([4, 1, 2]);
  expect(new Set(Array.from(set.training[0].types!))).toEqual(new Set([3, 5]));
  expect(set.validation[0].frames.length).toBe(FRAMES);
  // The fluid speeds up evenly, the seeds by 2e-3 and 4e-3 a frame²; walls would add hundredths.
  expect(set.statistics.accelerationMean[0]).toBeCloseTo(3e-3, 6);
  expect(set.statistics.accelerationStd[0]).toBeCloseTo(1e-3, 6);

  const tests = await trajectoryFiles(folder, "test");
  expect(tests).toEqual(["00000", "00001", "00002"].map((key) => join(folder, "test.npz", key)));
  expect(archiveOf(tests[1])).toBe(join(folder, "test.npz"));
  const file = await openParticles(tests[1]);
  expect([file.frames, file.points, file.dim, file.tracers]).toEqual([FRAMES, POINTS, 2, 0]);
  expect([...file.particleTypes].slice(0, 4)).toEqual([5, 3, 5, 5]);
  const frame = await file.frame(7);
  for (const i of [0, 1, 23]) for (const k of [0, 1]) expect(frame[2 * i + k]).toBeCloseTo(at(4, 7, i)[k], 6);
  await file.close();
  const { panels, points } = await renderParticles({ file: tests[1], points: 12, stride: 1 });
  expect([panels, points]).toEqual([["recording"], 12]);

  await checkDecoder(folder, "kernel");
  await expectProblemLater(
    checkDecoder(folder, "splat"),
    /splat decodes in the unit box, which the set's bounds/,
  );
});

test("all of LagrangeBench's types, and one trajectory alone", async () => {
  const path = join(folder, "one.npz");
  write(path, [0], (i) => i % 4);
  // Its rigid bodies have the number of GNS's obstacles, but move as they are pushed.
  const file = await openParticles(path);
  expect([...file.particleTypes].slice(0, 4)).toEqual([5, 3, 3, 0]);
  await file.close();
  write(path, [0], () => 8);
  await expectProblemLater(
    openParticles(path),
    /one\.npz: a particle is of type 8; LagrangeBench's are 0 to 3/,
  );
});

test("what cannot be read is refused", async () => {
  writeSet({ ...METADATA, periodic_boundary_conditions: [true, true, true] });
  await expectProblemLater(loadSparseSet(folder, options), /metadata\.json: the box is periodic; neighbours/);
  await expectProblemLater(
    openParticles(join(folder, "test.npz")),
    /test\.npz: holds 3 trajectories; name one, such as .*test\.npz.00000/,
  );
  await expectProblemLater(
    openParticles(join(folder, "test.npz", "00007")),
    /test\.npz: has no trajectory 00007; there are 3, from 00000/,
  );
  writeFileSync(join(folder, "metadata.json"), JSON.stringify(METADATA));
  rmSync(join(folder, "train.npz"));
  await expectProblemLater(loadSparseSet(folder, options), /has no train\/\*\.npz; make a set/);
  writeFileSync(join(folder, "train.h5"), "");
  await expectProblemLater(
    loadSparseSet(folder, options),
    /holds HDF5 files, which are not read; save their/,
  );
});

// Described in the data's README: 3 particles in a periodic box of side 5 whose momentum is conserved.
const LJ3 = join(SHARED_DATA, "particles", "lj3");
if (!existsSync(LJ3)) console.warn(`no real data at ${LJ3}: the test of LagrangeBench's own set is skipped`);

test.skipIf(!existsSync(LJ3))("LagrangeBench's own test set", async () => {
  for (const [split, frames] of [
    ["train", 1214],
    ["valid", 405],
    ["test", 405],
  ] as const) {
    const paths = await trajectoryFiles(LJ3, split as "train");
    expect(paths).toEqual([join(LJ3, `${split}.npz`, "00000")]);
    const file = await openParticles(paths[0]);
    expect([file.frames, file.points, file.dim]).toEqual([frames, 3, 3]);
    let before = await file.frame(0);
    let first: number[] | undefined;
    let [low, high, drift] = [5, 0, 0];
    for (let t = 1; t < frames; t++) {
      const now = await file.frame(t);
      const momentum = [0, 0, 0];
      now.forEach((x, i) => {
        [low, high] = [Math.min(low, x), Math.max(high, x)];
        momentum[i % 3] += x - before[i] - 5 * Math.round((x - before[i]) / 5);
      });
      first ??= momentum;
      for (const k of [0, 1, 2]) drift = Math.max(drift, Math.abs(momentum[k] - first[k]));
      before = now;
    }
    expect(low).toBeGreaterThanOrEqual(0);
    expect(high).toBeLessThan(5);
    expect(drift).toBeLessThan(1e-5);
    await file.close();
  }
  await expectProblemLater(readSetMetadata(LJ3), /the box is periodic/);
});
