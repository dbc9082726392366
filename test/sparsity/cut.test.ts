import { describe, expect, test } from "vitest";
import type { Graph } from "../../src/engine/graph.ts";
import { initializer } from "../../src/engine/graph.ts";
import { createSession } from "../../src/engine/session.ts";
import { densenet } from "../../src/nn/models/densenet.ts";
import { mobilenetV2 } from "../../src/nn/models/mobilenet.ts";
import { resnet } from "../../src/nn/models/resnet.ts";
import { random } from "../../src/random.ts";
import type { Cut } from "../../src/sparsity/cut.ts";
import { cutDead, cutPartition, gather, scatter } from "../../src/sparsity/cut.ts";
import type { GroupSet } from "../../src/sparsity/groups/group-set.ts";
import type { GroupKind } from "../../src/sparsity/groups/kinds.ts";
import { findGroups } from "../../src/sparsity/groups/kinds.ts";
import { groupNorms, groupSizes, nominalSizes, zeroGroups } from "../../src/sparsity/groups.ts";

const image = { inputShape: [3, 8, 8], classes: 4, seed: 2 };
const NETWORKS: Record<string, () => Graph> = {
  resnet: () => resnet({ ...image, widths: [6, 8], blocks: [2, 2] }),
  densenet: () => densenet({ ...image, depth: 7, growth: 4 }),
  mobilenet: () => mobilenetV2({ ...image, width: 0.25 }),
};

const arraysOf = (graph: Graph) =>
  Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));

/** Irregular weights and statistics, and zeros in the groups that are dead. */
function fill(graph: Graph, sets: readonly GroupSet[], living: readonly Uint8Array[]): void {
  const rng = random(4);
  for (const { shape, data } of graph.parameters.values()) {
    const scale = shape.length > 1 ? Math.sqrt((2 * shape[0]) / data.length) : 0.3;
    for (let i = 0; i < data.length; i++) data[i] = scale * rng.normal() + (shape.length > 1 ? 0 : 0.4);
  }
  for (const { op, inputs } of graph.nodes)
    if (op === "BatchNormalization")
      for (const name of inputs.slice(3, 5)) {
        const { data } = graph.constants.get(name)!;
        for (let i = 0; i < data.length; i++) data[i] = 0.5 + rng.uniform();
      }
  sets.forEach(({ partition }, i) => zeroGroups(partition, arraysOf(graph), living[i]));
}

/** Some groups of each set live, the first one always. */
const halfOf = (sets: readonly GroupSet[], seed: number) => {
  const rng = random(seed);
  return sets.map(({ partition }) =>
    Uint8Array.from({ length: partition.groups }, (_, j) => (j === 0 || rng.uniform() < 0.5 ? 1 : 0)),
  );
};

async function outputOf(graph: Graph): Promise<Float32Array> {
  const rng = random(9);
  const x = Float32Array.from({ length: 3 * 8 * 8 }, () => rng.normal());
  const session = await createSession(graph, { threads: 1 });
  const result = await session.run({ input: { dtype: "float32", shape: [1, 3, 8, 8], data: x } });
  await session.release();
  return result[graph.outputs[0]].data as Float32Array;
}

const sizesOf = ({ graph }: Pick<Cut, "graph">) =>
  [...graph.parameters].map(([name, t]) => `${name} ${t.shape}`);

const CASES: readonly [string, readonly GroupKind[]][] = [
  ["resnet", ["filter", "zero-invariant", "channel", "layer"]],
  ["densenet", ["filter", "zero-invariant", "channel"]],
  ["mobilenet", ["filter"]],
];

describe.each(CASES)("%s", (name, kinds) => {
  test.each(kinds)("groups of kind %s", async (kind) => {
    const graph = NETWORKS[name]();
    const sets = findGroups(graph, kind);
    const layers = sets.map(({ name: layer, partition }) => ({ name: layer, partition, keep: 1 }));
    const living = halfOf(sets, 1);
    fill(graph, sets, living);
    const cut = cutDead(graph, layers, living);
    expect(sizesOf(cut)).not.toEqual(sizesOf({ graph }));

    // The same function, and what went and came back is what stayed.
    const back: Record<string, Float32Array> = {};
    for (const [tensor, origin] of cut.origins) {
      const [from, to] = [initializer(graph, tensor)!.data, initializer(cut.graph, tensor)!.data];
      gather(from as Float32Array, origin, to as Float32Array);
      back[tensor] = new Float32Array(from.length);
      scatter(to as Float32Array, origin, back[tensor]);
    }
    const [small, whole] = [await outputOf(cut.graph), await outputOf(graph)];
    const largest = Math.max(...whole.map(Math.abs));
    small.forEach((v, i) => expect(Math.abs(v - whole[i])).toBeLessThan(1e-5 * largest));

    for (const [parameter, { data }] of graph.parameters) back[parameter] ??= new Float32Array(data.length);
    sets.forEach(({ partition }) => {
      const narrow = cutPartition(partition, cut);
      const [a, b] = [groupNorms(narrow, arraysOf(cut.graph)), groupNorms(partition, back)];
      a.forEach((norm, j) => expect(norm).toBeCloseTo(b[j], 6));
      expect(nominalSizes(narrow)).toEqual(groupSizes(partition));
    });

    // Other groups, other sizes; and without dead ones nothing goes, whatever is zero now.
    const opposite = living.map((mask) => mask.map((alive, j) => (j === 0 ? 1 : 1 - alive)));
    expect(sizesOf(cutDead(graph, layers, opposite))).not.toEqual(sizesOf(cut));
    expect(sizesOf(cutDead(graph, layers, []))).toEqual(sizesOf({ graph }));
  });
});

test("what only follows from numbers that training changes stays", () => {
  // Filters without the norms behind them, whose shifts may make a dead channel count again.
  const graph = NETWORKS.densenet();
  const sets = findGroups(graph, "filter").map((set) => {
    const parts = set.partition.parts.filter(({ parameter }) => !parameter.includes(".bn."));
    return { ...set, partition: { groups: set.partition.groups, parts } };
  });
  const layers = sets.map(({ name, partition }) => ({ name, partition, keep: 1 }));
  expect(sizesOf(cutDead(graph, layers, halfOf(sets, 1)))).toEqual(sizesOf({ graph }));
});
