import { describe, expect, it } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../../src/engine/graph.ts";
import {
  embedding,
  matmul,
  mul,
  reduceSum,
  sub,
  tanh,
  transpose,
} from "../../../src/engine/operators/index.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { tensor, zeros } from "../../../src/engine/tensor.ts";
import { lorentzEmbedding, lorentzLinear } from "../../../src/geometry/lorentz-layers.ts";
import { layers } from "../../../src/nn/layers.ts";
import type { Sparsifier } from "../../../src/nn/sparsifier.ts";
import type { TrainingSnapshot, TrainingSource, TrainOptions } from "../../../src/nn/trainer.ts";
import { train } from "../../../src/nn/trainer.ts";
import type { Objective } from "../../../src/nn/training-step.ts";
import { random } from "../../../src/random.ts";
import { linearMaps } from "../../../src/sparsity/spectral/linear-maps.ts";
import type { SpectralOptions } from "../../../src/sparsity/spectral/options.ts";
import { createSpectralTraining } from "../../../src/sparsity/spectral/spectral-training.ts";
import vectors from "../../vectors/sst.json" with { type: "json" };
import { differences, MAPS, network, repeated, stepOf, sumOfSquares } from "./network.ts";
import { distance, expectClose } from "./support.ts";

const { trace } = vectors;

/** y = W x for the rows of the identity, so that ½‖y − Tᵀ‖² is the distance of W from a target. */
function recovery(): { model: Graph; objective: Objective; source: TrainingSource } {
  const model = createGraph("recovery");
  const x = input(model, "x", [6, 6]);
  const weight = tensor("float32", [6, 6], trace.W0.flat());
  output(layers(model, 0).linear("map", x, 6, { bias: false, initializer: () => weight }));
  const transposed = trace.W_target[0].flatMap((_, j) => trace.W_target.map((row) => row[j]));
  const objective: Objective = ([y], graph) => {
    const target = constant(graph, tensor("float32", [6, 6], transposed));
    const error = sub(y, target);
    return { loss: mul(reduceSum(mul(error, error)), 0.5) };
  };
  const identity = zeros([6, 6]);
  for (let i = 0; i < 6; i++) identity.data[i * 7] = 1;
  const source = {
    stepsPerEpoch: 30,
    *feeds(_: number, from: number) {
      for (let i = from; i < 30; i++) yield { x: identity };
    },
  };
  return { model, objective, source };
}

const options = {
  epochs: 1,
  optimizer: { kind: "sgd" },
  learningRate: 0.1,
  threads: 1,
} satisfies TrainOptions;

const spectral: SpectralOptions = {
  rank: 2,
  layers: ["map.weight"],
  iterationSteps: 5,
  roundIterations: 3,
  warmup: 0,
  sampler: "sequential",
};

describe("training", () => {
  it.each([
    ["gradient descent, enhanced", {}, { kind: "sgd" }, trace.sgd_lr, trace.sgd_enhanced],
    ["gradient descent, default", { gradient: "default" }, { kind: "sgd" }, trace.sgd_lr, trace.sgd_default],
    ["Adam, enhanced", {}, { kind: "adam" }, trace.adam_lr, trace.adam_enhanced],
    ["Adam, default", { gradient: "default" }, { kind: "adam" }, trace.adam_lr, trace.adam_default],
    [
      "Adam without new decompositions",
      { decompose: false },
      { kind: "adam" },
      trace.adam_lr,
      trace.adam_no_resvd,
    ],
  ] as const)("thirty steps through ONNX Runtime: %s", async (_, own, optimizer, learningRate, expected) => {
    const { model, objective, source } = recovery();
    const losses: number[] = [];
    await train(model, objective, source, {
      ...options,
      optimizer,
      learningRate,
      sparsifier: createSpectralTraining(model, { ...spectral, ...own }),
      onStep: ({ loss }) => losses.push(loss),
    });
    const { W_target } = trace;
    losses.push(0.5 * distance(model.parameters.get("map.weight")!.data, W_target.flat()) ** 2);
    // Single precision, through thirty steps.
    expectClose(losses, expected, 2e-5);
  });

  it("finds every kind of linear map, and leaves output layers out", () => {
    const maps = linearMaps(network());
    expect(maps.filter((m) => !m.last).map((m) => m.weight)).toEqual(MAPS);
    expect(maps.filter((m) => m.last).map((m) => m.weight)).toEqual(["head.weight"]);
    expect(maps.map((m) => [m.outputs, m.inputs])).toEqual([
      [4, 27],
      [5, 4],
      [4, 9],
      [6, 4],
      [7, 30],
      [2, 7],
    ]);
    const tied = createGraph("tied");
    const table = layers(tied, 0).weight("table", [5, 3], 3);
    const ids = input(tied, "ids", [4], { dtype: "int32" });
    output(matmul(embedding(table, ids), transpose(table, [1, 0])));
    expect(linearMaps(tied)).toEqual([]);
    expect(() => createSpectralTraining(tied, { rank: 1 })).toThrow("no linear layer");
    expect(() => createSpectralTraining(network(), { rank: 1, layers: ["deep"] })).toThrow(
      'no linear map "deep"',
    );
    expect(() => createSpectralTraining(network(), { rank: 0 })).toThrow("rank is 0");
  });

  it("computes the same network from triplets, whatever their order", () => {
    const plain = stepOf(network()).lossAt();
    for (const rank of [1, 3, 100]) {
      const model = network();
      const step = stepOf(model, createSpectralTraining(model, { rank }));
      expect(Math.abs(step.lossAt() - plain) / plain).toBeLessThan(1e-6);
    }
  });

  it("the default direction is the derivative; the enhanced one is it without σ", () => {
    const [plainModel, enhancedModel] = [network(), network()];
    const plain = stepOf(plainModel, createSpectralTraining(plainModel, { rank: 2, gradient: "default" }));
    const enhanced = stepOf(enhancedModel, createSpectralTraining(enhancedModel, { rank: 2 }));
    expect(plain.names).toEqual(enhanced.names);
    for (const name of plain.names) {
      const at = plain.values[name].data;
      expectClose(plain.directions[name], differences(plain, name), 1e-7);
      const [weight, part] = name.split("/");
      const sigma = enhanced.values[`${weight}/values`]?.data;
      const isVector = part === "left" || part === "right";
      const width = isVector ? at.length / sigma.length : 1;
      const scaled = enhanced.directions[name].map((d, i) =>
        isVector ? d * sigma[Math.floor(i / width)] : d,
      );
      expectClose(scaled, plain.directions[name], 1e-9);
      // The control: without its factor the enhanced direction is another one.
      if (isVector) expect(distance(enhanced.directions[name], plain.directions[name])).toBeGreaterThan(1e-3);
    }
  });

  it("moves what is active, keeps lengths 1 and σ from falling below 0, and resting vectors to the bit", async () => {
    const model = network();
    const sst = createSpectralTraining(model, { rank: 2, iterationSteps: 4, roundIterations: 2, warmup: 2 });
    const resting = () =>
      Object.values(sst.feeds!({ epoch: 0, epochs: 1, step: 0 })).map((t) => t.data.slice());
    let before: ReturnType<typeof resting> = [];
    let step = 0;
    const rates: number[] = [];
    const watched: Sparsifier = {
      ...sst,
      beforeStep: ({ optimizer, learningRate }) => {
        before = resting();
        rates.push(sst.rate!("wide.weight/left") * learningRate);
        if (step % 4 === 0)
          for (const { arrays } of ["firstMoment", "secondMoment"].map((k) => optimizer.state[k]))
            for (const weight of MAPS)
              for (const part of ["left", "right"])
                expect(arrays[`${weight}/${part}`].every((v) => v === 0)).toBe(true);
      },
      afterStep: (moment) => {
        expect(resting()).toEqual(before);
        sst.afterStep!(moment);
        step++;
        if (step % 4 !== 0) expect(resting()).toEqual(before);
        else expect(resting()).not.toEqual(before);
        const { tensors, arrays } = moment.parameters;
        for (const weight of MAPS) {
          for (const part of ["left", "right"]) {
            const { data, shape } = tensors.get(`${weight}/${part}`)! as Tensor<"float32">;
            for (let i = 0; i < shape[0]; i++)
              expect(
                Math.abs(Math.hypot(...data.subarray(i * shape[1], (i + 1) * shape[1])) - 1),
              ).toBeLessThan(1e-6);
          }
          for (const v of arrays[`${weight}/values`]) expect(v).toBeGreaterThanOrEqual(0);
        }
      },
    };
    await train(model, sumOfSquares, repeated(20), {
      ...options,
      optimizer: { kind: "adam" },
      learningRate: 0.01,
      sparsifier: watched,
    });
    expectClose(rates.slice(0, 6), [0.005, 0.01, 0.01, 0.01, 0.005, 0.01], 1e-12);
    const layer = sst.layers()[0];
    // 20 steps are 5 iterations, 2 rounds: one iteration since the last decomposition, and the draw at the end.
    expect(layer.visits.reduce((a, b) => a + b, 0)).toBe(4);
  });

  it("switches and decompositions leave the function as it is", async () => {
    const model = network();
    const sst = createSpectralTraining(model, { rank: 2, iterationSteps: 1, roundIterations: 2, warmup: 0 });
    const losses: number[] = [];
    await train(model, sumOfSquares, repeated(6), {
      ...options,
      learningRate: 0,
      sparsifier: sst,
      onStep: ({ loss }) => losses.push(loss),
    });
    for (const loss of losses) expect(Math.abs(loss - losses[0]) / losses[0]).toBeLessThan(1e-6);
    const plain = network();
    for (const weight of MAPS)
      expectClose(model.parameters.get(weight)!.data, plain.parameters.get(weight)!.data, 1e-6);
  });

  it("a stopped training goes on to the same weights, in the middle of an iteration", async () => {
    const settings = { ...options, epochs: 3, optimizer: { kind: "adam" }, learningRate: 0.01 } as const;
    const own = { rank: 2, iterationSteps: 4, roundIterations: 3, seed: 5 };
    const whole = network();
    await train(whole, sumOfSquares, repeated(7), {
      ...settings,
      sparsifier: createSpectralTraining(whole, own),
    });
    const stopped = network();
    let saved: TrainingSnapshot | undefined;
    await train(stopped, sumOfSquares, repeated(7), {
      ...settings,
      epochs: 2,
      sparsifier: createSpectralTraining(stopped, own),
      saveEvery: 13,
      save: async (snapshot) => {
        const { tensors, ...rest } = snapshot();
        if (rest.progress.step === 13)
          saved = {
            ...JSON.parse(JSON.stringify(rest)),
            tensors: Object.fromEntries(
              Object.entries(tensors).map(([name, t]) => [name, { ...t, data: t.data.slice() }]),
            ),
          };
      },
    });
    const resumed = network();
    await train(resumed, sumOfSquares, repeated(7), {
      ...settings,
      sparsifier: createSpectralTraining(resumed, own),
      resume: saved,
    });
    const other = network();
    await train(other, sumOfSquares, repeated(7), {
      ...settings,
      sparsifier: createSpectralTraining(other, { ...own, seed: 6 }),
    });
    for (const [name, { data }] of whole.parameters) expect(resumed.parameters.get(name)!.data).toEqual(data);
    expect(other.parameters.get("wide.weight")!.data).not.toEqual(whole.parameters.get("wide.weight")!.data);
  });

  it("holds what the table of section 3.9 says, on the arrays that exist", async () => {
    const model = network();
    const sst = createSpectralTraining(model, { rank: 2 });
    await train(model, sumOfSquares, repeated(1), {
      ...options,
      optimizer: { kind: "adam" },
      sparsifier: sst,
    });
    let [trained, stored] = [0, 0];
    for (const { outputs: m, inputs: n } of sst.maps) {
      const k = Math.min(m, n);
      trained += 2 * (m + n) + k;
      stored += k * (m + n + 1);
    }
    const others = [...model.parameters]
      .filter(([name]) => !MAPS.includes(name))
      .reduce((sum, [, t]) => sum + t.data.length, 0);
    expect(sst.footprint()).toEqual({
      trainable: trained + others,
      weights: 4 * (stored + others),
      gradients: 4 * (trained + others),
      optimizer: 8 * (trained + others),
    });
  });
});

describe("in hyperbolic layers", () => {
  it("a Lorentz linear layer on triplets has the derivatives of finite differences, x, bias and scale included", () => {
    const model = createGraph("lorentz");
    const build = layers(model, 5);
    const ids = input(model, "ids", [4], { dtype: "int32" });
    const points = lorentzEmbedding(build, "table", ids, 6, 5);
    const hidden = lorentzLinear(build, "first", points, 7, { before: tanh });
    output(lorentzLinear(build, "second", hidden, 4, {}));
    // Away from the start, where the columns of time coordinates are 0 and so is a singular value.
    const rng = random(6);
    for (const name of ["first.weight", "second.weight"])
      for (let i = 0; i < model.parameters.get(name)!.data.length; i++)
        model.parameters.get(name)!.data[i] = rng.normal();
    const sst = createSpectralTraining(model, { rank: 2, gradient: "default" });
    expect(sst.maps.map((m) => m.weight)).toEqual(["first.weight", "second.weight"]);
    const feeds = { ids: tensor("int32", [4], [0, 5, 2, 2]) };
    const step = stepOf(model, sst, feeds);
    for (const name of step.names) expectClose(step.directions[name], differences(step, name), 1e-6);
  });
});
