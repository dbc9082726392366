import { expect, test } from "vitest";
import { frameDecoder } from "../../../src/giorom/decoders/decode-frames.ts";
import { openFrameNetwork, trainFrameNetwork } from "../../../src/giorom/decoders/frame-network.ts";
import { applyRows, bakeRows } from "../../../src/giorom/decoders/rows.ts";
import { splatRows } from "../../../src/giorom/decoders/splat.ts";
import {
  type Geometry,
  movingLeastSquaresRows,
  nearestRows,
} from "../../../src/giorom/decoders/weightings.ts";
import { pick } from "../../../src/giorom/sample.ts";
import { farthestPoints } from "../../../src/physics/sampling.ts";
import { random } from "../../../src/random.ts";

/** A square of points, stretched and turned by as much as the frame says. */
function turning(seed: number, side: number): Float64Array[] {
  const { normal } = random(seed);
  const [turn, stretch] = [0.4 * normal(), 0.2 * normal()];
  const start = Float64Array.from(
    { length: 2 * side * side },
    (_, i) => 0.3 + (0.4 * (i % 2 ? Math.floor(i / 2) % side : Math.floor(i / 2 / side))) / side,
  );
  return [0, 0.3, 0.6, 1].map((t) =>
    start.map((_, i) => {
      const [x, y] = [start[i - (i % 2)] - 0.5, start[i - (i % 2) + 1] - 0.5];
      const [c, s] = [Math.cos(turn * t), Math.sin(turn * t)];
      return 0.5 + (i % 2 ? (1 - stretch * t) * (s * x + c * y) : (1 + stretch * t) * (c * x - s * y));
    }),
  );
}

const rms = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum / a.length);
};

test.each(["ball", "splat"] as const)(
  "%s: trained, better than no network; displacements of others are worse",
  async (kind) => {
    const bytes = await trainFrameNetwork(kind, {
      dim: 2,
      trajectories: Array.from({ length: 8 }, (_, i) => turning(i, 14)),
      steps: kind === "ball" ? 500 : 250,
      seed: 0,
      threads: 1,
    });
    const frames = turning(40, 15);
    const chosen = farthestPoints(frames[0], 2, 45);
    const geometry: Geometry = { dim: 2, sources: pick(frames[0], 2, chosen), queries: frames[0] };
    const decoder = await openFrameNetwork(bytes, geometry, { threads: 1 });
    const u = pick(frames[3], 2, chosen).map((x, i) => x - geometry.sources[i]);
    const error = rms(await decoder.decode(u), frames[3]);
    const order = random(1).permutation(45);
    const permuted = rms(await decoder.decode(u.map((_, i) => u[2 * order[i >> 1] + (i & 1)])), frames[3]);
    await decoder.release();
    const plain = kind === "splat" ? splatRows(geometry, { draws: 8 }) : nearestRows(geometry);
    const without = applyRows(plain, u, 2).map((x, i) => x + frames[0][i]);
    expect(error).toBeLessThan(rms(frames[0], frames[3]) / 2);
    if (kind === "splat") expect(error).toBeLessThan(rms(without, frames[3]));
    expect(permuted).toBeGreaterThan(1.5 * error);
  },
);

test("re-basing: a cloud that turns further than its first neighbours tell", async () => {
  const steps = 40;
  const start = turning(1, 12)[0];
  // Half of it slides past the other half, faster and faster.
  const frames = Array.from({ length: steps }, (_, t) =>
    start.map((x, i) => (i % 2 === 0 ? x + 0.4 * (t / steps) ** 2 * Math.sin(9 * start[i + 1]) : x)),
  );
  const chosen = farthestPoints(start, 2, 30);
  const geometry: Geometry = { dim: 2, sources: pick(start, 2, chosen), queries: start };
  let baked = 0;
  const run = async (rebaseEvery?: number) => {
    baked = 0;
    const decoder = await frameDecoder(geometry, {
      bake: (g) => {
        baked++;
        return bakeRows(movingLeastSquaresRows(g), g.queries, 2);
      },
      rebaseEvery,
    });
    let last = new Float32Array();
    for (const frame of frames.slice(1)) last = (await decoder.next(pick(frame, 2, chosen))).slice();
    return { error: rms(last, frames[steps - 1]), baked };
  };
  const never = await run();
  expect(never.baked).toBe(1);
  const often = await run(13);
  expect(often.baked).toBe(4);
  // With one frame a base the pieces add up to the whole for what is affine; a rigid shift is exact either way.
  expect(often.error).not.toBe(never.error);
  const shifted = frameDecoder(geometry, {
    bake: (g) => bakeRows(movingLeastSquaresRows(g), g.queries, 2),
    rebaseEvery: 2,
  });
  const decoder = await shifted;
  let found = new Float32Array();
  for (let t = 1; t <= 5; t++)
    found = (await decoder.next(geometry.sources.map((x) => x + 0.01 * t))).slice();
  expect(
    rms(
      found,
      start.map((x) => x + 0.05),
    ),
  ).toBeLessThan(1e-6);
});
