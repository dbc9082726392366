import { expect, test } from "vitest";
import { tensor } from "../../src/engine/tensor.ts";
import { evaluateSession } from "../../src/nn/classification.ts";
import { mlp } from "../../src/nn/models/mlp.ts";

/** Of a session that says the same of every sample. */
async function evaluationOf(scores: readonly number[], labels: readonly number[]) {
  const model = mlp({ inputShape: [1], hidden: [], classes: scores.length, batch: 2 });
  const logits = tensor("float32", [2, scores.length], [...scores, ...scores]);
  const session = { run: async () => ({ [model.outputs[0]]: logits }) };
  const inputs = { dtype: "uint8" as const, shape: [labels.length, 1], data: new Uint8Array(labels.length) };
  const split = { inputs, labels: Int32Array.from(labels) };
  const scale = { mean: [0], std: [1] };
  return await evaluateSession(session, model, split, scale);
}

test("top-5 accuracy counts the samples whose class is among the five highest scores", async () => {
  const scores = [0.1, 0.9, 0.3, 0.8, 0.7, 0.2, 0.6];
  // Ranks 6, 0, 4, 1, 2, 5, 3.
  expect(await evaluationOf(scores, [0, 1, 2, 3, 4, 5, 6])).toMatchObject({
    accuracy: 1 / 7,
    top5Accuracy: 5 / 7,
  });
  // Of equal scores the first five count, as the first one does in the accuracy.
  expect(await evaluationOf(Array(7).fill(1), [0, 1, 2, 3, 4, 5, 6])).toMatchObject({
    accuracy: 1 / 7,
    top5Accuracy: 5 / 7,
  });
  expect(await evaluationOf(Array(7).fill(Number.NaN), [1])).toMatchObject({ top5Accuracy: 0 });
  expect(await evaluationOf([3, 2, 1, 0, -1], [4])).toMatchObject({ top5Accuracy: null });
});
