import { expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { add, gemm, mul, pow, reduceMean, relu } from "../../src/engine/operators/index.ts";
import { tensor, toNumbers } from "../../src/engine/tensor.ts";
import type { Sparsifier } from "../../src/nn/sparsifier.ts";
import { createTrainingStep, type Objective, trainingGraph } from "../../src/nn/training-step.ts";
import { random } from "../../src/random.ts";

const rng = random(4);
const normals = (...shape: number[]) =>
  tensor(
    "float32",
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
  );

/** x W + a + b, where both biases have one and the same gradient, and a weight that nothing reads. */
function twoBiases() {
  const graph = createGraph("two-biases");
  const x = input(graph, "x", [6, 3]);
  const y = add(
    add(gemm(x, parameter(graph, "w", normals(3, 4))), parameter(graph, "a", normals(4))),
    parameter(graph, "b", normals(4)),
  );
  parameter(graph, "idle", normals(2));
  output(relu(y));
  return graph;
}

const meanSquare: Objective = ([y]) => ({ loss: reduceMean(pow(y, 2)) });

test("parameters with one gradient between them each get it, and an idle one gets zeros", async () => {
  const model = twoBiases();
  const step = await createTrainingStep(model, meanSquare, { threads: 1 });
  const x = normals(6, 3);
  const { loss } = await step.run({ x });
  const { graph, gradients } = trainingGraph(model, meanSquare);
  const expected = evaluate(graph, { x: { shape: [6, 3], data: toNumbers(x) } });
  expect(loss).toBeCloseTo(expected[graph.outputs[0]].data[0], 5);
  [...graph.parameters.keys()].forEach((name, i) => {
    const found = step.gradients.arrays[name];
    expected[gradients[i].name].data.forEach((v, j) => expect(found[j]).toBeCloseTo(v, 5));
  });
  expect(Array.from(step.gradients.arrays.a)).toEqual(Array.from(step.gradients.arrays.b));
  expect(Math.hypot(...step.gradients.arrays.a)).toBeGreaterThan(0);
  expect(Array.from(step.gradients.arrays.idle)).toEqual([0, 0]);
  await step.release();
});

test("a sparsifier's reparameterisation and penalty are part of the loss and of its gradients", async () => {
  const model = twoBiases();
  const halved: Sparsifier = {
    name: "halved",
    reparameterize: (p) => (p.name === "w" ? mul(p, 0.5) : undefined),
    penalty: (graph) => reduceMean(pow({ graph, name: "a", dtype: "float32", shape: [4] }, 2)),
  };
  const step = await createTrainingStep(model, meanSquare, { threads: 1, sparsifier: halved });
  const x = normals(6, 3);
  const { loss } = await step.run({ x });
  const lossAt = (name: string, i: number, by: number) => {
    const data = model.parameters.get(name)!.data;
    const before = data[i];
    data[i] = before + by;
    const { graph, loss: value } = trainingGraph(model, meanSquare, halved);
    const result = evaluate(graph, { x: { shape: [6, 3], data: toNumbers(x) } }, [value.name])[value.name]
      .data[0];
    data[i] = before;
    return result;
  };
  expect(loss).toBeCloseTo(lossAt("w", 0, 0), 5);
  for (const name of ["w", "a", "b"])
    for (let i = 0; i < 3; i++) {
      const slope = (lossAt(name, i, 1e-3) - lossAt(name, i, -1e-3)) / 2e-3;
      // Central differences with weights stored in float32.
      expect(step.gradients.arrays[name][i]).toBeCloseTo(slope, 3);
    }
  await step.release();
});
