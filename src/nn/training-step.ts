import { gradients as differentiate } from "../engine/gradients.ts";
import type { Graph, Value } from "../engine/graph.ts";
import { output, valueNamed } from "../engine/graph.ts";
import { add, batchNormTraining, identity } from "../engine/operators/index.ts";
import { numberAttribute } from "../engine/operators/operator.ts";
import type { FlatArrays } from "../engine/parameters.ts";
import { flatArrays, flattenParameters } from "../engine/parameters.ts";
import { orderProducts } from "../engine/product-order.ts";
import { replay } from "../engine/replay.ts";
import type { Session, SessionOptions } from "../engine/session.ts";
import { createSession } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { sizeOf, zeros } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import type { Sparsifier } from "./sparsifier.ts";

/** What to learn: adds the loss and further figures, single numbers, to a model's graph, with the inputs they need. */
export type Objective = (outputs: Value[], graph: Graph) => { loss: Value; metrics?: Record<string, Value> };

/** Share of the batch's statistics in the running ones after each step, as in PyTorch. */
const BATCH_NORM_MOMENTUM = 0.1;

interface RunningStatistics {
  mean: Value;
  variance: Value;
  /** n/(n − 1), which makes the batch's variance an unbiased estimate of the population's. */
  unbias: number;
  runningMean: Float32Array;
  runningVariance: Float32Array;
}

/** The graph of one optimisation step: forward in training mode, loss, backward. */
export interface TrainingGraph {
  graph: Graph;
  loss: Value;
  metrics: Record<string, Value>;
  /** ∂loss/∂parameter, or what the sparsifier wants in its place, in the order of the graph's parameters. */
  gradients: Value[];
  statistics: RunningStatistics[];
}

export interface TrainingStepOptions {
  sparsifier?: Sparsifier;
  /**
   * Which parameters train, by their names and those of what a sparsifier reads in their place; the others stay as they are,
   * and no gradient is computed for them. Default all.
   */
  trainable?: (parameter: string) => boolean;
}

/**
 * Turns a model, which is an inference graph, into its training step: batch normalisation by the batch's own
 * statistics, the objective's loss, the sparsifier's reparameterisation and penalty, and the backward pass. Parameters
 * and running statistics are shared with the model. Throws a `Problem` where nothing is left to train.
 */
export function trainingGraph(
  model: Graph,
  objective: Objective,
  sparsifier?: Sparsifier,
  trainable: (parameter: string) => boolean = () => true,
): TrainingGraph {
  const statistics: RunningStatistics[] = [];
  // A method that replaces products has to find them as the model has them.
  const graph = replay(sparsifier?.replaceNode ? model : orderProducts(model), {
    parameter: sparsifier?.reparameterize && ((p) => sparsifier.reparameterize!(p)),
    node: (node, inputs, target) => {
      if (node.op !== "BatchNormalization") return sparsifier?.replaceNode?.(node, inputs, target);
      const [x, scale, shift] = inputs as Value[];
      const result = batchNormTraining(x, scale, shift, {
        epsilon: numberAttribute(node.attributes, "epsilon", 1e-5),
      });
      const array = (i: number) => target.constants.get(node.inputs[i])!.data as Float32Array;
      const samples = sizeOf(x.shape) / x.shape[1];
      statistics.push({
        mean: result.mean,
        variance: result.variance,
        unbias: samples / Math.max(1, samples - 1),
        runningMean: array(3),
        runningVariance: array(4),
      });
      return [result.y];
    },
  });
  const outputs = graph.outputs.map((name) => valueNamed(graph, name));
  graph.outputs = [];
  const { loss: own, metrics = {} } = objective(outputs, graph);
  const penalty = sparsifier?.penalty?.(graph);
  const loss = penalty ? add(own, penalty) : own;
  for (const [name, t] of graph.parameters)
    if (!trainable(name)) {
      graph.parameters.delete(name);
      graph.constants.set(name, t);
    }
  if (graph.parameters.size === 0) throw new Problem("no parameter is trainable");
  const parameters = [...graph.parameters.keys()].map((name) => valueNamed(graph, name));
  const gradients = distinct(directions(loss, parameters, sparsifier));
  output(loss, { batched: false });
  for (const v of [...Object.values(metrics), ...gradients]) output(v, { batched: false });
  for (const s of statistics) for (const v of [s.mean, s.variance]) output(v, { batched: false });
  return { graph, loss, metrics, gradients, statistics };
}

/** What the optimiser moves each parameter along. */
function directions(loss: Value, parameters: readonly Value[], sparsifier?: Sparsifier): Value[] {
  const wanted = parameters.map(
    (p) => sparsifier?.direction?.(p) ?? { of: [p], from: ([g]: readonly Value[]) => g },
  );
  const found = differentiate(
    loss,
    wanted.flatMap((d) => d.of),
  );
  let next = 0;
  return wanted.map((d) => d.from(found.slice(next, (next += d.of.length))));
}

/** Two parameters can have one gradient, such as two biases of a sum; each needs an output of its own. */
function distinct(values: readonly Value[]): Value[] {
  const seen = new Set<string>();
  return values.map((v) => {
    const own = seen.has(v.name) ? identity(v) : v;
    seen.add(own.name);
    return own;
  });
}

/** A compiled training step. */
export interface TrainingStep {
  readonly parameters: FlatArrays;
  /** Overwritten by every run. */
  readonly gradients: FlatArrays;
  /** One forward and backward pass in one run of the session; returns the loss and the objective's metrics. */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, number>>;
  /** The gradient at other weights, written to `into`; parameters, gradients and running statistics stay as they are. */
  gradientAt(
    feeds: Readonly<Record<string, Tensor>>,
    weights: Float32Array,
    into: Float32Array,
  ): Promise<void>;
  release(): Promise<void>;
}

/**
 * Compiles the step. The model's parameters move into one flat array, where the optimiser updates them in place, and out
 * of it when the step is released. Throws a `Problem` for a metric that is not a single number.
 */
export async function createTrainingStep(
  model: Graph,
  objective: Objective,
  { sparsifier, trainable, ...options }: SessionOptions & TrainingStepOptions = {},
): Promise<TrainingStep> {
  const step = trainingGraph(model, objective, sparsifier, trainable);
  const { graph, loss, metrics, gradients: values, statistics } = step;
  for (const [name, { shape }] of Object.entries(metrics))
    if (sizeOf(shape) !== 1)
      throw new Problem(`metric "${name}" has shape [${shape}]; it must be a single number: take its mean`);
  const parameters = flattenParameters(graph);
  for (const [name, t] of graph.parameters) if (model.parameters.has(name)) model.parameters.set(name, t);
  const names = [...graph.parameters.keys()];
  const gradients = flatArrays(
    names.map((name) => [name, graph.parameters.get(name)!.shape] as const),
    parameters,
  );
  const session: Session = await createSession(graph, { ...options, feedParameters: true });

  const scalars = { loss, ...metrics };
  const fetches: Record<string, Tensor> = {};
  for (const v of Object.values(scalars)) fetches[v.name] = zeros(v.shape, v.dtype);
  names.forEach((name, i) => (fetches[values[i].name] = gradients.tensors.get(name)!));
  for (const s of statistics) for (const v of [s.mean, s.variance]) fetches[v.name] = zeros(v.shape);

  return {
    parameters,
    gradients,
    run: async (feeds) => {
      await session.run(feeds, fetches);
      for (const s of statistics) updateStatistics(s, fetches);
      return Object.fromEntries(
        Object.entries(scalars).map(([name, v]) => [name, Number(fetches[v.name].data[0])]),
      );
    },
    gradientAt: async (feeds, weights, into) => {
      const [here, gradient] = [parameters.values.slice(), gradients.values.slice()];
      parameters.values.set(weights);
      await session.run(feeds, fetches);
      into.set(gradients.values);
      parameters.values.set(here);
      gradients.values.set(gradient);
    },
    release: async () => {
      await session.release();
      sparsifier?.finish?.();
      // Else the model would keep gradients and moments alive, which lie in the same arena.
      for (const [name, t] of parameters.tensors)
        if (model.parameters.has(name)) model.parameters.set(name, { ...t, data: t.data.slice() });
    },
  };

  function updateStatistics(s: RunningStatistics, results: Readonly<Record<string, Tensor>>): void {
    const mean = results[s.mean.name].data as Float32Array;
    const variance = results[s.variance.name].data as Float32Array;
    for (let c = 0; c < mean.length; c++) {
      s.runningMean[c] += BATCH_NORM_MOMENTUM * (mean[c] - s.runningMean[c]);
      s.runningVariance[c] += BATCH_NORM_MOMENTUM * (variance[c] * s.unbias - s.runningVariance[c]);
    }
  }
}

/** Samples in a batch of the model's first input. */
export function batchOf(model: Graph): number {
  return model.types.get(model.inputs[0])!.shape[0];
}
