import type { Graph, Node } from "./graph.ts";
import type { Numeric } from "./operators/operator.ts";
import { findOperator } from "./operators/operator.ts";
import { fromNumbers, tensor, toNumbers } from "./tensor.ts";

/** Operators that multiply elements of one operand with many of another. */
const PRODUCTS = new Set(["Conv", "ConvTranspose", "MatMul", "MatMulInteger", "Gemm", "Einsum"]);

/** Their results differ although their inputs are equal. */
export const RANDOM = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
  "Dropout",
]);

export interface FoldingBudget {
  /** How much folding may still cost, in elements that are filled in; see `workOf`. Folding takes its cost off. */
  work: number;
  /** A node that makes more elements than this stays computed. */
  readonly largest: number;
}

/**
 * Computes a node whose inputs are all constant and enters its results as constants of the graph; `Shape` and `Size`
 * are constant always, because shapes are static. Returns whether it did: not where that is beyond the budget. The
 * node itself is the caller's to remove.
 */
export function foldNode(graph: Graph, node: Node, budget: FoldingBudget): boolean {
  if (RANDOM.has(node.op)) return false;
  const shapeOnly = node.op === "Shape" || node.op === "Size";
  if (!shapeOnly && !node.inputs.every((i) => i === "" || graph.constants.has(i))) return false;
  // An axis of length 0 hides how long the others are, but rules walk along each axis by itself.
  const size = (name: string) =>
    name === "" ? 0 : graph.types.get(name)!.shape.reduce((product, d) => product * Math.max(1, d), 1);
  const read = shapeOnly ? 0 : node.inputs.reduce((sum, i) => sum + size(i), 0);
  const made = node.outputs.reduce((sum, o) => sum + size(o), 0);
  const work = workOf(node, read, made, size);
  if (made > budget.largest || work > budget.work) return false;
  budget.work -= work;
  const inputs = node.inputs.map((i): Numeric => {
    if (i === "") return undefined as unknown as Numeric;
    const { shape } = graph.types.get(i)!;
    return { shape, data: shapeOnly ? new Float64Array(0) : toNumbers(graph.constants.get(i)!) };
  });
  const outputTypes = node.outputs.map((o) => graph.types.get(o)!);
  const results = findOperator(node.op)!.evaluate({
    inputs,
    inputTypes: node.inputs.map((i) => graph.types.get(i)!),
    outputTypes,
    attributes: node.attributes,
  });
  node.outputs.forEach((o, i) => {
    const { dtype, shape } = outputTypes[i];
    graph.constants.set(o, tensor(dtype, shape, fromNumbers(dtype, results[i].data)));
  });
  return true;
}

/** Reading, making or multiplying an element costs about this many times what filling it with one number costs. */
const EFFORT = 64;

/** At most so much; a product of every element of one operand with every element of the others is the most. */
function workOf(node: Node, read: number, made: number, size: (name: string) => number): number {
  if (node.op === "ConstantOfShape") return made;
  const others = node.op === "Einsum" ? node.inputs.slice(1) : node.inputs.slice(1, 2);
  const window = (node.attributes.kernel_shape as readonly number[] | undefined) ?? [
    (node.attributes.size as number | undefined) ?? 1,
  ];
  const factors = PRODUCTS.has(node.op) ? others.map(size) : node.op === "Resize" ? [read] : window;
  return EFFORT * (read + factors.reduce((product, n) => product * Math.max(1, n), Math.max(made, read)));
}
