import { glyphs } from "../../src/data/synthetic/glyphs.ts";
import type { Device } from "../../src/engine/session.ts";
import { classification, classificationSource } from "../../src/nn/classification.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { train } from "../../src/nn/trainer.ts";

/** The losses of ten training steps from fixed seeds: what Node and browsers must agree on. */
export async function tenSteps(device?: Device): Promise<number[]> {
  const data = glyphs({ train: 200, test: 10, seed: 1 });
  const model = smallCnn({ inputShape: data.inputShape, classes: 10, batch: 20, seed: 1 });
  const source = classificationSource(model, data.train, data.scale, { seed: 1 });
  const losses: number[] = [];
  await train(model, classification(), source, {
    epochs: 1,
    optimizer: { kind: "sgd", momentum: 0.9 },
    learningRate: 0.05,
    threads: 1,
    device,
    onStep: ({ loss }) => losses.push(loss),
  });
  return losses;
}
