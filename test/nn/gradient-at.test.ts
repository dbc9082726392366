import { expect, test } from "vitest";
import { tensor, zeros } from "../../src/engine/tensor.ts";
import { classification } from "../../src/nn/classification.ts";
import { vgg } from "../../src/nn/models/vgg.ts";
import { createTrainingStep } from "../../src/nn/training-step.ts";
import { random } from "../../src/random.ts";

test("the gradient at other weights is that of a step there, and leaves no trace", async () => {
  const build = () =>
    vgg({ inputShape: [1, 8, 8], classes: 2, batch: 8, seed: 3, layout: [4, "pool", 6], batchNorm: true });
  const rng = random(1);
  const input = zeros([8, 1, 8, 8]);
  for (let i = 0; i < input.data.length; i++) input.data[i] = rng.normal();
  const model = build();
  const feeds = { [model.inputs[0]]: input, labels: tensor("int32", [8], [0, 1, 0, 1, 1, 0, 0, 1]) };
  const step = await createTrainingStep(model, classification(), { threads: 1 });
  await step.run(feeds);
  const statistics = () =>
    [...model.constants].map(([name, t]) => [name, Array.from(t.data as Float32Array)]);
  const here = { w: step.parameters.values.slice(), g: step.gradients.values.slice(), s: statistics() };

  const there = here.w.map((w) => w + 0.1 * rng.normal());
  const found = new Float32Array(there.length);
  await step.gradientAt(feeds, there, found);
  expect(step.parameters.values).toEqual(here.w);
  expect(step.gradients.values).toEqual(here.g);
  expect(statistics()).toEqual(here.s);

  const other = await createTrainingStep(build(), classification(), { threads: 1 });
  other.parameters.values.set(there);
  await other.run(feeds);
  expect(found).toEqual(other.gradients.values.slice());
  // Control: a gradient elsewhere is another one.
  expect(found).not.toEqual(here.g);
  await Promise.all([step.release(), other.release()]);
});
