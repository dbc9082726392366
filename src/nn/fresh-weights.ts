import type { Graph, Node } from "../engine/graph.ts";
import { consumers } from "../engine/graph.ts";
import type { Shape } from "../engine/tensor.ts";
import { sizeOf } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { deriveSeed, random } from "../random.ts";
import type { Initializer } from "./initializers.ts";
import { constantFill, normal, uniformFanIn } from "./initializers.ts";

const ONE = constantFill(1);
const ZERO = constantFill(0);

/** How the layers of this library begin, by operator and input (see `layers`); a sum's parameter is a bias. */
const BEGINNINGS: Readonly<Record<string, readonly (Initializer | undefined)[]>> = {
  Conv: [undefined, uniformFanIn, uniformFanIn],
  Gemm: [undefined, uniformFanIn, uniformFanIn],
  MatMul: [uniformFanIn, uniformFanIn],
  BatchNormalization: [undefined, ONE, ZERO, ZERO, ONE],
  LayerNormalization: [undefined, ONE, ZERO],
  Gather: [normal(1)],
  Add: [ZERO, ZERO],
};

/** What passes a weight on to the operator that multiplies by it. */
const PASSING = new Set(["Transpose", "Reshape", "Identity"]);

/**
 * Gives every parameter of a network, built or imported, the initial value that this library's layers would give it, and
 * batch norms the statistics of no data; arrays are the network's own afterwards. Values depend on the seed and the
 * parameter's name alone. Throws a `Problem` for a parameter that is used in another way.
 */
export function freshWeights(graph: Graph, seed: number): void {
  const users = consumers(graph);
  const useOf = (name: string): { node: Node; at: number } | undefined => {
    const [node] = users.get(name) ?? [];
    if (!node) return undefined;
    return PASSING.has(node.op) ? useOf(node.outputs[0]) : { node, at: node.inputs.indexOf(name) };
  };
  for (const [name, { shape }] of graph.parameters) {
    const use = useOf(name);
    if (!use) continue;
    const begin = BEGINNINGS[use.node.op]?.[use.at];
    if (!begin)
      throw new Problem(
        `nothing says how "${name}", which ${use.node.op} reads, begins; build the small network in a program, with layers of your own`,
      );
    const rng = random(deriveSeed(seed, "parameter", name));
    graph.parameters.set(name, begin(shape, fanIn(graph, use.node), rng));
  }
  for (const { op, inputs } of graph.nodes) {
    if (op !== "BatchNormalization") continue;
    for (const at of [3, 4]) {
      const { shape } = graph.constants.get(inputs[at])!;
      graph.constants.set(inputs[at], BEGINNINGS[op][at]!(shape, 1, random(seed)));
    }
  }
}

/** How many numbers one output of a node sums over; 1 where it sums none. */
function fanIn(graph: Graph, { op, inputs, attributes }: Node): number {
  const shapeOf = (at: number): Shape => graph.types.get(inputs[at])!.shape;
  if (op === "Conv") return sizeOf(shapeOf(1).slice(1));
  if (op === "Gemm") return shapeOf(1)[attributes.transB ? 1 : 0];
  if (op === "MatMul") return shapeOf(0)[shapeOf(0).length - 1];
  return 1;
}
