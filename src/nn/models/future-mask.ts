import type { Graph, Value } from "../../engine/graph.ts";
import { constant } from "../../engine/graph.ts";
import { tensor } from "../../engine/tensor.ts";

/** [length, length]: 0 where a row may look, a large negative number in its future. */
export function futureMask(graph: Graph, length: number): Value {
  const data = new Float32Array(length * length);
  for (let row = 0; row < length; row++)
    for (let column = row + 1; column < length; column++) data[row * length + column] = -1e9;
  return constant(graph, tensor("float32", [length, length], data));
}
