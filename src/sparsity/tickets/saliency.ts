import { gradients } from "../../engine/gradients.ts";
import type { Graph, Value } from "../../engine/graph.ts";
import { output, valueNamed } from "../../engine/graph.ts";
import { add, mul, reduceSum } from "../../engine/operators/index.ts";
import { replay } from "../../engine/replay.ts";
import { createSession } from "../../engine/session.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Objective } from "../../nn/training-step.ts";
import { Problem } from "../../problem.ts";
import { exactCrossEntropy } from "./exact-cross-entropy.ts";
import type { Masks, Scope, Scores } from "./masks.ts";
import { keepLargest, mapValues, prunable } from "./masks.ts";

type Feeds = Readonly<Record<string, Tensor>>;

export interface SaliencyOptions {
  /** Default: `exactCrossEntropy`. */
  objective?: Objective;
}

/**
 * |g ∘ w|, g = ∂loss/∂w: how much the loss changes, to first order, when the weight goes (SNIP; Lee et al. 2019, eq. 6).
 *
 * All scores here are of matrices and convolution kernels alone (`prunable`), and of as many samples as are fed, whatever
 * batch the model was made for.
 */
export async function snipScores(
  model: Graph,
  feeds: Feeds,
  { objective = exactCrossEntropy() }: SaliencyOptions = {},
): Promise<Scores> {
  const products = await parameterProducts(model, feeds, (outputs, weights, graph) =>
    gradients(objective(outputs, graph).loss, weights),
  );
  return mapValues(products, (scores) => scores.map(Math.abs));
}

export interface GraspOptions extends SaliencyOptions {
  /** What the logits are divided by. Default 200, as its authors do. */
  temperature?: number;
}

/**
 * w ∘ Hg, H the Hessian of the loss (GraSP; Wang et al. 2020, eq. 8, without its sign). `keepLargest` of this keeps what
 * carries the flow of gradients: it removes the largest −w ∘ Hg, as the paper says (`grasp`). Keeping the lowest instead
 * is the opposite reading of the sign (`grasp-reversed`).
 */
export async function graspScores(
  model: Graph,
  feeds: Feeds,
  { temperature = 200, objective = exactCrossEntropy({ temperature }) }: GraspOptions = {},
): Promise<Scores> {
  return await parameterProducts(model, feeds, (outputs, weights, graph) => {
    const first = gradients(objective(outputs, graph).loss, weights);
    // ∇ ½|g|² = Hg.
    const half = first.map((g) => mul(reduceSum(mul(g, g)), 0.5)).reduce((a, b) => add(a, b));
    return gradients(half, weights);
  });
}

/**
 * |w| ∘ ∂R/∂|w|, R the sum of the outputs of the network with |w| in place of w (SynFlow; Tanaka et al. 2020, eq. 2). No
 * labels are needed; feed ones for an MLP's counts.
 */
export async function synflowScores(model: Graph, feeds: Feeds): Promise<Scores> {
  return await parameterProducts(positive(model), feeds, flow);
}

/**
 * SynFlow in rounds (Tanaka et al. 2020, algorithm 1): after round i of n, scored anew on what is left, a share of
 * 1 − (1 − ratio)^(i/n) is gone. One round is the one-shot mask.
 */
export async function synflowMasks(
  model: Graph,
  feeds: Feeds,
  ratio: number,
  { rounds = 100, scope }: { rounds?: number; scope?: Scope } = {},
): Promise<Masks> {
  if (!(Number.isInteger(rounds) && rounds > 0))
    throw new Problem(`SynFlow in ${rounds} rounds; take a whole number above 0`);
  const copy = positive(model);
  let masks: Masks | undefined;
  const { scores, release } = await compileProducts(copy, feeds, flow);
  try {
    for (let round = 1; round <= rounds; round++) {
      const alive = masks;
      const found = mapValues(await scores(), (s, name) =>
        // What is gone stays gone, even where a living weight scores 0.
        alive ? s.map((v, i) => (alive.get(name)![i] ? v : Number.NEGATIVE_INFINITY)) : s,
      );
      masks = keepLargest(found, 1 - (1 - ratio) ** (round / rounds), scope);
      for (const [name, mask] of masks) {
        const { data } = copy.parameters.get(name)!;
        for (let i = 0; i < data.length; i++) if (!mask[i]) data[i] = 0;
      }
    }
  } finally {
    await release();
  }
  return masks!;
}

/** The model with |w| in arrays of its own. */
function positive(model: Graph): Graph {
  const copy = replay(model);
  for (const [name, t] of model.parameters) copy.parameters.set(name, { ...t, data: t.data.map(Math.abs) });
  return copy;
}

type Build = (outputs: Value[], weights: Value[], graph: Graph) => Value[];

/** ∂R/∂w, R the sum of the outputs. */
const flow: Build = ([y], weights) => gradients(reduceSum(y), weights);

/** w ∘ v for a value v of the shape of each matrix or kernel, once. */
async function parameterProducts(
  model: Graph,
  feeds: Feeds,
  build: Build,
): Promise<Map<string, Float32Array>> {
  const { scores, release } = await compileProducts(model, feeds, build);
  try {
    return await scores();
  } finally {
    await release();
  }
}

async function compileProducts(model: Graph, feeds: Feeds, build: Build) {
  const batched = model.inputs.find((name) => model.batched.has(name));
  const graph = replay(model, { batch: feeds[batched ?? ""]?.shape[0] });
  const outputs = graph.outputs.map((name) => valueNamed(graph, name));
  graph.outputs = [];
  const names = [...prunable(graph.parameters, graph).keys()];
  const weights = names.map((name) => valueNamed(graph, name));
  const products = build(outputs, weights, graph).map((v, i) => mul(v, weights[i]));
  for (const v of products) output(v, { batched: false });
  const session = await createSession(graph, { threads: 1, feedParameters: true });
  return {
    scores: async () => {
      const results = await session.run(feeds);
      return new Map(names.map((name, i) => [name, results[products[i].name].data as Float32Array]));
    },
    release: () => session.release(),
  };
}
