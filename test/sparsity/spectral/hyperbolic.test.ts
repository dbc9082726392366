/** Methods within hyperbolic layers, and what a sign must not change. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { toNumbers } from "../../../src/engine/tensor.ts";
import { lorentzExp0 } from "../../../src/geometry/lorentz.ts";
import { lorentzAttention } from "../../../src/geometry/lorentz-attention.ts";
import { lorentzLinear } from "../../../src/geometry/lorentz-layers.ts";
import { layers } from "../../../src/nn/layers.ts";
import type { Sparsifier } from "../../../src/nn/sparsifier.ts";
import { train } from "../../../src/nn/trainer.ts";
import { random } from "../../../src/random.ts";
import type { RankMethod } from "../../../src/sparsity/spectral/rank-methods.ts";
import { createRankMethod, RANK_METHODS } from "../../../src/sparsity/spectral/rank-methods.ts";
import { createSpectralTraining } from "../../../src/sparsity/spectral/spectral-training.ts";
import { minkowski, rowsOf } from "../../geometry/support.ts";
import { network, repeated, sumOfSquares } from "./network.ts";
import { distance } from "./support.ts";

const training = { epochs: 1, optimizer: { kind: "adam" }, learningRate: 0.02, threads: 1 } as const;

const x = {
  dtype: "float32" as const,
  shape: [6, 5],
  data: Float32Array.from(
    { length: 30 },
    (
      (rng) => () =>
        rng.normal()
    )(random(8)),
  ),
};

/** A Lorentz linear layer and attention over three positions. */
function hyperbolicNetwork(): Graph {
  const graph = createGraph("hyperbolic");
  const build = layers(graph, 2);
  const points = lorentzExp0(input(graph, "x", x.shape));
  const hidden = lorentzLinear(build, "first", points, 8);
  output(lorentzAttention(build, "attention", hidden, { heads: 2, length: 3 }));
  return graph;
}

const pointsOf = (graph: Graph) =>
  rowsOf(evaluate(graph, { x: { shape: x.shape, data: toNumbers(x) } })[graph.outputs[0]]);

const source = (steps: number) => ({
  stepsPerEpoch: steps,
  *feeds() {
    for (let i = 0; i < steps; i++) yield { x };
  },
});

describe("in Lorentz layers", () => {
  it.each(Object.keys(RANK_METHODS) as RankMethod[])(
    "%s trains the matrices, and results stay points",
    async (method) => {
      const model = hyperbolicNetwork();
      const losses: number[] = [];
      const layers = ["first", ...["query", "key", "value", "out"].map((part) => `attention.${part}`)];
      const sparsifier = createRankMethod(model, method, {
        rank: 2,
        layers: layers.map((layer) => `${layer}.weight`),
        iterationSteps: 5,
        roundIterations: 2,
      });
      const plain = hyperbolicNetwork();
      await train(model, sumOfSquares, source(30), {
        ...training,
        sparsifier,
        onStep: ({ loss }) => losses.push(loss),
      });
      const start = pointsOf(plain)
        .flat()
        .reduce((sum, v) => sum + v * v, 0);
      // A product of rank 2 is another network from the start.
      if (method !== "low-rank") expect(Math.abs(losses[0] / start - 1)).toBeLessThan(1e-5);
      expect(losses.at(-1)).toBeLessThan(losses[0]);
      for (const point of pointsOf(model)) expect(Math.abs(minkowski(point, point) + 1)).toBeLessThan(1e-9);
      for (const layer of layers) {
        const [before, after] = [plain, model].map((m) => m.parameters.get(`${layer}.weight`)!.data);
        expect(after).toHaveLength(before.length);
        expect(distance(after, before)).toBeGreaterThan(1e-3);
      }
    },
  );
});

describe("Sparse Spectral Training", () => {
  it("is the same whichever sign a pair of singular vectors has", async () => {
    const lossesWith = async (flip: readonly ("left" | "right")[]) => {
      const model = network();
      const sst = createSpectralTraining(model, { rank: 2, iterationSteps: 6, roundIterations: 2, seed: 1 });
      const begin = sst.createOptimizer!.bind(sst);
      const flipping: Sparsifier = {
        ...sst,
        createOptimizer: (target, own, spec) => {
          for (const { weight } of sst.maps)
            for (const part of flip) {
              const rows = target.parameters.arrays[`${weight}/${part}`];
              for (let i = 0; i < rows.length / 2; i++) rows[i] = -rows[i];
            }
          return begin(target, own, spec);
        },
      };
      const losses: number[] = [];
      await train(model, sumOfSquares, repeated(20), {
        ...training,
        sparsifier: flipping,
        onStep: ({ loss }) => losses.push(loss),
      });
      return losses;
    };
    const plain = await lossesWith([]);
    const flipped = await lossesWith(["left", "right"]);
    expect(Math.max(...flipped.map((l, i) => Math.abs(l / plain[i] - 1)))).toBeLessThan(1e-5);
    // Control: one sign of the two is another network.
    expect(Math.abs((await lossesWith(["left"]))[0] / plain[0] - 1)).toBeGreaterThan(1e-3);
  });
});
