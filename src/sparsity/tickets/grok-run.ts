import type { Graph } from "../../engine/graph.ts";
import { rebatch } from "../../engine/replay.ts";
import type { Session } from "../../engine/session.ts";
import { createSession } from "../../engine/session.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { zeros } from "../../engine/tensor.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { train } from "../../nn/trainer.ts";
import type { CurvePoint, GrokTimes } from "./detector.ts";
import { createDetector } from "./detector.ts";
import { exactCrossEntropy } from "./exact-cross-entropy.ts";
import type { Weights } from "./masks.ts";
import { weightsOf } from "./masks.ts";
import type { Task, TaskSplit } from "./tasks.ts";
import { taskFeeds } from "./tasks.ts";

export interface GrokRunOptions {
  /** Training ends after this many steps at the latest. */
  steps: number;
  /** Steps between evaluations of all samples. Default 10. */
  evaluateEvery?: number;
  /** Training ends this many steps after the network has generalised for good. Default 0. */
  holdFor?: number;
  /** Default 1e-3. */
  learningRate?: number;
  /** Decoupled; default 1. */
  weightDecay?: number;
  /** Default .9 and .98. */
  betas?: readonly [number, number];
  sparsifier?: Sparsifier;
  /** Called after every evaluation; `weights` are the live arrays. */
  onPoint?: (point: CurvePoint, weights: Weights) => void;
  signal?: AbortSignal;
}

export interface GrokRun {
  curve: CurvePoint[];
  times: GrokTimes;
  /** Loss on the training samples before the last step. */
  loss: number;
  weights: Weights;
  /** False where the signal stopped it. */
  finished: boolean;
}

/**
 * Trains a model of a task in place by full-batch AdamW (grokking.md section 2), follows it with the detectors, and stops
 * when it has generalised or `steps` are over.
 */
export async function grokRun(
  model: Graph,
  task: Task,
  split: TaskSplit,
  options: GrokRunOptions,
): Promise<GrokRun> {
  const {
    steps,
    evaluateEvery = 10,
    holdFor,
    learningRate = 1e-3,
    weightDecay = 1,
    betas = [0.9, 0.98],
  } = options;
  const batched = rebatch(model, split.train.length);
  const feeds = taskFeeds(task, split.train, batched);
  const judge = createJudge(batched, task, split);
  const detector = createDetector({ holdFor });
  const curve: CurvePoint[] = [];
  const record = (point: CurvePoint) => {
    curve.push(point);
    detector.observe(point);
    options.onPoint?.(point, live());
  };
  const live = (): Weights => new Map([...batched.parameters].map(([name, t]) => [name, t.data]));
  try {
    record({ step: 0, ...(await judge.accuracies()) });
    const { history, finished } = await train(
      batched,
      exactCrossEntropy(),
      {
        stepsPerEpoch: evaluateEvery,
        *feeds(_, from) {
          for (let i = from; i < evaluateEvery; i++) yield feeds;
        },
      },
      {
        epochs: Math.ceil(steps / evaluateEvery),
        optimizer: { kind: "adamw", betas },
        learningRate,
        weightDecay,
        sparsifier: options.sparsifier,
        threads: 1,
        signal: options.signal,
        evaluate: judge.accuracies,
        onEpoch: ({ step, metrics: { train, test } }) => record({ step, train, test }),
        stopWhen: detector.grokked,
      },
    );
    const weights = weightsOf(batched);
    for (const [name, w] of weights) model.parameters.get(name)!.data.set(w);
    return { curve, times: detector.times(), loss: history.at(-1)?.loss ?? Number.NaN, weights, finished };
  } finally {
    await judge.release();
  }
}

/** Accuracies of the model, as it stands, on the two parts of the samples: one run over all of them. */
function createJudge(model: Graph, task: Task, { train, test }: TaskSplit) {
  const samples = Uint32Array.of(...train, ...test);
  const graph = rebatch(model, samples.length);
  const { labels, ...feeds } = taskFeeds(task, samples, graph);
  const [name] = graph.outputs;
  const logits = zeros(graph.types.get(name)!.shape);
  let session: Session | undefined;
  let owner: Tensor | undefined;
  return {
    accuracies: async () => {
      // The trainer moves the parameters into arrays of its own: read them where they are now.
      const [first] = model.parameters.values();
      if (owner !== first) {
        await session?.release();
        for (const [parameter, t] of model.parameters) graph.parameters.set(parameter, t);
        session = await createSession(graph, { threads: 1, feedParameters: true });
        owner = first;
      }
      await session!.run(feeds, { [name]: logits });
      const share = (from: number, to: number) => hits(logits, labels, from, to) / (to - from);
      return { train: share(0, train.length), test: share(train.length, samples.length) };
    },
    release: async () => session?.release(),
  };
}

/** How many of the rows from..to have their largest logit at their label. */
function hits(logits: Tensor<"float32">, labels: Tensor, from: number, to: number): number {
  const classes = logits.shape[1];
  const { data } = logits;
  let count = 0;
  for (let row = from; row < to; row++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (data[row * classes + c] > data[row * classes + best]) best = c;
    count += Number(best === labels.data[row]);
  }
  return count;
}
