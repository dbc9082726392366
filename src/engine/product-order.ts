import type { Graph, Node, Value } from "./graph.ts";
import { consumers, producers, valueNamed } from "./graph.ts";
import { apply, normalizeAxis, numberAttribute } from "./operators/operator.ts";
import { transpose } from "./operators/transpose.ts";
import { replay } from "./replay.ts";
import { removeDeadNodes } from "./simplify.ts";
import { sizeOf, toNumbers } from "./tensor.ts";

/** Adds the nodes that compute something to a graph; the last of them gets the name. */
type Build = (target: Graph, name: string) => Value;

/** A matrix that something is multiplied by: `build` gives it or its transpose. */
interface Factor {
  columns: number;
  transposed: boolean;
  build: Build;
}

interface Plan {
  /** Multiplications, less those that are not needed any more. */
  cost: number;
  build: Build;
}

/**
 * Products of products in the cheaper order: (A·B)·C becomes A·(B·C) where that takes fewer multiplications, also
 * where rows of the left side are looked up (`Gather`) or summed (`ReduceSum`) in between. A linear layer after an
 * embedding is applied to the table once, not to every token; two linear layers in a row become one. The results are
 * the same but for rounding. Made for models that will be differentiated: the backward pass gets cheaper too.
 */
export function orderProducts(graph: Graph): Graph {
  const producer = producers(graph);
  const readers = consumers(graph);
  const shapeOf = (name: string) => graph.types.get(name)!.shape;
  const readOnce = (name: string) => readers.get(name)!.length === 1 && !graph.outputs.includes(name);
  const stored = (name: string): Build => {
    return (target) => valueNamed(target, name);
  };

  /** The cheapest way to `name` times `factor`. */
  const product = (name: string, factor: Factor): Plan => {
    const direct = {
      cost: sizeOf(shapeOf(name)) * factor.columns,
      build: multiply(stored(name), factor),
    };
    const node = producer.get(name);
    const moved = node && readOnce(name) ? movedInside(node, factor) : undefined;
    return moved && moved.cost < direct.cost ? moved : direct;
  };

  /** The same where `node` computes the left side: its own left side times (its right side times the factor). */
  const movedInside = (node: Node, factor: Factor): Plan | undefined => {
    const [left, right] = node.inputs;
    if (keepsRows(graph, node)) {
      const inner = product(left, factor);
      const build: Build = (target, name) => {
        const inputs = [inner.build(target, `${name}/rows`), valueNamed(target, right)];
        return apply(target, node.op, inputs, node.attributes, { name })[0];
      };
      return { cost: inner.cost, build };
    }
    if (!isProduct(graph, node)) return undefined;
    const { columns } = factor;
    const inner = transposes(node)
      ? { cost: sizeOf(shapeOf(right)) * columns, build: multiply(stored(right), factor, true) }
      : product(right, factor);
    const outer = product(left, { columns, transposed: false, build: inner.build });
    const saved = sizeOf(shapeOf(left)) * shapeOf(node.outputs[0]).at(-1)!;
    return { cost: inner.cost + outer.cost - saved, build: outer.build };
  };

  const ordered = replay(graph, {
    node: (node, _, target) => {
      if (!isProduct(graph, node)) return undefined;
      const [left, right] = node.inputs;
      const columns = shapeOf(node.outputs[0]).at(-1)!;
      const best = product(left, { columns, transposed: transposes(node), build: stored(right) });
      return best.cost < sizeOf(shapeOf(left)) * columns ? [best.build(target, node.outputs[0])] : undefined;
    },
  });
  removeDeadNodes(ordered);
  return ordered;
}

/** Whether a node is a plain product with a matrix on its right: x·W or x·Wᵀ. */
function isProduct(graph: Graph, { op, inputs, attributes }: Node): boolean {
  if (op !== "MatMul" && op !== "Gemm") return false;
  const { alpha = 1, transA = 0 } = attributes;
  const [left, right] = inputs.map((name) => graph.types.get(name)!.shape.length);
  return inputs.length === 2 && left >= 2 && right === 2 && alpha === 1 && transA === 0;
}

function transposes({ attributes }: Node): boolean {
  return attributes.transB === 1;
}

/** Whether a node looks up or sums whole rows of its first input, so that a product may be taken before it. */
function keepsRows(graph: Graph, { op, inputs, attributes }: Node): boolean {
  const rank = graph.types.get(inputs[0])!.shape.length;
  if (op === "Gather") return rank === 2 && normalizeAxis(numberAttribute(attributes, "axis", 0), rank) === 0;
  const axes = op === "ReduceSum" && graph.constants.get(inputs[1]);
  return axes && axes.data.length > 0
    ? toNumbers(axes).every((axis) => normalizeAxis(axis, rank) !== rank - 1)
    : false;
}

function multiply(left: Build, factor: Factor, transposeLeft = false): Build {
  return (target, name) => {
    const a = left(target, `${name}/left`);
    const b = factor.build(target, `${name}/right`);
    if (a.shape.length > 2)
      return apply(target, "MatMul", [a, factor.transposed ? transpose(b) : b], {}, { name })[0];
    const attributes = { ...(transposeLeft && { transA: 1 }), ...(factor.transposed && { transB: 1 }) };
    return apply(target, "Gemm", [a, b], attributes, { name })[0];
  };
}
