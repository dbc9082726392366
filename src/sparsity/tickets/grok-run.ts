import type { Graph } from "../../engine/graph.ts";
import { rebatch } from "../../engine/replay.ts";
import type { Session } from "../../engine/session.ts";
import { createSession } from "../../engine/session.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { zeros } from "../../engine/tensor.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { train } from "../../nn/trainer.ts";
import { Problem } from "../../problem.ts";
import type { CurvePoint, GrokTimes } from "./detector.ts";
import { createDetector } from "./detector.ts";
import type { Lesson, Samples } from "./lesson.ts";
import type { Weights } from "./masks.ts";
import { weightsOf } from "./masks.ts";

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
 * Trains a model in place on a lesson by full-batch AdamW (grokking.md section 2), follows it with the detectors, and stops
 * when it has generalised or `steps` are over. Throws a `Problem` for steps that are no whole numbers above 0.
 */
export async function grokRun(model: Graph, lesson: Lesson, options: GrokRunOptions): Promise<GrokRun> {
  const {
    steps,
    evaluateEvery = 10,
    holdFor,
    learningRate = 1e-3,
    weightDecay = 1,
    betas = [0.9, 0.98],
  } = options;
  for (const [name, value] of Object.entries({ steps, evaluateEvery }))
    if (!(Number.isInteger(value) && value > 0))
      throw new Problem(`grokRun: ${name} is ${value}; take a whole number above 0`);
  const batched = rebatch(model, countOf(lesson.train));
  const judge = createJudge(batched, lesson);
  const detector = createDetector({ holdFor, threshold: lesson.threshold });
  const curve: CurvePoint[] = [];
  const record = (point: CurvePoint) => {
    curve.push(point);
    detector.observe(point);
    options.onPoint?.(point, live());
  };
  const live = (): Weights => new Map([...batched.parameters].map(([name, t]) => [name, t.data]));
  try {
    record({ step: 0, ...(await judge.scores()) });
    const { history, finished } = await train(
      batched,
      lesson.objective,
      {
        stepsPerEpoch: evaluateEvery,
        *feeds(_, from) {
          for (let i = from; i < evaluateEvery; i++) yield lesson.train;
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
        evaluate: judge.scores,
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

function countOf(samples: Samples): number {
  return Object.values(samples)[0].shape[0];
}

/** Scores of the model, as it stands, on the two parts of the samples. */
function createJudge(model: Graph, { train, test, score }: Lesson) {
  const parts = [train, test].map((samples) => {
    const graph = rebatch(model, countOf(samples));
    const answers = zeros(graph.types.get(graph.outputs[0])!.shape);
    const feeds = Object.fromEntries(graph.inputs.map((name) => [name, samples[name]]));
    return { graph, samples, answers, feeds, session: undefined as Session | undefined };
  });
  let owner: Tensor | undefined;
  const release = () => Promise.all(parts.map(({ session }) => session?.release()));
  return {
    scores: async () => {
      // The trainer moves the parameters into arrays of its own: read them where they are now.
      const [first] = model.parameters.values();
      if (owner !== first) {
        await release();
        for (const part of parts) {
          for (const [parameter, t] of model.parameters) part.graph.parameters.set(parameter, t);
          part.session = await createSession(part.graph, { threads: 1, feedParameters: true });
        }
        owner = first;
      }
      const found: number[] = [];
      for (const { graph, samples, answers, feeds, session } of parts) {
        await session!.run(feeds, { [graph.outputs[0]]: answers });
        found.push(score(answers, samples));
      }
      return { train: found[0], test: found[1] };
    },
    release,
  };
}
