import type { LinkSplit, NodeSplit } from "../data/graphs/graph-data.ts";
import { negativeSampler } from "../data/graphs/splits.ts";
import type { Graph } from "../engine/graph.ts";
import { output, valueNamed } from "../engine/graph.ts";
import { concat } from "../engine/operators/index.ts";
import { createSession } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { zeros } from "../engine/tensor.ts";
import type { Sparsifier } from "../nn/sparsifier.ts";
import { train } from "../nn/trainer.ts";
import type { Objective } from "../nn/training-step.ts";
import { deriveSeed } from "../random.ts";
import { checkTraining } from "./check-training.ts";
import { droppedInput } from "./dropped-input.ts";
import { lorentzFeatures } from "./lorentz-features.ts";
import { averagePrecision, classScores, rocAuc } from "./metrics.ts";
import type { GraphNetworkOptions } from "./networks.ts";
import { graphNetwork } from "./networks.ts";
import { linkObjective, nodeObjective, scorePairs } from "./objectives.ts";

export interface GraphTrainingOptions
  extends Omit<GraphNetworkOptions, "features" | "training" | "seed" | "classes"> {
  features: Tensor<"float32">;
  /** What is learned: links (the adjacency must be of the training edges alone), or the classes of nodes. */
  task: { links: LinkSplit } | { nodes: NodeSplit; labels: Int32Array; classes: number };
  learningRate: number;
  weightDecay?: number;
  /** Of HyboNet's loss. */
  margin?: number;
  clipNorm?: number;
  /** Default 5000. */
  epochs?: number;
  /** Ends training after so many epochs without a better validation score, but not before epoch 100. Default 500. */
  patience?: number;
  /** Held-out edges are not drawn as negatives. Default false, as published. */
  cleanNegatives?: boolean;
  threads?: number;
  seed?: number;
  sparsifier?: (model: Graph) => Sparsifier;
  onEpoch?: (epoch: number, loss: number, validation: Readonly<Record<string, number>>) => void;
}

export interface GraphTrainingResult {
  /** Links: `auc` and `ap`. Nodes: `accuracy` and `f1`. Of the epoch with the best (auc + ap)/2 or f1 in validation. */
  validation: Record<string, number>;
  test: Record<string, number>;
  /** The best epoch, from 1, and how many were trained. */
  bestEpoch: number;
  epochs: number;
  /** The network as it was in the best epoch. */
  model: Graph;
}

const MIN_EPOCHS = 100;

/**
 * Trains on one graph, all nodes in every step, with early stopping as HGCN and HyboNet are published: HyboNet by AdamW
 * that leaves biases, scales and prototypes alone, the others by Adam. Throws a `Problem` where a part of the split is empty,
 * or what is given does not fit together.
 */
export async function trainGraph(options: GraphTrainingOptions): Promise<GraphTrainingResult> {
  checkTraining(options);
  const { task, epochs = 5000, patience = 500, threads, weightDecay = 0, model: kind } = options;
  const features = kind === "hybonet" ? lorentzFeatures(options.features) : options.features;
  const network: GraphNetworkOptions = {
    ...options,
    features: features.shape,
    classes: "nodes" in task ? task.classes : undefined,
  };
  const model = graphNetwork({ ...network, training: true });
  const exam = examOf(options, graphNetwork(network));
  const session = await createSession(exam.graph, { threads, feedParameters: true });

  const best = {
    score: Number.NEGATIVE_INFINITY,
    epoch: 0,
    validation: {} as Record<string, number>,
    test: {} as Record<string, number>,
    parameters: new Map<string, Tensor<"float32">>(),
  };
  let epoch = 0;
  const evaluate = async () => {
    epoch++;
    // A sparse method computes some of them when they are read: they are fed as they are now.
    const parameters = new Map(
      [...model.parameters].map(([name, { dtype, shape, data }]) => [name, { dtype, shape, data }]),
    );
    const results = await session.run({ features, ...Object.fromEntries(parameters) });
    const { validation, test } = exam.marks(results[exam.output].data as Float32Array);
    const score = "links" in task ? (validation.auc + validation.ap) / 2 : validation.f1;
    if (score > best.score) {
      const copies = [...parameters].map(([name, t]) => [name, { ...t, data: t.data.slice() }] as const);
      Object.assign(best, { score, epoch, validation, test, parameters: new Map(copies) });
    }
    return validation;
  };

  const { objective, feeds } = lessonOf(options, features);
  try {
    await train(
      model,
      objective,
      { stepsPerEpoch: 1, feeds: (number) => [feeds(number)] },
      {
        epochs,
        threads,
        optimizer: { kind: kind === "hybonet" ? "adamw" : "adam" },
        learningRate: options.learningRate,
        weightDecay: (name) => (kind === "hybonet" && /bias|scale|^classes/.test(name) ? 0 : weightDecay),
        clipNorm: options.clipNorm,
        sparsifier: options.sparsifier?.(model),
        evaluate,
        onEpoch: (r) => options.onEpoch?.(r.epoch + 1, r.loss, r.metrics),
        stopWhen: () => epoch >= Math.max(MIN_EPOCHS, best.epoch + patience),
      },
    );
  } finally {
    await session.release();
  }
  const trained = graphNetwork(network);
  for (const [name, t] of best.parameters) trained.parameters.get(name)!.data.set(t.data);
  return {
    validation: best.validation,
    test: best.test,
    bestEpoch: best.epoch,
    epochs: epoch,
    model: trained,
  };
}

/** The loss and what is fed in an epoch. */
function lessonOf(
  { task, model, margin = 1, dropout = 0, seed = 0, cleanNegatives = false }: GraphTrainingOptions,
  features: Tensor<"float32">,
): { objective: Objective; feeds: (epoch: number) => Record<string, Tensor> } {
  const step = zeros([], "int32");
  const dropped = droppedInput(features, dropout, seed);
  const inputs = (epoch: number): Record<string, Tensor> => {
    step.data[0] = deriveSeed(seed, "dropout", epoch) | 0;
    return { features: dropped(epoch), ...(dropout > 0 && { seed: step }) };
  };
  if ("nodes" in task)
    return { objective: nodeObjective(model, task.nodes.train, task.labels, { margin }), feeds: inputs };
  const { links } = task;
  const negatives = zeros([links.train.length / 2, 2], "int32");
  const draw = negativeSampler(features.shape[0], links.train, {
    seed,
    except: cleanNegatives ? [links.validation, links.test] : [],
  });
  return {
    objective: linkObjective(model, links.train, { margin }),
    feeds: (epoch) => {
      draw(epoch, negatives.data);
      return { ...inputs(epoch), negatives };
    },
  };
}

/** A network whose output is what the marks are computed from. */
function examOf({ task, model }: GraphTrainingOptions, graph: Graph) {
  const result = valueNamed(graph, graph.outputs[0]);
  if ("nodes" in task) {
    const { nodes, labels, classes } = task;
    const mark = (logits: Float32Array, part: Uint32Array) =>
      ({
        ...classScores(
          Float32Array.from([...part].flatMap((i) => [...logits.subarray(i * classes, (i + 1) * classes)])),
          Array.from(part, (i) => labels[i]),
          classes,
        ),
      }) as Record<string, number>;
    return {
      graph,
      output: result.name,
      marks: (logits: Float32Array) => ({
        validation: mark(logits, nodes.validation),
        test: mark(logits, nodes.test),
      }),
    };
  }
  const { validation, validationNegatives, test, testNegatives } = task.links;
  const parts = [validation, validationNegatives, test, testNegatives];
  const scores = concat(
    parts.map((pairs) => scorePairs(model, result, pairs)),
    0,
  );
  graph.outputs = [];
  output(scores, { batched: false });
  return {
    graph,
    output: scores.name,
    marks: (all: Float32Array) => {
      const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, p) => sum + p.length / 2, 0));
      const part = (i: number) => all.subarray(i === 0 ? 0 : ends[i - 1], ends[i]);
      const mark = (positive: Float32Array, negative: Float32Array): Record<string, number> => ({
        auc: rocAuc(positive, negative),
        ap: averagePrecision(positive, negative),
      });
      return { validation: mark(part(0), part(1)), test: mark(part(2), part(3)) };
    },
  };
}
