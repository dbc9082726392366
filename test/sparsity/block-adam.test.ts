import { expect, test } from "vitest";
import { flatArrays } from "../../src/engine/parameters.ts";
import { random } from "../../src/random.ts";
import { createBlockAdam } from "../../src/sparsity/block-adam.ts";

test("grouped weights move by their mean over the group's root mean square, the others as in Adam", () => {
  const layout = [
    ["w", [3, 4]],
    ["free", [5]],
  ] as const;
  const parameters = flatArrays(layout);
  const gradients = flatArrays(layout);
  const rng = random(1);
  for (let i = 0; i < parameters.values.length; i++) parameters.values[i] = rng.normal();
  const partition = { groups: 3, parts: [{ parameter: "w", outer: 1, channels: 3, inner: 4 }] };
  const [beta1, beta2, epsilon, rate] = [0.9, 0.99, 1e-6, 0.05];
  const optimizer = createBlockAdam({ betas: [beta1, beta2], epsilon }, { parameters, gradients }, [
    partition,
  ]);
  // The same in double precision, written out from the definition.
  const w = Array.from(parameters.values);
  const m = w.map(() => 0);
  const v = w.map(() => 0);
  for (let t = 1; t <= 4; t++) {
    for (let i = 0; i < w.length; i++) gradients.values[i] = rng.normal();
    const g = Array.from(gradients.values);
    optimizer.step(rate);
    for (let i = 0; i < w.length; i++) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2;
    }
    const corrected = v.map((x) => x / (1 - beta2 ** t));
    for (let j = 0; j < 3; j++) {
      const h = Math.sqrt(corrected.slice(4 * j, 4 * j + 4).reduce((a, b) => a + b, 0) / 4) + epsilon;
      expect(optimizer.metric(0)[j]).toBeCloseTo(h, 5);
      for (let i = 4 * j; i < 4 * j + 4; i++) w[i] -= (rate * m[i]) / (1 - beta1 ** t) / h;
    }
    for (let i = 12; i < 17; i++)
      w[i] -= (rate * m[i]) / (1 - beta1 ** t) / (Math.sqrt(corrected[i]) + epsilon);
    w.forEach((x, i) => expect(parameters.values[i]).toBeCloseTo(x, 5));
  }
  expect(optimizer.steps).toBe(4);
});
