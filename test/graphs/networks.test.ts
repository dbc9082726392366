import { describe, expect, it } from "vitest";
import { splitLinks, splitNodes } from "../../src/data/graphs/splits.ts";
import { treeGraph } from "../../src/data/synthetic/tree-graph.ts";
import { evaluate } from "../../src/engine/evaluate.ts";
import { cloneGraph, constant, createGraph, input, output, valueNamed } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { tensor, toNumbers, zeros } from "../../src/engine/tensor.ts";
import { lorentzFeatures } from "../../src/graphs/lorentz-features.ts";
import { averagePrecision, rocAuc } from "../../src/graphs/metrics.ts";
import type { GraphModel } from "../../src/graphs/networks.ts";
import { graphNetwork } from "../../src/graphs/networks.ts";
import { classMarginLoss, marginLoss, scorePairs } from "../../src/graphs/objectives.ts";
import { normalizedAdjacency, transposed } from "../../src/graphs/sparse-matrix.ts";
import { sparseProduct } from "../../src/graphs/sparse-product.ts";
import type { GraphTrainingOptions } from "../../src/graphs/train-graph.ts";
import { trainGraph } from "../../src/graphs/train-graph.ts";
import { random } from "../../src/random.ts";
import { createSpectralTraining } from "../../src/sparsity/spectral/spectral-training.ts";
import { gradientError } from "../engine/operators/gradient-check.ts";
import { runtimeError } from "../engine/operators/runtime-check.ts";
import { inDouble, minkowski, numeric, rowsOf, worst } from "../geometry/support.ts";
import vectors from "../vectors/hyperbolic.json" with { type: "json" };

/** A graph with degrees from 0 to 40, so that every kind of row occurs. */
function star(nodes = 60): Uint32Array {
  const pairs: number[] = [];
  for (let v = 1; v <= 40; v++) pairs.push(0, v);
  for (let v = 2; v <= 12; v++) pairs.push(1, v);
  for (let v = 41; v < nodes - 2; v++) pairs.push(v, v + 1);
  return Uint32Array.from(pairs);
}

/** Rows of D⁻¹(A + I), by the definition. */
function dense(nodes: number, edges: ArrayLike<number>): number[][] {
  const a = Array.from({ length: nodes }, (_, i) => Array.from({ length: nodes }, (_, j) => Number(i === j)));
  for (let e = 0; e < edges.length; e += 2) {
    a[edges[e]][edges[e + 1]] = 1;
    a[edges[e + 1]][edges[e]] = 1;
  }
  return a.map((row) => row.map((v) => v / row.reduce((x, y) => x + y, 0)));
}

describe("sparse product", () => {
  const adjacency = normalizedAdjacency(60, star());
  const matrix = dense(60, star());

  it("is the dense one, and so is that of the transpose", () => {
    const rng = random(1);
    const x = Array.from({ length: 60 }, () => [rng.normal(), rng.normal()]);
    const by = (rows: number[][]) =>
      rows.map((row) => [0, 1].map((c) => row.reduce((s, v, j) => s + v * x[j][c], 0)));
    const across = matrix.map((_, j) => matrix.map((row) => row[j]));
    // The entries are kept in single precision.
    expect(
      worst(
        inDouble((v) => sparseProduct(adjacency, v), numeric(x)),
        by(matrix),
      ),
    ).toBeLessThan(1e-7);
    expect(
      worst(
        inDouble((v) => sparseProduct(transposed(adjacency), v), numeric(x)),
        by(across),
      ),
    ).toBeLessThan(1e-7);
    expect(worst(by(matrix), by(across))).toBeGreaterThan(0.1); // control
  });

  it("its gradient agrees with finite differences, and ONNX Runtime with both", async () => {
    const check = {
      shapes: [[60, 3]],
      build: ([x]: Parameters<Parameters<typeof gradientError>[0]["build"]>[0]) =>
        sparseProduct(adjacency, x),
    };
    expect(gradientError(check)).toBeLessThan(1e-8);
    expect(await runtimeError(check)).toBeLessThan(1e-6);
  });

  it("an exported file holds standard operators alone", () => {
    const graph = createGraph("product");
    output(sparseProduct(adjacency, input(graph, "x", [60, 3], { batched: false })), { batched: false });
    const imported = importModel(exportModel(graph));
    expect(imported.nodes.map((n) => n.op)).not.toContain("SparseProduct");
    const x = { shape: [60, 3], data: Float64Array.from({ length: 180 }, (_, i) => Math.sin(i)) };
    const [found, expected] = [imported, graph].map((g) => rowsOf(evaluate(g, { x })[g.outputs[0]]));
    expect(worst(found, expected)).toBeLessThan(1e-12);
  });
});

describe("losses", () => {
  const value = (build: () => ReturnType<typeof createGraph>) => {
    const graph = build();
    return evaluate(graph, {})[graph.outputs[0]].data[0];
  };
  it("agree with the vectors of the specification", () => {
    const { pos, neg, margin, loss } = vectors.margin_lp;
    const links = value(() => {
      const graph = createGraph("links");
      const list = (v: number[]) => constant(graph, tensor("float32", [v.length], v));
      output(marginLoss(list(pos), list(neg), margin));
      return graph;
    });
    expect(links).toBeCloseTo(loss, 12);
    const nodes = value(() => {
      const { logits, labels, margin } = vectors.margin_nc;
      const graph = createGraph("nodes");
      output(
        classMarginLoss(
          constant(graph, tensor("float32", [2, 3], logits.flat())),
          constant(graph, tensor("int32", [2], labels)),
          margin,
        ),
      );
      return graph;
    });
    expect(nodes).toBeCloseTo(vectors.margin_nc.loss, 6);
  });
});

/** The three networks by their definitions, on plain rows, parameters by name. */
const reference = {
  matrix: (x: number[][], w: number[][], b?: number[]) =>
    x.map((row) => w.map((weights, i) => weights.reduce((s, v, k) => s + v * row[k], b?.[i] ?? 0))),
  mean: (a: number[][], x: number[][]) =>
    a.map((row) => x[0].map((_, c) => row.reduce((s, v, j) => s + v * x[j][c], 0))),
};

describe("networks do what their equations say", () => {
  const nodes = 12;
  const edges = Uint32Array.from([0, 1, 0, 2, 1, 3, 1, 4, 2, 5, 2, 6, 6, 7, 7, 8, 8, 9]);
  const a = dense(nodes, edges);
  const rng = random(3);
  const features = Array.from({ length: nodes }, () => Array.from({ length: 5 }, () => rng.normal()));
  const run = (model: GraphModel) => {
    const shape = [nodes, model === "hybonet" ? 6 : 5];
    const graph = graphNetwork({
      model,
      features: shape,
      adjacency: normalizedAdjacency(nodes, edges),
      width: 4,
      convolutions: 2,
      activation: "relu",
      seed: 1,
    });
    for (const t of graph.parameters.values())
      for (let i = 0; i < t.data.length; i++) t.data[i] += 0.1 * rng.normal();
    const flat = tensor("float32", [nodes, 5], features.flat());
    const fed = toNumbers(model === "hybonet" ? lorentzFeatures(flat) : flat);
    const found = rowsOf(evaluate(graph, { features: { shape, data: fed } })[graph.outputs[0]]);
    const p = (name: string) => [...graph.parameters.get(name)!.data];
    const w = (name: string) => rowsOf(graph.parameters.get(name)!);
    return { found, p, w, fed: rowsOf({ shape, data: fed }) };
  };
  const relu = (x: number[][]) => x.map((row) => row.map((v) => Math.max(0, v)));

  it("GCN", () => {
    const { found, p, w, fed } = run("gcn");
    let x = fed;
    for (const name of ["conv1", "conv2"])
      x = relu(reference.mean(a, reference.matrix(x, w(`${name}.weight`), p(`${name}.bias`))));
    expect(worst(found, x)).toBeLessThan(1e-6);
  });

  it("HyboNet", () => {
    const { found, p, w, fed } = run("hybonet");
    let x = fed;
    for (const name of ["conv1", "conv2"]) {
      const y = reference.matrix(name === "conv1" ? x : relu(x), w(`${name}.weight`), p(`${name}.bias`));
      const lifted = y.map(([y0, ...rest]) => {
        const t = Math.exp(p(`${name}.scale`)[0]) / (1 + Math.exp(-y0)) + 1.1;
        const stretch = Math.sqrt((t * t - 1) / rest.reduce((s, v) => s + v * v, 0));
        return [t, ...rest.map((v) => v * stretch)];
      });
      x = reference.mean(a, lifted).map((c) => c.map((v) => v / Math.sqrt(-minkowski(c, c))));
    }
    expect(worst(found, x)).toBeLessThan(1e-6);
    for (const row of found) expect(minkowski(row, row)).toBeCloseTo(-1, 9);
  });

  it("HGCN, its points spelled out", () => {
    const { found, p, w, fed } = run("hgcn");
    const norm = (v: number[]) => Math.hypot(...v);
    const curvature = (name: string) => Math.log1p(Math.exp(p(name)[0]));
    const project = (v: number[], c: number) =>
      v.map((t) => t * Math.min(1, (1 - 4e-3) / (Math.sqrt(c) * norm(v))));
    const exp0 = (v: number[], c: number) => {
      const size = Math.sqrt(c) * norm(v);
      return size === 0 ? v : v.map((t) => (t * Math.tanh(size)) / size);
    };
    const log0 = (v: number[], c: number) => {
      const size = Math.sqrt(c) * norm(v);
      return size === 0 ? v : v.map((t) => (t * Math.atanh(size)) / size);
    };
    const plus = (u: number[], v: number[], c: number) => {
      const [uv, u2, v2] = [u.reduce((s, t, i) => s + t * v[i], 0), norm(u) ** 2, norm(v) ** 2];
      return u.map(
        (t, i) => ((1 + 2 * c * uv + c * v2) * t + (1 - c * u2) * v[i]) / (1 + 2 * c * uv + c * c * u2 * v2),
      );
    };
    let c = curvature("conv1.curvature");
    let points = fed.map((v) => project(exp0(v, c), c));
    for (const [name, next] of [
      ["conv1", "conv2.curvature"],
      ["conv2", "curvature"],
    ]) {
      const product = points.map((v) => exp0(reference.matrix([log0(v, c)], w(`${name}.weight`))[0], c));
      const shifted = product.map((v) =>
        project(plus(project(v, c), project(exp0(p(`${name}.bias`), c), c), c), c),
      );
      const means = reference.mean(
        a,
        shifted.map((v) => log0(v, c)),
      );
      const gathered = means.map((v) => project(exp0(v, c), c));
      const next_c = curvature(next);
      points = gathered.map((v) => project(exp0(relu([log0(v, c)])[0], next_c), next_c));
      c = next_c;
    }
    expect(
      worst(
        found,
        points.map((v) => log0(v, c)),
      ),
    ).toBeLessThan(1e-5);
  });

  it("scores of pairs are what the decoders say", () => {
    const { found } = run("hybonet");
    const scores = inDouble((x) => scorePairs("hybonet", x, [0, 1, 3, 7]), numeric(found))[0];
    expect(scores[0]).toBeCloseTo(2 + 2 * minkowski(found[0], found[1]), 8);
    expect(scores[1]).toBeCloseTo(2 + 2 * minkowski(found[3], found[7]), 8);
    const unit = inDouble(
      (x) => scorePairs("gcn", x, [0, 1]),
      numeric([
        [3, 0],
        [0, 5],
      ]),
    )[0];
    expect(unit[0]).toBeCloseTo(2 - 2, 12);
  });
});

describe("training", () => {
  const graph = treeGraph({ nodes: 250, nuisance: 0, seed: 1 });
  const links = splitLinks(graph, { validation: 0.1, test: 0.2, seed: 1 });
  const linkTask = {
    features: graph.features!,
    adjacency: normalizedAdjacency(graph.nodes, links.train),
    task: { links },
    convolutions: 2,
    threads: 1,
  } as const;

  it.each([
    ["hybonet", { learningRate: 0.01, margin: 30, clipNorm: 0.5 }],
    ["hgcn", { learningRate: 0.02 }],
    ["gcn", { learningRate: 0.02 }],
  ] as const)("%s learns to predict links", async (model, settings) => {
    const start = await trainGraph({ ...linkTask, ...settings, model, epochs: 1 });
    const {
      test,
      validation,
      epochs,
      model: best,
    } = await trainGraph({ ...linkTask, ...settings, model, epochs: 150 });
    expect(validation.auc).toBeGreaterThan(start.validation.auc);
    expect(test.auc).toBeGreaterThan(0.85);
    expect(epochs).toBe(150);
    // The network that comes out is the one that was marked: scores from its own output give the same figures.
    const fed = model === "hybonet" ? lorentzFeatures(graph.features!) : graph.features!;
    const scores = (pairs: Uint32Array) => {
      const own = cloneGraph(best);
      const s = scorePairs(model, valueNamed(own, best.outputs[0]), pairs);
      return evaluate(own, { features: { shape: fed.shape, data: toNumbers(fed) } }, [s.name])[s.name].data;
    };
    const [positive, negative] = [scores(links.test), scores(links.testNegatives)];
    expect(rocAuc(positive, negative)).toBeCloseTo(test.auc, 3);
    expect(averagePrecision(positive, negative)).toBeCloseTo(test.ap, 3);
  });

  it.each([
    [{ model: "gat" }, 'there is no model "gat"'],
    [{ width: 1 }, "the width of hybonet is 1"],
    [{ convolutions: 1.5 }, "there are 1.5 convolutions"],
    [{ dropout: 1 }, "dropout is 1"],
    [{ features: zeros([10, 3]) }, "features are of 10 nodes, the adjacency is of 250"],
    [
      { task: { links: { ...links, validation: new Uint32Array() } } },
      "validation is empty; every part needs a pair",
    ],
    [{ task: { links: { ...links, train: Uint32Array.of(0, 999) } } }, "train has node 999"],
    [
      { task: { nodes: splitNodes([0, 1]), labels: Int32Array.of(0, 1), classes: 2 } },
      "validation is empty; every part needs a node",
    ],
    [
      {
        task: {
          nodes: splitNodes(Array.from({ length: 250 }, (_, i) => i % 2)),
          labels: new Int32Array(250).fill(5),
          classes: 2,
        },
      },
      "has the label 5; with 2 classes",
    ],
  ])("parts that do not fit together are refused: %#", async (change, words) => {
    const options = {
      ...linkTask,
      model: "hybonet",
      learningRate: 0.01,
      epochs: 1,
      ...change,
    } as GraphTrainingOptions;
    await expect(trainGraph(options)).rejects.toThrow(words);
  });

  it("the same seed gives the same run, another seed another", async () => {
    const options = {
      ...linkTask,
      model: "hybonet",
      learningRate: 0.01,
      margin: 30,
      clipNorm: 0.5,
      dropout: 0.2,
    } as const;
    const losses = async (seed: number) => {
      const list: number[] = [];
      await trainGraph({ ...options, epochs: 5, seed, onEpoch: (_, loss) => list.push(loss) });
      return list;
    };
    expect(await losses(1)).toEqual(await losses(1));
    expect(await losses(1)).not.toEqual(await losses(2));
  });

  it("stops when validation has not improved for long, but not before epoch 100", async () => {
    const options = { ...linkTask, model: "gcn", learningRate: 0, epochs: 400 } as const;
    expect((await trainGraph({ ...options, patience: 10 })).epochs).toBe(100);
    expect((await trainGraph({ ...options, patience: 120 })).epochs).toBe(121);
  });

  it("classifies nodes, and with Sparse Spectral Training in its matrices too", async () => {
    const labelled = treeGraph({ nodes: 300, task: "classes", nuisance: 0, seed: 4 });
    const nodes = splitNodes(labelled.labels!, { validation: 0.1, test: 0.4, seed: 1 });
    const options = {
      model: "hybonet",
      features: labelled.features!,
      adjacency: normalizedAdjacency(labelled.nodes, labelled.edges),
      task: { nodes, labels: labelled.labels!, classes: 4 },
      convolutions: 2,
      learningRate: 0.02,
      margin: 1,
      clipNorm: 0.5,
      epochs: 80,
      threads: 1,
    } as const;
    const majority =
      Math.max(...[0, 1, 2, 3].map((c) => [...nodes.test].filter((i) => labelled.labels![i] === c).length)) /
      nodes.test.length;
    const full = await trainGraph(options);
    expect(full.test.f1).toBeGreaterThan(majority + 0.2);
    let replaced: string[] = [];
    const sparse = await trainGraph({
      ...options,
      sparsifier: (model) => {
        const method = createSpectralTraining(model, { rank: 2, iterationSteps: 10, seed: 1 });
        replaced = method.maps.map((m) => m.weight);
        return method;
      },
    });
    expect(replaced).toEqual(["conv1.weight", "conv2.weight"]);
    expect(sparse.test.f1).toBeGreaterThan(majority + 0.15);
    expect([...sparse.model.parameters.keys()]).toEqual([...full.model.parameters.keys()]);
  });
});
