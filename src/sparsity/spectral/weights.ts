import type { Graph } from "../../engine/graph.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { LinearMap } from "./linear-maps.ts";

/** W [outputs, inputs], row-major, from the tensor that a model stores for it. */
export function readMatrix(
  { turned, outputs, inputs }: LinearMap,
  { data }: Tensor<"float32">,
): Float32Array {
  return turned ? transposed(data, inputs, outputs) : data;
}

/** The tensor that a model stores for W [outputs, inputs]. */
export function storedWeight(
  { turned, outputs, inputs }: LinearMap,
  shape: Shape,
  matrix: ArrayLike<number>,
): Tensor<"float32"> {
  const data = Float32Array.from(matrix);
  return { dtype: "float32", shape, data: turned ? transposed(data, outputs, inputs) : data };
}

/** A weight that is computed from other arrays whenever it is read, and takes no memory meanwhile. */
export function mergedWeight(
  map: LinearMap,
  shape: Shape,
  matrix: () => ArrayLike<number>,
): Tensor<"float32"> {
  return {
    dtype: "float32",
    shape,
    get data() {
      return storedWeight(map, shape, matrix()).data;
    },
  };
}

/** Rows as columns; row-major. */
export function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j];
  return turned;
}

/** Makes the merged weights of a model plain ones. */
export function settleWeights(model: Graph, maps: readonly LinearMap[]): void {
  for (const { weight } of maps) {
    const { dtype, shape, data } = model.parameters.get(weight)!;
    model.parameters.set(weight, { dtype, shape, data });
  }
}
