import { describe, expect, it } from "vitest";
import { svd } from "../../../src/linalg/svd.ts";
import { random } from "../../../src/random.ts";
import { warmupFactor } from "../../../src/sparsity/spectral/clock.ts";
import { drawProbabilities, drawWithoutReplacement } from "../../../src/sparsity/spectral/samplers.ts";

import { activate, constrain, decomposeInto, matrixOf } from "../../../src/sparsity/spectral/slots.ts";
import vectors from "../../vectors/sst.json" with { type: "json" };
import { adam64, columns, createSlots, directions64, distance, expectClose } from "./support.ts";

describe("the rules in float64, against the specification's vectors", () => {
  const { layer, sgd_step: sgd, adam_steps: adam, sampling, trace } = vectors;

  it("decomposition with the sign rule", () => {
    const { left, values, right } = svd(layer.W.flat(), 3, 4);
    expectClose(values, layer.S, 1e-11);
    expectClose(left, columns(layer.U), 1e-11);
    expectClose(right, columns(layer.V), 1e-11);
  });

  it("gradients of one layer: all singular values, enhanced and plain vectors", () => {
    const slots = createSlots(3, 4, 3);
    decomposeInto(slots, layer.W.flat());
    const enhanced = directions64(slots, layer.G.flat(), "enhanced");
    expectClose(enhanced.values, layer.dS, 1e-10);
    expectClose(enhanced.left, columns(layer.dU_enhanced), 1e-10);
    expectClose(enhanced.right, columns(layer.dV_enhanced), 1e-10);
    const plain = directions64(slots, layer.G.flat(), "default");
    expectClose(plain.left, columns(layer.dU_default), 1e-10);
    expectClose(plain.right, columns(layer.dV_default), 1e-10);
  });

  for (const gradient of ["enhanced", "default"] as const)
    it(`one step of gradient descent, ${gradient}, and the decomposition after it`, () => {
      const slots = createSlots(3, 4, 2);
      decomposeInto(slots, layer.W.flat());
      activate(slots, sgd.active);
      const d = directions64(slots, layer.G.flat(), gradient);
      for (const part of ["left", "right", "values"] as const)
        slots.active[part].forEach((v, i) => (slots.active[part][i] = v - sgd.lr * d[part][i]));
      slots.resting!.values.forEach((v, i) => (slots.resting!.values[i] = v - sgd.lr * d.restingValues[i]));
      constrain(slots, random(0));
      const expected = gradient === "enhanced" ? sgd.W : sgd.W_if_default_gradient;
      const before = matrixOf(slots);
      expectClose(before, expected.flat(), 1e-11);
      if (gradient === "default") return;
      decomposeInto(slots, before);
      expect(distance(matrixOf(slots), before)).toBeLessThan(1e-13);
      expectClose(slots.active.values, sgd.resvd_S.slice(0, 2), 1e-11);
      expectClose(slots.resting!.values, sgd.resvd_S.slice(2), 1e-11);
      expectClose([...slots.active.left, ...slots.resting!.left], columns(sgd.resvd_U), 1e-11);
      expectClose([...slots.active.right, ...slots.resting!.right], columns(sgd.resvd_V), 1e-11);
    });

  it("three steps of Adam with a constant gradient", () => {
    const slots = createSlots(3, 4, 2);
    decomposeInto(slots, layer.W.flat());
    activate(slots, adam.active);
    const optimizer = adam64(slots);
    for (const expected of adam.W_after) {
      optimizer.step(directions64(slots, adam.G_constant.flat(), "enhanced"), adam.lr);
      constrain(slots, random(0));
      expectClose(matrixOf(slots), expected.flat(), 1e-11);
    }
  });

  const run = (gradient: "enhanced" | "default", rate: number, useAdam: boolean, decompose = true) => {
    const slots = createSlots(6, 6, trace.r);
    decomposeInto(slots, trace.W0.flat());
    const target = trace.W_target.flat();
    const adamState = adam64(slots);
    const losses = [];
    let next = 0;
    for (let step = 0; step <= trace.T3 * trace.T2 * trace.rounds; step++) {
      if (step % trace.T3 === 0) {
        if (decompose && step > 0 && step % (trace.T3 * trace.T2) === 0) {
          decomposeInto(slots, matrixOf(slots));
          adamState.restartValues();
        }
        activate(slots, [next % 6, (next + 1) % 6], adamState.companions());
        adamState.restartVectors();
        next += 2;
      }
      const w = matrixOf(slots);
      losses.push(0.5 * distance(w, target) ** 2);
      const d = directions64(
        slots,
        w.map((v, i) => v - target[i]),
        gradient,
      );
      if (useAdam) adamState.step(d, rate);
      else
        for (const part of ["left", "right", "values", "restingValues"] as const) {
          const array = part === "restingValues" ? slots.resting!.values : slots.active[part];
          array.forEach((v, i) => (array[i] = v - rate * d[part][i]));
        }
      constrain(slots, random(0));
    }
    return losses;
  };

  it.each([
    ["gradient descent, enhanced", run("enhanced", trace.sgd_lr, false), trace.sgd_enhanced],
    ["gradient descent, default", run("default", trace.sgd_lr, false), trace.sgd_default],
    ["Adam, enhanced", run("enhanced", trace.adam_lr, true), trace.adam_enhanced],
    ["Adam, default", run("default", trace.adam_lr, true), trace.adam_default],
    ["Adam without new decompositions", run("enhanced", trace.adam_lr, true, false), trace.adam_no_resvd],
  ] as const)("thirty steps: %s", (_, losses, expected) => {
    expectClose(losses, expected, 1e-8);
  });

  it("probabilities, and how often each index is drawn", () => {
    const { sigma } = sampling;
    expectClose(drawProbabilities("mixed", sigma), sampling.p, 1e-12);
    expectClose(drawProbabilities("mixed", [0, 0, 0, 0]), [0.25, 0.25, 0.25, 0.25], 1e-12);
    const rng = random(1);
    for (const [law, count, expected] of [
      ["mixed", 2, sampling.inclusion_r2],
      ["mixed", 3, sampling.inclusion_r3],
      ["sigma", 2, sampling.inclusion_r2_pure_sigma],
    ] as const) {
      const p = drawProbabilities(law, sigma);
      const seen = new Float64Array(5);
      // A third of the draws that the spec suggests, at twice the tolerance: four standard deviations still.
      const draws = 60_000;
      for (let i = 0; i < draws; i++)
        for (const j of drawWithoutReplacement(p, count, rng)) seen[j] += 1 / draws;
      expectClose(seen, expected, 0.008);
    }
  });

  it("draws distinct indices, impossible ones last", () => {
    const rng = random(2);
    for (let i = 0; i < 200; i++) {
      const drawn = drawWithoutReplacement([0, 0.5, 0, 0.5], 3, rng);
      expect(new Set(drawn).size).toBe(3);
      expect(drawn.slice(0, 2).sort()).toEqual([1, 3]);
      expect(drawn[2]).toBe(0);
    }
  });

  it("the rate after every switch", () => {
    const { T3, warm, factor_at_step_in_iteration: factors } = vectors.iteration_warmup;
    const clock = { iterationSteps: T3, roundIterations: 12, warmup: warm };
    for (const [step, factor] of Object.entries(factors)) {
      expect(warmupFactor(clock, Number(step))).toBeCloseTo(factor, 12);
      expect(warmupFactor(clock, Number(step) + 5 * T3)).toBeCloseTo(factor, 12);
    }
  });

  it("the closed form of a step to first order (section 3.8)", () => {
    const { W, G, active, lr, closed_form } = vectors.first_order;
    const slots = createSlots(5, 5, 2);
    decomposeInto(slots, W.flat());
    const { left, right } = svd(W.flat(), 5, 5);
    activate(slots, active);
    const before = matrixOf(slots);
    const d = directions64(slots, G.flat(), "enhanced");
    for (const part of ["left", "right", "values"] as const)
      slots.active[part].forEach((v, i) => (slots.active[part][i] = v - lr * d[part][i]));
    slots.resting!.values.forEach((v, i) => (slots.resting!.values[i] = v - lr * d.restingValues[i]));
    constrain(slots, random(0));
    const change = matrixOf(slots).map((v, i) => v - before[i]);
    // Signs of singular vectors are free: compare UᵀΔWV entry by entry with the formula at our own vectors.
    const inBasis = (i: number, j: number) => {
      let sum = 0;
      for (let a = 0; a < 5; a++)
        for (let b = 0; b < 5; b++) sum += left[i * 5 + a] * change[a * 5 + b] * right[j * 5 + b];
      return sum;
    };
    for (let i = 0; i < 5; i++)
      for (let j = 0; j < 5; j++)
        expect(Math.abs(Math.abs(inBasis(i, j)) - Math.abs(closed_form[i][j]))).toBeLessThan(5e-5);
  });

  it("what one iteration can reach at best, and what LoRA can (section 3.8)", () => {
    const start = trace.W0.flat();
    const target = trace.W_target.flat();
    const tail = (m: ArrayLike<number>, rank: number) => Math.hypot(...svd(m, 6, 6).values.subarray(rank));
    for (const [key, floors] of Object.entries(vectors.sst_iteration_floor)) {
      if (typeof floors === "string") continue;
      const slots = createSlots(6, 6, 2);
      decomposeInto(slots, start);
      activate(slots, JSON.parse(key));
      const active = matrixOf({ ...slots, resting: undefined });
      const miss = target.map((v, i) => v - start[i]);
      expect(
        tail(
          miss.map((v, i) => v + active[i]),
          2,
        ),
      ).toBeCloseTo(floors.closed_form, 10);
      expect(tail(miss, 2)).toBeCloseTo(floors.lora_floor, 10);
      // And descent with everything else held still gets there.
      for (let step = 0; step < 4000; step++) {
        const g = matrixOf(slots).map((v, i) => v - target[i]);
        const d = directions64(slots, g, "default");
        for (const part of ["left", "right", "values"] as const)
          slots.active[part].forEach((v, i) => (slots.active[part][i] = v - 0.1 * d[part][i]));
      }
      expect(distance(matrixOf(slots), target)).toBeCloseTo(floors.closed_form, 6);
    }
    const { delta, singular_values, floor_r1, floor_r2, floor_r4 } = vectors.lora_floor;
    expectClose(svd(delta.flat(), 6, 6).values, singular_values, 1e-11);
    expect([1, 2, 4].map((r) => tail(delta.flat(), r).toFixed(9))).toEqual(
      [floor_r1, floor_r2, floor_r4].map((v) => v.toFixed(9)),
    );
  });

  it("how near a step of each kind is to the one of full rank (section 3.8)", () => {
    const n = 24;
    const sigma = Array.from({ length: n }, (_, i) => 3 * 0.8 ** i);
    const found = vectors.gradient_alignment.predicted_and_monte_carlo;
    for (const [kind, [predicted]] of Object.entries({ enhanced: found.enhanced, default: found.default })) {
      // The mean over isotropic gradients of cos(ΔW, −G), from the steps that the rules take with every vector active.
      const rng = random(7);
      const slots = createSlots(n, n, n);
      const w = new Float64Array(n * n);
      for (let i = 0; i < n; i++) w[i * (n + 1)] = sigma[i];
      let mean = 0;
      const draws = 12;
      for (let draw = 0; draw < draws; draw++) {
        decomposeInto(slots, w);
        const g = Float64Array.from({ length: n * n }, () => rng.normal());
        const d = directions64(slots, g, kind as "enhanced" | "default");
        const rate = 1e-6;
        for (const part of ["left", "right", "values"] as const)
          slots.active[part].forEach((v, i) => (slots.active[part][i] = v - rate * d[part][i]));
        const change = matrixOf(slots).map((v, i) => v - w[i]);
        const cosine =
          change.reduce((a, v, i) => a - v * g[i], 0) / (Math.hypot(...change) * Math.hypot(...g));
        mean += cosine / draws;
      }
      expect(Math.abs(mean - predicted)).toBeLessThan(0.02);
    }
  });
});
