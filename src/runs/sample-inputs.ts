import type { Graph, Node } from "../engine/graph.ts";
import { consumers } from "../engine/graph.ts";
import { normalizeAxis, numberAttribute } from "../engine/operators/operator.ts";
import type { Tensor } from "../engine/tensor.ts";
import { sizeOf, zeros } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { random } from "../random.ts";

/** 1 GiB of float32. */
const MAX_ELEMENTS = 2 ** 28;

/**
 * Something to run a graph on, by input: standard normal numbers; of integers that pick rows of a table, as tokens do, such
 * rows at random; ones of all others, which is what masks let pass.
 */
export function sampleInputs(graph: Graph): Record<string, Tensor> {
  const rng = random(0);
  const users = consumers(graph);
  return Object.fromEntries(
    graph.inputs.map((name): [string, Tensor] => {
      const { dtype, shape } = graph.types.get(name)!;
      if (sizeOf(shape) > MAX_ELEMENTS)
        throw new Problem(`an input of shape [${shape}] does not fit into memory; choose a smaller batch`);
      const t = zeros(shape, dtype);
      const rows = tableLength(graph, users, name);
      const draw = dtype.startsWith("float")
        ? () => rng.normal()
        : () => (rows === undefined ? 1 : rng.integer(rows));
      const { data } = t;
      for (let i = 0; i < data.length; i++)
        if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(draw());
        else data[i] = draw();
      return [name, t];
    }),
  );
}

/** What lets indices pass unchanged. */
const PASSING = new Set([
  "Cast",
  "Identity",
  "Reshape",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
  "Transpose",
  "Expand",
]);

/** The length of the shortest axis that a value picks from; undefined where it picks from none. */
function tableLength(
  graph: Graph,
  users: ReadonlyMap<string, readonly Node[]>,
  name: string,
): number | undefined {
  const lengths = (users.get(name) ?? []).flatMap((node): number[] => {
    if (node.op === "Gather" && node.inputs[1] === name) {
      const { shape } = graph.types.get(node.inputs[0])!;
      return [shape[normalizeAxis(numberAttribute(node.attributes, "axis", 0), shape.length)]];
    }
    if (!PASSING.has(node.op) || node.inputs[0] !== name) return [];
    const length = tableLength(graph, users, node.outputs[0]);
    return length === undefined ? [] : [length];
  });
  return lengths.length > 0 ? Math.min(...lengths) : undefined;
}
