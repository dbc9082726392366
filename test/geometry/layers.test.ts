import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/engine/evaluate.ts";
import { gradients } from "../../src/engine/gradients.ts";
import type { Value } from "../../src/engine/graph.ts";
import { constant, createGraph, input, output, valueNamed } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { exp, mul, reduceSum, relu } from "../../src/engine/operators/index.ts";
import { createSession } from "../../src/engine/session.ts";
import { sizeOf, tensor, zeros } from "../../src/engine/tensor.ts";
import { learnableCurvature } from "../../src/geometry/curvature.ts";
import { fermiDirac, lorentzMlr, lorentzPrototypes, poincareMlr } from "../../src/geometry/decoders.ts";
import { lorentzExp0, lorentzInnerPairs, lorentzMidpoint } from "../../src/geometry/lorentz.ts";
import { lorentzAttention, lorentzAttentionWeights } from "../../src/geometry/lorentz-attention.ts";
import {
  lorentzEmbedding,
  lorentzLinear,
  lorentzNorm,
  lorentzResidual,
} from "../../src/geometry/lorentz-layers.ts";
import { lorentzPoints } from "../../src/geometry/lorentz-points.ts";
import { poincareDistance } from "../../src/geometry/poincare.ts";
import { poincarePoints } from "../../src/geometry/poincare-points.ts";
import type { Layers } from "../../src/nn/layers.ts";
import { layers } from "../../src/nn/layers.ts";
import { random } from "../../src/random.ts";
import vectors from "../vectors/hyperbolic.json" with { type: "json" };
import { inDouble, minkowski, numeric, randomPoint, rowsOf, worst } from "./support.ts";

type BuildLayers = (build: Layers, x: Value) => Value;

/** Result, and worst disagreement of ∂/∂(every parameter) with central differences, in double precision. */
function check(shape: number[], build: BuildLayers, feed: Float64Array) {
  const graph = createGraph("layer");
  const x = input(graph, "x", shape, { batched: false });
  const y = build(layers(graph, 4), x);
  const rng = random(9);
  // Biases and scales start at constants; a random place tells more.
  for (const t of graph.parameters.values())
    for (let i = 0; i < t.data.length; i++) t.data[i] += 0.2 * rng.normal();
  const weights = tensor(
    "float32",
    y.shape,
    Array.from({ length: sizeOf(y.shape) }, () => rng.normal()),
  );
  const loss = reduceSum(mul(y, constant(graph, weights)));
  const names = [...graph.parameters.keys()];
  const slopes = gradients(
    loss,
    names.map((n) => valueNamed(graph, n)),
  );
  const run = (outputs: string[]) => evaluate(graph, { x: { shape, data: feed } }, outputs);
  let error = 0;
  names.forEach((name, k) => {
    const found = run([slopes[k].name])[slopes[k].name].data;
    // The graph keeps float32 arrays; differences need steps of doubles.
    const parameter = graph.parameters.get(name)!;
    const exact = Float64Array.from(parameter.data);
    (parameter as { data: Float64Array | Float32Array }).data = exact;
    for (let i = 0; i < exact.length; i++) {
      const at = (h: number) => {
        const kept = exact[i];
        exact[i] += h;
        const value = run([loss.name])[loss.name].data[0];
        exact[i] = kept;
        return value;
      };
      const expected = (at(3e-6) - at(-3e-6)) / 6e-6;
      error = Math.max(error, Math.abs(found[i] - expected) / Math.max(1, Math.abs(expected)));
    }
    (parameter as { data: Float64Array | Float32Array }).data = Float32Array.from(exact);
  });
  output(y, { batched: false });
  return { graph, error, names, rows: rowsOf(run([y.name])[y.name]) };
}

const onHyperboloid = (rows: number[][], c = 1) =>
  Math.max(...rows.map((r) => Math.abs(minkowski(r, r) * c + 1)));

const points = (count: number, n: number, c = 1) => {
  const rng = random(count);
  return Float64Array.from(
    Array.from({ length: count }, () => [...randomPoint(lorentzPoints(c), n, rng)]).flat(),
  );
};

describe("vectors of the specification", () => {
  it("Lorentz linear layer, with and without residual", () => {
    const v = vectors.lorentz_linear;
    const graph = createGraph("linear");
    const build = layers(graph, 0);
    const x = input(graph, "x", [2, 4], { batched: false });
    const plain = lorentzLinear(build, "plain", x, 3);
    const added = lorentzLinear(build, "added", x, 3, {
      residual: constant(graph, tensor("float32", [2, 3], v.residual.flat())),
    });
    for (const name of ["plain", "added"]) {
      // Doubles, so that the comparison is not one of roundings.
      const set = (part: string, values: number[]) =>
        ((graph.parameters.get(`${name}.${part}`) as { data: unknown }).data = Float64Array.from(values));
      set("weight", v.W.flat());
      set("bias", v.bias);
      set("scale", [v.scale_param]);
    }
    const found = evaluate(graph, { x: numeric(v.x) }, [plain.name, added.name]);
    // The 1.1 of the time coordinate is a constant of the graph, in single precision.
    expect(worst(rowsOf(found[plain.name]), v.y)).toBeLessThan(1e-8);
    // So is the residual.
    expect(worst(rowsOf(found[added.name]), v.y_with_residual)).toBeLessThan(1e-6);
    expect(worst(rowsOf(found[plain.name]), v.y_with_residual)).toBeGreaterThan(1); // control
  });

  it("Lorentz attention", () => {
    const v = vectors.lorentz_attention;
    const [q, k, value] = [v.q, v.k, v.v].map(numeric);
    const logits = inDouble((a, b) => lorentzInnerPairs(a, b), q, k).map((r) =>
      r.map((inner) => (2 + 2 * inner) / v.scale + v.bias),
    );
    expect(worst(logits, v.logits)).toBeLessThan(1e-10);
    const found = inDouble(
      (a, b) =>
        lorentzAttentionWeights(a, b, {
          scale: constant(a.graph, tensor("float32", [], [v.scale])),
          bias: constant(a.graph, tensor("float32", [], [v.bias])),
        }),
      q,
      k,
    );
    expect(worst(found, v.weights)).toBeLessThan(1e-7);
    expect(
      worst(
        inDouble((w, p) => lorentzMidpoint(w, p), numeric(v.weights), value),
        v.out,
      ),
    ).toBeLessThan(1e-10);
  });

  it("Fermi–Dirac decoder", () => {
    const logit = inDouble(
      (p, q) => fermiDirac(mul(poincareDistance(p, q), poincareDistance(p, q))),
      numeric([vectors.poincare.p]),
      numeric([vectors.poincare.q]),
    );
    expect(1 / (1 + Math.exp(-logit[0][0]))).toBeCloseTo(vectors.poincare.fermi_dirac_r2_t1, 10);
  });
});

describe("layers stay on the hyperboloid, and their gradients agree with finite differences", () => {
  const cases: Record<string, { shape: number[]; feed: Float64Array; c?: number; build: BuildLayers }> = {
    "linear, with activation and residual": {
      shape: [5, 4],
      feed: points(5, 3),
      build: (b, x) => lorentzLinear(b, "l", x, 4, { before: relu, residual: x }),
    },
    "linear of curvature −4 cut into heads": {
      shape: [5, 4],
      feed: points(5, 3, 4),
      c: 4,
      build: (b, x) => lorentzLinear(b, "l", x, 6, { outputPoints: 2, curvature: 4 }),
    },
    attention: {
      shape: [4, 4],
      feed: points(4, 3),
      build: (b, x) => lorentzAttention(b, "a", x, { heads: 2, length: 2 }),
    },
    residual: {
      shape: [5, 4],
      feed: points(5, 3),
      build: (b, x) => lorentzResidual(x, lorentzLinear(b, "l", x, 4), 0.5),
    },
    normalisation: { shape: [5, 4], feed: points(5, 3), build: (b, x) => lorentzNorm(b, "n", x) },
  };

  it.each(Object.entries(cases))("%s", (_, { shape, feed, c = 1, build }) => {
    const { rows, error } = check(shape, build, feed);
    expect(onHyperboloid(rows, c)).toBeLessThan(1e-11);
    expect(onHyperboloid(rows, 2 * c)).toBeGreaterThan(0.5); // control: another hyperboloid
    expect(error).toBeLessThan(1e-7);
  });

  it("embedding", () => {
    const graph = createGraph("table");
    const ids = input(graph, "ids", [3], { dtype: "int32", batched: false });
    const y = lorentzEmbedding(layers(graph, 0), "words", ids, 5, 4);
    const rows = rowsOf(
      evaluate(graph, { ids: { shape: [3], data: Float64Array.of(4, 0, 4) } }, [y.name])[y.name],
    );
    expect(onHyperboloid(rows)).toBeLessThan(1e-12);
    expect(rows[0]).toEqual(rows[2]);
    expect(rows[0]).not.toEqual(rows[1]);
  });

  it("time coordinates start with weight 0, those of every head too", () => {
    const graph = createGraph("start");
    const x = input(graph, "x", [2, 6], { batched: false });
    lorentzLinear(layers(graph, 0), "l", x, 3, { inputPoints: 2 });
    const w = rowsOf(graph.parameters.get("l.weight")!);
    w.forEach((row) => row.forEach((v, i) => expect(v === 0).toBe(i % 3 === 0)));
  });

  it("attention sees only what the mask leaves", () => {
    const feed = points(3, 3);
    const build =
      (masked: boolean): BuildLayers =>
      (b, x) =>
        lorentzAttention(b, "a", x, {
          heads: 1,
          length: 3,
          mask: masked
            ? constant(x.graph, tensor("float32", [3, 3], [0, -1e9, -1e9, 0, 0, -1e9, 0, 0, 0]))
            : undefined,
        });
    const changed = feed.slice();
    changed.set(points(4, 3).subarray(12), 8);
    const first = (masked: boolean, at: Float64Array) => check([3, 4], build(masked), at).rows[0];
    expect(worst([first(true, changed)], [first(true, feed)])).toBe(0);
    expect(worst([first(false, changed)], [first(false, feed)])).toBeGreaterThan(1e-9); // control
  });
});

describe("decoders", () => {
  it("prototypes score by squared Lorentzian distance", () => {
    const { rows, graph, error } = check([5, 4], (b, x) => lorentzPrototypes(b, "p", x, 3), points(5, 3));
    const table = inDouble((u) => u, numeric(rowsOf(graph.parameters.get("p.weight")!)));
    const lifted = table.map((s) => [Math.sqrt(1 + s.reduce((a, v) => a + v * v, 0)), ...s]);
    const bias = graph.parameters.get("p.bias")!.data;
    const x = rowsOf({ shape: [5, 4], data: points(5, 3) });
    const expected = x.map((p) => lifted.map((q, j) => 2 + 2 * minkowski(p, q) + bias[j]));
    expect(worst(rows, expected)).toBeLessThan(1e-12);
    expect(error).toBeLessThan(1e-7);
  });

  it.each([1, 4])("logits are |z| times the distance to the hyperplane, curvature −%d", (c) => {
    const m = lorentzPoints(c);
    const feed = points(12, 2, c);
    const { rows, graph, error } = check([12, 3], (b, x) => lorentzMlr(b, "m", x, 2, c), feed);
    expect(error).toBeLessThan(1e-7);
    const z = rowsOf(graph.parameters.get("m.weight")!);
    const offset = graph.parameters.get("m.offset")!.data;
    const distances = z.map((normal, j) => {
      const size = Math.hypot(...normal);
      const foot = new Float64Array(3);
      m.fromOrigin(
        Float64Array.from(normal, (v) => (v / size) * offset[j]),
        foot,
      );
      // In two dimensions the hyperplane is a geodesic: from the foot at right angles to z. Brute force along it.
      const along = new Float64Array(3);
      const origin = Float64Array.of(1 / Math.sqrt(c), 0, 0);
      m.transport(origin, foot, Float64Array.of(0, -normal[1] / size, normal[0] / size), along);
      return rowsOf({ shape: [12, 3], data: feed }).map((p) => {
        let nearest = Number.POSITIVE_INFINITY;
        const at = new Float64Array(3);
        for (let s = -6; s <= 6; s += 4e-3) {
          m.exp(
            foot,
            along.map((v) => v * s),
            at,
          );
          nearest = Math.min(nearest, m.distance(Float64Array.from(p), at));
        }
        return nearest * size;
      });
    });
    rows.forEach((row, i) =>
      row.forEach((logit, j) => expect(Math.abs(logit)).toBeCloseTo(distances[j][i], 4)),
    );
    expect(rows.flat().some((v) => v > 0) && rows.flat().some((v) => v < 0)).toBe(true);
  });

  it("in the ball it is the same function", () => {
    const m = poincarePoints();
    const rng = random(1);
    const balls = Array.from({ length: 4 }, () => [...randomPoint(m, 2, rng)]);
    const feed = Float64Array.from(balls.flat());
    const ball = check([4, 2], (b, p) => poincareMlr(b, "m", p, 3), feed);
    const sheet = balls.map((p) => {
      const gap = 1 - p[0] ** 2 - p[1] ** 2;
      return [(2 - gap) / gap, (2 * p[0]) / gap, (2 * p[1]) / gap];
    });
    const lorentz = check([4, 3], (b, x) => lorentzMlr(b, "m", x, 3), Float64Array.from(sheet.flat()));
    expect(worst(ball.rows, lorentz.rows)).toBeLessThan(1e-12);
    expect(ball.error).toBeLessThan(1e-7);
  });
});

it("a network with a curvature that trains is an ordinary ONNX file", async () => {
  const graph = createGraph("network");
  const build = layers(graph, 1);
  const x = input(graph, "x", [4, 3]);
  const c = learnableCurvature(build, "curvature", 0.7);
  const hidden = lorentzLinear(build, "one", lorentzExp0(x, c), 5, { curvature: c });
  const normed = lorentzNorm(build, "norm", hidden, c);
  output(lorentzMlr(build, "classes", lorentzResidual(hidden, normed, 1, c), 3, c));
  const imported = importModel(exportModel(graph));
  const feed = zeros([4, 3]);
  const rng = random(2);
  feed.data.forEach((_, i) => (feed.data[i] = rng.normal()));
  const session = await createSession(imported);
  const found = (await session.run({ x: feed }))[imported.outputs[0]];
  await session.release();
  const expected = evaluate(graph, { x: { shape: feed.shape, data: Float64Array.from(feed.data) } });
  expect(worst([[...(found.data as Float32Array)]], [[...expected[graph.outputs[0]].data]])).toBeLessThan(
    1e-5,
  );
  // Control: the curvature is a parameter that matters.
  const slope = gradients(reduceSum(exp(valueNamed(graph, graph.outputs[0]))), [
    valueNamed(graph, "curvature"),
  ])[0];
  const at = evaluate(graph, { x: { shape: feed.shape, data: Float64Array.from(feed.data) } }, [slope.name]);
  expect(Math.abs(at[slope.name].data[0])).toBeGreaterThan(1e-3);
});
