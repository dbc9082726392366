import { expect, test } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import type { Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { spectralConvolution } from "../../src/giorom/fno.ts";
import { lowFrequencies } from "../../src/giorom/fourier.ts";
import { integralTransform } from "../../src/giorom/integral-transform.ts";
import { interaction } from "../../src/giorom/interaction.ts";
import { linearAttention } from "../../src/giorom/operator-transformer.ts";
import { layers } from "../../src/nn/layers.ts";
import { random } from "../../src/random.ts";
import { flat, largestDifference, numeric, pattern, setParameter, vectors } from "./support.ts";

// Vectors are float64 with twelve decimals; parameters here are float32.
const FLOAT32 = 3e-6;

/** Weight [out, in] and a tenth of the pattern as bias, as the vectors have it. */
function fillLinear(graph: Value["graph"], name: string, out: number, inputs: number, k0: number): void {
  setParameter(graph, `${name}.weight`, pattern([out, inputs], k0));
  setParameter(
    graph,
    `${name}.bias`,
    pattern([out], k0 + inputs * out).map((x) => 0.1 * x),
  );
}

/** Rows of places for edges, those left over naming the last one. */
function slots(rows: number, index: readonly number[], edges: number): { width: number; data: number[] } {
  const lists = Array.from({ length: rows }, () => [] as number[]);
  index.forEach((row, e) => lists[row].push(e));
  const width = Math.max(...lists.map((l) => l.length)) + 1;
  return { width, data: lists.flatMap((l) => [...l, ...new Array(width - l.length).fill(edges - 1)]) };
}

test("interaction layer", () => {
  const { send, recv, x_out, e_out } = vectors.interaction_layer;
  const edges = send.length + 1;
  const rows = slots(4, recv, edges);
  const degree = recv.map((i) => recv.filter((j) => j === i).length);
  const q = pattern([12, 1], 300).map(Math.abs);
  const graph = createGraph("interaction");
  const put = (name: string, ...shape: number[]) => input(graph, name, shape);
  const whole = (name: string, ...shape: number[]) => input(graph, name, shape, { dtype: "int32" });
  const result = interaction(
    layers(graph, 0),
    "layer",
    { x: put("x", 4, 3), e: put("e", edges, 3) },
    {
      senders: { index: whole("senders", edges) },
      receivers: { index: whole("receivers", edges), slots: whole("incoming", 4, rows.width) },
      weights: put("weights", edges, 1),
    },
  );
  output(result.x);
  output(result.e);
  for (const [part, inputs, k0] of [
    ["message", 9, 1000],
    ["update", 6, 3000],
  ] as const)
    [k0, k0 + 500, k0 + 900].forEach((k, i) =>
      fillLinear(graph, `layer.${part}.${i}`, 3, i === 0 ? inputs : 3, k),
    );
  const found = evaluate(graph, {
    x: numeric([4, 3], pattern([4, 3], 5)),
    e: numeric([edges, 3], [...pattern([12, 3], 60), 9, 9, 9]),
    senders: numeric([edges], [...send, 0]),
    receivers: numeric([edges], [...recv, 0]),
    incoming: numeric([4, rows.width], rows.data),
    weights: numeric([edges, 1], [...q.map((d, e) => 1 / ((1 + d) * degree[e])), 0]),
  });
  expect(largestDifference(found[result.x.name].data, flat(x_out))).toBeLessThan(FLOAT32);
  expect(largestDifference(found[result.e.name].data.subarray(0, 36), flat(e_out))).toBeLessThan(FLOAT32);
});

const sources = pattern([5, 2], 21).map((x) => 0.5 + x);
const queries = pattern([3, 2], 400).map((x) => 0.5 + 0.6 * x);

function transformed(
  { nonlinear, multiply }: { nonlinear: boolean; multiply: boolean },
  relative: boolean,
  moved: Float64Array = queries,
) {
  const { neighbours } = vectors.gno;
  const pairs = neighbours.flatMap((list, q) => list.map((s) => ({ q, s })));
  const at = (points: ArrayLike<number>, i: number) => [points[2 * i], points[2 * i + 1]];
  const geometry = pairs.flatMap(({ q, s }) => {
    const [y, x] = [at(sources, s), at(moved, q)];
    return relative ? y.map((v, k) => (v - x[k]) / 0.55) : [...y, ...x];
  });
  const width = relative ? 2 : 4;
  const count = pairs.length + 1;
  const rows = slots(
    3,
    pairs.map(({ q }) => q),
    count,
  );
  const graph = createGraph("gno");
  const whole = (name: string, ...shape: number[]) => input(graph, name, shape, { dtype: "int32" });
  const out = integralTransform(
    layers(graph, 0),
    "k",
    input(graph, "f", [5, 2]),
    {
      geometry: input(graph, "geometry", [count, width]),
      weights: input(graph, "weights", [count, 1]),
      sources: { index: whole("sources", count) },
      queries: { index: whole("queries", count), slots: whole("slots", 3, rows.width) },
    },
    { widths: [4, 2], nonlinear, multiply },
  );
  output(out);
  fillLinear(graph, "k.0", 4, width + (nonlinear ? 2 : 0), 2000);
  fillLinear(graph, "k.1", 2, 4, 2300);
  return evaluate(graph, {
    f: numeric([5, 2], pattern([5, 2], 33)),
    geometry: numeric([count, width], [...geometry, ...new Array(width).fill(1)]),
    weights: numeric([count, 1], [...pairs.map(({ q }) => 1 / neighbours[q].length), 0]),
    sources: numeric([count], [...pairs.map(({ s }) => s), 0]),
    queries: numeric([count], [...pairs.map(({ q }) => q), 0]),
    slots: numeric([3, rows.width], rows.data),
  })[out.name].data;
}

test.each([
  ["linear_kernelonly", false, false],
  ["linear", false, true],
  ["nonlinear_kernelonly", true, false],
  ["nonlinear", true, true],
] as const)("integral transform: %s", (name, nonlinear, multiply) => {
  const { rel, abs } = vectors.gno;
  const kind = { nonlinear, multiply };
  expect(largestDifference(transformed(kind, true), flat(rel[name]))).toBeLessThan(FLOAT32);
  if (abs[name]) expect(largestDifference(transformed(kind, false), flat(abs[name]))).toBeLessThan(FLOAT32);
  // With the published code's kernel of the source alone, a query could move without effect.
  const moved = queries.map((x) => x + 0.01);
  expect(largestDifference(transformed(kind, true, moved), transformed(kind, true))).toBeGreaterThan(1e-4);
});

test("a mean over neighbours is a quadrature: its error falls as the root of the number of points, a sum only grows", () => {
  const { exact, n: counts, mean_err, sum_norm } = vectors.gno_quadrature;
  const [centre, radius] = [[0.45, 0.55], 0.3];
  const draws = 12;
  const measured = counts.slice(0, 4).map((n, which) => {
    let [off, size] = [0, 0];
    for (let draw = 0; draw < draws; draw++) {
      const { uniform } = random(1000 * which + draw);
      const points = Array.from({ length: n }, () => [uniform(), uniform()]).filter(
        ([x, y]) => Math.hypot(x - centre[0], y - centre[1]) <= radius,
      );
      const count = points.length;
      const graph = createGraph("quadrature");
      const whole = (name: string, ...shape: number[]) => input(graph, name, shape, { dtype: "int32" });
      const out = integralTransform(
        layers(graph, 0),
        "k",
        input(graph, "f", [count, 2]),
        {
          geometry: input(graph, "geometry", [count, 2]),
          weights: input(graph, "weights", [count, 1]),
          sources: { index: whole("sources", count) },
          queries: { index: whole("queries", count), slots: whole("slots", 1, count) },
        },
        { widths: [4, 2] },
      );
      output(out);
      fillLinear(graph, "k.0", 4, 2, 2000);
      fillLinear(graph, "k.1", 2, 4, 2300);
      const order = Array.from({ length: count }, (_, i) => i);
      const mean = evaluate(graph, {
        f: numeric(
          [count, 2],
          points.flatMap(([x, y]) => [Math.sin(3 * x) * y, Math.cos(2 * y) + x]),
        ),
        geometry: numeric(
          [count, 2],
          points.flatMap((p) => p.map((v, k) => (v - centre[k]) / radius)),
        ),
        weights: numeric([count, 1], new Array(count).fill(1 / count)),
        sources: numeric([count], order),
        queries: numeric([count], new Array(count).fill(0)),
        slots: numeric([1, count], order),
      })[out.name].data;
      off += Math.hypot(mean[0] - exact[0], mean[1] - exact[1]) / draws;
      size += (count * Math.hypot(mean[0], mean[1])) / draws;
    }
    return { off, size };
  });
  measured.forEach(({ off, size }, i) => {
    // Means of twelve draws against means of the vectors' twenty.
    expect(off / mean_err[i]).toBeGreaterThan(0.6);
    expect(off / mean_err[i]).toBeLessThan(1.6);
    expect(size / sum_norm[i]).toBeGreaterThan(0.6);
    expect(size / sum_norm[i]).toBeLessThan(1.6);
  });
  expect(measured[0].off / measured[3].off).toBeGreaterThan(5);
  expect(measured[3].size / measured[0].size).toBeGreaterThan(30);
});

/** A convolution over `features` channels with the given complex weights, [mode][in, out]. */
function convolved(
  field: Float64Array,
  shape: readonly number[],
  { signed, last }: { signed: number; last: number },
  weights: { real: Float64Array; imaginary: Float64Array },
) {
  const graph = createGraph("spectral");
  const width = shape[shape.length - 1];
  const frequencies = lowFrequencies(shape.length - 2, signed, last);
  const out = spectralConvolution(layers(graph, 0), "k", input(graph, "z", shape), width, frequencies);
  output(out);
  setParameter(graph, "k.real", weights.real);
  setParameter(graph, "k.imaginary", weights.imaginary);
  return evaluate(graph, { z: numeric(shape, field) })[out.name].data;
}

test("spectral convolution", () => {
  const z = pattern([2, 4, 4], 9);
  // The vectors have channels first and weights [corner, in, out, kx, ky, part]; corners are rows 0, 1 and −2, −1.
  const w = pattern([2, 2, 2, 2, 2, 2], 700);
  const weights = { real: new Float64Array(32), imaginary: new Float64Array(32) };
  for (let corner = 0; corner < 2; corner++)
    for (let kx = 0; kx < 2; kx++)
      for (let ky = 0; ky < 2; ky++)
        for (let i = 0; i < 2; i++)
          for (let o = 0; o < 2; o++) {
            const from = ((((corner * 2 + i) * 2 + o) * 2 + kx) * 2 + ky) * 2;
            const to = ((corner * 2 + kx) * 2 + ky) * 4 + i * 2 + o;
            weights.real[to] = w[from];
            weights.imaginary[to] = w[from + 1];
          }
  const channelsLast = Float64Array.from({ length: 32 }, (_, i) => 2 * z[(i & 1) * 16 + (i >> 1)]);
  const found = convolved(channelsLast, [1, 4, 4, 2], { signed: 4, last: 2 }, weights);
  const expected = flat(vectors.spectral_conv2d.out);
  const seen = Float64Array.from({ length: 32 }, (_, i) => found[2 * (i % 16) + (i >> 4)]);
  expect(largestDifference(seen, expected)).toBeLessThan(FLOAT32);
});

test.each([
  [2, 8, 4, 3],
  [3, 6, 4, 3],
])("the identity on every mode gives a band-limited field back, in %iD", (dim, size, signed, last) => {
  const frequencies = lowFrequencies(dim, signed, last);
  const modes = frequencies.reduce((n, list) => n * list.length, 1);
  const rng = random(4);
  const waves = Array.from({ length: 12 }, () => ({
    // Both halves of the last axis are represented by one; the highest signed frequency has no opposite.
    k: frequencies.map((list) => list[rng.integer(list.length)]).map((k) => (k === -signed / 2 ? 0 : k)),
    amplitude: rng.normal(),
    phase: 6 * rng.uniform(),
  }));
  const nodes = size ** dim;
  const at = (node: number, shift: number) => {
    const place = Array.from({ length: dim }, (_, k) => Math.floor(node / size ** (dim - 1 - k)) % size);
    place[0] = (place[0] + shift) % size;
    return waves.reduce(
      (sum, { k, amplitude, phase }) =>
        sum +
        amplitude * Math.cos(phase + (2 * Math.PI * k.reduce((a, f, axis) => a + f * place[axis], 0)) / size),
      0,
    );
  };
  const field = (shift: number) => Float64Array.from({ length: nodes }, (_, node) => at(node, shift));
  const shape = [1, ...new Array<number>(dim).fill(size), 1];
  const identity = { real: new Float64Array(modes).fill(1), imaginary: new Float64Array(modes) };
  const run = (shift: number, weights: { real: Float64Array; imaginary: Float64Array } = identity) =>
    convolved(field(shift), shape, { signed, last }, weights);
  expect(largestDifference(run(0), field(0))).toBeLessThan(1e-5);
  const other = { real: pattern([modes], 1), imaginary: pattern([modes], 2) };
  expect(largestDifference(run(0, other), field(0))).toBeGreaterThan(0.1);
  // Equivariant under shifts of the periodic grid.
  const shifted = run(2, other);
  const stride = size ** (dim - 1);
  const rolled = run(0, other).map((_, i, all) => all[(i + 2 * stride) % nodes]);
  expect(largestDifference(shifted, rolled)).toBeLessThan(1e-5);
});

test("linear attention", () => {
  const graph = createGraph("attention");
  const build = layers(graph, 0);
  const out = linearAttention(build, "a", input(graph, "q", [1, 4, 4]), input(graph, "s", [1, 3, 4]), 2);
  output(out);
  ["query", "key", "value", "out"].forEach((part, i) => fillLinear(graph, `a.${part}`, 4, 4, 4000 + 100 * i));
  const found = evaluate(graph, {
    q: numeric([1, 4, 4], pattern([4, 4], 17)),
    s: numeric([1, 3, 4], pattern([3, 4], 77)),
  });
  expect(largestDifference(found[out.name].data, flat(vectors.linear_attention.out))).toBeLessThan(FLOAT32);
});
