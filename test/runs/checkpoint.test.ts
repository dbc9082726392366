import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSafetensors } from "../../src/data/safetensors.ts";
import { tensor } from "../../src/engine/tensor.ts";
import type { TrainingSnapshot } from "../../src/nn/trainer.ts";
import {
  decodeCheckpoint,
  encodeCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
} from "../../src/runs/checkpoint.node.ts";
import { writeWhole } from "../../src/runs/files.node.ts";
import { expectProblem, expectProblemLater } from "../data/support.ts";
import { temporaryFolder } from "./support.ts";

function snapshotAt(step: number): TrainingSnapshot {
  return {
    tensors: {
      "parameter/w": tensor("float32", [2, 2], [1, -0, Math.fround(0.1), 1e-45]),
      "momentum/w": tensor("float32", [2, 2], [step, 2, 3, 4]),
    },
    progress: { epoch: 1, stepInEpoch: 2, step, optimizerSteps: step, sums: { loss: 0.1 + 0.2 } },
    history: [{ epoch: 0, step: 10, loss: 1 / 3, learningRate: 0.1, metrics: { accuracy: 0.5 } }],
    sparsifier: { states: [{ lambda: Math.PI, frozen: undefined }] },
  };
}

const FULL = existsSync("/dev/full");

describe("a checkpoint", () => {
  test("comes back bit by bit", () => {
    const before = snapshotAt(7);
    const after = decodeCheckpoint(encodeCheckpoint(before), "c");
    const bits = (s: TrainingSnapshot) =>
      Object.entries(s.tensors).map(([name, t]) => [
        name,
        [...new Uint32Array(new Float32Array(t.data as Float32Array).buffer)],
      ]);
    expect(Object.fromEntries(bits(after))).toEqual(Object.fromEntries(bits(before)));
    expect(after.progress).toEqual(before.progress);
    expect(after.history).toEqual(before.history);
    expect(after.sparsifier).toEqual(before.sparsifier);
  });

  test("is a safetensors file", () => {
    expect([...readSafetensors(encodeCheckpoint(snapshotAt(7))).tensors.keys()]).toEqual([
      "momentum/w",
      "parameter/w",
    ]);
  });

  test("with a flipped bit or cut short is not believed", () => {
    const bytes = encodeCheckpoint(snapshotAt(7));
    const flipped = bytes.slice();
    flipped[bytes.length - 3] ^= 1;
    expectProblem(() => decodeCheckpoint(flipped, "c"), /damaged/);
    const state = bytes.slice();
    const at = Buffer.from(bytes).indexOf('optimizerSteps\\":7') + 'optimizerSteps\\":'.length;
    state[at] = "8".charCodeAt(0);
    expectProblem(() => decodeCheckpoint(state, "c"), /damaged/);
    for (const length of [0, 5, 100, bytes.length - 1])
      expectProblem(() => decodeCheckpoint(bytes.subarray(0, length), "c"), /^c: /);
  });

  test("that holds a NaN is not written", async () => {
    const folder = temporaryFolder();
    const bad = snapshotAt(7);
    (bad.tensors["parameter/w"].data as Float32Array)[2] = Number.NaN;
    await expectProblemLater(saveCheckpoint(folder, bad), /"parameter\/w" is no longer finite after step 7/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a folder of checkpoints", () => {
  test("keeps two and goes back to the older one where the newer is damaged", async () => {
    const folder = join(temporaryFolder(), "deep", "down");
    for (const step of [5, 10, 15]) await saveCheckpoint(folder, snapshotAt(step));
    expect(readdirSync(folder).sort()).toEqual(["step-00000010.safetensors", "step-00000015.safetensors"]);
    const warnings: string[] = [];
    const load = async () => (await loadCheckpoint(folder, (w) => warnings.push(w)))?.snapshot.progress.step;
    expect(await load()).toBe(15);
    expect(warnings).toEqual([]);
    const newest = join(folder, "step-00000015.safetensors");
    writeFileSync(newest, readFileSync(newest).subarray(0, 300));
    expect(await load()).toBe(10);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(newest);
    writeFileSync(join(folder, "step-00000010.safetensors"), "");
    expect(await load()).toBeUndefined();
  });

  test("sorts by number", async () => {
    const folder = temporaryFolder();
    for (const step of [99_999_999, 100_000_000]) await saveCheckpoint(folder, snapshotAt(step));
    expect((await loadCheckpoint(folder, () => {}))?.snapshot.progress.step).toBe(100_000_000);
  });
});

describe("writing a file", () => {
  test.skipIf(!FULL)("to a full disk leaves the old one and nothing else", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "model.onnx");
    await writeWhole(path, "old");
    // Whatever is written to the temporary file meets a device without space.
    symlinkSync("/dev/full", `${path}.tmp`);
    await expectProblemLater(
      writeWhole(path, "new"),
      /^cannot write .*model\.onnx: the disk is full; free some space/,
    );
    expect(readdirSync(folder)).toEqual(["model.onnx"]);
    expect(readFileSync(path, "utf8")).toBe("old");
  });

  test("below a file, or over a folder, is refused in one line", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    await expectProblemLater(writeWhole(join(folder, "file", "x"), "new"), /a part of this path is a file/);
    await expectProblemLater(writeWhole(folder, "new"), /^cannot write /);
    expect(readdirSync(folder)).toEqual(["file"]);
    expect(existsSync(`${folder}.tmp`)).toBe(false);
  });
});
