import { batchesInOrder } from "../data/batches.ts";
import type { Scale, Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import { replay } from "../engine/replay.ts";
import type { SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { deriveSeed, random } from "../random.ts";
import { createCalibration } from "./calibration.ts";
import { sampleBatch } from "./sample-batch.ts";

export interface PredictiveOptions extends SessionOptions {
  /** Networks drawn from the posterior. */
  draws: number;
  /** Samples a run. Default 250. */
  batch?: number;
  seed?: number;
}

/** How a classifier with uncertain weights does: its probabilities are means over networks drawn from the posterior. */
export interface Predictive {
  draws: number;
  accuracy: number;
  /** Mean negative log of the probability of the true class. */
  loss: number;
  /** Expected calibration error, 0 to 1. */
  calibrationError: number;
  /** Mean probability of the chosen class: above the accuracy the network is over-confident. */
  confidence: number;
  /**
   * Standard deviation, over the networks drawn, of the probability of the chosen class: mean over the samples that are
   * classified right, and over the others. 0 where there are none.
   */
  spread: { right: number; wrong: number };
}

/**
 * The predictive distribution p(class) ≈ 1/n Σ softmax(f(x; w)), w from N(weights, deviations²). Every draw is one
 * network that sees all samples. Memory: two numbers for each sample and class.
 *
 * @param deviations Of some parameters, shaped like them.
 */
export async function evaluatePredictive(
  model: Graph,
  deviations: ReadonlyMap<string, Tensor>,
  split: Split,
  scale: Scale,
  { draws, batch: size = 250, seed = 0, ...options }: PredictiveOptions,
): Promise<Predictive> {
  const graph = replay(model, {
    batch: size,
    tensor: (name, t) => (deviations.has(name) ? { ...t, data: (t as Tensor<"float32">).data.slice() } : t),
  });
  const [output] = graph.outputs;
  const { batch, feeds } = sampleBatch(graph, split);
  const samples = split.labels.length;
  const classes = graph.types.get(output)!.shape[1];
  const sums = new Float64Array(samples * classes);
  const squares = new Float64Array(samples * classes);
  const session = await createSession(graph, { ...options, feedParameters: true });
  try {
    for (let draw = 0; draw < draws; draw++) {
      drawWeights(model, graph, deviations, deriveSeed(seed, "predictive", draw));
      let row = 0;
      for (const { count } of batchesInOrder(split, batch, scale)) {
        const logits = (await session.run(feeds))[output].data as Float32Array;
        for (let i = 0; i < count; i++, row++) {
          const probabilities = softmax(logits.subarray(i * classes, (i + 1) * classes));
          for (let c = 0; c < classes; c++) {
            sums[row * classes + c] += probabilities[c];
            squares[row * classes + c] += probabilities[c] ** 2;
          }
        }
      }
    }
  } finally {
    await session.release();
  }
  return { draws, ...scores(split.labels, { sums, squares, classes, draws }) };
}

function drawWeights(
  model: Graph,
  graph: Graph,
  deviations: ReadonlyMap<string, Tensor>,
  seed: number,
): void {
  const { normal } = random(seed);
  for (const [name, { data: sigmas }] of deviations) {
    const mean = model.parameters.get(name)!.data;
    const drawn = graph.parameters.get(name)!.data;
    for (let i = 0; i < mean.length; i++)
      drawn[i] = sigmas[i] === 0 ? mean[i] : mean[i] + (sigmas[i] as number) * normal();
  }
}

function softmax(logits: Float32Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b));
  const weights = Float64Array.from(logits, (v) => Math.exp(v - top));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}

function scores(
  labels: ArrayLike<number>,
  {
    sums,
    squares,
    classes,
    draws,
  }: { sums: Float64Array; squares: Float64Array; classes: number; draws: number },
): Omit<Predictive, "draws"> {
  const calibration = createCalibration();
  const [hits, spreads] = [
    [0, 0],
    [0, 0],
  ];
  let [loss, confidence] = [0, 0];
  const samples = labels.length;
  for (let row = 0; row < samples; row++) {
    const means = sums.subarray(row * classes, (row + 1) * classes).map((s) => s / draws);
    const best = means.indexOf(means.reduce((a, b) => Math.max(a, b)));
    const right = Number(best === labels[row]);
    const variance = squares[row * classes + best] / draws - means[best] ** 2;
    hits[right]++;
    spreads[right] += Math.sqrt(Math.max(0, variance));
    calibration.add(means[best], right === 1);
    confidence += means[best];
    loss -= Math.log(means[labels[row]]);
  }
  const mean = (side: 0 | 1) => (hits[side] === 0 ? 0 : spreads[side] / hits[side]);
  return {
    accuracy: hits[1] / samples,
    loss: loss / samples,
    calibrationError: calibration.error(),
    confidence: confidence / samples,
    spread: { right: mean(1), wrong: mean(0) },
  };
}
