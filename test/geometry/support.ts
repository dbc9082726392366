import { evaluate } from "../../src/engine/evaluate.ts";
import type { Value } from "../../src/engine/graph.ts";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import type { Numeric } from "../../src/engine/operators/operator.ts";
import { createSession } from "../../src/engine/session.ts";
import type { Shape } from "../../src/engine/tensor.ts";
import { fromNumbers } from "../../src/engine/tensor.ts";
import type { Manifold } from "../../src/geometry/manifold.ts";
import type { Random } from "../../src/random.ts";

export type Build = (...inputs: Value[]) => Value;

export function numeric(rows: readonly (readonly number[])[]): Numeric {
  return { shape: [rows.length, rows[0].length], data: Float64Array.from(rows.flat()) };
}

export function rowsOf({ shape, data }: { shape: Shape; data: ArrayLike<number> }): number[][] {
  const width = shape[shape.length - 1];
  return Array.from({ length: data.length / width }, (_, r) =>
    Array.from({ length: width }, (_, i) => data[r * width + i]),
  );
}

function graphOf(build: Build, inputs: readonly Numeric[]) {
  const graph = createGraph("check");
  const values = inputs.map((x, i) => input(graph, `x${i}`, x.shape, { batched: false }));
  const result = build(...values);
  output(result, { batched: false });
  return { graph, name: result.name };
}

/** A function of the graph in double precision. */
export function inDouble(build: Build, ...inputs: Numeric[]): number[][] {
  const { graph, name } = graphOf(build, inputs);
  return rowsOf(evaluate(graph, Object.fromEntries(inputs.map((x, i) => [`x${i}`, x])))[name]);
}

/** The same in single precision by ONNX Runtime. */
export async function inSingle(build: Build, ...inputs: Numeric[]): Promise<number[][]> {
  const { graph, name } = graphOf(build, inputs);
  const session = await createSession(graph, { device: "cpu", threads: 1 });
  const feeds = Object.fromEntries(
    inputs.map(({ shape, data }, i) => [
      `x${i}`,
      { dtype: "float32" as const, shape, data: fromNumbers("float32", data) },
    ]),
  );
  const result = (await session.run(feeds))[name];
  await session.release();
  return rowsOf({ shape: result.shape, data: result.data as Float32Array });
}

/** A point at a radius in a random direction; `near` radii are spread around 1. */
export function randomPoint(
  m: Manifold,
  n: number,
  rng: Random,
  radius = Math.abs(rng.normal()),
): Float64Array {
  const u = Float64Array.from({ length: n }, () => rng.normal());
  const scale = radius / Math.hypot(...u);
  const x = new Float64Array(m.coordinates(n));
  m.fromOrigin(
    u.map((v) => v * scale),
    x,
  );
  return x;
}

export function randomTangent(m: Manifold, x: Float64Array, rng: Random): Float64Array {
  const v = x.map(() => rng.normal());
  m.gradient(x, v, v);
  return v;
}

export const minkowski = (x: ArrayLike<number>, y: ArrayLike<number>) =>
  Array.from(x, (v, i) => (i === 0 ? -1 : 1) * v * y[i]).reduce((a, b) => a + b, 0);

/** Largest difference of two tables of numbers, relative where numbers exceed 1. */
export function worst(
  found: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
): number {
  let error = found.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  found.forEach((row, r) =>
    row.forEach((v, i) => {
      const e = expected[r][i];
      const difference = Math.abs(v - e) / Math.max(1, Math.abs(e));
      error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
    }),
  );
  return error;
}
