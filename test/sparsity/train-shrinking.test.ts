import { describe, expect, test } from "vitest";
import type { Split } from "../../src/data/dataset.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { flatten, maxPool, relu } from "../../src/engine/operators/index.ts";
import { createSession } from "../../src/engine/session.ts";
import { classification, classificationSource, evaluateClassifier } from "../../src/nn/classification.ts";
import { layers as layersIn } from "../../src/nn/layers.ts";
import type { TrainingSnapshot, TrainOptions } from "../../src/nn/trainer.ts";
import { train } from "../../src/nn/trainer.ts";
import { random } from "../../src/random.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/runs/checkpoint.node.ts";
import { accountModel } from "../../src/sparsity/accounting.ts";
import { analyzeChannels, streamPartition } from "../../src/sparsity/channels.ts";
import { findGroups } from "../../src/sparsity/groups/kinds.ts";
import { zeroGroups } from "../../src/sparsity/groups.ts";
import type { KAnnealOptions, LayerOutcome } from "../../src/sparsity/k-anneal.ts";
import { createKAnneal } from "../../src/sparsity/k-anneal.ts";
import { shrinkZeros } from "../../src/sparsity/shrink-zeros.ts";

import { trainShrinking } from "../../src/sparsity/train-shrinking.ts";

const scale = { mean: [0.4], std: [0.5] };

/** Upright or lying stripes under noise. */
function stripes(count: number, seed: number): Split {
  const rng = random(seed);
  const labels = Int32Array.from({ length: count }, () => rng.integer(2));
  const data = Float32Array.from({ length: 64 * count }, (_, i) => {
    const along = labels[Math.floor(i / 64)] ? i % 8 : Math.floor(i / 8) % 8;
    return 0.8 * rng.uniform() + (along % 4 < 2 ? 0.3 : 0);
  });
  return { inputs: { dtype: "float32", shape: [count, 1, 8, 8], data }, labels };
}
const data = { train: stripes(160, 1), test: stripes(100, 2) };

/** Two convolutions, the first with batch norm, and two linear layers: readers of every kind. */
function network(): Graph {
  const graph = createGraph("small");
  const { conv2d, batchNorm, linear } = layersIn(graph, 3);
  let x = input(graph, "input", [20, 1, 8, 8]);
  x = maxPool(relu(batchNorm("bn1", conv2d("conv1", x, 10, { padding: 1, bias: false }))), 2);
  x = relu(conv2d("conv2", x, 12, { padding: 1 }));
  x = relu(linear("fc1", flatten(x), 16));
  output(linear("fc2", x, 2));
  return graph;
}

const KEEP: Record<string, number> = { conv1: 4, conv2: 5, fc1: 6 };

function groupedLayers(graph: Graph): KAnnealOptions["layers"] {
  return findGroups(graph, "filter").map(({ name, partition }) => ({ name, partition, keep: KEEP[name] }));
}

const adam = (metric: "block" | "weight" | "decoupled") => ({
  optimizer: { kind: "adam" as const },
  learningRate: 0.004,
  method: { metric },
});

const WEAK = { penalty: "wgsef", lambdaStart: 1e-9, lambdaEnd: 1e-9 } as const;

type Change = Partial<TrainOptions> & {
  method?: Partial<KAnnealOptions>;
  shrinkWhileTraining?: boolean;
};

const plan = {
  epochs: 8,
  optimizer: { kind: "sgd", momentum: 0.9 },
  learningRate: 0.02,
  weightDecay: 1e-3,
  threads: 1,
} as const;

async function run({ method, shrinkWhileTraining, ...change }: Change = {}) {
  const graph = network();
  const source = classificationSource(graph, data.train, scale, { seed: 5 });
  const shrunk: { epoch: number; macs: number }[] = [];
  const { history, sparsifier } = await trainShrinking(graph, classification(), source, {
    ...plan,
    ...change,
    sparsifier: { layers: groupedLayers(graph), penalty: "none", weightDecay: 5e-3, ...method },
    shrinkWhileTraining,
    evaluate: async (model) => ({
      accuracy: (await evaluateClassifier(model, data.test, scale, { threads: 1 })).accuracy,
    }),
    onShrink: (smaller) => shrunk.push(smaller),
  });
  return { graph, history, sparsifier: sparsifier!, shrunk };
}

const losses = ({ history }: { history: readonly { loss: number }[] }) => history.map((h) => h.loss);
const furthest = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((v, i) => Math.abs(v - b[i])));

/** The scores of the first test samples. */
async function scores(graph: Graph): Promise<number[]> {
  const session = await createSession(graph, { threads: 1 });
  const inputs = { ...data.test.inputs, shape: [20, 1, 8, 8], data: data.test.inputs.data.slice(0, 20 * 64) };
  const result = await session.run({ input: inputs });
  await session.release();
  return [...(result[graph.outputs[0]].data as Float32Array)];
}

/** A run whose snapshots are kept, as the bytes of checkpoints. */
async function recorded(change: Change = {}) {
  const checkpoints: Uint8Array[] = [];
  const whole = await run({
    ...change,
    saveEvery: 4,
    save: async (snapshot) => void checkpoints.push(encodeCheckpoint(snapshot())),
  });
  return { whole, checkpoints: checkpoints.map((bytes) => () => decodeCheckpoint(bytes, "checkpoint")) };
}

const weightsOf = ({ graph }: { graph: Graph }) => [...graph.parameters].map(([name, t]) => [name, t.data]);
const names = (snapshot: TrainingSnapshot, prefix: string) =>
  Object.keys(snapshot.tensors).filter((name) => name.startsWith(prefix));

describe("where everything is cut at once, the smaller network learns what the masked one does", () => {
  test.each([
    ["SGD with momentum", {}],
    ["SGD with clipped gradients", { clipNorm: 0.5 }],
    ["block Adam", adam("block")],
    // Magnitudes have no exact step; an envelope this weak is as good as none.
    ["Adam with exact steps", { ...adam("weight"), method: { ...adam("weight").method, ...WEAK } }],
    ["Adam with Euclidean steps", adam("decoupled")],
  ] as const)("%s", async (_, change) => {
    const [small, masked] = [await run(change), await run({ ...change, shrinkWhileTraining: false })];
    expect(masked.shrunk).toEqual([]);
    expect(small.shrunk).toHaveLength(1);
    const [{ epoch, macs }] = small.shrunk;
    expect(plan.epochs - epoch).toBeGreaterThan(2);
    expect(macs).toBe(accountModel(shrinkZeros(small.graph).graph).total.macs);
    expect(furthest(losses(small), losses(masked))).toBeLessThan(1e-5);
    expect(furthest(await scores(small.graph), await scores(masked.graph))).toBeLessThan(1e-4);
    expect(small.sparsifier.outcomes()).toEqual(masked.sparsifier.outcomes());
    expect(small.sparsifier.outcomes().map((o) => o.groups)).toEqual([10, 12, 16]);
  });
});

describe("control: what goes on without a part of the state learns something else", () => {
  /** Goes on from the end of the epoch before the cut, with a changed snapshot; how far the losses are from the masked ones. */
  async function distance(change: Change, damage: (snapshot: TrainingSnapshot, dead: number[][]) => void) {
    const masked = await run({ ...change, shrinkWhileTraining: false });
    const { whole, checkpoints } = await recorded(change);
    const [{ epoch }] = whole.shrunk;
    const at = checkpoints
      .map((load) => load())
      .find(({ progress }) => progress.epoch === epoch && progress.stepInEpoch === 0)!;
    const dead = whole.sparsifier
      .outcomes()
      .map(({ name }) => [...whole.sparsifier.mask(name)].flatMap((alive, j) => (alive ? [] : [j])));
    damage(at, dead);
    return furthest(losses(await run({ ...change, resume: at })), losses(masked));
  }

  test("momentum", async () => {
    expect(await distance({}, () => {})).toBeLessThan(1e-5);
    expect(
      await distance({}, (at) => {
        for (const name of names(at, "momentum/")) (at.tensors[name].data as Float32Array).fill(0);
      }),
    ).toBeGreaterThan(1e-4);
  });

  test("running statistics", async () => {
    const accuracy = async (damage: (at: TrainingSnapshot) => void) => {
      const { whole, checkpoints } = await recorded();
      const at = checkpoints.map((load) => load()).find((s) => s.progress.epoch === whole.shrunk[0].epoch)!;
      damage(at);
      const { graph } = await run({ resume: at });
      return furthest(await scores(graph), await scores(whole.graph));
    };
    expect(await accuracy(() => {})).toBe(0);
    expect(
      await accuracy((at) => {
        for (const name of names(at, "statistic/")) (at.tensors[name].data as Float32Array).fill(0);
      }),
    ).toBeGreaterThan(1e-2);
  });

  test("second moments of what was taken out, which block Adam's metric counts", async () => {
    expect(
      await distance(adam("block"), (at, [, second]) => {
        const t = at.tensors["secondMoment/fc1.weight"];
        const rows = t.shape[0] / 12;
        const row = t.data.length / t.shape[0];
        for (const j of second) (t.data as Float32Array).fill(0, j * rows * row, (j + 1) * rows * row);
      }),
    ).toBeGreaterThan(1e-3);
  });
});

describe("selection", () => {
  const natural: Change = {
    epochs: 14,
    method: { penalty: "wgsef", lambdaStart: 0.5, lambdaEnd: 40, select: 0.7 },
  };

  test("cuts layer after layer, and learns what a network learns whose readers of dead channels are zeroed", async () => {
    const small = await run(natural);
    const graph = network();
    const method = createKAnneal({
      layers: groupedLayers(graph),
      weightDecay: 5e-3,
      ...natural.method,
    });
    const { streams } = analyzeChannels(graph);
    const cutAt = new Set(small.shrunk.map(({ epoch }) => epoch));
    const { history } = await train(
      graph,
      classification(),
      classificationSource(graph, data.train, scale, { seed: 5 }),
      {
        ...plan,
        epochs: natural.epochs!,
        sparsifier: {
          ...method,
          atBoundary: async (moment, evaluate) => {
            await method.atBoundary!(moment, evaluate);
            if (!cutAt.has(moment.epoch + 1)) return;
            for (const { name } of method.outcomes())
              for (const { arrays } of [moment.parameters, ...Object.values(moment.optimizer.state)])
                zeroGroups(
                  streamPartition(graph, streams.find((s) => s.name === name)!, { members: "readers" }),
                  arrays,
                  method.mask(name),
                );
          },
        },
      },
    );
    expect(furthest(losses(small), losses({ history }))).toBeLessThan(1e-5);
    // Which group is the one at a threshold is a matter of rounding.
    const decided = ({ undecided: _, ...outcome }: LayerOutcome) => outcome;
    expect(small.sparsifier.outcomes().map(decided)).toEqual(method.outcomes().map(decided));
  });

  test("goes on from any checkpoint to the same bits", async () => {
    const { whole, checkpoints } = await recorded(natural);
    const cuts = whole.shrunk.map(({ epoch }) => epoch);
    const wanted = cuts.flatMap((epoch) => [
      [epoch, 0],
      [epoch, 4],
    ]);
    const resumed = [];
    for (const load of checkpoints) {
      const { epoch, stepInEpoch } = load().progress;
      if (!wanted.some(([e, s]) => e === epoch && s === stepInEpoch)) continue;
      resumed.push(`${epoch}.${stepInEpoch}`);
      const again = await run({ ...natural, resume: load() });
      expect(weightsOf(again)).toEqual(weightsOf(whole));
      expect(again.history).toEqual(whole.history);
      expect(again.sparsifier.outcomes()).toEqual(whole.sparsifier.outcomes());
    }
    expect(resumed).toHaveLength(2 * cuts.length);
    // Control: a checkpoint must say what was taken out, or the larger network rounds differently.
    const late = checkpoints
      .map((load) => load())
      .find((s) => s.progress.epoch === cuts[0] && s.progress.stepInEpoch > 0)!;
    delete (late.sparsifier as { livingWhenCut?: unknown }).livingWhenCut;
    expect(weightsOf(await run({ ...natural, resume: late }))).not.toEqual(weightsOf(whole));
  });
});
