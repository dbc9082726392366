import { describe, expect, it } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { initializer } from "../../../src/engine/graph.ts";
import { forEachIndex } from "../../../src/engine/shapes.ts";
import { random } from "../../../src/random.ts";
import type { ChannelStream } from "../../../src/sparsity/channels.ts";
import { analyzeChannels, streamPartition } from "../../../src/sparsity/channels.ts";
import { forEachRun, groupNorms, zeroGroups } from "../../../src/sparsity/groups.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import * as models from "./models.ts";

const streamsByName = (graph: Graph) => new Map(analyzeChannels(graph).streams.map((s) => [s.name, s]));
const names = (stream: ChannelStream | undefined, role: string) =>
  stream?.members.filter((m) => m.role === role && m.trainable).map((m) => `${m.name}@${m.axis}`);

// The rules of wgsef.md 3.9, on nets whose couplings can be said by hand.
describe("couplings", () => {
  it("rule 1: a filter, its bias, its batch norm and every column of the flattened reader", () => {
    const graph = models.miniVgg(random(1));
    const streams = streamsByName(graph);
    expect(names(streams.get("stage1.conv1"), "writer")).toEqual([
      "stage1.conv1.weight@0",
      "stage1.conv1.bias@0",
      "stage1.bn1.weight@0",
      "stage1.bn1.bias@0",
    ]);
    expect(names(streams.get("stage1.conv1"), "reader")).toEqual(["stage1.conv2.weight@1"]);
    const last = streams.get("stage2.conv2")!;
    const cells = graph.types.get("fc1.weight")!.shape[1] / last.count;
    expect(last.members.at(-1)).toMatchObject({ name: "fc1.weight", axis: 1, role: "reader" });
    expect(last.members.at(-1)!.positions[1]).toEqual(Array.from({ length: cells }, (_, i) => cells + i));
  });

  it("rule 2: a residual stream is one group over all that write into it", () => {
    const streams = streamsByName(models.miniResNet(random(1)));
    expect(streams.get("stem")!.layers).toEqual(["stem", "a1.conv2", "a2.conv2"]);
    expect(names(streams.get("stem"), "reader")).toEqual([
      "a1.conv1.weight@1",
      "a2.conv1.weight@1",
      "b1.conv1.weight@1",
      "b1.proj.weight@1",
    ]);
    expect(streams.get("b1.conv2")!.layers).toEqual(["b1.conv2", "b1.proj", "b2.conv2"]);
    expect(streams.get("a1.conv1")!.layers).toEqual(["a1.conv1"]);
  });

  it("rule 3: a depthwise filter belongs to the channel that it filters", () => {
    const streams = streamsByName(models.miniMobileNet(random(1)));
    expect(streams.get("stem")!.layers).toEqual(["stem", "dw0"]);
    expect(names(streams.get("stem"), "reader")).toEqual(["pw0.weight@1"]);
    // The second one has two filters a channel: a channel takes both with it, and each of the two can go for all.
    expect(streams.get("pw0")!.layers).toEqual(["pw0", "se0.up", "dw1"]);
    expect(streams.get("dw1")).toMatchObject({ count: 2, crosses: ["pw0"] });
  });

  it("rule 4: every later reader of a concatenation, and its batch norm, at the producer's offset", () => {
    const graph = models.miniDenseNet(random(1));
    const streams = streamsByName(graph);
    const before = streams.get("stem")!.count;
    const grown = streams.get("block1.layer1.conv")!;
    expect(names(grown, "reader")).toEqual(["block1.layer2.conv.weight@1", "block1.transition.weight@1"]);
    expect(names(grown, "writer")).toContain("block1.transition.bn.bias@0");
    const { parts } = streamPartition(graph, grown, { members: "all" });
    const width = graph.types.get("block1.transition.weight")!.shape[1];
    expect(parts).toContainEqual({
      parameter: "block1.transition.bn.bias",
      outer: 1,
      channels: width,
      inner: 1,
      offset: before,
    });
  });

  it("rule 5: a grouped convolution loses the same inputs of every group, or whole groups", () => {
    const graph = models.groupedNet(random(1));
    const { streams } = analyzeChannels(graph);
    const w = graph.types.get("grouped1.weight")!.shape;
    const groups = graph.types.get("conv1.weight")!.shape[0] / w[1];
    const [inputs, whole] = streams.filter((s) => s.layers.includes("conv1"));
    expect(inputs.count).toBe(w[1]);
    expect(whole.count).toBe(groups);
    expect(inputs.crosses).toEqual([whole.name]);
    expect(inputs.members[0].positions[1]).toEqual(Array.from({ length: groups }, (_, g) => g * w[1] + 1));
    expect(whole.members[0].positions[1]).toEqual(Array.from({ length: w[1] }, (_, i) => w[1] + i));
  });

  it("an attention head takes its rows of q, k, v and its columns of the output projection", () => {
    const graph = models.attention(random(1));
    const streams = streamsByName(graph);
    const heads = streams.get("q")!;
    expect(heads.layers).toEqual(["q", "k", "v"]);
    expect(names(heads, "reader")).toEqual(["o.weight@0"]);
    const inner = graph.types.get("q.weight")!.shape[1];
    expect(heads.members[0].positions[0]).toEqual([...Array(inner / heads.count).keys()]);
    // The features of a head: queries with keys, values by themselves.
    expect(streams.get("q:2")!.layers).toEqual(["q", "k"]);
    expect(streams.get("v")!.layers).toEqual(["v"]);
    expect([...heads.crosses].sort()).toEqual(["q:2", "v"]);
    expect(streams.get("embed")!.layers).toEqual(["embed", "o", "down"]);
  });

  it("what is tied to the input, the output or a softmax says so", () => {
    const streams = streamsByName(models.mlp(random(1)));
    expect(streams.get("input of fc1")!.blocked).toMatch(/input "x"/);
    expect(streams.get("fc4")!.blocked).toMatch(/Softmax "Softmax" normalises over it/);
  });
});

describe.each(Object.entries(models.MODELS))("partitions of %s", (_, build) => {
  const graph = build(random(7));
  const arrays = Object.fromEntries([...graph.parameters].map(([name, t]) => [name, t.data]));
  const streams = analyzeChannels(graph).streams.filter((s) => s.blocked === undefined);

  it.each(["writers", "all"] as const)("hold exactly the weights of each channel (%s)", (members) => {
    for (const stream of streams) {
      const partition = streamPartition(graph, stream, { members });
      const squares = new Float64Array(stream.count);
      for (const m of stream.members) {
        if (!m.trainable || (members === "writers" && m.role === "reader")) continue;
        const t = initializer(graph, m.name)!;
        forEachIndex(t.shape, (index, flat) => {
          const channel = m.positions.findIndex((list) => list.includes(index[m.axis]));
          if (channel >= 0) squares[channel] += Number(t.data[flat]) ** 2;
        });
      }
      const norms = groupNorms(partition, arrays);
      for (let j = 0; j < stream.count; j++)
        expect(Math.abs(norms[j] - Math.sqrt(squares[j]))).toBeLessThan(1e-6);
    }
  });

  it("do not overlap unless their streams cross", () => {
    const owner = new Map<string, string>();
    for (const stream of streams) {
      const partition = streamPartition(graph, stream);
      for (const part of partition.parts)
        forEachRun(part, partition.groups, (_group, from, to) => {
          for (let i = from; i < to; i++) {
            const other = owner.get(`${part.parameter}:${i}`);
            if (other !== undefined) expect(stream.crosses).toContain(other);
            owner.set(`${part.parameter}:${i}`, stream.name);
          }
        });
    }
  });

  it("zeroed as groups are what shrinking removes", () => {
    const copy = build(random(7));
    const own = Object.fromEntries([...copy.parameters].map(([name, t]) => [name, t.data]));
    const wanted = new Map<string, number[]>();
    for (const stream of streams) {
      const partition = streamPartition(graph, stream, { members: "all" });
      if (stream.count < 2 || stream.crosses.some((c) => wanted.has(c))) continue;
      zeroGroups(
        partition,
        own,
        Uint8Array.from({ length: stream.count }, (_, i) => Number(i !== 1)),
      );
      wanted.set(stream.name, [1]);
    }
    const { removed } = shrinkZeros(copy);
    const gone = new Map(removed.map((r) => [r.stream, r.channels]));
    expect(wanted.size).toBeGreaterThan(2);
    for (const [name, channels] of wanted) expect(gone.get(name)).toEqual(channels);
  });
});
