import { expect, test } from "vitest";
import { mlp } from "../../../src/nn/models/mlp.ts";
import { foldConstants } from "../../../src/sparsity/fold-constants.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import { survivingDeviations } from "../../../src/sparsity/turbo-vbi/deviations.ts";

test("deviations go with their weights where neurons are removed", () => {
  const original = mlp({ inputShape: [1, 3, 3], classes: 4, hidden: [6, 5], seed: 2 });
  const posteriors = ["fc1.weight", "fc2.weight", "fc3.weight"].map((parameter) => {
    const { data: mean } = original.parameters.get(parameter)!;
    return {
      parameter,
      mean,
      sigma: mean.map((w) => 2 * Math.abs(w)),
      logOdds: new Float32Array(mean.length),
    };
  });
  const [first, second] = posteriors.map(({ mean }) => mean);
  // Neuron 1 of layer 1 reads nothing, neuron 3 is read by nobody, one more weight is zero.
  first.fill(0, 9, 18);
  for (let row = 0; row < 5; row++) second[6 * row + 3] = 0;
  second[8] = 0;
  const { graph: shrunk, kept } = shrinkZeros(foldConstants(original).graph);
  const deviations = survivingDeviations(posteriors, { original, shrunk, kept });
  expect([...deviations.keys()]).toEqual(["fc1.weight", "fc2.weight", "fc3.weight"]);
  expect(shrunk.parameters.get("fc1.weight")!.shape).toEqual([4, 9]);
  for (const [name, { shape, data }] of deviations) {
    const weights = shrunk.parameters.get(name)!;
    expect(shape).toEqual(weights.shape);
    expect([...data]).toEqual([...weights.data.map((w) => 2 * Math.abs(w))]);
  }
});
