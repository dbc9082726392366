import { expect, test } from "vitest";
import { decodeMasks, encodeMasks } from "../../../src/sparsity/tickets/mask-file.ts";
import type { Masks } from "../../../src/sparsity/tickets/masks.ts";
import {
  composeMasks,
  density,
  magnitudeMasks,
  randomMasks,
  weightsOf,
} from "../../../src/sparsity/tickets/masks.ts";
import { modularMlp } from "../../../src/sparsity/tickets/modular-mlp.ts";
import { iterativePruning, signedConstant } from "../../../src/sparsity/tickets/rewind.ts";
import { tinyMlp } from "./vectors.ts";

test("iterative pruning only ever takes, on the exponential schedule, and ends at the ratio", async () => {
  const weights = weightsOf(modularMlp({ vocabulary: 11, classes: 11, width: 20, hidden: 10 }));
  const seen: Masks[] = [];
  const masks = await iterativePruning(weights, {
    ratio: 0.8,
    rounds: 4,
    train: async (alive, round) => {
      seen.push(alive);
      // Training that turns magnitudes over: without memory, the pruned would come back.
      return new Map([...weights].map(([n, w]) => [n, w.map((v) => (round % 2 ? v : 1 / (v || 1)))]));
    },
  });
  const all = [...seen, masks];
  all.forEach((m, i) => expect(density(m).total).toBeCloseTo(0.2 ** (i / 4), 2));
  all.slice(1).forEach((m, i) => expect(composeMasks(m, all[i])).toEqual(m));
});

test("one round is magnitude pruning", async () => {
  const weights = weightsOf(tinyMlp().model);
  const masks = await iterativePruning(weights, { ratio: 0.6, rounds: 1, train: async () => weights });
  expect(masks).toEqual(magnitudeMasks(weights, 0.6));
});

test("what it is given to prune is pruned, of all that training gives back; other weights are refused", async () => {
  const all = weightsOf(tinyMlp().model);
  const some = new Map([...all].filter(([name]) => name !== "embed"));
  const options = { ratio: 0.6, rounds: 2, train: async () => all };
  expect([...(await iterativePruning(some, options)).keys()]).toEqual([...some.keys()]);
  const other = iterativePruning(all, { ...options, train: async () => some });
  await expect(other).rejects.toThrow('"embed" is not in the trained weights');
  await expect(iterativePruning(all, { ...options, rounds: 0 })).rejects.toThrow("in 0 rounds");
});

test("signs kept: two values a layer", () => {
  const kept = signedConstant(new Map([["w", Float32Array.of(3, -1, 0.5, -2.5)]])).get("w")!;
  const deviation = Math.sqrt((9 + 1 + 0.25 + 6.25) / 4);
  expect(Array.from(kept)).toEqual([1, -1, 1, -1].map((s) => Math.fround(s * deviation)));
});

test("masks survive a file, and those of another model are refused", () => {
  const { model } = tinyMlp();
  const masks = randomMasks(weightsOf(model), 0.5, 3);
  const bytes = encodeMasks(masks, model);
  expect(new Map([...decodeMasks(bytes, model)].sort())).toEqual(new Map([...masks].sort()));
  const other = modularMlp({ vocabulary: 5, classes: 5, width: 6, hidden: 3 });
  expect(() => decodeMasks(bytes, other, "m.safetensors")).toThrow(/m.safetensors: ".*" is bool of shape/);
});
