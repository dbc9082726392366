import { expect, test } from "vitest";
import { tensor } from "../../src/engine/tensor.ts";
import { listCheckpoints, saveCheckpoint } from "../../src/runs/checkpoint.node.ts";
import { openCheckpoints } from "../../src/runs/giorom/checkpoints.node.ts";
import { expectProblemLater } from "../data/support.ts";
import { temporaryFolder } from "./support.ts";

const SETTINGS = { network: "lite", seed: 0, noise: undefined };
const warn = (text: string) => {
  throw new Error(text);
};

async function save(folder: string, step: number): Promise<void> {
  const progress = { epoch: 1, stepInEpoch: 0, step, optimizerSteps: step, sums: {} };
  await saveCheckpoint(folder, {
    tensors: { w: tensor("float32", [1], [step]) },
    progress,
    history: [],
    sparsifier: undefined,
  });
}

test("a training goes on from its newest checkpoint, with the settings that it was started with", async () => {
  const folder = temporaryFolder();
  expect(await openCheckpoints(folder, SETTINGS, { resume: true, warn })).toBeUndefined();
  await save(folder, 5);
  await save(folder, 10);
  const found = await openCheckpoints(folder, { ...SETTINGS }, { resume: true, warn });
  expect(found?.progress.step).toBe(10);
  const go = (changed: object) =>
    openCheckpoints(folder, { ...SETTINGS, ...changed }, { resume: true, warn });
  await expectProblemLater(go({ seed: 1 }), /started with seed 0, not 1.*leave out --resume/);
  await expectProblemLater(go({ noise: 0.1 }), /started with noise not given, not 0\.1/);
});

test("what begins anew does not find, nor lose its checkpoints to, those of a longer training before it", async () => {
  const folder = temporaryFolder();
  await openCheckpoints(folder, SETTINGS, { warn });
  await save(folder, 100);
  await save(folder, 200);
  const other = { ...SETTINGS, seed: 1 };
  expect(await openCheckpoints(folder, other, { warn })).toBeUndefined();
  await save(folder, 5);
  expect(await listCheckpoints(folder)).toHaveLength(1);
  expect((await openCheckpoints(folder, other, { resume: true, warn }))?.progress.step).toBe(5);
});
