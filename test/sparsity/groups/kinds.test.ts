import { describe, expect, it } from "vitest";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import {
  add,
  embedding,
  matmul,
  mul,
  relu,
  reshape,
  sigmoid,
  softmax,
  sum,
  transpose,
} from "../../../src/engine/operators/index.ts";
import { replay } from "../../../src/engine/replay.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { layers } from "../../../src/nn/layers.ts";
import { densenet } from "../../../src/nn/models/densenet.ts";
import { resnet } from "../../../src/nn/models/resnet.ts";
import { transformer } from "../../../src/nn/models/transformer.ts";
import type { Random } from "../../../src/random.ts";
import { random } from "../../../src/random.ts";
import { accountModel } from "../../../src/sparsity/accounting.ts";
import type { GroupSet } from "../../../src/sparsity/groups/group-set.ts";
import type { GroupChoice } from "../../../src/sparsity/groups/kinds.ts";
import { findGroups, GROUP_KINDS, lookForGroups, parseKinds } from "../../../src/sparsity/groups/kinds.ts";
import { weightMatrices } from "../../../src/sparsity/groups/weights.ts";
import { forEachRun, groupNorms, groupSizes, zeroGroups } from "../../../src/sparsity/groups.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import { exactDifference, randomFeeds } from "../shrink/equality.ts";
import * as nets from "../shrink/models.ts";

/** Parameters of its own, random even where they start at zero or one. */
function withOwnWeights(graph: Graph, rng: Random): Graph {
  return replay(graph, {
    tensor: (name, t) =>
      graph.parameters.has(name)
        ? { ...t, data: Float32Array.from(t.data as Float32Array, (v) => v + 0.1 * rng.normal()) }
        : t,
  });
}

const arraysOf = (graph: Graph) =>
  Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));

/** LLaMA's MLP: the gate and what it gates are one layer of neurons. */
function swiglu(): Graph {
  const graph = createGraph("swiglu");
  const { linear } = layers(graph, 1);
  const x = input(graph, "x", [3, 6]);
  const gate = linear("gate", x, 10, { bias: false });
  const hidden = mul(mul(gate, sigmoid(gate)), linear("up", x, 10, { bias: false }));
  output(linear("fc", relu(add(x, linear("down", hidden, 6, { bias: false }))), 3));
  return graph;
}

/** A residual stream that one square weight both reads and writes. */
function selfReading(): Graph {
  const graph = createGraph("self-reading");
  const { linear } = layers(graph, 1);
  const x = linear("first", input(graph, "x", [3, 4]), 7);
  output(linear("last", add(x, relu(linear("square", x, 7))), 3));
  return graph;
}

const small = transformer({
  vocabulary: 7,
  context: 4,
  width: 12,
  heads: 3,
  mlpWidth: 10,
  blocks: 2,
  batch: 2,
});
const NETWORKS: Record<string, () => Graph> = {
  ...Object.fromEntries(Object.entries(nets.MODELS).map(([name, build]) => [name, () => build(random(5))])),
  resnet: () => resnet({ inputShape: [2, 6, 6], classes: 3, widths: [4, 6], blocks: [2, 2] }),
  "a ResNet whose sums are nodes of type Sum": () =>
    replay(NETWORKS.resnet(), {
      node: ({ op }, inputs) => (op === "Add" ? [sum(...(inputs as Value[]))] : undefined),
    }),
  transformer: () => small,
  "transformer from a file": () => importModel(exportModel(small), { batch: 2 }),
  SwiGLU: swiglu,
  "a stream that reads itself": selfReading,
};

const feedsOf = (graph: Graph, rng: Random) =>
  graph.types.get(graph.inputs[0])!.dtype === "int32"
    ? { [graph.inputs[0]]: { shape: [2, 4], data: Float64Array.from({ length: 8 }, () => rng.integer(7)) } }
    : randomFeeds(graph, rng);

/** Zeroes about half of the groups of every set and returns the masks. */
function zeroSome(graph: Graph, sets: readonly GroupSet[], rng: Random): Uint8Array[] {
  return sets.map(({ partition }) => {
    const keep = Uint8Array.from({ length: partition.groups }, () => Number(rng.uniform() < 0.5));
    keep[rng.integer(partition.groups)] = 1;
    zeroGroups(partition, arraysOf(graph), keep);
    return keep;
  });
}

describe.each(Object.keys(NETWORKS))("%s", (network) => {
  const choices: GroupChoice[] = [...GROUP_KINDS, "block:3x5", "head,neuron"];
  const graph = NETWORKS[network]();
  const found = choices.filter((kind) => lookForGroups(graph, kind).sets.length > 0);

  it.each(found)("%s: no weight is in two groups, and zero groups shrink to the same function", (kind) => {
    const rng = random(11);
    const own = withOwnWeights(graph, rng);
    const sets = findGroups(own, kind);
    const seen = new Set<string>();
    for (const { partition } of sets) {
      expect(Math.min(...groupSizes(partition))).toBeGreaterThan(0);
      for (const part of partition.parts)
        forEachRun(part, partition.groups, (_, from, to) => {
          for (let i = from; i < to; i++) {
            const element = `${part.parameter}:${i}`;
            // A stream that reads itself has its own rows and columns in one square weight.
            expect(seen.has(element)).toBe(false);
            seen.add(element);
          }
        });
    }
    const masks = zeroSome(own, sets, rng);
    sets.forEach(({ partition }, i) => {
      const norms = groupNorms(partition, arraysOf(own));
      expect([...norms].map((n) => Number(n > 0))).toEqual([...masks[i]]);
    });
    const { graph: shrunk, branches } = shrinkZeros(own);
    expect(exactDifference(shrunk, own, feedsOf(own, rng))).toBeLessThan(1e-9);
    if (kind === "layer") expect(branches.length).toBe([...masks[0]].filter((m) => !m).length);
  });
});

describe("kinds", () => {
  it.each(["head", "neuron", "channel", "zero-invariant"] as const)(
    "%s groups of a transformer from a file go from it",
    (kind) => {
      const rng = random(3);
      const graph = withOwnWeights(NETWORKS["transformer from a file"](), rng);
      const sets = findGroups(graph, kind);
      const masks = zeroSome(graph, sets, rng);
      const { removed, graph: shrunk } = shrinkZeros(graph);
      expect(masks.flatMap((m) => [...m]).filter((m) => !m).length).toBe(
        removed.reduce((n, r) => n + r.channels.length, 0),
      );
      expect(accountModel(shrunk).total.macs).toBeLessThan(accountModel(graph).total.macs);
    },
  );

  it.each(["filter", "channel", "neuron", "zero-invariant"] as const)(
    "%s groups of layers over the last of three axes are those of layers over two",
    (kind) => {
      const network = (shape: number[]) => {
        const graph = createGraph("mlp");
        const { linear } = layers(graph, 1);
        const x = linear("first", reshape(input(graph, "x", [4, 15]), [...shape, 5]), 6);
        const y = add(x, linear("down", relu(linear("up", x, 8)), 6));
        output(linear("last", reshape(y, [4, 18]), 3));
        return findGroups(graph, kind).map(({ name, partition }) => ({
          name,
          parts: partition.parts.map(({ parameter }) => parameter),
          sizes: groupSizes(partition),
        }));
      };
      expect(network([4, 3])).toEqual(network([12]));
    },
  );

  it("a table that is the output layer as well is what channels are made of", () => {
    const graph = createGraph("tied");
    const { weight, linear } = layers(graph, 1);
    const tokens = weight("tokens", [7, 6], 6);
    const ids = input(graph, "ids", [2, 4], { dtype: "int32" });
    const x = embedding(tokens, ids);
    output(matmul(add(x, linear("down", relu(linear("up", x, 5)), 6)), transpose(tokens, [1, 0])));
    const parts = findGroups(graph, "filter").map((s) => s.partition.parts.map((p) => p.parameter));
    expect(parts).toContainEqual(["tokens", "down.weight", "down.bias"]);
  });

  it("zero-invariant groups behind concatenations hold the slices of their batch norms, and go", () => {
    const rng = random(8);
    const graph = withOwnWeights(densenet({ inputShape: [3, 8, 8], classes: 4, depth: 2, growth: 5 }), rng);
    for (const { op, inputs } of graph.nodes)
      if (op === "BatchNormalization") (graph.constants.get(inputs[3])!.data as Float32Array).fill(0.3);
    const sets = findGroups(graph, "zero-invariant");
    const of = (name: string) => sets.find((s) => s.name === name)!.partition.parts.map((p) => p.parameter);
    const norms = ["block1.layer2.bn", "transition1.bn"].flatMap((bn) => [`${bn}.weight`, `${bn}.bias`]);
    expect(of("block1.layer1.conv")).toEqual(["block1.layer1.conv.weight", ...norms]);
    expect(of("block3.layer2.conv")).toContain("fc.weight");
    const masks = zeroSome(graph, sets, rng);
    const { removed, graph: shrunk } = shrinkZeros(graph);
    expect(removed.reduce((n, r) => n + r.channels.length, 0)).toBe(
      masks.flatMap((m) => [...m]).filter((m) => !m).length,
    );
    expect(exactDifference(shrunk, graph, randomFeeds(graph, rng))).toBeLessThan(1e-9);
    // The control: one shift that is left keeps its channel.
    const gone = masks[1].indexOf(0);
    expect(sets[1].name).toBe("block1.layer1.conv");
    const shifts = graph.parameters.get("transition1.bn.bias")!.data;
    shifts[16 + gone] = 0.5;
    const stays = shrinkZeros(graph).removed.find((r) => r.stream === sets[1].stream);
    expect(stays?.channels ?? []).not.toContain(gone);
  });

  it("heads are found in every spelling of attention, and only there", () => {
    const heads = (graph: Graph) => lookForGroups(graph, "head").sets.map((s) => s.partition.groups);
    expect(heads(small)).toEqual([3, 3]);
    expect(heads(NETWORKS["transformer from a file"]())).toEqual([3, 3]);
    const { graph } = { graph: nets.attention(random(2)) };
    expect(heads(graph)).toEqual([
      graph.nodes.find((n) => n.op === "Softmax")!.outputs.map((o) => graph.types.get(o)!.shape[1])[0],
    ]);
    // A softmax over positions, channel by channel, that nothing is multiplied with is a gate, not attention.
    const gate = createGraph("gate");
    const { linear } = layers(gate, 1);
    const x = linear("fc1", input(gate, "x", [2, 4]), 6);
    output(linear("fc2", mul(x, transpose(softmax(transpose(x, [1, 0])), [1, 0])), 3));
    expect(heads(gate)).toEqual([]);
  });

  it("a head's group holds its rows of queries, keys and values with their biases, and its columns of the output", () => {
    const [set] = findGroups(small, "head");
    const size = 12 / 3;
    expect([...groupSizes(set.partition)]).toEqual(new Array(3).fill(3 * size * 12 + 3 * size + size * 12));
    // Head 1 alone: rows 4 to 7 of each third, columns 4 to 7.
    const owned = new Set<string>();
    for (const part of set.partition.parts)
      forEachRun(part, 3, (head, from, to) => {
        if (head === 1) for (let i = from; i < to; i++) owned.add(`${part.parameter}:${i}`);
      });
    for (const third of [0, 1, 2])
      expect(owned.has(`block1.attention.qkv.weight:${(third * 12 + 4) * 12}`)).toBe(true);
    expect(owned.has("block1.attention.out.weight:4")).toBe(true);
    expect(owned.has("block1.attention.out.weight:8")).toBe(false);
  });

  it("a gated pair is one layer of neurons with three slices each", () => {
    const [set, ...rest] = findGroups(swiglu(), "neuron");
    expect(rest).toEqual([]);
    expect(set.layers).toEqual(["gate", "up"]);
    expect([...groupSizes(set.partition)]).toEqual(new Array(10).fill(3 * 6));
  });

  it("index sets are those of the definition (wgsef.md 3.9)", () => {
    const graph = nets.miniVgg(random(4));
    const matrix = weightMatrices(graph)[1];
    const { parameter, outputs, inputs } = matrix;
    const labelOf = (kind: GroupChoice) => {
      const set = findGroups(graph, kind).find((s) =>
        s.partition.parts.some((p) => p.parameter === parameter),
      )!;
      const labels = new Int32Array(outputs * inputs * 9).fill(-1);
      for (const part of set.partition.parts)
        if (part.parameter === parameter)
          forEachRun(part, set.partition.groups, (j, from, to) => labels.fill(j, from, to));
      return { labels, groups: set.partition.groups };
    };
    const expected: [GroupChoice, number, (o: number, i: number, tap: number) => number][] = [
      ["filter", outputs, (o) => o],
      ["channel", inputs, (_, i) => i],
      ["filter-shape", inputs * 9, (_, i, tap) => i * 9 + tap],
      ["kernel", outputs * inputs, (o, i) => o * inputs + i],
      ["unstructured", outputs * inputs * 9, (o, i, tap) => (o * inputs + i) * 9 + tap],
      [
        "block:2x4",
        Math.ceil(outputs / 2) * Math.ceil((inputs * 9) / 4),
        (o, i, tap) => Math.floor(o / 2) * Math.ceil((inputs * 9) / 4) + Math.floor((i * 9 + tap) / 4),
      ],
    ];
    for (const [kind, groups, label] of expected) {
      const found = labelOf(kind);
      expect(found.groups).toBe(groups);
      for (let flat = 0; flat < found.labels.length; flat++)
        expect(found.labels[flat]).toBe(
          label(Math.floor(flat / (inputs * 9)), Math.floor(flat / 9) % inputs, flat % 9),
        );
    }
  });

  it("a linear layer stored [in, out] has the same groups", () => {
    const graph = createGraph("stored the other way");
    const { weight } = layers(graph, 1);
    const x = relu(matmul(input(graph, "x", [1, 5]), weight("a.weight", [5, 7], 5)));
    output(matmul(x, weight("b.weight", [7, 2], 7)));
    const groups = (kind: GroupChoice) => {
      const [{ partition }] = findGroups(graph, kind);
      const labels = new Int32Array(35);
      for (const part of partition.parts)
        forEachRun(part, partition.groups, (j, from, to) => labels.fill(j, from, to));
      return labels;
    };
    const same = (labels: Int32Array, sameGroup: (o: number, i: number, p: number, j: number) => boolean) => {
      for (let a = 0; a < 35; a++)
        for (let b = 0; b < 35; b++)
          expect(labels[a] === labels[b]).toBe(sameGroup(a % 7, Math.floor(a / 7), b % 7, Math.floor(b / 7)));
    };
    same(groups("filter-shape"), (_, i, __, j) => i === j);
    same(
      groups("block:3x2"),
      (o, i, p, j) => Math.floor(o / 3) === Math.floor(p / 3) && Math.floor(i / 2) === Math.floor(j / 2),
    );
  });

  it("control: as many zeros in groups that follow no neuron remove nothing", () => {
    const rng = random(8);
    const graph = withOwnWeights(nets.miniVgg(random(4)), rng);
    const filters = findGroups(graph, "filter");
    const custom = Object.fromEntries(
      filters.map(({ name, partition }) => {
        const elements = partition.parts.flatMap(({ parameter }) =>
          Array.from(graph.parameters.get(parameter)!.data, (_, i) => [parameter, i] as const),
        );
        const groups = Array.from({ length: partition.groups }, (): Record<string, number[]> => ({}));
        rng.permutation(elements.length).forEach((e, at) => {
          const [parameter, i] = elements[e];
          (groups[at % partition.groups][parameter] ??= []).push(i);
        });
        return [name, groups];
      }),
    );
    const sets = findGroups(graph, custom);
    zeroSome(graph, sets, rng);
    const { removed, branches } = shrinkZeros(graph);
    expect(removed).toEqual([]);
    expect(branches).toEqual([]);
  });

  it("control: one weight that is left keeps its branch and its neuron", () => {
    const graph = withOwnWeights(NETWORKS.resnet(), random(1));
    const [set] = findGroups(graph, "layer");
    zeroGroups(
      set.partition,
      arraysOf(graph),
      Uint8Array.from({ length: set.partition.groups }, (_, j) => Number(j > 0)),
    );
    expect(shrinkZeros(graph).branches.length).toBe(1);
    const last = set.branches![0].parameters.at(-1)!;
    arraysOf(graph)[last][0] = 0.5;
    expect(shrinkZeros(graph).branches).toEqual([]);
  });

  it("names what is wrong with lists made by hand", () => {
    const graph = swiglu();
    const cases: [object, RegExp][] = [
      [
        { a: [{ "gate.weight": [0, 1] }, { "gate.weight": [1] }] },
        /group 1 of "a" and group 0 of "a" both take element 1 of "gate\.weight"/,
      ],
      [
        { a: [{ "gate.weight": [0] }], b: [{ "gate.weight": [0] }] },
        /group 0 of "b" and group 0 of "a" both take element 0/,
      ],
      [{ a: [{ "gate.weight": [60] }] }, /takes element 60 of "gate\.weight", which has elements 0 to 59/],
      [{ a: [{ "gate.weight": [-1] }] }, /takes element -1/],
      [{ a: [{ gate: [0] }] }, /names "gate", which is no parameter; there are gate\.weight, up\.weight/],
      [{ a: [{ "gate.weight": [] }] }, /group 0 of "a" is empty/],
      [{ a: [] }, /"a" has no groups/],
    ];
    for (const [custom, message] of cases)
      expect(() => findGroups(graph, custom as GroupChoice)).toThrow(message);
  });

  it("says what stands in the way where a kind is absent", () => {
    const graph = createGraph("softmax over channels");
    const { linear } = layers(graph, 1);
    output(linear("fc", softmax(linear("hidden", input(graph, "x", [1, 3]), 4)), 2));
    expect(() => findGroups(graph)).toThrow(
      /no channel can be removed in this graph; hidden: Softmax "Softmax" normalises over it/,
    );
    expect(() => findGroups(graph, "head")).toThrow(/no attention with heads/);
    expect(() => parseKinds("filters")).toThrow(/there is no kind of group "filters"; there are filter, /);
    expect(() => parseKinds("block:0x4")).toThrow(/no kind of group "block:0x4"/);
  });

  it("takes several kinds of channels at once where they share no weight", () => {
    const graph = NETWORKS.transformer();
    const names = (choice: GroupChoice) => findGroups(graph, choice).map((s) => s.name);
    expect(names("head,neuron")).toEqual([...names("head"), ...names("neuron")]);
    expect(names("neuron, head")).toEqual([...names("neuron"), ...names("head")]);
    expect(() => names("head,head")).toThrow(/"head" and "head" share weights of /);
    expect(() => names("neuron,zero-invariant")).toThrow(/"neuron" and "zero-invariant" share weights of /);
    expect(() => names("head,layer")).toThrow(
      /"layer" takes no channels out of the network; ask for it alone/,
    );
    expect(() => names("head,heads" as GroupChoice)).toThrow(/there is no kind of group "heads"/);
    expect(() => findGroups(NETWORKS.resnet(), "filter,head")).toThrow(/no attention with heads/);
  });

  it("finds the residual branches of Add and of Sum", () => {
    const [adds, sums] = ["resnet", "a ResNet whose sums are nodes of type Sum"].map((name) =>
      NETWORKS[name](),
    );
    expect(sums.nodes.some((n) => n.op === "Add")).toBe(false);
    expect(findGroups(sums, "layer")[0].layers).toEqual(findGroups(adds, "layer")[0].layers);
  });

  it("a sum is a branch only around the identity", () => {
    const graph = createGraph("two branches");
    const { linear } = layers(graph, 1);
    const x = linear("first", input(graph, "x", [1, 4]), 4);
    const added = add(linear("left", x, 4), linear("right", x, 4));
    output(linear("last", add(added, constant(graph, tensor("float32", [4], [1, 2, 3, 4]))), 2));
    expect(lookForGroups(graph, "layer").sets).toEqual([]);
  });
});
