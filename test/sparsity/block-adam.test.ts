import { expect, test } from "vitest";
import { flatArrays } from "../../src/engine/parameters.ts";
import { classification } from "../../src/nn/classification.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { train } from "../../src/nn/trainer.ts";
import { random } from "../../src/random.ts";
import { createBlockAdam } from "../../src/sparsity/block-adam.ts";
import { analyzeChannels, streamPartition } from "../../src/sparsity/channels.ts";
import { createKAnneal } from "../../src/sparsity/k-anneal.ts";

const KINDS = ["adam", "adamw"] as const;

test.each(KINDS)(
  "grouped weights move by their mean over the group's root mean square, the others as in %s",
  (kind) => {
    const layout = [
      ["w", [4, 4]],
      ["free", [5]],
    ] as const;
    const parameters = flatArrays(layout);
    const gradients = flatArrays(layout);
    const rng = random(1);
    for (let i = 0; i < parameters.values.length; i++) parameters.values[i] = rng.normal();
    // The last row of w is in no group.
    const partition = { groups: 3, parts: [{ parameter: "w", outer: 1, channels: 4, inner: 4 }] };
    const [beta1, beta2, epsilon, rate, decay] = [0.9, 0.99, 1e-6, 0.05, 0.3];
    const optimizer = createBlockAdam(
      { kind, betas: [beta1, beta2], epsilon },
      { parameters, gradients, weightDecay: (name) => (name === "free" ? decay : 0) },
      [partition],
    );
    // The same in double precision, written out from the definition.
    const w = Array.from(parameters.values);
    const m = w.map(() => 0);
    const v = w.map(() => 0);
    for (let t = 1; t <= 4; t++) {
      for (let i = 0; i < w.length; i++) gradients.values[i] = rng.normal();
      const g = Array.from(gradients.values);
      optimizer.step(rate);
      for (let i = 0; i < w.length; i++) {
        const d = g[i] + (kind === "adam" && i >= 16 ? decay * w[i] : 0);
        m[i] = beta1 * m[i] + (1 - beta1) * d;
        v[i] = beta2 * v[i] + (1 - beta2) * d ** 2;
      }
      const corrected = v.map((x) => x / (1 - beta2 ** t));
      for (let j = 0; j < 3; j++) {
        const h = Math.sqrt(corrected.slice(4 * j, 4 * j + 4).reduce((a, b) => a + b, 0) / 4) + epsilon;
        expect(optimizer.metric(0)[j]).toBeCloseTo(h, 5);
        for (let i = 4 * j; i < 4 * j + 4; i++) w[i] -= (rate * m[i]) / (1 - beta1 ** t) / h;
      }
      for (let i = 12; i < 21; i++) {
        if (kind === "adamw" && i >= 16) w[i] *= 1 - rate * decay;
        w[i] -= (rate * m[i]) / (1 - beta1 ** t) / (Math.sqrt(corrected[i]) + epsilon);
      }
      w.forEach((x, i) => expect(parameters.values[i]).toBeCloseTo(x, 5));
    }
    expect(optimizer.steps).toBe(4);
  },
);

test("the trainer's weight decay reaches what is in no group", async () => {
  const [learningRate, weightDecay] = [0.01, 0.5];
  const rng = random(2);
  const inputs = {
    dtype: "float32" as const,
    shape: [8, 4],
    data: Float32Array.from({ length: 32 }, rng.normal),
  };
  const labels = {
    dtype: "int32" as const,
    shape: [8],
    data: Int32Array.from({ length: 8 }, () => rng.integer(3)),
  };
  const afterOneStep = async (decay: number) => {
    const model = mlp({ inputShape: [4], classes: 3, hidden: [6], batch: 8, seed: 1 });
    const before = new Map([...model.parameters].map(([name, t]) => [name, t.data.slice()]));
    const stream = analyzeChannels(model).streams.find((s) => s.name === "fc1")!;
    const sparsifier = createKAnneal({
      layers: [{ name: "fc1", keep: 3, partition: streamPartition(model, stream)! }],
      warmup: 0,
    });
    const source = { stepsPerEpoch: 1, feeds: () => [{ [model.inputs[0]]: inputs, labels }] };
    const optimizer = { kind: "adamw" } as const;
    await train(model, classification(), source, {
      epochs: 1,
      optimizer,
      learningRate,
      weightDecay: decay,
      sparsifier,
      threads: 1,
    });
    return { before, parameters: model.parameters };
  };
  const [without, with_] = [await afterOneStep(0), await afterOneStep(weightDecay)];
  for (const [name, old] of without.before)
    old.forEach((w, i) => {
      const difference = with_.parameters.get(name)!.data[i] - without.parameters.get(name)!.data[i];
      // Decoupled decay takes rate·decay·w off; groups have their own decay, in the proximal step.
      expect(difference).toBeCloseTo(name.startsWith("fc1") ? 0 : -learningRate * weightDecay * w, 7);
    });
});
