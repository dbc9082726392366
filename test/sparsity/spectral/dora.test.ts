import { expect, it } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { mul, reduceSum } from "../../../src/engine/operators/index.ts";
import { tensor, toNumbers } from "../../../src/engine/tensor.ts";
import { layers } from "../../../src/nn/layers.ts";
import type { Sparsifier } from "../../../src/nn/sparsifier.ts";
import { train } from "../../../src/nn/trainer.ts";
import { random } from "../../../src/random.ts";
import { linearMaps } from "../../../src/sparsity/spectral/linear-maps.ts";
import { createDora } from "../../../src/sparsity/spectral/lora.ts";
import { readMatrix } from "../../../src/sparsity/spectral/weights.ts";
import { differences, images, MAPS, network, repeated, stepOf, sumOfSquares } from "./network.ts";
import { expectClose } from "./support.ts";

/** DoRA whose factors begin elsewhere than at B = 0, where half of what it does cannot be seen. */
function underway(model: Graph, scale: number): Sparsifier {
  const dora = createDora(model, { rank: 2, scale });
  const rng = random(8);
  return {
    ...dora,
    reparameterize: (weight) => {
      const found = dora.reparameterize!(weight);
      const up = weight.graph.parameters.get(`${weight.name}/up`);
      for (let i = 0; up && i < up.data.length; i++) up.data[i] = 0.3 * rng.normal();
      return found;
    },
  };
}

/** ‖Vᵢ‖ for V = W₀ + s·B A, written out. */
function lengths(base: ArrayLike<number>, up: ArrayLike<number>, down: ArrayLike<number>, scale: number) {
  const [rank, outputs, inputs] = [2, up.length / 2, down.length / 2];
  return Array.from({ length: outputs }, (_, i) => {
    let square = 0;
    for (let j = 0; j < inputs; j++) {
      let v = base[i * inputs + j];
      for (let q = 0; q < rank; q++) v += scale * up[q * outputs + i] * down[q * inputs + j];
      square += v * v;
    }
    return Math.sqrt(square);
  });
}

it("begins as the network that it was given; magnitudes move along derivatives, B = 0 stops A", () => {
  const model = network();
  const plain = stepOf(network()).lossAt();
  const step = stepOf(model, createDora(model, { rank: 2 }));
  expect(Math.abs(step.lossAt() / plain - 1)).toBeLessThan(1e-6);
  for (const weight of MAPS) {
    const name = `${weight}/magnitude`;
    expectClose(step.directions[name], differences(step, name), 1e-7);
    expect(step.directions[`${weight}/down`].every((v) => v === 0)).toBe(true);
    expect(step.directions[`${weight}/up`].some((v) => Math.abs(v) > 1e-6)).toBe(true);
  }
});

it("factors move along derivatives that hold the lengths fixed, in every kind of layer", () => {
  const scale = 0.5;
  const model = network();
  const before = network();
  const maps = new Map(linearMaps(before).map((m) => [m.weight, m]));
  const step = stepOf(model, underway(model, scale));
  for (const weight of MAPS) {
    const base = readMatrix(maps.get(weight)!, before.parameters.get(weight)!);
    const [up, down, magnitude] = ["up", "down", "magnitude"].map((n) => step.values[`${weight}/${n}`].data);
    const [start, fixed] = [magnitude.slice(), lengths(base, up, down, scale)];
    for (const part of ["up", "down"]) {
      const name = `${weight}/${part}`;
      const at = step.values[name].data;
      const h = 1e-6;
      // What the lengths do to the outputs is undone by the magnitudes.
      const lossAt = (i: number, v: number) => {
        const here = at[i];
        at[i] = v;
        lengths(base, up, down, scale).forEach((length, row) => {
          magnitude[row] = (start[row] * length) / fixed[row];
        });
        const loss = step.lossAt();
        at[i] = here;
        magnitude.set(start);
        return loss;
      };
      const held = Array.from(at, (v, i) => (lossAt(i, v + h) - lossAt(i, v - h)) / (2 * h));
      expectClose(step.directions[name], held, 1e-7);
      if (weight !== MAPS[0]) continue;
      // Control: the lengths do depend on the factors.
      const whole = differences(step, name);
      expect(Math.max(...whole.map((v, i) => Math.abs(v - held[i])))).toBeGreaterThan(1e-3);
    }
  }
  for (const name of step.names.filter((n) => !/\/(up|down)$/.test(n)))
    expectClose(step.directions[name], differences(step, name), 1e-7);
});

it("the merged network is the one that trains, and its rows have the magnitudes for lengths", () => {
  const model = network();
  const step = stepOf(model, underway(model, 0.5));
  const { x } = images();
  const found = evaluate(model, { x: { shape: x.shape, data: toNumbers(x) } });
  const merged = found[model.outputs[0]].data.reduce((sum, v) => sum + v * v, 0);
  expect(Math.abs(merged / step.lossAt() - 1)).toBeLessThan(1e-6);
  for (const map of linearMaps(network())) {
    if (map.last) continue;
    const matrix = readMatrix(map, model.parameters.get(map.weight)!);
    const nothing = new Float64Array(2 * Math.max(map.outputs, map.inputs));
    expectClose(
      lengths(matrix, nothing.subarray(0, 2 * map.outputs), nothing.subarray(0, 2 * map.inputs), 1),
      step.values[`${map.weight}/magnitude`].data,
      1e-6,
    );
  }
});

const options = { epochs: 1, optimizer: { kind: "sgd" }, learningRate: 0.1, threads: 1 } as const;

it("one step of gradient descent by hand, and a row of zeros that stays", async () => {
  const rng = random(5);
  const [rows, columns] = [4, 3];
  const start = Array.from({ length: rows * columns }, (_, i) => (i < columns ? 0 : rng.normal()));
  const g = Array.from({ length: rows * columns }, () => rng.normal());
  const model = createGraph("one");
  const x = input(model, "x", [columns, columns]);
  const initial = tensor("float32", [rows, columns], start);
  output(layers(model, 0).linear("map", x, rows, { bias: false, initializer: () => initial }));
  const identity = tensor("float32", [columns, columns], [1, 0, 0, 0, 1, 0, 0, 0, 1]);
  const transposed = Float32Array.from(g, (_, i) => g[(i % rows) * columns + Math.floor(i / rows)]);
  const weights = tensor("float32", [columns, rows], transposed);
  let found: Record<string, Float32Array> = {};
  const dora = createDora(model, { rank: 1, layers: ["map.weight"] });
  await train(
    model,
    ([y], graph) => ({ loss: reduceSum(mul(y, input(graph, "weights", y.shape, { batched: false }))) }),
    {
      stepsPerEpoch: 2,
      *feeds() {
        yield* [1, 2].map(() => ({ x: identity, weights }));
      },
    },
    {
      ...options,
      sparsifier: {
        ...dora,
        beforeStep: ({ gradients, parameters }) => {
          const copy = (from: Record<string, Float32Array>, kind: string) =>
            Object.entries(from).map(([name, v]) => [name.replace("map.weight/", kind), v.slice()]);
          found = Object.fromEntries([...copy(gradients.arrays, "d "), ...copy(parameters.arrays, "")]);
        },
      },
    },
  );
  // The second step: B is no longer 0, so that A moves.
  const { up, down, magnitude } = found;
  const v = start.map((w, i) => w + up[Math.floor(i / columns)] * down[i % columns]);
  const length = Array.from({ length: rows }, (_, i) =>
    Math.hypot(...v.slice(i * columns, (i + 1) * columns)),
  );
  const factor = length.map((c, i) => (c === 0 ? 0 : magnitude[i] / c));
  const sum = (count: number, f: (i: number) => number) =>
    Array.from({ length: count }, (_, i) => f(i)).reduce((a, b) => a + b, 0);
  const at = (i: number, j: number) => i * columns + j;
  const over = (count: number, f: (i: number) => number) => Array.from({ length: count }, (_, i) => f(i));
  expectClose(
    found["d magnitude"],
    over(rows, (i) => (length[i] === 0 ? 0 : sum(columns, (j) => g[at(i, j)] * v[at(i, j)]) / length[i])),
    1e-5,
  );
  expectClose(
    found["d up"],
    over(rows, (i) => factor[i] * sum(columns, (j) => g[at(i, j)] * down[j])),
    1e-5,
  );
  expectClose(
    found["d down"],
    over(columns, (j) => sum(rows, (i) => factor[i] * g[at(i, j)] * up[i])),
    1e-5,
  );
  expect(Math.max(...found["d down"].map(Math.abs))).toBeGreaterThan(1e-3);
  expect([...model.parameters.get("map.weight")!.data.subarray(0, columns)]).toEqual([0, 0, 0]);
});

it("holds what LoRA holds, and a number for each output", async () => {
  const model = network();
  const dora = createDora(model, { rank: 2 });
  await train(model, sumOfSquares, repeated(1), {
    ...options,
    optimizer: { kind: "adam" },
    sparsifier: dora,
  });
  const maps = linearMaps(network()).filter((m) => !m.last);
  const dense = maps.reduce((a, m) => a + m.outputs * m.inputs, 0);
  const total = [...network().parameters.values()].reduce((a, t) => a + t.data.length, 0);
  const own = maps.reduce((a, { outputs, inputs }) => a + 2 * (outputs + inputs) + outputs, 0);
  const trainable = total - dense + own;
  expect(dora.footprint()).toEqual({
    trainable,
    weights: 4 * (trainable + dense),
    gradients: 4 * trainable,
    optimizer: 8 * trainable,
  });
});
