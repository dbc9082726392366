/** MNIST by local fields over oriented edges and a one-shot label field, and what it is compared with. */
import { allocateBatch, batchesInOrder, stepsPerEpoch } from "../../../src/data/batches.ts";
import type { Dataset, Split } from "../../../src/data/dataset.ts";
import { orientedEdges } from "../../../src/memory/encoders/oriented-edges.ts";
import { encodeBits } from "../../../src/memory/encoders/values.ts";
import { patchFields } from "../../../src/memory/fields.ts";
import { createMemory, type MemoryOptions } from "../../../src/memory/memory.ts";
import type { PresetName, Rules } from "../../../src/memory/rules.ts";
import { classification, evaluateClassifier } from "../../../src/nn/classification.ts";
import { mlp } from "../../../src/nn/models/mlp.ts";
import { train } from "../../../src/nn/trainer.ts";
import { deriveSeed, random } from "../../../src/random.ts";

const SIDE = 28;
export const PIXELS = SIDE * SIDE;
export const EDGES = { threshold: 200, directions: 8 };
const INPUTS = PIXELS * EDGES.directions;
export const LEVEL = { size: 9, stride: 4, q: 2, k: 512, band: [4, INPUTS] } as const;
/**
 * A mac that finds its patch familiar recognises it and leaves its weights alone: cells do not fill up with what is known,
 * so that there is room for later classes, and codes stay what they were when the classes were counted.
 */
export const LEARNING = { freezeAt: 0.35, freezeBy: "cell", skipIfFamiliar: 0.7 } as const;

export type Order = "shuffled" | "class after class";

/** Which images are learnt, and in which order. */
export interface Stream {
  /** Images a class; 6000 = all there are. */
  perClass: number;
  order: Order;
  seed: number;
}

export interface Digit {
  active: number[];
  label: number;
}

/** Which samples of the set a stream consists of. */
export function drawStream({ labels }: Split, { perClass, order, seed }: Stream): number[] {
  const seen = new Array<number>(10).fill(0);
  const drawn = Array.from(random(deriveSeed(seed, "images")).permutation(labels.length)).filter(
    (i) => perClass === 6000 || seen[labels[i]]++ < perClass,
  );
  return order === "shuffled" ? drawn : drawn.sort((a, b) => labels[a] - labels[b]);
}

export const imageOf = ({ inputs }: Split, i: number) => inputs.data.subarray(PIXELS * i, PIXELS * (i + 1));

export const edgesOf = (split: Split, i: number) =>
  orientedEdges({ width: SIDE, height: SIDE, data: imageOf(split, i) }, EDGES);

/** Local fields over oriented edges. */
export function digitMemory(
  seed: number,
  {
    preset = "robustSteep",
    rules = LEARNING,
    keepCodes,
  }: Pick<MemoryOptions, "preset" | "rules" | "keepCodes"> = {},
) {
  const { size, stride, q, k, band } = LEVEL;
  const fields = patchFields({ columns: SIDE, rows: SIDE }, { size, stride, channels: EDGES.directions });
  return createMemory({ inputs: INPUTS, levels: [{ fields, q, k, band }], preset, rules, keepCodes, seed });
}

/** Stores each image once, then names the class of others; encoding counts as learning. */
export function rememberDigits(
  learnt: Split,
  asked: Split,
  stream: Stream,
  { preset, rules }: { preset?: PresetName; rules?: Partial<Rules> } = {},
) {
  const memory = digitMemory(stream.seed, { preset, rules });
  const order = drawStream(learnt, stream);
  const learning = cpuSeconds(() => {
    for (const i of order) memory.learn(edgesOf(learnt, i), { label: String(learnt.labels[i]) });
  });
  const accuracy = { binary: 0, typical: 0, logLik: 0 };
  let familiarity = 0;
  const recognising = cpuSeconds(() => {
    for (const [i, label] of asked.labels.entries()) {
      const frame = memory.recognize(edgesOf(asked, i));
      familiarity += (frame.familiarity ?? 0) / asked.labels.length;
      for (const readout of ["binary", "typical", "logLik"] as const)
        if (memory.classifyCode(frame.code, { readout }).label === String(label))
          accuracy[readout] += 1 / asked.labels.length;
    }
  });
  return {
    images: order.length,
    accuracy,
    familiarity,
    density: memory.report().density[0],
    weights: memory.report().weights[0],
    learningCpuSeconds: learning,
    recognisingCpuSeconds: recognising,
    fileBytes: memory.toBytes().length,
    peakMiB: process.resourceUsage().maxRSS / 1024,
  };
}

/** The stored image that shares most with the probe, by Jaccard's measure, on the same edges or on pixels above half. */
export function nearestDigits(learnt: Split, asked: Split, stream: Stream, inputs: "edges" | "pixels") {
  const encode = (split: Split, i: number) =>
    inputs === "edges" ? edgesOf(split, i) : encodeBits(imageOf(split, i), 127);
  const order = drawStream(learnt, stream);
  const sizes = new Uint16Array(order.length);
  // Of every input the images that have it: far fewer additions than image by image.
  const holders: number[][] = Array.from({ length: INPUTS }, () => []);
  for (const [n, i] of order.entries()) {
    const active = encode(learnt, i);
    sizes[n] = active.length;
    for (const j of active) holders[j].push(n);
  }
  const lists = holders.map((list) => Uint32Array.from(list));
  const shared = new Uint16Array(order.length);
  let right = 0;
  for (const [i, label] of asked.labels.entries()) {
    shared.fill(0);
    const active = encode(asked, i);
    for (const j of active) {
      const list = lists[j];
      for (let n = 0; n < list.length; n++) shared[list[n]]++;
    }
    let best = 0;
    let near = -1;
    for (let n = 0; n < shared.length; n++) {
      const jaccard = shared[n] / (active.length + sizes[n] - shared[n]);
      if (jaccard > near) [best, near] = [n, jaccard];
    }
    right += Number(learnt.labels[order[best]] === label);
  }
  return { accuracy: right / asked.labels.length };
}

export const PERCEPTRON = { hidden: [300], batch: 10, learningRate: 0.1 };

/** A perceptron with one hidden layer that sees the stream once, trained by plain gradient descent. */
export async function trainPerceptron(
  { scale, inputShape }: Dataset,
  learnt: Split,
  asked: Split,
  stream: Stream,
) {
  const { hidden, batch: size, learningRate } = PERCEPTRON;
  const model = mlp({ inputShape, classes: 10, batch: size, hidden, seed: stream.seed });
  const split = take(learnt, drawStream(learnt, stream));
  const batch = allocateBatch(size, inputShape, "int32");
  const feeds = { [model.inputs[0]]: batch.inputs, labels: batch.labels };
  const source = {
    stepsPerEpoch: stepsPerEpoch(split, size),
    *feeds() {
      for (const _ of batchesInOrder(split, batch, scale)) yield feeds;
    },
  };
  await train(model, classification(), source, {
    epochs: 1,
    optimizer: { kind: "sgd" },
    learningRate,
    threads: 1,
  });
  const { accuracy } = await evaluateClassifier(model, asked, scale, { threads: 1 });
  return { accuracy };
}

/** The samples at these positions, in this order. */
export function take({ inputs, labels }: Split, positions: readonly number[]): Split {
  const data = new Uint8Array(positions.length * PIXELS);
  for (const [to, from] of positions.entries())
    data.set(imageOf({ inputs, labels } as Split, from), to * PIXELS);
  return {
    inputs: { dtype: "uint8", shape: [positions.length, ...inputs.shape.slice(1)], data },
    labels: Int32Array.from(positions, (i) => labels[i]),
  };
}

function cpuSeconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
