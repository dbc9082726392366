import { describe, expect, it } from "vitest";
import { train } from "../../../src/nn/trainer.ts";
import { defaultClock, warmupFactor } from "../../../src/sparsity/spectral/clock.ts";
import { createRankMethod } from "../../../src/sparsity/spectral/rank-methods.ts";
import { createSpectralTraining } from "../../../src/sparsity/spectral/spectral-training.ts";
import { network, repeated, sumOfSquares } from "./network.ts";

describe("the clock", () => {
  it("the rate is back at 1 before the next switch, in iterations of any length", () => {
    for (const iterationSteps of [1, 2, 5, 200]) {
      const clock = defaultClock(16, 2, { iterationSteps });
      expect(warmupFactor(clock, iterationSteps - 1)).toBe(1);
    }
  });

  it.each([
    [{ iterationSteps: 0 }, "iterationSteps is 0"],
    [{ iterationSteps: 2.5 }, "iterationSteps is 2.5"],
    [{ roundIterations: 0 }, "roundIterations is 0"],
    [{ iterationSteps: 5, warmup: 6 }, "a warm-up of 6 steps in iterations of 5"],
    [{ warmup: -1 }, "a warm-up of -1"],
  ])("%o is refused", (given, words) => {
    expect(() => defaultClock(16, 2, given)).toThrow(words);
    expect(() => createSpectralTraining(network(), { rank: 2, ...given })).toThrow(words);
  });
});

describe("options that no type can keep out of JavaScript", () => {
  it.each([
    [{ sampler: "topR" }, 'sampler is "topR"; take one of mixed, sigma, uniform, sequential, top'],
    [{ gradient: "plain" }, 'gradient is "plain"'],
    [{ warmupScope: "none" }, 'warmupScope is "none"'],
    [{ weightDecay: 0.1 }, 'weightDecay is "0.1"'],
    [{ rates: { left: -1 } }, "the rate of left is -1"],
    [{ rates: { values: Number.NaN } }, "the rate of values is NaN"],
    [{ rank: Number.NaN }, "rank is NaN"],
  ])("%o is refused", (given, words) => {
    expect(() => createSpectralTraining(network(), { rank: 2, ...(given as object) })).toThrow(words);
  });

  it("a method that there is not is named", () => {
    expect(() => createRankMethod(network(), "vera" as "lora", { rank: 2 })).toThrow(
      'there is no method "vera"; take one of full, sst',
    );
  });

  it.each([
    [[0, 0], "the sampler chose 0, 0; 2 distinct indices from 0 to"],
    [[0, 99], "the sampler chose 0, 99"],
    [[0], "the sampler chose 0; 2 distinct"],
  ])("what a sampler chooses is checked: %o", async (chosen, words) => {
    const model = network();
    const sparsifier = createSpectralTraining(model, { rank: 2, sampler: () => chosen });
    await expect(train(model, sumOfSquares, repeated(1), { ...training, sparsifier })).rejects.toThrow(words);
  });

  it("a footprint before training is refused", () => {
    expect(() => createSpectralTraining(network(), { rank: 2 }).footprint()).toThrow("once it has begun");
  });
});

const training = { epochs: 1, optimizer: { kind: "adam" }, learningRate: 1e-3, threads: 1 } as const;

describe("visits", () => {
  it("are those that are counted: each pair's steps, in the layer with most pairs", async () => {
    const model = network();
    const sst = createSpectralTraining(model, {
      rank: 2,
      iterationSteps: 1,
      roundIterations: 4,
      decompose: false,
    });
    const steps = 10;
    await train(model, sumOfSquares, repeated(steps), { ...training, sparsifier: sst });
    const { rounds, stepsPerPair, weight } = sst.visits();
    expect(rounds).toBe(2.5);
    const perLayer = sst.layers().map((layer) => {
      // The draw after the last step has not trained.
      const trained = layer.visits.reduce((a, b) => a + b, 0) - layer.rank;
      return { weight: layer.weight, steps: trained / layer.visits.length };
    });
    const least = perLayer.reduce((a, b) => (b.steps < a.steps ? b : a));
    expect(weight).toBe(least.weight);
    expect(stepsPerPair).toBeCloseTo(least.steps, 12);
    expect(Math.max(...perLayer.map((l) => l.steps))).toBeGreaterThan(stepsPerPair); // control
    expect(sst.metrics!()).toMatchObject({ rounds, stepsPerPair });
  });

  it("fewer than two rounds are warned of, and layers so large that most vectors are never drawn", () => {
    const clock = { iterationSteps: 10, roundIterations: 3 };
    const sst = createSpectralTraining(network(), { rank: 1, ...clock });
    expect(sst.cautions(59).join()).toContain("59 steps are 1.97 rounds of 3 × 10");
    expect(sst.cautions(70)).toEqual([]);
    // The largest has 7 pairs: after 60 steps of iterations of 10, one of 7 has been drawn six times.
    const short = createSpectralTraining(network(), { rank: 1, iterationSteps: 10, roundIterations: 1 });
    expect(short.cautions(60).join()).toContain(
      "draw each pair of singular vectors of flat.weight 0.86 times",
    );
    expect(short.cautions(70)).toEqual([]);
  });

  it("ranks at which nothing is saved are warned of: those at which more bytes are counted", async () => {
    const heldBy = async (method: "full" | "sst", rank: number) => {
      const model = network();
      const sparsifier = createRankMethod(model, method, { rank });
      await train(model, sumOfSquares, repeated(1), { ...training, sparsifier });
      const { weights, gradients, optimizer } = sparsifier.footprint();
      return { bytes: weights + gradients + optimizer, said: sparsifier.cautions?.(1e6).join() };
    };
    const full = (await heldBy("full", 1)).bytes;
    const found = new Set<boolean>();
    for (const rank of [1, 2, 100]) {
      const { bytes, said } = await heldBy("sst", rank);
      expect(said).toContain(bytes > full ? `with Adam, rank ${rank} holds` : "");
      expect(said === "").toBe(bytes <= full);
      found.add(bytes > full);
    }
    expect(found.size).toBe(2);
  });
});
