import { teacherStudent } from "../../src/data/synthetic/teacher-student.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { gemm, relu } from "../../src/engine/operators/index.ts";
import { tensor, zeros } from "../../src/engine/tensor.ts";
import { regression, regressionSource, squaredError } from "../../src/nn/regression.ts";
import { train } from "../../src/nn/trainer.ts";
import type { Random } from "../../src/random.ts";
import { random } from "../../src/random.ts";
import type { GroupPartition } from "../../src/sparsity/groups.ts";
import { groupNorms } from "../../src/sparsity/groups.ts";
import type { KAnnealOptions } from "../../src/sparsity/k-anneal.ts";
import { createKAnneal } from "../../src/sparsity/k-anneal.ts";

const INPUTS = 10;
const EPOCHS = 300;
const WARMUP = 20 / EPOCHS;
const SELECT = 160 / EPOCHS;
/** λ at the start of selection and after it: 3 % more in each of 160 epochs. */
export const LAMBDA = { start: 0.01, end: 0.01 * 1.03 ** 160 };

export interface StudentOptions {
  seed: number;
  /** Neurons to keep of `hidden`; absent: train them all. */
  k?: number;
  hidden?: number;
  method?: Omit<KAnnealOptions, "layers">;
  adam?: boolean;
}

export interface StudentResult {
  /** Mean squared error on the noise-free test set over its variance; at the cut right after it. */
  nmse: number;
  nmseAfterCut: number;
  /** Neurons that are not zero at the end, those that training left, and those that were cut by hand. */
  neurons: number;
  natural: number;
  forced: number;
}

/** Protocol P2 (wgsef.md 6): a student of 40 neurons learns a teacher of 6; draws in the order of 7.5. */
export async function trainStudent({
  seed,
  k,
  hidden = 40,
  method,
  adam = false,
}: StudentOptions): Promise<StudentResult> {
  const data = teacherStudent({ seed });
  const stream = random(5000 + seed);
  const model = student(hidden, stream);
  const orders = Array.from({ length: EPOCHS }, () => stream.permutation(data.train.targets.data.length));
  const partition = neurons(hidden);
  const sparsifier =
    k === undefined
      ? undefined
      : createKAnneal({
          layers: [{ name: "fc1", partition, keep: k }],
          warmup: WARMUP,
          select: SELECT,
          lambdaStart: LAMBDA.start,
          lambdaEnd: LAMBDA.end,
          weightDecay: 1e-4,
          seed,
          ...method,
        });
  const { targets } = data.test;
  const mean = targets.data.reduce((a, b) => a + b, 0) / targets.data.length;
  const variance = targets.data.reduce((sum, y) => sum + (y - mean) ** 2, 0) / targets.data.length;
  const session = { threads: 1 };
  const nmse = async () => (await squaredError(model, data.test, session)) / variance;
  await train(
    model,
    regression(),
    regressionSource(model, data.train, (epoch) => orders[epoch]),
    {
      ...session,
      epochs: EPOCHS,
      optimizer: adam ? { kind: "adam" } : { kind: "sgd" },
      learningRate: adam ? 0.005 : 0.05,
      schedule: { kind: "cosine", flat: WARMUP + SELECT, floor: 0.02 },
      sparsifier: sparsifier && withCut(sparsifier, nmse),
    },
  );
  const norms = groupNorms(
    partition,
    Object.fromEntries([...model.parameters].map(([name, t]) => [name, t.data])),
  );
  const [outcome] = sparsifier?.outcomes() ?? [];
  return {
    nmse: await nmse(),
    nmseAfterCut: sparsifier?.commit()?.after.nmse ?? Number.NaN,
    neurons: norms.filter((n) => n !== 0).length,
    natural: outcome?.natural ?? hidden,
    forced: outcome?.forced ?? 0,
  };
}

/** Evaluates at the cut alone: once an epoch would cost more than training. */
function withCut<S extends ReturnType<typeof createKAnneal>>(sparsifier: S, nmse: () => Promise<number>): S {
  const { atBoundary } = sparsifier;
  return {
    ...sparsifier,
    atBoundary: (moment) => atBoundary?.(moment, async () => ({ nmse: await nmse() })),
  };
}

function student(hidden: number, { normal }: Random): Graph {
  const graph = createGraph("student");
  const draw = (name: string, shape: readonly [number, number], scale: number) =>
    parameter(
      graph,
      name,
      tensor(
        "float32",
        shape,
        Float32Array.from({ length: shape[0] * shape[1] }, () => scale * normal()),
      ),
    );
  const zero = (name: string, size: number) => parameter(graph, name, zeros([size]));
  const x = input(graph, "input", [50, INPUTS]);
  const weights = draw("fc1.weight", [hidden, INPUTS], Math.sqrt(2 / INPUTS));
  const h = relu(gemm(x, weights, { transB: true, c: zero("fc1.bias", hidden) }));
  output(
    gemm(h, draw("fc2.weight", [1, hidden], 1 / Math.sqrt(hidden)), { transB: true, c: zero("fc2.bias", 1) }),
  );
  return graph;
}

/** A neuron is its weights, its bias and its weight in the output: 12 numbers. */
function neurons(hidden: number): GroupPartition {
  const part = (parameter: string, inner: number) => ({ parameter, outer: 1, channels: hidden, inner });
  return { groups: hidden, parts: [part("fc1.weight", INPUTS), part("fc1.bias", 1), part("fc2.weight", 1)] };
}
