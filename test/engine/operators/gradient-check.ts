import { evaluate } from "../../../src/engine/evaluate.ts";
import { gradients } from "../../../src/engine/gradients.ts";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { constant, createGraph, input, output, valueNamed } from "../../../src/engine/graph.ts";
import { mul } from "../../../src/engine/operators/arithmetic.ts";
import type { Numeric } from "../../../src/engine/operators/operator.ts";
import { reduceSum } from "../../../src/engine/operators/reduction.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";

export interface GradientCase {
  /** Shapes of the differentiable inputs. */
  shapes: number[][];
  /** The function under test; its output may have any shape. */
  build: (inputs: Value[], graph: Graph) => Value;
  /** Maps a standard normal sample to a legal argument (e.g. positive for log). */
  domain?: (x: number) => number;
  seed?: number;
}

export interface CheckGraph {
  /** Inputs `x0`, `x1`, …; outputs the function's value, the loss, then the gradient of each input. */
  graph: Graph;
  loss: Value;
  gradients: Value[];
  feeds: Record<string, Numeric>;
}

/**
 * The graph that a case is checked on, with arguments. Every output cell counts: the loss is the output times fixed
 * random weights, summed.
 */
export function checkGraph({ shapes, build, domain = (x) => x, seed = 1 }: GradientCase): CheckGraph {
  const graph = createGraph("check");
  const rng = random(seed);
  const values = shapes.map((s, i) => input(graph, `x${i}`, s, { batched: false }));
  const y = build(values, graph);
  const weights = Array.from({ length: sizeOf(y.shape) }, () => Math.fround(rng.normal()));
  const loss = reduceSum(mul(y, constant(graph, tensor("float32", y.shape, weights), "weights")));
  const grads = gradients(loss, values);
  for (const v of new Set([y, loss, ...grads].map((v) => v.name)))
    output(valueNamed(graph, v), { batched: false });

  const feeds: Record<string, Numeric> = {};
  shapes.forEach((shape, i) => {
    feeds[`x${i}`] = {
      shape,
      data: Float64Array.from({ length: sizeOf(shape) }, () => domain(rng.normal())),
    };
  });
  return { graph, loss, gradients: grads, feeds };
}

/** The largest relative disagreement between the gradient rules and central differences, both in double precision. */
export function gradientError(check: GradientCase): number {
  const { graph, loss, gradients, feeds } = checkGraph(check);
  return differenceQuotientError(
    graph,
    loss,
    Object.fromEntries(gradients.map((g, i) => [`x${i}`, g])),
    feeds,
  );
}

/** The same for the gradients of a loss with respect to inputs of any graph, by the name of the input. */
export function differenceQuotientError(
  graph: Graph,
  loss: Value,
  gradients: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Numeric>>,
): number {
  const results = evaluate(
    graph,
    feeds,
    Object.values(gradients).map((g) => g.name),
  );
  const lossAt = () => evaluate(graph, feeds, [loss.name])[loss.name].data[0];
  let worst = 0;
  for (const [name, gradient] of Object.entries(gradients)) {
    const { data } = feeds[name];
    for (let j = 0; j < data.length; j++) {
      const x = data[j];
      const h = 1e-5 * Math.max(1, Math.abs(x));
      data[j] = x + h;
      const up = lossAt();
      data[j] = x - h;
      const down = lossAt();
      data[j] = x;
      const expected = (up - down) / (2 * h);
      const found = results[gradient.name].data[j];
      const error = Math.abs(found - expected) / Math.max(1, Math.abs(expected));
      worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
    }
  }
  return worst;
}
