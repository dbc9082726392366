import type { Graph } from "../engine/graph.ts";
import type { Tensor } from "../engine/tensor.ts";
import { sizeOf, zeros } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { random } from "../random.ts";

/** 1 GiB of float32. */
const MAX_ELEMENTS = 2 ** 28;

/** Something to run a graph on, by input: standard normal numbers, and zeros where it takes integers. */
export function sampleInputs(graph: Graph): Record<string, Tensor> {
  const rng = random(0);
  return Object.fromEntries(
    graph.inputs.map((name): [string, Tensor] => {
      const { dtype, shape } = graph.types.get(name)!;
      if (sizeOf(shape) > MAX_ELEMENTS)
        throw new Problem(`an input of shape [${shape}] does not fit into memory; choose a smaller batch`);
      const t = zeros(shape, dtype);
      if (t.dtype === "float32") for (let i = 0; i < t.data.length; i++) t.data[i] = rng.normal();
      return [name, t];
    }),
  );
}
