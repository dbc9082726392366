import type { Value } from "../graph.ts";
import { forEachIndex, stridesOf } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { mul } from "./arithmetic.ts";
import { matmul } from "./matmul.ts";
import { apply, defineOperator, stringAttribute } from "./operator.ts";
import { reduceSum } from "./reduction.ts";
import { expand } from "./repeat.ts";
import { reshape } from "./reshape.ts";
import { transpose } from "./transpose.ts";

/** An equation with its ellipses written out: one label for each axis of each operand and of the result. */
interface Equation {
  operands: string[][];
  result: string[];
  lengths: Map<string, number>;
}

/** Reads an equation for operands of the given shapes; throws where labels, ranks or lengths do not fit. */
function parse(equation: string, shapes: readonly Shape[]): Equation {
  const [left, right] = equation.replaceAll(" ", "").split("->");
  const terms = left.split(",");
  const problem = (what: string) => new Error(`einsum "${equation}": ${what}`);
  if (terms.length !== shapes.length) throw problem(`${terms.length} terms for ${shapes.length} operands`);
  const hidden = (term: string, rank: number) =>
    rank - (term.includes("...") ? term.length - 3 : term.length);
  const widest = Math.max(...terms.map((t, i) => (t.includes("...") ? hidden(t, shapes[i].length) : 0)));
  // Axes behind an ellipsis are aligned from the right, as in broadcasting: "...0" is the leftmost.
  const labelsOf = (term: string, count: number): string[] => {
    const [head, tail] = term.split("...");
    if (tail === undefined) return [...term];
    return [...head, ...Array.from({ length: count }, (_, i) => `...${widest - count + i}`), ...tail];
  };
  const lengths = new Map<string, number>();
  const operands = terms.map((term, i) => {
    const count = hidden(term, shapes[i].length);
    if (count < 0 || (count > 0 && !term.includes("...")))
      throw problem(`term "${term}" does not fit shape [${shapes[i]}]`);
    const labels = labelsOf(term, count);
    labels.forEach((label, axis) => {
      const length = shapes[i][axis];
      const known = lengths.get(label) ?? 1;
      if (known !== 1 && length !== 1 && known !== length)
        throw problem(`index "${label}" has lengths ${known} and ${length}`);
      lengths.set(label, Math.max(known, length));
    });
    return labels;
  });
  const all = operands.flat();
  // Without "->" the result has the ellipsis, then the indices that occur once, in alphabetical order.
  const result =
    right === undefined
      ? [
          ...Array.from({ length: widest }, (_, i) => `...${i}`),
          ...all.filter((l) => !l.startsWith("...") && all.filter((m) => m === l).length === 1).sort(),
        ]
      : labelsOf(right, widest);
  for (const label of result)
    if (!lengths.has(label)) throw problem(`index "${label}" of the result occurs in no operand`);
  return { operands, result, lengths };
}

interface Labelled {
  value: Value;
  labels: string[];
}

/** `x` with its axes in the order of `labels`, which may name axes that it lacks: those get length 1. */
function arranged(x: Labelled, labels: readonly string[]): Value {
  const own = labels.filter((l) => x.labels.includes(l));
  const perm = own.map((l) => x.labels.indexOf(l));
  const turned = perm.every((p, i) => p === i) ? x.value : transpose(x.value, perm);
  const shape = labels.map((l) => (x.labels.includes(l) ? x.value.shape[x.labels.indexOf(l)] : 1));
  return reshape(turned, shape);
}

/** Sums `x` over the labels that nothing else needs. */
function summed(x: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = x.labels.flatMap((l, i) => (needed.has(l) ? [] : [i]));
  if (axes.length === 0) return x;
  return { value: reduceSum(x.value, axes), labels: x.labels.filter((l) => needed.has(l)) };
}

/** The product of two operands, summed over the labels that they share and nothing else needs. */
function contract(first: Labelled, second: Labelled, needed: ReadonlySet<string>): Labelled {
  const elsewhere = (other: Labelled) => new Set([...needed, ...other.labels]);
  const a = summed(first, elsewhere(second));
  const b = summed(second, elsewhere(first));
  const shared = a.labels.filter((l) => b.labels.includes(l));
  const batch = shared.filter((l) => needed.has(l));
  const inner = shared.filter((l) => !needed.has(l));
  const rows = a.labels.filter((l) => !shared.includes(l));
  const columns = b.labels.filter((l) => !shared.includes(l));
  const labels = [...batch, ...rows, ...columns];
  if (inner.length === 0) return { value: mul(arranged(a, labels), arranged(b, labels)), labels };
  if (rows.length === 0 && columns.length === 0) {
    const order = [...batch, ...inner];
    return summed({ value: mul(arranged(a, order), arranged(b, order)), labels: order }, needed);
  }
  const lengthsOf = (x: Labelled, of: readonly string[]) => of.map((l) => x.value.shape[x.labels.indexOf(l)]);
  const lead = lengthsOf(a, batch);
  const depth = sizeOf(lengthsOf(a, inner));
  // −1 stands where a batch may be, so that the graph keeps working at other batch sizes.
  const left = reshape(arranged(a, [...batch, ...rows, ...inner]), [...lead, -1, depth]);
  const right = reshape(arranged(b, [...batch, ...inner, ...columns]), [...lead, depth, -1]);
  const shape = [...lead, ...lengthsOf(a, rows), ...lengthsOf(b, columns)];
  if (rows.length > 1) shape[lead.length] = -1;
  else if (columns.length > 1) shape[lead.length + rows.length] = -1;
  return { value: reshape(matmul(left, right), shape), labels };
}

/** The sum of products that labelled operands stand for, as ordinary operators; axes of `result` that no operand has are repeated. */
function lower(
  operands: readonly Labelled[],
  result: readonly string[],
  lengths: Map<string, number>,
): Value {
  // An axis of length 1 under a longer index is broadcast: the operand simply does not have that index.
  const parts = operands.map(({ value, labels }) => {
    const kept = labels.filter((l, i) => value.shape[i] === lengths.get(l));
    return {
      value: reshape(
        value,
        kept.map((l) => lengths.get(l)!),
      ),
      labels: kept,
    };
  });
  let total = parts[0];
  parts.slice(1).forEach((part, i) => {
    total = contract(total, part, new Set([...result, ...parts.slice(i + 2).flatMap((p) => p.labels)]));
  });
  return expand(
    arranged(summed(total, new Set(result)), result),
    result.map((l) => lengths.get(l)!),
  );
}

const repeats = (labels: readonly string[]) => new Set(labels).size !== labels.length;

defineOperator({
  name: "Einsum",
  attributes: { equation: "string" },
  infer: ({ inputs, attributes }) => {
    const shapes = inputs.map((x) => x!.shape);
    const { result, lengths } = parse(stringAttribute(attributes, "equation", ""), shapes);
    return [{ dtype: inputs[0]!.dtype, shape: result.map((l) => lengths.get(l)!) }];
  },
  gradient: ({ inputs, gradients: [dy], attributes, wanted }) => {
    const equation = stringAttribute(attributes, "equation", "");
    const { operands, result, lengths } = parse(
      equation,
      inputs.map((x) => x.shape),
    );
    if (operands.some(repeats))
      throw new Error(`Einsum "${equation}" takes a diagonal, which has no gradient rule; gather it instead`);
    return inputs.map((x, i) => {
      if (!wanted[i]) return undefined;
      const others = inputs.flatMap((value, j) => (j === i ? [] : [{ value, labels: operands[j] }]));
      const own = operands[i].filter((l, axis) => x.shape[axis] === lengths.get(l));
      return reshape(lower([{ value: dy!, labels: result }, ...others], own, lengths), x.shape);
    });
  },
  evaluate: ({ inputs, attributes, outputTypes: [type] }) => {
    const shapes = inputs.map((x) => x.shape);
    const { operands, result, lengths } = parse(stringAttribute(attributes, "equation", ""), shapes);
    const labels = [...lengths.keys()];
    const stepsFor = (axes: readonly string[], shape: Shape) => {
      const strides = stridesOf(shape);
      return labels.map((l) => axes.reduce((a, m, i) => (m === l && shape[i] > 1 ? a + strides[i] : a), 0));
    };
    const steps = operands.map((o, i) => stepsFor(o, shapes[i]));
    const target = stepsFor(result, type.shape);
    const data = new Float64Array(sizeOf(type.shape));
    forEachIndex([...lengths.values()], (index) => {
      const at = (step: readonly number[]) => step.reduce((a, s, i) => a + s * index[i], 0);
      data[at(target)] += inputs.reduce((product, x, i) => product * x.data[at(steps[i])], 1);
    });
    return [{ shape: type.shape, data }];
  },
});

/**
 * Sum of products in Einstein's notation: `einsum("bij,bjk->bik", a, b)`. Understands ellipses and an implied result.
 * Operands are contracted from left to right. Becomes transpositions, matrix products, products and sums, because
 * ONNX Runtime's own Einsum takes 1.1 times (attention scores) to 45 times (`bi,bi->b`) as long; only a repeated index in one operand (a diagonal) becomes an Einsum node.
 */
export function einsum(equation: string, ...operands: Value[]): Value {
  const {
    operands: labels,
    result,
    lengths,
  } = parse(
    equation,
    operands.map((x) => x.shape),
  );
  if (labels.some(repeats)) return apply(operands[0].graph, "Einsum", operands, { equation })[0];
  return lower(
    operands.map((value, i) => ({ value, labels: labels[i] })),
    result,
    lengths,
  );
}
