import { describe, expect, it } from "vitest";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { mul, reduceSum } from "../../../src/engine/operators/index.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { tensor, zeros } from "../../../src/engine/tensor.ts";
import { svd } from "../../../src/linalg/svd.ts";
import { layers } from "../../../src/nn/layers.ts";
import type { Sparsifier } from "../../../src/nn/sparsifier.ts";
import type { TrainOptions } from "../../../src/nn/trainer.ts";
import { train } from "../../../src/nn/trainer.ts";
import type { Objective } from "../../../src/nn/training-step.ts";
import type { Measured } from "../../../src/sparsity/spectral/footprint.ts";
import { fullRank } from "../../../src/sparsity/spectral/footprint.ts";
import { createGalore } from "../../../src/sparsity/spectral/galore.ts";
import { linearMaps } from "../../../src/sparsity/spectral/linear-maps.ts";
import { createLora, createRelora } from "../../../src/sparsity/spectral/lora.ts";
import { createLowRank } from "../../../src/sparsity/spectral/low-rank.ts";
import { createSpectralTraining } from "../../../src/sparsity/spectral/spectral-training.ts";
import vectors from "../../vectors/sst.json" with { type: "json" };
import { differences, MAPS, network, repeated, stepOf, sumOfSquares } from "./network.ts";
import { distance, expectClose } from "./support.ts";

const options = {
  epochs: 1,
  optimizer: { kind: "adam" },
  learningRate: 0.01,
  threads: 1,
} satisfies TrainOptions;

describe("LoRA", () => {
  it("begins as the network that it was given, and its directions are derivatives", () => {
    const plain = stepOf(network()).lossAt();
    for (const scale of [1, 0.5]) {
      const model = network();
      const step = stepOf(model, createLora(model, { rank: 2, scale }));
      expect(Math.abs(step.lossAt() - plain) / plain).toBeLessThan(1e-7);
      if (scale !== 1)
        for (const name of step.names) expectClose(step.directions[name], differences(step, name), 1e-7);
      // B = 0 stops the derivative of A, and nothing else.
      for (const weight of MAPS) {
        expect(step.directions[`${weight}/down`].every((v) => v === 0)).toBe(true);
        expect(step.directions[`${weight}/up`].some((v) => Math.abs(v) > 1e-6)).toBe(true);
      }
    }
  });

  it("changes weights by products of its rank, and the bases not at all", async () => {
    const model = network();
    await train(model, sumOfSquares, repeated(5), { ...options, sparsifier: createLora(model, { rank: 2 }) });
    const plain = network();
    for (const { weight, outputs, inputs, last } of linearMaps(plain)) {
      if (last) continue;
      const before = plain.parameters.get(weight)!.data;
      const change = model.parameters.get(weight)!.data.map((v, i) => v - before[i]);
      const [rows, columns] = weight === "turned.weight" ? [inputs, outputs] : [outputs, inputs];
      const { values } = svd(change, rows, columns);
      expect(values[1]).toBeGreaterThan(1e-5);
      expect(values[2]).toBeLessThan(1e-6);
    }
  });
});

describe("ReLoRA*", () => {
  it("adds its product to the weights and begins anew, at a point where A has no derivative", async () => {
    const model = network();
    const relora = createRelora(model, { rank: 2, iterationSteps: 4, warmup: 2 });
    const losses: number[] = [];
    const rates: number[] = [];
    let before: Float32Array[] = [];
    const watched: Sparsifier = {
      ...relora,
      beforeStep: ({ gradients, optimizer, step }) => {
        rates.push(relora.rate!("wide.weight/up"));
        for (const weight of MAPS) {
          const stopped = gradients.arrays[`${weight}/down`].every((v) => v === 0);
          expect(stopped).toBe(step % 4 === 0);
          if (step % 4 > 0) continue;
          for (const kind of ["firstMoment", "secondMoment"])
            for (const part of ["up", "down"])
              expect(optimizer.state[kind].arrays[`${weight}/${part}`].every((v) => v === 0)).toBe(true);
        }
      },
      afterStep: (moment) => {
        const merged = () => MAPS.map((weight) => model.parameters.get(weight)!.data);
        before = merged();
        relora.afterStep!(moment);
        merged().forEach((data, i) => expectClose(data, before[i], 1e-6));
      },
    };
    await train(model, sumOfSquares, repeated(10), {
      ...options,
      sparsifier: watched,
      onStep: ({ loss }) => losses.push(loss),
    });
    expect(rates).toEqual([0.5, 1, 1, 1, 0.5, 1, 1, 1, 0.5, 1]);
    expect(losses.at(-1)!).toBeLessThan(losses[0]);
  });
});

describe("low rank from the start", () => {
  it("begins at the best approximation, and its directions are derivatives", () => {
    const model = network();
    const lowRank = createLowRank(model, { rank: 2 });
    const step = stepOf(model, lowRank);
    for (const name of step.names) expectClose(step.directions[name], differences(step, name), 1e-7);
    const plain = network().parameters.get("flat.weight")!.data;
    const { values } = svd(plain, 7, 30);
    const found = distance(model.parameters.get("flat.weight")!.data, plain);
    expect(found).toBeCloseTo(Math.hypot(...values.subarray(2)), 6);
  });
});

describe("GaLore", () => {
  const { G, rank, scale, update_without_lr: expected } = vectors.galore_step;

  /** One linear map whose gradient is G: the loss is Σ G∘W for rows of the identity. */
  const step = async (turned: boolean) => {
    const model = createGraph("galore");
    const x = input(model, "x", [4, 4]);
    const build = layers(model, 0);
    if (turned) {
      // The transposed problem: outputs outnumber inputs.
      const rows = input(model, "rows", [3, 3]);
      output(build.linear("map", rows, 4, { bias: false, initializer: () => zeros([4, 3]) }));
    } else output(build.linear("map", x, 3, { bias: false, initializer: () => zeros([3, 4]) }));
    const objective: Objective = ([y], graph) => {
      const weights = input(graph, "weights", y.shape, { batched: false });
      return { loss: reduceSum(mul(y, weights)) };
    };
    const identity = (n: number) =>
      tensor(
        "float32",
        [n, n],
        Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
      );
    const transposed = G[0].flatMap((_, j) => G.map((row) => row[j]));
    const feeds: Record<string, Tensor> = turned
      ? { rows: identity(3), weights: tensor("float32", [3, 4], G.flat()) }
      : { x: identity(4), weights: tensor("float32", [4, 3], transposed) };
    const source = {
      stepsPerEpoch: 1,
      *feeds() {
        yield { x: identity(4), ...feeds };
      },
    };
    const galore = createGalore(model, { rank, scale, layers: ["map.weight"] });
    await train(model, objective, source, { ...options, learningRate: 0.1, sparsifier: galore });
    return { weight: model.parameters.get("map.weight")!.data, footprint: galore.footprint() };
  };

  it("takes the vector's step, on either side", async () => {
    const { weight } = await step(false);
    expectClose(
      weight,
      expected.flat().map((v) => -0.1 * v),
      1e-6,
    );
    const across = await step(true);
    expectClose(
      across.weight,
      expected[0].flatMap((_, j) => expected.map((row) => -0.1 * row[j])),
      1e-6,
    );
    // Adam's moments of [2, 4] and directions of [2, 3].
    for (const { footprint } of [{ footprint: (await step(false)).footprint }, across])
      expect(footprint).toEqual({ trainable: 12, weights: 48, gradients: 48, optimizer: 4 * (2 * 8 + 6) });
  });
});

describe("what each method holds", () => {
  it("is what the table of section 3.9 says, on the arrays that exist", async () => {
    const footprints: Record<string, ReturnType<Measured["footprint"]>> = {};
    const trained = async (
      name: string,
      create: (model: ReturnType<typeof network>) => Sparsifier & Measured,
    ) => {
      const model = network();
      const method = create(model);
      await train(model, sumOfSquares, repeated(1), { ...options, sparsifier: method });
      footprints[name] = method.footprint();
    };
    await trained("full", () => fullRank());
    await trained("lora", (m) => createLora(m, { rank: 2 }));
    await trained("relora", (m) => createRelora(m, { rank: 2 }));
    await trained("galore", (m) => createGalore(m, { rank: 2 }));
    await trained("low-rank", (m) => createLowRank(m, { rank: 2 }));
    await trained("sst", (m) => createSpectralTraining(m, { rank: 2 }));
    const model = network();
    const maps = linearMaps(model).filter((m) => !m.last);
    const total = [...model.parameters.values()].reduce((a, t) => a + t.data.length, 0);
    const sum = (f: (m: number, n: number) => number) =>
      maps.reduce((a, { outputs, inputs }) => a + f(outputs, inputs), 0);
    const dense = sum((m, n) => m * n);
    const others = total - dense;
    const factors = sum((m, n) => 2 * (m + n));
    const low = factors + others;
    expect(footprints.full).toEqual({
      trainable: total,
      weights: 4 * total,
      gradients: 4 * total,
      optimizer: 8 * total,
    });
    for (const name of ["lora", "relora"])
      expect(footprints[name]).toEqual({
        trainable: low,
        weights: 4 * (low + dense),
        gradients: 4 * low,
        optimizer: 8 * low,
      });
    expect(footprints["low-rank"]).toEqual({
      trainable: low,
      weights: 4 * low,
      gradients: 4 * low,
      optimizer: 8 * low,
    });
    const projected = sum((m, n) => 4 * Math.max(m, n) + 2 * Math.min(m, n));
    expect(footprints.galore.optimizer).toBe(8 * others + 4 * projected);
    expect(footprints.sst.trainable).toBe(low + sum((m, n) => Math.min(m, n)));
  });
});

it("adapters alone can train: everything but the weights beside them stays as it is", async () => {
  const model = network();
  const before = new Map([...model.parameters].map(([name, { data }]) => [name, data.slice()]));
  const sparsifier = createLora(model, { rank: 2 });
  const { trainable } = sparsifier;
  await train(model, sumOfSquares, repeated(10), { ...options, sparsifier, trainable });
  const moved = [...model.parameters].filter(([name, { data }]) =>
    data.some((w, i) => w !== before.get(name)![i]),
  );
  expect(moved.map(([name]) => name).sort()).toEqual([...MAPS].sort());
  // Rank times outputs and inputs of each.
  expect(sparsifier.footprint().trainable).toBe(2 * (4 + 27 + 5 + 4 + 4 + 9 + 6 + 4 + 7 + 30));
});
