import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { normalizeRows, withDegrees } from "../../src/data/graphs/features.ts";
import { pairKey, uniqueEdges } from "../../src/data/graphs/graph-data.ts";
import { readHgcn } from "../../src/data/graphs/hgcn.node.ts";
import { hyperbolicity } from "../../src/data/graphs/hyperbolicity.ts";
import {
  negativeSampler,
  splitLinks,
  splitNodes,
  splitNodesOverlapping,
} from "../../src/data/graphs/splits.ts";
import { treeGraph } from "../../src/data/synthetic/tree-graph.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { droppedInput } from "../../src/graphs/dropped-input.ts";
import { averagePrecision, classScores, rocAuc } from "../../src/graphs/metrics.ts";
import { normalizedAdjacency } from "../../src/graphs/sparse-matrix.ts";
import { random } from "../../src/random.ts";
import { expectProblem, expectProblemLater, hasSharedData, SHARED_DATA } from "../data/support.ts";
import vectors from "../vectors/hyperbolic.json" with { type: "json" };

describe("metrics", () => {
  it("agree with the vectors of the specification", () => {
    const { pos, neg, auc, ap } = vectors.auc_ap;
    expect(rocAuc(pos, neg)).toBeCloseTo(auc, 14);
    expect(averagePrecision(pos, neg)).toBeCloseTo(ap, 14);
  });

  it("ROC-AUC is the share of ordered pairs, ties counting half", () => {
    const rng = random(1);
    const [pos, neg] = [30, 40].map((n) => Array.from({ length: n }, () => rng.integer(8)));
    let share = 0;
    for (const p of pos) for (const n of neg) share += (p > n ? 1 : p === n ? 0.5 : 0) / 1200;
    expect(rocAuc(pos, neg)).toBeCloseTo(share, 12);
    expect(rocAuc(neg, pos)).toBeCloseTo(1 - share, 12);
    // All equal: one threshold, at which everything is found.
    expect(averagePrecision([1, 1], [1, 1, 1])).toBeCloseTo(2 / 5, 14);
  });

  it.each([
    ["ROC-AUC", rocAuc],
    ["average precision", averagePrecision],
  ])("%s refuses scores that are not numbers", (_, metric) => {
    expectProblem(() => metric([Number.NaN, 1], [0]), /a score is not a number/);
    expectProblem(() => metric([1], [0, Number.NaN]), /it has diverged: lower the learning rate/);
  });

  it("class scores: accuracy, which is micro-F1; of two classes F1 of class 1", () => {
    const logits = [2, 1, 0, 0, 1, 3, 5, 4, 4.5];
    expect(classScores(logits, [0, 2, 1], 3)).toEqual({ accuracy: 2 / 3, f1: 2 / 3 });
    const two = classScores([1, 0, 0, 1, 0, 1, 1, 0], [0, 1, 0, 1], 2);
    expect(two.accuracy).toBe(0.5);
    expect(two.f1).toBeCloseTo(2 / (2 + 2), 14);
  });
});

describe("splits", () => {
  const graph = treeGraph({ nodes: 300, nuisance: 2 });
  const keys = (pairs: ArrayLike<number>) =>
    Array.from({ length: pairs.length / 2 }, (_, i) => pairKey(pairs[2 * i], pairs[2 * i + 1]));

  it("links are shared out without overlap; negatives are no edges", () => {
    const split = splitLinks(graph, { seed: 3 });
    const parts = [split.train, split.validation, split.test].map(keys);
    expect(parts.map((p) => p.length)).toEqual([256, 14, 29]);
    expect(new Set(parts.flat())).toEqual(new Set(keys(graph.edges)));
    const negatives = [...keys(split.validationNegatives), ...keys(split.testNegatives)];
    expect(new Set(negatives).size).toBe(14 + 29);
    expect(negatives.some((k) => parts.flat().includes(k))).toBe(false);
    expect(splitLinks(graph, { seed: 4 }).test).not.toEqual(split.test);
  });

  it("negatives of an epoch depend on its number; held-out edges among them only as published", () => {
    const path = { nodes: 6, edges: uniqueEdges([0, 1, 1, 2, 2, 3, 3, 4, 4, 5]) };
    const train = path.edges.slice(0, 6);
    const held = path.edges.slice(6);
    const drawn = (sampler: ReturnType<typeof negativeSampler>, epoch: number) => {
      const into = new Int32Array(400);
      sampler(epoch, into);
      return into;
    };
    const published = negativeSampler(6, train, { seed: 1 });
    const clean = negativeSampler(6, train, { seed: 1, except: [held] });
    expect(drawn(published, 2)).toEqual(drawn(published, 2));
    expect(drawn(published, 2)).not.toEqual(drawn(published, 3));
    const heldKeys = keys(held);
    const trainKeys = keys(train);
    expect(keys(drawn(published, 0)).some((k) => heldKeys.includes(k))).toBe(true);
    expect(keys(drawn(clean, 0)).some((k) => heldKeys.includes(k))).toBe(false);
    for (const sampler of [published, clean])
      expect(keys(drawn(sampler, 0)).some((k) => trainKeys.includes(k))).toBe(false);
    // All 15 − 5 = 10 pairs that are left come up.
    expect(new Set(keys(drawn(clean, 0))).size).toBe(10);
  });

  it("nodes are shared out class by class; the published split overlaps from three classes on", () => {
    const labels = Int32Array.from({ length: 100 }, (_, i) => (i < 40 ? 0 : i < 70 ? 1 : 2));
    const clean = splitNodes(labels, { seed: 1 });
    const all = [...clean.train, ...clean.validation, ...clean.test];
    expect(all.sort((a, b) => a - b)).toEqual(Array.from(labels.keys()));
    for (const label of [0, 1, 2])
      expect([...clean.test].filter((i) => labels[i] === label)).toHaveLength([6, 5, 5][label]);
    const overlapping = splitNodesOverlapping(labels, { seed: 1 });
    const both = [...overlapping.test].filter((i) => overlapping.train.includes(i));
    expect(both.length).toBeGreaterThan(0);
    expect(both.every((i) => labels[i] === 2)).toBe(true);
    const two = splitNodesOverlapping(
      labels.map((l) => Math.min(l, 1)),
      { seed: 1 },
    );
    expect([...two.test].some((i) => two.train.includes(i))).toBe(false); // control
  });
});

describe("features", () => {
  it("normalisation and degrees", () => {
    const x = tensor("float32", [3, 2], [1, 3, 0, 0, -1, 2]);
    expect([...normalizeRows(x).data]).toEqual([0.25, 0.75, 0, 0, -1, 2]);
    const wide = withDegrees(x, [0, 1, 0, 2], 2);
    expect(wide.shape).toEqual([3, 6]);
    expect([...wide.data]).toEqual([1, 3, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, -1, 2, 0, 1, 0, 1]);
  });

  it("dropout of the input keeps the mean, the zeros and, epoch by epoch, the draw", () => {
    const x = tensor(
      "float32",
      [100, 50],
      Array.from({ length: 5000 }, (_, i) => (i % 3 === 0 ? 0 : 2)),
    );
    const dropped = droppedInput(x, 0.7, 5);
    const first = dropped(1).data.slice();
    expect(x.data.some((v, i) => v === 0 && first[i] !== 0)).toBe(false);
    const share = first.filter((v) => v !== 0).length / x.data.filter((v) => v !== 0).length;
    expect(Math.abs(share - 0.3)).toBeLessThan(0.03);
    expect(first.find((v) => v !== 0)).toBeCloseTo(2 / 0.3, 5);
    expect(dropped(2).data).not.toEqual(first);
    expect(dropped(1).data).toEqual(first);
    expect(droppedInput(x, 0)(3)).toBe(x);
  });
});

it("a random tree is a tree whose features are inherited", () => {
  for (const task of ["links", "classes"] as const) {
    const { nodes, edges, features, labels } = treeGraph({ nodes: 400, task, nuisance: 20, seed: 2 });
    expect(edges.length / 2).toBe(nodes - 1);
    const parent = new Int32Array(nodes).fill(-1);
    for (let e = 0; e < edges.length; e += 2) parent[edges[e + 1]] = edges[e];
    for (let i = 1; i < nodes; i++) expect(parent[i] >= 0 && parent[i] < i).toBe(true);
    const row = (i: number) => features!.data.subarray(31 * i, 31 * (i + 1));
    const apart = (i: number, j: number) => row(i).reduce((sum, v, k) => sum + (v - row(j)[k]) ** 2, 0);
    const rng = random(1);
    let [near, far] = [0, 0];
    for (let i = 1; i < nodes; i++) {
      near += apart(i, parent[i]);
      far += apart(i, rng.integer(nodes));
    }
    expect(near).toBeLessThan(0.97 * far);
    if (task === "classes") {
      expect(new Set(labels)).toEqual(new Set([0, 1, 2, 3]));
      // Below depth 2 labels are inherited.
      const depth = (i: number): number => (i === 0 ? 0 : 1 + depth(parent[i]));
      for (let i = 1; i < nodes; i++) if (depth(i) > 2) expect(labels![i]).toBe(labels![parent[i]]);
    }
  }
});

describe("hyperbolicity", () => {
  const cycle = (n: number) => ({
    nodes: n,
    edges: Uint32Array.from(Array.from({ length: n }, (_, i) => [i, (i + 1) % n]).flat()),
  });
  it("agrees with the vectors of the specification", () => {
    const expected = vectors.gromov_delta;
    const tree = { nodes: 7, edges: Uint32Array.of(0, 1, 0, 2, 1, 3, 1, 4, 2, 5, 2, 6) };
    expect(hyperbolicity(tree).delta).toBe(expected.binary_tree_7);
    for (const n of [4, 5, 8] as const) expect(hyperbolicity(cycle(n)).delta).toBe(expected[`C${n}`]);
    const complete = {
      nodes: 5,
      edges: Uint32Array.of(0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 1, 3, 1, 4, 2, 3, 2, 4, 3, 4),
    };
    expect(hyperbolicity(complete).delta).toBe(expected.K5);
  });
  it("by sampling finds the same in a cycle, and 0 in any tree", () => {
    expect(hyperbolicity(cycle(12), { samples: 5000 }).delta).toBe(3);
    expect(hyperbolicity(treeGraph({ nodes: 500, nuisance: 0 }), { samples: 5000 })).toEqual({
      delta: 0,
      mean: 0,
    });
  });
});

describe("files of a graph", () => {
  const read = (files: Record<string, string>) => {
    const folder = mkdtempSync(join(tmpdir(), "filigree-graph-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, "own"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, "own", name), text);
    return readHgcn(folder, "own");
  };
  const labels = "0\r\n1\r\n0\r\n";

  it("tabs or spaces, comments, line ends of every system", async () => {
    const graph = await read({ "labels.txt": labels, "edges.tsv": "# u v\n1\t0\r\n1 2\n2 2\n0 1\n" });
    expect([...graph.edges]).toEqual([0, 1, 1, 2]);
    expect([graph.nodes, graph.classes]).toEqual([3, 2]);
  });

  it.each([
    [{ "edges.tsv": "0 1\n" }, /cannot read .*labels\.txt: no such file/],
    [
      { "edges.tsv": "0 1\n0 3\n", "labels.txt": labels },
      /edges\.tsv, line 2: there is no node 3; labels\.txt has 3/,
    ],
    [
      { "edges.tsv": "0 -1\n", "labels.txt": labels },
      /edges\.tsv, line 1: expected two whole numbers, found "0 -1"/,
    ],
    [{ "edges.tsv": "a\tb\n", "labels.txt": labels }, /line 1: expected two whole numbers/],
    [{ "edges.tsv": "0 1 1\n", "labels.txt": labels }, /line 1: expected two whole numbers/],
    [
      { "edges.tsv": "0 1\n", "labels.txt": "0\ncat\n" },
      /labels\.txt, line 2: expected a whole number, found "cat"/,
    ],
    [
      { "edges.tsv": "0 1\n", "labels.txt": labels, "split_train.txt": "7\n" },
      /split_train\.txt, line 1: there is no node 7/,
    ],
    [
      { "edges.tsv": "0 1\n", "labels.txt": labels, "split_train.txt": "0\n" },
      /cannot read .*split_val\.txt/,
    ],
  ])("what is wrong is named: %o", async (files, words) => {
    await expectProblemLater(read(files as Record<string, string>), words);
  });

  it("edges to no node, edges of one end and graphs without a pair to draw are refused", () => {
    expectProblem(() => normalizedAdjacency(2, [0, 2]), /an edge ends at node 2; there are 2 nodes/);
    expectProblem(() => normalizedAdjacency(2, [0, -1]), /an edge ends at node -1/);
    expectProblem(() => normalizedAdjacency(3, [0, 1, 2]), /3 ends make no whole number of edges/);
    const complete = Uint32Array.of(0, 1, 0, 2, 1, 2);
    expectProblem(() => negativeSampler(3, complete), /all pairs of the 3 nodes are joined/);
  });
});

describe.skipIf(!hasSharedData)("the graphs of HGCN", () => {
  const folder = join(SHARED_DATA, "hgcn/plain");
  it.each([
    ["disease_lp", 2665, 2664, 11, [1605, 1060]],
    ["airport", 3188, 18630, 4, [521, 1443, 999, 225]],
    ["cora", 2708, 5278, 1433, [351, 217, 418, 818, 426, 298, 180]],
  ] as const)("%s has the counts of its description", async (name, nodes, edges, width, counts) => {
    const graph = await readHgcn(folder, name);
    expect(graph.nodes).toBe(nodes);
    expect(graph.edges.length / 2).toBe(edges);
    expect(graph.features!.shape).toEqual([nodes, width]);
    expect(counts.map((_, c) => graph.labels!.filter((l) => l === c).length)).toEqual([...counts]);
    if (name === "cora") {
      expect(graph.features!.data.reduce((a, b) => a + b, 0)).toBe(49216);
      expect([graph.split!.train, graph.split!.validation, graph.split!.test].map((s) => s.length)).toEqual([
        140, 500, 1000,
      ]);
    }
    if (name === "airport") expect(graph.extra).toHaveLength(nodes);
  });

  it("a graph that is not there is named", async () => {
    expect(existsSync(folder)).toBe(true);
    await expectProblemLater(readHgcn(folder, "moon"), /no graph "moon"/);
  });
});
