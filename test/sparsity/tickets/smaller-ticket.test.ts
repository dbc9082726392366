import { expect, test } from "vitest";
import { mlp } from "../../../src/nn/models/mlp.ts";
import { grokRun } from "../../../src/sparsity/tickets/grok-run.ts";
import { holdMasks } from "../../../src/sparsity/tickets/hold-masks.ts";
import { modularLesson } from "../../../src/sparsity/tickets/lesson.ts";
import { loadWeights, magnitudeMasks, maskWeights, weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { modularMlp } from "../../../src/sparsity/tickets/modular-mlp.ts";
import { smallerTicket } from "../../../src/sparsity/tickets/smaller-ticket.ts";
import { createTask, splitTask } from "../../../src/sparsity/tickets/tasks.ts";

const task = createTask("modadd", 13);
const build = () => modularMlp({ vocabulary: 13, classes: 13, width: 24, hidden: 10, seed: 2 });
const lesson = modularLesson(build(), task, splitTask(task, 0.7, 2));

/** Masks that leave neurons 0, 3 and 4 without inputs. */
function cutNeurons() {
  const model = build();
  const masks = new Map(magnitudeMasks(weightsOf(model), 0.3));
  const inproj = masks.get("inproj")!.slice();
  for (const neuron of [0, 3, 4]) inproj.fill(0, neuron * 24, (neuron + 1) * 24);
  masks.set("inproj", inproj);
  loadWeights(model, maskWeights(weightsOf(model), masks));
  return { model, masks };
}

test("it learns what the masked network learns, weight by weight, with fewer neurons", async () => {
  const { model, masks } = cutNeurons();
  const small = smallerTicket(model, masks);
  expect(small.model.parameters.get("inproj")!.shape).toEqual([7, 24]);
  const options = { steps: 100, learningRate: 2e-3 };
  const whole = await grokRun(model, lesson, { ...options, sparsifier: holdMasks(masks) });
  const less = await grokRun(small.model, lesson, { ...options, sparsifier: holdMasks(small.masks) });
  expect(less.curve).toEqual(whole.curve);
  const alive = [1, 2, 5, 6, 7, 8, 9];
  const rows = alive.flatMap((n) => Array.from(whole.weights.get("inproj")!.subarray(n * 24, n * 24 + 24)));
  rows.forEach((w, i) => expect(less.weights.get("inproj")![i]).toBeCloseTo(w, 4));
});

test("what has no mask gets none: biases live on", () => {
  const model = mlp({ inputShape: [3], classes: 2, hidden: [4], seed: 0 });
  const masks = new Map([["fc1.weight", new Uint8Array(12).fill(1)]]);
  const small = smallerTicket(model, masks);
  expect(small.masks).toEqual(masks);
  expect(small.model.parameters.get("fc1.bias")).toEqual(model.parameters.get("fc1.bias"));
});

test("a mask that cuts a living neuron besides is not the same network", async () => {
  const { model, masks } = cutNeurons();
  const inproj = masks.get("inproj")!.slice().fill(0, 24, 48);
  const small = smallerTicket(model, new Map([...masks, ["inproj", inproj]]));
  expect(small.model.parameters.get("inproj")!.shape).toEqual([6, 24]);
  const options = { steps: 100, learningRate: 2e-3 };
  const whole = await grokRun(model, lesson, { ...options, sparsifier: holdMasks(masks) });
  const less = await grokRun(small.model, lesson, { ...options, sparsifier: holdMasks(small.masks) });
  expect(Math.abs(less.loss / whole.loss - 1)).toBeGreaterThan(1e-3);
});
