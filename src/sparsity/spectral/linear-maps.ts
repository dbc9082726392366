import type { Graph, Node } from "../../engine/graph.ts";
import { consumers } from "../../engine/graph.ts";
import { numberAttribute, numbersAttribute } from "../../engine/operators/operator.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";

/** A weight that a graph reads as a matrix W alone: y = W x for every row, pixel or patch x. */
export interface LinearMap {
  /** Name of the parameter. */
  readonly weight: string;
  /** Rows of W. */
  readonly outputs: number;
  /** Columns of W; of a convolution channels × kernel. */
  readonly inputs: number;
  /** The parameter holds Wᵀ. */
  readonly turned: boolean;
  /** [channels, height, width] of a convolution's kernel. */
  readonly kernel?: readonly number[];
  /** Its result leaves the graph as it is, or through a bias, a softmax or another shape alone. */
  readonly last: boolean;
}

/**
 * The linear maps of a model: weights of linear layers, attention projections and ungrouped convolutions, in the order of
 * the parameters. A weight that anything else reads too, such as an embedding that is also the output layer, is none.
 */
export function linearMaps(graph: Graph): LinearMap[] {
  const readers = consumers(graph);
  const leaving = valuesThatLeave(graph);
  const maps: LinearMap[] = [];
  for (const [weight, { shape }] of graph.parameters) {
    const reads = (readers.get(weight) ?? []).flatMap((node) => productsOf(node, weight, readers));
    const [first] = reads;
    if (!first || reads.some((r) => r === undefined || r.turned !== first.turned)) continue;
    if (first.node.op !== "Conv" && shape.length !== 2) continue;
    const kernel = first.node.op === "Conv" ? shape.slice(1) : undefined;
    const [rows, columns] = [shape[0], sizeOf(shape.slice(1))];
    maps.push({
      weight,
      outputs: first.turned ? columns : rows,
      inputs: first.turned ? rows : columns,
      turned: first.turned,
      ...(kernel && { kernel }),
      last: reads.some((r) => r!.node.outputs.some((o) => leaving.has(o))),
    });
  }
  return maps;
}

/**
 * The maps among `linearMaps` that a method is to take: by default all but output layers. Throws a `Problem` where a name is
 * wanted that is none of them, where nothing is left, and for weights that are no numbers.
 */
export function chooseMaps(
  graph: Graph,
  method: string,
  wanted?: readonly string[] | ((weight: string) => boolean),
): LinearMap[] {
  const maps = linearMaps(graph);
  if (Array.isArray(wanted)) {
    const missing = wanted.find((name) => !maps.some((m) => m.weight === name));
    if (missing !== undefined)
      throw new Problem(
        `${method}: there is no linear map "${missing}"; there are ${maps.map((m) => m.weight).join(", ")}`,
      );
  }
  const chosen = maps.filter(({ weight, last }) =>
    typeof wanted === "function" ? wanted(weight) : (wanted?.includes(weight) ?? !last),
  );
  if (chosen.length === 0)
    throw new Problem(
      `${method}: the model has no linear layer or convolution besides its output layer; name that one where it is to be taken`,
    );
  for (const { weight } of chosen) {
    const wrong = graph.parameters.get(weight)!.data.find((v) => !Number.isFinite(v));
    if (wrong !== undefined)
      throw new Problem(
        `${method}: the weight "${weight}" has the entry ${wrong}; its training has diverged`,
      );
  }
  return chosen;
}

/** The width that most maps have in common: the smaller side of their matrices. */
export function commonWidth(maps: readonly LinearMap[]): number {
  const counts = new Map<number, number>();
  for (const { outputs, inputs } of maps) {
    const width = Math.min(outputs, inputs);
    counts.set(width, (counts.get(width) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0][0];
}

interface Read {
  node: Node;
  turned: boolean;
}

/** The products that `node` makes of a weight, directly or through a transposition; undefined for any other use. */
function productsOf(
  node: Node,
  weight: string,
  readers: ReadonlyMap<string, readonly Node[]>,
): (Read | undefined)[] {
  if (node.op !== "Transpose") return [productOf(node, weight, false)];
  const moved = numbersAttribute(node.attributes, "perm");
  if (moved && moved.join() !== "1,0") return [undefined];
  return (readers.get(node.outputs[0]) ?? []).map((user) => productOf(user, node.outputs[0], true));
}

function productOf(node: Node, weight: string, transposed: boolean): Read | undefined {
  const { op, inputs, attributes } = node;
  if (inputs[1] !== weight || inputs.indexOf(weight) !== 1 || inputs.lastIndexOf(weight) !== 1)
    return undefined;
  const number = (name: string, fallback: number) => numberAttribute(attributes, name, fallback);
  switch (op) {
    case "MatMul":
      return { node, turned: !transposed };
    case "Gemm":
      if (number("transA", 0) || number("alpha", 1) !== 1 || number("beta", 1) !== 1) return undefined;
      return { node, turned: (number("transB", 0) === 1) === transposed };
    case "Conv":
      return transposed || number("group", 1) !== 1 ? undefined : { node, turned: false };
    default:
      return undefined;
  }
}

/** What leaves the graph, also through a bias, a softmax or another shape. */
function valuesThatLeave(graph: Graph): Set<string> {
  const leaving = new Set(graph.outputs);
  for (const node of [...graph.nodes].reverse())
    if (
      ["Add", "Softmax", "LogSoftmax", "Reshape", "Flatten"].includes(node.op) &&
      leaving.has(node.outputs[0])
    )
      if (node.op !== "Add" || node.inputs.some((i) => graph.parameters.has(i) || graph.constants.has(i)))
        for (const i of node.inputs) leaving.add(i);
  return leaving;
}
