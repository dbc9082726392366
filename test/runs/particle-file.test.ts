import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readNpz, writeNpz } from "../../src/data/npz.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { startRecording } from "../../src/physics/recording.ts";
import { openParticles, saveRecording } from "../../src/runs/particle-file.node.ts";
import { simulateParticleSet } from "../../src/runs/particle-set.node.ts";
import { expectProblemLater } from "../data/support.ts";

const folder = mkdtempSync(join(tmpdir(), "filigree-particles-"));
const small = { scene: "column", dim: 2, seed: 4, bodies: 1, points: 120, materials: ["sand"] } as const;
const record = () => startRecording({ ...small, tracers: 30 });

test("a recording comes back frame by frame, tracers last", async () => {
  const path = join(folder, "sand.npz");
  const seen: Float32Array[] = [];
  expect(
    await saveRecording(path, record(), { frames: 5, onFrame: (positions) => seen.push(positions) }),
  ).toBe(5);
  const file = await openParticles(path);
  expect([file.frames, file.points, file.dim, file.tracers]).toEqual([5, 150, 2, 30]);
  expect(file.metadata).toEqual(record().metadata);
  expect(new Set(file.particleTypes)).toEqual(new Set([6]));
  for (const t of [4, 0, 2]) expect(await file.frame(t)).toEqual(seen[t]);
  for (const t of [-1, 1.5, 5, Number.NaN])
    await expectProblemLater(file.frame(t), new RegExp(`sand\\.npz: there is no frame ${t}; there are 5`));
  await file.close();
  const whole = readNpz(new Uint8Array(readFileSync(path)));
  expect(whole.get("positions")!.shape).toEqual([5, 150, 2]);
});

test("stopping keeps the frames so far, or nothing", async () => {
  const path = join(folder, "stopped.npz");
  const stop = (after: number) => {
    const controller = new AbortController();
    return {
      signal: controller.signal,
      onFrame: (_: Float32Array, frame: number) => frame === after && controller.abort(),
    };
  };
  expect(await saveRecording(path, record(), { frames: 50, ...stop(2) })).toBe(3);
  const file = await openParticles(path);
  expect(file.frames).toBe(3);
  await file.close();
  const none = join(folder, "none.npz");
  await saveRecording(none, record(), { frames: 50, ...stop(0) });
  await saveRecording(none, record(), { frames: 50, whole: true, ...stop(3) });
  expect(existsSync(none) || existsSync(`${none}.tmp`)).toBe(false);
});

test("the GNS layout, and what is no trajectory", async () => {
  const path = join(folder, "other.npz");
  const write = (arrays: Record<string, Tensor>) =>
    writeFileSync(path, writeNpz(new Map(Object.entries(arrays))));
  const positions = tensor("float64", [2, 2, 3], [...Array(12).keys()]);
  write({ positions, particle_type: tensor("int64", [2], BigInt64Array.of(5n, 6n)) });
  const file = await openParticles(path);
  expect([file.dim, file.points, file.metadata, [...file.particleTypes]]).toEqual([3, 2, undefined, [5, 6]]);
  expect([...(await file.frame(1))]).toEqual([6, 7, 8, 9, 10, 11]);
  await file.close();

  // Arrays called metadata that are not ours.
  const bytes = (text: string) => tensor("uint8", [text.length], [...new TextEncoder().encode(text)]);
  for (const metadata of [bytes("{}"), bytes("hello"), bytes("null"), tensor("float32", [2], [0, 1])]) {
    write({ positions, metadata });
    const foreign = await openParticles(path);
    expect([foreign.points, foreign.tracers, foreign.metadata]).toEqual([2, 0, undefined]);
    await foreign.close();
  }

  write({ positions: tensor("float32", [2, 1, 2], [0, 1, 2, Number.NaN]) });
  const broken = await openParticles(path);
  await expect(broken.frame(1)).rejects.toThrow("frame 1: particle 0 is at NaN");
  await broken.close();
  write({ positions: tensor("float32", [1, 2, 2], [0, 1, 2, 3]) });
  await expect(openParticles(path)).rejects.toThrow("nothing moves in fewer than 2");
  write({ positions: tensor("float32", [2, 2], [0, 1, 2, 3]) });
  await expect(openParticles(path)).rejects.toThrow("expected [frames, points, 2 or 3]");
  write({ x: positions });
  await expect(openParticles(path)).rejects.toThrow('no array "positions"');
  write({ positions, particle_type: tensor("uint8", [3], [1, 2, 3]) });
  await expect(openParticles(path)).rejects.toThrow("2 points, but 3 values");
  await expect(openParticles(join(folder, "absent.npz"))).rejects.toThrow("no such file");
});

test("a set has splits that share nothing, and the statistics of its training part", async () => {
  const root = join(folder, "set");
  const result = await simulateParticleSet(root, {
    ...small,
    frames: 6,
    trajectories: { train: 2, test: 1 },
  });
  expect(result.trajectories).toEqual({ train: 2, test: 1 });
  const files = ["train/0000.npz", "train/0001.npz", "test/0000.npz"];
  const first: string[] = [];
  const steps: number[] = [];
  for (const name of files) {
    const file = await openParticles(join(root, name));
    expect(file.metadata!.split).toBe(name.split("/")[0]);
    first.push((await file.frame(0)).join());
    if (name.startsWith("train"))
      for (let t = 1; t < 6; t++) {
        const [before, after] = [await file.frame(t - 1), await file.frame(t)];
        for (let i = 1; i < after.length; i += 2) steps.push(after[i] - before[i]);
      }
    await file.close();
  }
  expect(new Set(first).size).toBe(3);
  const metadata = JSON.parse(readFileSync(join(root, "metadata.json"), "utf8"));
  const mean = steps.reduce((a, b) => a + b) / steps.length;
  expect(metadata.vel_mean[1]).toBeCloseTo(mean, 12);
  expect(metadata.vel_std[1]).toBeCloseTo(
    Math.sqrt(steps.reduce((sum, x) => sum + (x - mean) ** 2, 0) / steps.length),
    12,
  );
  expect(metadata).toMatchObject({
    dim: 2,
    dt: 0.005,
    sequence_length: 5,
    default_connectivity_radius: 2.2 / 32,
  });

  // Again and larger it may be made in its place; a smaller one would leave some of these among its own.
  const options = { ...small, frames: 2 };
  await simulateParticleSet(root, { ...options, trajectories: { train: 2, test: 1 } });
  await expect(
    simulateParticleSet(root, { ...options, trajectories: { train: 1, test: 1 } }),
  ).rejects.toThrow(/train holds 0001\.npz, which is not one of the 1 asked for; choose another folder/);
  await expect(
    simulateParticleSet(root, { ...options, bodies: 0, trajectories: { train: 2, test: 1 } }),
  ).rejects.toThrow(/bodies/);
  expect(existsSync(join(root, "metadata.json"))).toBe(true);
  // What a stopped one leaves behind is no set.
  await simulateParticleSet(root, {
    ...options,
    trajectories: { train: 3, test: 1 },
    signal: AbortSignal.abort(),
  });
  expect(existsSync(join(root, "metadata.json"))).toBe(false);
});
