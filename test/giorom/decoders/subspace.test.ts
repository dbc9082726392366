import { expect, test } from "vitest";
import { subspaceModes, trainSubspace } from "../../../src/giorom/decoders/neural-subspace.ts";
import { applyRows } from "../../../src/giorom/decoders/rows.ts";
import { splatRows } from "../../../src/giorom/decoders/splat.ts";
import { bakeModes, orthogonalModes } from "../../../src/giorom/decoders/subspace.ts";
import { pick } from "../../../src/giorom/sample.ts";
import { farthestPoints } from "../../../src/physics/sampling.ts";
import { random } from "../../../src/random.ts";
import { flat, largestDifference, vectors } from "../support.ts";

test("splat and gather of the vectors", () => {
  const { Xs, us, Xq, density, u } = vectors.splat2d;
  const geometry = {
    dim: 2 as const,
    sources: Float64Array.from(flat(Xs)),
    queries: Float64Array.from(flat(Xq)),
  };
  const rows = splatRows(geometry, { size: 6 });
  expect(largestDifference(applyRows(rows, flat(us), 2), flat(u))).toBeLessThan(1e-6);
  const empty = density.map((d) => d <= 1e-5);
  expect(empty.map((_, q) => rows.starts[q] === rows.starts[q + 1])).toEqual(empty);
  // Several places around a query reach further than the query alone.
  const wide = splatRows(geometry, { size: 6, draws: 8 });
  expect(wide.columns.length).toBeGreaterThan(rows.columns.length);
});

/** A cloud that moves in three ways at once, with other strengths in every frame. */
function moving(seed: number, points: number, frames: number) {
  const { uniform, normal } = random(seed);
  const start = Float64Array.from({ length: 2 * points }, () => 0.2 + 0.6 * uniform());
  const shapes = [
    (x: number, y: number) => [Math.sin(3 * x), y * y],
    (x: number, y: number) => [y, -x],
    (x: number, y: number) => [x * y, Math.cos(4 * y)],
  ];
  return Array.from({ length: frames }, (_, f) => {
    const strengths = shapes.map(() => (f === 0 ? 0 : 0.1 * normal()));
    return start.map((x, i) => {
      const [px, py] = [start[i - (i % 2)], start[i - (i % 2) + 1]];
      return x + shapes.reduce((sum, shape, s) => sum + strengths[s] * shape(px, py)[i % 2], 0);
    });
  });
}

test("proper orthogonal modes: three ways of moving need three modes, and sparse points find them", () => {
  const frames = moving(1, 150, 12);
  const snapshots = frames.slice(1, 9).map((f) => f.map((x, i) => x - frames[0][i]));
  const sources = farthestPoints(frames[0], 2, 20);
  const error = (count: number) => {
    const modes = orthogonalModes(snapshots, count);
    const own = pickRows(modes, sources, count);
    const u = pick(frames[10], 2, sources).map((x, i) => x - pick(frames[0], 2, sources)[i]);
    return largestDifference(
      bakeModes({ sources: own, queries: modes, count }, frames[0], 1e-12).decode(u),
      frames[10],
    );
  };
  // Results are float32.
  expect(error(3)).toBeLessThan(1e-5);
  expect(error(2)).toBeGreaterThan(1e-3);
  const modes = orthogonalModes(snapshots, 3);
  for (let a = 0; a < 3; a++)
    for (let b = 0; b < 3; b++) {
      let dot = 0;
      for (let i = 0; i < 300; i++) dot += modes[i * 3 + a] * modes[i * 3 + b];
      expect(dot).toBeCloseTo(a === b ? 1 : 0, 9);
    }
});

function pickRows(modes: Float64Array, points: Uint32Array, count: number): Float64Array {
  return Float64Array.from({ length: points.length * 2 * count }, (_, i) => {
    const [row, k] = [Math.floor(i / count), i % count];
    return modes[(2 * points[row >> 1] + (row & 1)) * count + k];
  });
}

test("neural modes serve points and motions that they were not trained on", async () => {
  const bytes = await trainSubspace({
    dim: 2,
    trajectories: [moving(2, 200, 10), moving(3, 200, 10)],
    steps: 250,
    seed: 0,
    threads: 1,
  });
  const frames = moving(7, 180, 4);
  const sources = farthestPoints(frames[0], 2, 40);
  const reference = pick(frames[0], 2, sources);
  const baked = bakeModes(
    await subspaceModes(bytes, { dim: 2, sources: reference, queries: frames[0] }),
    frames[0],
  );
  const u = pick(frames[3], 2, sources).map((x, i) => x - reference[i]);
  const rms = (a: ArrayLike<number>) =>
    Math.sqrt(frames[3].reduce((sum, x, i) => sum + (x - a[i]) ** 2, 0) / frames[3].length);
  const error = rms(baked.decode(u));
  expect(error).toBeLessThan(rms(frames[0]) / 10);
  const order = random(1).permutation(40);
  expect(rms(baked.decode(u.map((_, i) => u[2 * order[i >> 1] + (i & 1)])))).toBeGreaterThan(5 * error);
});
