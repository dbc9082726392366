import { describe, expect, test } from "vitest";
import { createSession } from "../../../src/engine/session.ts";
import { random } from "../../../src/random.ts";
import { circularity } from "../../../src/sparsity/tickets/circularity.ts";
import { communities } from "../../../src/sparsity/tickets/communities.ts";
import { fourierEntropy, powerShares, rowSpectra } from "../../../src/sparsity/tickets/fourier.ts";
import {
  type Adjacency,
  adjacencyOf,
  averageDegree,
  averagePathLength,
  bipartite,
  bipartiteClustering,
  expansion,
  localClustering,
} from "../../../src/sparsity/tickets/graph-measures.ts";
import { loadWeights, magnitudeMasks, randomMasks, weightsOf } from "../../../src/sparsity/tickets/masks.ts";
import { modularMlp } from "../../../src/sparsity/tickets/modular-mlp.ts";
import { normRatios, norms, scaleWeights } from "../../../src/sparsity/tickets/norms.ts";
import { effectiveRank, singularValues, symmetricEigen } from "../../../src/sparsity/tickets/singular.ts";
import { createTask, taskFeeds } from "../../../src/sparsity/tickets/tasks.ts";
import { tinyMlp, vectors } from "./vectors.ts";

const wave = (p: number, f: number, phase: number) => (_: unknown, x: number) =>
  Math.cos((2 * Math.PI * f * x) / p + phase);

describe("Fourier", () => {
  const { p, cases, matrix3x11, maxEntropy } = vectors.fourierEntropy;

  test("entropies of the vectors", () => {
    const row = (f: (x: number) => number) => Array.from({ length: p }, (_, x) => f(x));
    const signals = [
      row((x) => wave(p, 5, 0.3)(0, x)),
      row((x) => wave(p, 5, 0)(0, x) + wave(p, 9, 1)(0, x)),
      row((x) => Number(x === 0)),
      row((x) => Math.sign(Math.cos((2 * Math.PI * 3 * x) / p + 0.2))),
    ];
    signals.forEach((s, i) => expect(fourierEntropy(s, p)).toBeCloseTo(cases[i].fe, 7));
    expect(fourierEntropy(signals[2], p)).toBeCloseTo(maxEntropy, 9);
    const matrix = Array.from({ length: 33 }, (_, k) => Math.sin(0.9 * k + 0.2 * Math.floor(k / 11) ** 2));
    expect(fourierEntropy(matrix, 11)).toBeCloseTo(matrix3x11.fe, 9);
    const power = matrix3x11.amplitudes.flat().map((a: number) => a * a);
    const found = rowSpectra(matrix, 11);
    // The vectors' amplitudes have a scale of their own.
    found.forEach((v, i) => expect(v / found[0]).toBeCloseTo(power[i] / power[0], 7));
  });

  test("numbers that are no rows of p are refused", () => {
    for (const f of [fourierEntropy, circularity])
      for (const p of [0, 1, -3, 2.5, 5, 24, Number.NaN])
        expect(() => f(new Float32Array(12), p)).toThrow(`12 numbers are no rows of p = ${p}`);
  });

  test("pruned rows don't count, a mean doesn't matter, and the shares of power name the frequency", () => {
    const row = Array.from({ length: 31 }, wave(31, 4, 1));
    expect(fourierEntropy([...row, ...new Array(31).fill(0)], 31)).toBeCloseTo(0, 9);
    expect(
      fourierEntropy(
        row.map((v) => v + 7),
        31,
      ),
    ).toBeCloseTo(0, 9);
    expect(powerShares(rowSpectra(row, 31), 15)[3]).toBeCloseTo(1, 9);
  });
});

test("norm ratios of the vectors; a scaled network has the ticket's norm", () => {
  const { model } = tinyMlp();
  const { k, r1, r2, normL1, normL2 } = vectors.normRatio;
  const weights = weightsOf(model);
  const ratios = normRatios(weights, magnitudeMasks(weights, k));
  expect(ratios.l1).toBeCloseTo(r1, 6);
  expect(ratios.l2).toBeCloseTo(r2, 6);
  expect(norms(scaleWeights(weights, ratios.l1)).l1 / normL1).toBeCloseTo(r1, 6);
  expect(norms(scaleWeights(weights, ratios.l2)).l2 / normL2).toBeCloseTo(r2, 6);
});

describe("graph measures", () => {
  const { graph } = vectors;

  test("of the vectors' mask", () => {
    const g = bipartite(graph.mask.flat(), 3, 4);
    expect(averageDegree(g)).toBeCloseTo(graph.averageDegree, 10);
    expect(averagePathLength(g)).toBeCloseTo(graph.averagePathLengthBipartite, 10);
    expect(bipartiteClustering(g)).toBeCloseTo(graph.bipartiteClustering, 10);
    const found = expansion(graph.mask.flat(), 3, 4);
    expect(found.spectralGap).toBeCloseTo(graph.spectralGap, 9);
    expect(found.ramanujanGap).toBeCloseTo(graph.ramanujanGapPaper, 9);
    expect(found.ramanujanGapBipartite).toBeCloseTo(graph.ramanujanGapBipartite, 9);
    expect(expansion(graph.weights.flat(), 3, 4).spectralGap).toBeCloseTo(graph.weightedSpectralGap, 9);
  });

  test("of the vectors' small graph", () => {
    const { edges, nodes, averagePathLength: length, localClustering: local } = graph.smallGraph;
    const g = adjacencyOf(nodes, edges);
    expect(averagePathLength(g)).toBeCloseTo(length, 12);
    localClustering(g).forEach((v, i) => expect(v).toBeCloseTo(local[i], 9));
    expect(
      averagePathLength(
        adjacencyOf(4, [
          [0, 1],
          [2, 3],
        ]),
      ),
    ).toBe(1);
  });

  describe("communities", () => {
    /** Q by its definition over pairs: Σ_ij (A_ij − d_i d_j / 2m) [same community] / 2m. */
    const modularityOf = (g: Adjacency, of: readonly number[]) => {
      const twice = g.reduce((a, list) => a + list.length, 0);
      let q = 0;
      g.forEach((list, i) => {
        g.forEach((other, j) => {
          if (of[i] === of[j]) q += (Number(list.includes(j)) - (list.length * other.length) / twice) / twice;
        });
      });
      return q;
    };

    test("two dense blocks with one edge between are two", () => {
      const mask = Array.from({ length: 36 }, (_, i) =>
        Number(Math.floor(i / 18) === Math.floor((i % 6) / 3)),
      );
      mask[5] = 1;
      const g = bipartite(mask, 6, 6);
      const { of, count, modularity } = communities(g, 1);
      expect(count).toBe(2);
      const [a, b] = [of[0], of[3]];
      expect(of).toEqual([a, a, a, b, b, b, a, a, a, b, b, b]);
      // 19 edges: 9 inside each block, degrees 19 and 19.
      expect(modularity).toBeCloseTo(18 / 19 - 1 / 2, 12);
    });

    test("of random masks: no better than any grouping of four nodes, and Q as it is defined", () => {
      const rng = random(3);
      for (let seed = 0; seed < 5; seed++) {
        const mask = Array.from({ length: 12 }, () => Number(rng.uniform() < 0.5));
        const g = bipartite(mask, 3, 4);
        const { of, modularity } = communities(g, seed);
        expect(modularity).toBeCloseTo(modularityOf(g, of), 12);
        let best = Number.NEGATIVE_INFINITY;
        for (let code = 0; code < 4 ** 7; code++)
          best = Math.max(
            best,
            modularityOf(
              g,
              Array.from({ length: 7 }, (_, i) => (code >> (2 * i)) & 3),
            ),
          );
        expect(modularity).toBeLessThanOrEqual(best + 1e-12);
        expect(modularity).toBeGreaterThanOrEqual(0.9 * best);
      }
    });

    test("the same seed gives the same groups", () => {
      const g = bipartite(randomMasks(new Map([["w", new Float32Array(900)]]), 0.6, 1).get("w")!, 30, 30);
      expect(communities(g, 4)).toEqual(communities(g, 4));
    });
  });

  test("singular values and eigenvalues of the vectors", () => {
    singularValues(graph.mask.flat(), 3, 4).forEach((v, i) =>
      expect(v).toBeCloseTo(graph.singularValuesMask[i], 9),
    );
    const full = new Float64Array(49);
    graph.mask.forEach((row: number[], r: number) =>
      row.forEach((v, c) => {
        full[r * 7 + 3 + c] = full[(3 + c) * 7 + r] = v;
      }),
    );
    symmetricEigen(full, 7).values.forEach((v, i) => expect(v).toBeCloseTo(graph.adjacencyEigenvalues[i], 9));
  });
});

test("eigenvectors: A v = λ v and orthonormal, on a random symmetric matrix", () => {
  const rng = random(6);
  const n = 20;
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = rng.normal();
  const { values, vectors: v } = symmetricEigen(a, n);
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((s, e, i) => s + e * y[i], 0);
  v.forEach((x, k) => {
    for (let i = 0; i < n; i++) expect(dot(a.slice(i * n, i * n + n), x)).toBeCloseTo(values[k] * x[i], 10);
    v.forEach((y, l) => expect(dot(x, y)).toBeCloseTo(Number(k === l), 10));
  });
});

test("effective rank: 1 for an outer product, n for a permutation", () => {
  expect(effectiveRank([1, 2, 3, 2, 4, 6], 2, 3)).toBeCloseTo(1, 5);
  expect(effectiveRank([0, 1, 0, 0, 0, 1, 1, 0, 0], 3, 3)).toBeCloseTo(3, 9);
});

test("circularity: 1 for circles, low for noise", () => {
  const p = 31;
  const rng = random(1);
  const rows = [
    [3, 0, 2],
    [3, 1.6, 2],
    [7, 0, 1],
    [7, 1.5, 1],
  ];
  expect(
    circularity(
      rows.flatMap(([f, phase, size]) => Array.from({ length: p }, (_, x) => size * wave(p, f, phase)(0, x))),
      p,
    ),
  ).toBeCloseTo(1, 6);
  expect(
    circularity(
      Array.from({ length: 64 * p }, () => rng.normal()),
      p,
    ),
  ).toBeLessThan(0.45);
});

test("the analytic networks solve addition with one frequency a neuron, as far as the vectors say", async () => {
  for (const {
    p,
    freqs,
    phases,
    hidden,
    accuracyAllPairs,
    minMargin,
    fourierEntropy: entropy,
  } of vectors.analyticNetwork) {
    const task = createTask("modadd", p);
    const model = modularMlp({ vocabulary: p, classes: p, width: p, hidden, batch: task.labels.length });
    const neurons = freqs.flatMap((f: number) =>
      Array.from({ length: phases }, (_, j) => ({ f, phase: (2 * Math.PI * j) / phases })),
    );
    const eye = Float32Array.from({ length: p * p }, (_, i) => Number(i % (p + 1) === 0));
    const read = Float32Array.from(
      neurons.flatMap((n: { f: number; phase: number }) => Array.from({ length: p }, wave(p, n.f, n.phase))),
    );
    const write = Float32Array.from({ length: p * hidden }, (_, i) =>
      wave(p, neurons[i % hidden].f, 2 * neurons[i % hidden].phase)(0, Math.floor(i / hidden)),
    );
    loadWeights(
      model,
      new Map([
        ["embed", eye],
        ["inproj", read],
        ["outproj", write],
        ["unembed", eye],
      ]),
    );
    const { counts } = taskFeeds(task, Uint32Array.from(task.labels.keys()), model);
    const session = await createSession(model, { threads: 1 });
    const logits = (await session.run({ counts }))[model.outputs[0]].data as Float32Array;
    await session.release();
    let margin = Number.POSITIVE_INFINITY;
    let hits = 0;
    task.labels.forEach((label, i) => {
      const row = logits.slice(i * p, i * p + p);
      const own = row[label];
      row[label] = Number.NEGATIVE_INFINITY;
      const lead = own - row.reduce((a, b) => Math.max(a, b));
      margin = Math.min(margin, lead);
      // The vectors count (x, y) and (y, x).
      if (lead > 0) hits += task.pairs[2 * i] === task.pairs[2 * i + 1] ? 1 : 2;
    });
    expect(hits / p ** 2).toBeCloseTo(accuracyAllPairs, 5);
    expect(margin).toBeCloseTo(minMargin, 4);
    // Weights in single precision leave 1e-7 of the other amplitudes.
    expect(fourierEntropy(read, p)).toBeCloseTo(entropy, 4);
  }
});
