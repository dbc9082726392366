/** Classes of MNIST learnt from few images by the memory and by classifiers behind one interface (P9 of sparsey.md). */
import type { Split } from "../../../src/data/dataset.ts";
import { createNaiveBayesClassifier } from "../../../src/memory/baselines/naive-bayes.ts";
import { createNearestMemory } from "../../../src/memory/baselines/nearest.ts";
import type { PatternClassifier } from "../../../src/memory/baselines/pattern-classifier.ts";
import { createRidgeClassifier } from "../../../src/memory/baselines/ridge.ts";
import { encodeBits } from "../../../src/memory/encoders/values.ts";
import type { Readout } from "../../../src/memory/label-field.ts";
import { cellsOf, type Memory } from "../../../src/memory/memory.ts";
import { cellCount } from "../../../src/memory/network.ts";
import { deriveSeed, random } from "../../../src/random.ts";
import { digitMemory, drawStream, EDGES, edgesOf, imageOf, PIXELS } from "./mnist.ts";
import { average } from "./statistics.ts";

type Encoding = "pixels" | "edges";

const SIZES: Record<Encoding, number> = { pixels: PIXELS, edges: PIXELS * EDGES.directions };

const encode = (encoding: Encoding, split: Split, i: number) =>
  encoding === "edges" ? edgesOf(split, i) : encodeBits(imageOf(split, i), 127);

function remembered(memory: Memory, readout: Readout): PatternClassifier {
  return {
    learn: (pattern, label) => memory.learn(pattern, { label }),
    classify: (pattern) => memory.classify(pattern, { readout }),
  };
}

/** The code that a pattern gets when it is stored, and later the one it is recognised by, as the pattern to be told. */
function readFromCodes(memory: Memory, reader: PatternClassifier): PatternClassifier {
  return {
    learn: (pattern, label) => reader.learn(cellsOf(memory.network, memory.learn(pattern).code), label),
    classify: (pattern) => reader.classify(cellsOf(memory.network, memory.recognize(pattern).code)),
  };
}

function nearest(inputs: number): PatternClassifier {
  const memory = createNearestMemory(inputs);
  const labels: string[] = [];
  return {
    learn: (pattern, label) => {
      memory.learn(pattern);
      labels.push(label);
    },
    classify: (pattern) => ({ label: labels[memory.nearest(pattern)], scores: [] }),
  };
}

interface Classifier {
  encoding: Encoding;
  make: (seed: number) => PatternClassifier;
}

const RIVALS = {
  "naive Bayes": createNaiveBayesClassifier,
  ridge: createRidgeClassifier,
  nearest,
};

export const CLASSIFIERS: Record<string, Classifier> = {
  "memory, `binary`": { encoding: "edges", make: (seed) => remembered(digitMemory(seed), "binary") },
  "memory, `logLik`": { encoding: "edges", make: (seed) => remembered(digitMemory(seed), "logLik") },
  "memory, `nearestCode`": {
    encoding: "edges",
    make: (seed) => remembered(digitMemory(seed, { keepCodes: true }), "nearestCode"),
  },
  "memory, ridge on its codes": {
    encoding: "edges",
    make: (seed) => {
      const memory = digitMemory(seed);
      return readFromCodes(memory, createRidgeClassifier(cellCount(memory.network)));
    },
  },
  ...Object.fromEntries(
    (["edges", "pixels"] as const).flatMap((encoding) =>
      Object.entries(RIVALS).map(([name, create]): [string, Classifier] => [
        `${name}, ${encoding}`,
        { encoding, make: () => create(SIZES[encoding]) },
      ]),
    ),
  ),
};

export interface DigitTask {
  /** Training images a class, each learnt once. */
  perClass: number;
  seed: number;
  /** Control: the training labels are dealt out anew. */
  dealtLabels?: boolean;
}

/** Share of the test images whose class is named. */
export function digitAccuracy(
  learnt: Split,
  asked: Split,
  name: string,
  { perClass, seed, dealtLabels = false }: DigitTask,
): number {
  const { encoding, make } = CLASSIFIERS[name];
  const classifier = make(seed);
  const order = drawStream(learnt, { perClass, order: "shuffled", seed });
  const dealt = random(deriveSeed(seed, "labels")).permutation(order.length);
  for (const [n, i] of order.entries())
    classifier.learn(encode(encoding, learnt, i), String(learnt.labels[dealtLabels ? order[dealt[n]] : i]));
  return average(
    Array.from(asked.labels, (label, i) =>
      Number(classifier.classify(encode(encoding, asked, i)).label === String(label)),
    ),
  );
}
