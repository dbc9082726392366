import { expect, test } from "vitest";
import { flatArrays } from "../../src/engine/parameters.ts";
import { createSvrg } from "../../src/nn/svrg.ts";
import { random } from "../../src/random.ts";

const size = 6;
const parts = 5;

/** Five quadratics ½(w − c)ᵀD(w − c), whose gradients can be written down. */
function quadratics() {
  const rng = random(2);
  const of = () => Float64Array.from({ length: size }, () => rng.normal());
  const all = Array.from({ length: parts }, () => ({ c: of(), d: of().map((x) => 0.5 + x * x) }));
  const gradient = (p: number, w: ArrayLike<number>) => all[p].d.map((d, i) => d * (w[i] - all[p].c[i]));
  const full = (w: ArrayLike<number>) =>
    Float64Array.from({ length: size }, (_, i) =>
      all.reduce((sum, _, p) => sum + gradient(p, w)[i] / parts, 0),
    );
  return { gradient, full };
}

test("the corrected gradient is g_B(θ) − g_B(θ̃) + G; its mean is the full gradient and its variance is smaller", async () => {
  const { gradient, full } = quadratics();
  const layout = [["w", [size]]] as const;
  const target = { parameters: flatArrays(layout), gradients: flatArrays(layout) };
  const svrg = createSvrg(target);
  const rng = random(3);
  const first = target.parameters.values.map(() => rng.normal());
  target.parameters.values.set(first);
  await svrg.startRound(async (w, into) => into.set(full(w)));
  const here = first.map((w) => w + 0.05 * rng.normal());
  target.parameters.values.set(here);
  const mean = new Float64Array(size);
  let [plain, reduced] = [0, 0];
  for (let p = 0; p < parts; p++) {
    target.gradients.values.set(gradient(p, here));
    await svrg.correct(async (w, into) => into.set(gradient(p, w)));
    target.gradients.values.forEach((g, i) => {
      expect(g).toBeCloseTo(gradient(p, here)[i] - gradient(p, first)[i] + full(first)[i], 5);
      mean[i] += g / parts;
      reduced += (g - full(here)[i]) ** 2;
      plain += (gradient(p, here)[i] - full(here)[i]) ** 2;
    });
  }
  mean.forEach((g, i) => expect(g).toBeCloseTo(full(here)[i], 5));
  expect(reduced).toBeLessThan(0.01 * plain);
});
