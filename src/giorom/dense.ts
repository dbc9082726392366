import type { Value } from "../engine/graph.ts";
import { add, gelu, gemm, matmul, relu, slice, sum, transpose } from "../engine/operators/index.ts";
import { withScope } from "../engine/scope.ts";
import type { Initializer } from "../nn/initializers.ts";
import { constantFill, normal, uniformFanIn } from "../nn/initializers.ts";
import type { Layers } from "../nn/layers.ts";
import type { Incidence } from "./incidence.ts";
import { spread } from "./incidence.ts";

/** Part of a layer's input. Rows of a table are multiplied first and spread to the edges afterwards, which costs a fraction. */
export type Part = Value | { rows: Value; to: Incidence };

const isRows = (part: Part): part is { rows: Value; to: Incidence } => "rows" in part;
const tableOf = (part: Part): Value => (isRows(part) ? part.rows : part);
const widthOf = (part: Part): number => tableOf(part).shape.at(-1)!;

interface Style {
  weight: Initializer;
  bias: Initializer;
  activation: (x: Value) => Value;
}

/** Standard deviation 1/√fanIn and zero biases, as in the public GNS code. */
const GNS: Style = {
  weight: (shape, fanIn, rng) => normal(fanIn ** -0.5)(shape, fanIn, rng),
  bias: constantFill(0),
  activation: relu,
};

const PLAIN: Style = { weight: uniformFanIn, bias: uniformFanIn, activation: gelu };

/** [parts side by side] Wᵀ + b, without putting them side by side; W [features, sum of widths]. */
function joinedLinear(
  build: Layers,
  name: string,
  parts: readonly Part[],
  features: number,
  { weight, bias }: Style,
): Value {
  return withScope(tableOf(parts[0]).graph, name, () => {
    const width = parts.reduce((total, part) => total + widthOf(part), 0);
    const w = build.weight(`${name}.weight`, [features, width], width, weight);
    const b = build.weight(`${name}.bias`, [features], width, bias);
    let start = 0;
    const products = parts.map((part) => {
      const end = start + widthOf(part);
      const own = parts.length === 1 ? w : slice(w, { 1: { start, end } });
      start = end;
      const x = tableOf(part);
      const y = x.shape.length === 2 ? gemm(x, own, { transB: true }) : matmul(x, transpose(own, [1, 0]));
      return isRows(part) ? spread(y, part.to) : y;
    });
    return add(products.length === 1 ? products[0] : sum(...products), b);
  });
}

function mlp(
  build: Layers,
  name: string,
  parts: readonly Part[],
  widths: readonly number[],
  style: Style,
): Value {
  let x: readonly Part[] = parts;
  widths.forEach((features, i) => {
    const y = joinedLinear(build, `${name}.${i}`, x, features, style);
    x = [i < widths.length - 1 ? style.activation(y) : y];
  });
  return x[0] as Value;
}

/** Three layers with ReLU between them: `MLP` of GIOROM spec 3.6, followed by layer normalisation unless it is the last. */
export function encoder(
  build: Layers,
  name: string,
  parts: readonly Part[],
  hidden: number,
  { features = hidden, norm = true }: { features?: number; norm?: boolean } = {},
): Value {
  const y = mlp(build, name, parts, [hidden, hidden, features], GNS);
  return norm ? build.layerNorm(`${name}.norm`, y) : y;
}

/** Layers with GELU between them, none at the end. */
export function kernel(
  build: Layers,
  name: string,
  parts: readonly Part[],
  widths: readonly number[],
): Value {
  return mlp(build, name, parts, widths, PLAIN);
}
