import type { Graph } from "../../engine/graph.ts";
import { constant, output, parameter, valueNamed } from "../../engine/graph.ts";
import { replay } from "../../engine/replay.ts";
import type { SessionOptions } from "../../engine/session.ts";
import { createSession } from "../../engine/session.ts";
import { removeDeadNodes } from "../../engine/simplify.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sizeOf, zeros } from "../../engine/tensor.ts";
import { multiply } from "../../linalg/product.ts";
import { svd } from "../../linalg/svd.ts";
import { chooseMaps } from "./linear-maps.ts";
import { replaceProducts } from "./products.ts";

/** C = XᵀX / rows of the inputs X of each linear map, [inputs, inputs], by weight. */
export type SecondMoments = ReadonlyMap<string, Float64Array>;

/** Directions in which inputs have less than this share of their largest second moment count as if they had it. */
const FLOOR = 1e-6;

/** Runs a model over samples of what it will meet, and measures what its linear maps are given. */
export async function inputMoments(
  model: Graph,
  feeds: Iterable<Readonly<Record<string, Tensor>>>,
  {
    layers,
    ...session
  }: SessionOptions & { layers?: readonly string[] | ((weight: string) => boolean) } = {},
): Promise<SecondMoments> {
  const maps = chooseMaps(model, "calibrate", layers);
  const keptName = (weight: string) => `${weight}/kept`;
  const measured: { weight: string; output: string; rows: number; inputs: number }[] = [];
  const products = replaceProducts(maps, {
    declare: ({ weight }, value) => {
      parameter(value.graph, keptName(weight), model.parameters.get(weight)!);
    },
    compute: ({ weight, inputs }, site) => {
      const identity = zeros([inputs, inputs]);
      for (let i = 0; i < inputs; i++) identity.data[i * (inputs + 1)] = 1;
      const coordinates = site.down(constant(site.graph, identity));
      const moments = site.downGradient(coordinates);
      measured.push({ weight, output: moments.name, rows: sizeOf(coordinates.shape) / inputs, inputs });
      return site.dense(valueNamed(site.graph, keptName(weight)), site.bias);
    },
  });
  const graph = replay(model, { parameter: products.reparameterize, node: products.replaceNode });
  graph.outputs = [];
  for (const m of measured) output(valueNamed(graph, m.output), { batched: false });
  removeDeadNodes(graph);
  const running = await createSession(graph, session);
  const sums = new Map(maps.map((m) => [m.weight, new Float64Array(m.inputs ** 2)]));
  const rows = new Map<string, number>();
  try {
    for (const sample of feeds) {
      const found = await running.run(sample);
      for (const m of measured) {
        const sum = sums.get(m.weight)!;
        const part = found[m.output].data as Float32Array;
        for (let i = 0; i < sum.length; i++) sum[i] += part[i];
        rows.set(m.weight, (rows.get(m.weight) ?? 0) + m.rows);
      }
    }
  } finally {
    await running.release();
  }
  for (const [weight, sum] of sums) for (let i = 0; i < sum.length; i++) sum[i] /= rows.get(weight) ?? 1;
  return sums;
}

/** W C^½ [outputs, inputs], and what takes rows [count, inputs] back: times C^−½. */
export function whiten(
  matrix: ArrayLike<number>,
  outputs: number,
  inputs: number,
  moment: Float64Array,
): { matrix: Float64Array; back(rows: ArrayLike<number>, count: number): Float64Array } {
  const { left: vectors, values } = svd(moment, inputs, inputs);
  const least = FLOOR * values[0];
  const root = (power: number) => {
    const scaled = vectors.map((v, i) => v * Math.max(values[Math.floor(i / inputs)], least) ** power);
    const square = { rows: inputs, columns: inputs };
    return multiply({ data: vectors, ...square, turned: true }, { data: scaled, ...square });
  };
  const square = { rows: inputs, columns: inputs };
  return {
    matrix: multiply({ data: matrix, rows: outputs, columns: inputs }, { data: root(0.5), ...square }),
    back: (rows, count) =>
      multiply({ data: rows, rows: count, columns: inputs }, { data: root(-0.5), ...square }),
  };
}
