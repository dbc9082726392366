import { expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { toNumbers } from "../../src/engine/tensor.ts";
import { nextToken, tokenCost, tokenSource } from "../../src/nn/language-model.ts";
import { decoder } from "../../src/nn/models/decoder.ts";
import { mlp } from "../../src/nn/models/mlp.ts";
import { train } from "../../src/nn/trainer.ts";
import { random } from "../../src/random.ts";
import { expectProblem, expectProblemLater } from "../data/support.ts";

const CONTEXT = 8;
const VOCABULARY = 6;
const tiny = (batch = 1) =>
  decoder({
    layout: "opt",
    vocabulary: VOCABULARY,
    context: CONTEXT,
    width: 16,
    blocks: 1,
    heads: 2,
    mlpWidth: 32,
    batch,
  });

const rng = random(1);
const noise = Array.from({ length: 400 }, () => rng.integer(VOCABULARY));
/** 0 1 2 3 4 5 0 1 … */
const counting = noise.map((_, i) => i % VOCABULARY);

test("what a text costs is −ln of the probability of each next token, from the logits in double precision", async () => {
  const model = tiny();
  let [nats, count] = [0, 0];
  for (let start = 0; start + CONTEXT < 50; start += CONTEXT) {
    const window = noise.slice(start, start + CONTEXT);
    const { data } = evaluate(model, { input: { shape: [1, CONTEXT], data: Float64Array.from(window) } })[
      model.outputs[0]
    ];
    for (let i = 0; i < CONTEXT; i++) {
      const row = data.subarray(i * VOCABULARY, (i + 1) * VOCABULARY);
      nats -= Math.log(Math.exp(row[noise[start + i + 1]]) / row.reduce((sum, v) => sum + Math.exp(v), 0));
      count++;
    }
  }
  const found = await tokenCost(model, noise.slice(0, 50), { threads: 1 });
  expect(found.tokens).toBe(count);
  expect(Math.abs(found.loss - nats / count)).toBeLessThan(1e-5);
  expect(found.perplexity).toBe(Math.exp(found.loss));
  const together = await tokenCost(model, noise.slice(0, 50), { batch: 3, threads: 1 });
  expect([together.tokens, Math.abs(together.loss - nats / count) < 1e-5]).toEqual([48, true]);
});

test("a text with a rule is learnt, and one without is not", async () => {
  const costs = [];
  for (const text of [counting, noise]) {
    const model = tiny(16);
    await train(model, nextToken(), tokenSource(model, text.slice(0, 300), { stepsPerEpoch: 120, seed: 0 }), {
      epochs: 1,
      optimizer: { kind: "adam" },
      learningRate: 0.02,
      threads: 1,
    });
    costs.push((await tokenCost(model, text.slice(300), { threads: 1 })).perplexity);
  }
  expect(costs[0]).toBeLessThan(1.2);
  // Six tokens are as likely as each other.
  expect(costs[1]).toBeGreaterThan(5);
});

test("windows are of the text, followed by what follows them, and the same after a resume", () => {
  const source = tokenSource(tiny(2), noise, { stepsPerEpoch: 3, seed: 7 });
  // The arrays are used again.
  const stepsOf = (epoch: number, from: number) =>
    Array.from(source.feeds(epoch, from), ({ input, labels }) => [
      [...toNumbers(input)],
      [...toNumbers(labels)],
    ]);
  const all = [...stepsOf(0, 0), ...stepsOf(1, 0)];
  const text = noise.join("");
  for (const [inputs, labels] of all)
    for (const row of [0, CONTEXT])
      expect(text).toContain([...inputs.slice(row, row + CONTEXT), labels[row + CONTEXT - 1]].join(""));
  for (const [inputs, labels] of all) expect(labels.slice(0, CONTEXT - 1)).toEqual(inputs.slice(1, CONTEXT));
  expect(new Set(all.map(([inputs]) => inputs.join())).size).toBe(6);
  expect(stepsOf(1, 2)).toEqual([all[5]]);
});

test("texts and models that do not fit are refused", async () => {
  const options = { stepsPerEpoch: 1, seed: 0 };
  expectProblem(
    () => tokenSource(tiny(), noise.slice(0, CONTEXT), options),
    /^a text of 8 tokens; the model reads 8/,
  );
  expectProblem(
    () => tokenSource(tiny(), [...noise, 6], options),
    /^token 400 of the text is 6; the model has 6, from 0$/,
  );
  expectProblem(
    () => tokenSource(mlp({ inputShape: [4], hidden: [], classes: 2 }), noise, options),
    /^the model takes float32\[1,4\] and gives \[1,2\]; expected int32 tokens/,
  );
  await expectProblemLater(
    tokenCost(tiny(), noise.slice(0, 16), { batch: 2 }),
    /^a text of 16 tokens; 2 windows of 8 take 17/,
  );
});
