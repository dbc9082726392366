import type { Graph, Node } from "../engine/graph.ts";
import { consumers } from "../engine/graph.ts";
import { sizeOf } from "../engine/tensor.ts";
import { layerName } from "./layers.ts";

/** `tiles` grids of `rows` lines of `columns` weights, one behind the other. */
export interface LineShape {
  readonly tiles: number;
  readonly rows: number;
  readonly columns: number;
}

/** The weights of a linear layer or a convolution as lines: a line is all that enters one neuron or filter. */
export interface WeightLayout {
  /** Name of the layer. */
  name: string;
  parameter: string;
  shape: LineShape;
  /** Stored as [in, out], so that lines are columns. */
  transposed: boolean;
}

/**
 * How the weights of a convolution are cut into lines: `filter`, one line a filter in the order of input channel,
 * row, column; `kernel`, one grid for every pair of channels.
 */
export type ConvolutionLayout = "filter" | "kernel";

/** Weights that one Gemm, MatMul or Conv alone reads, directly or turned. */
export function findWeights(graph: Graph, convolutions: ConvolutionLayout = "filter"): WeightLayout[] {
  const readers = consumers(graph);
  return [...graph.parameters].flatMap(([parameter, { shape }]) => {
    let name = parameter;
    let turned = false;
    let [node, ...others] = readers.get(name) ?? [];
    while (node?.op === "Transpose" && others.length === 0 && shape.length === 2) {
      name = node.outputs[0];
      turned = !turned;
      [node, ...others] = readers.get(name) ?? [];
    }
    if (!node || others.length > 0 || node.inputs[1] !== name) return [];
    const common = { name: layerName(graph, node), parameter };
    if (node.op === "Conv") {
      const [filters, channels, ...kernel] = shape;
      const grid =
        convolutions === "kernel"
          ? { tiles: filters * channels, rows: sizeOf(kernel.slice(0, -1)), columns: kernel.at(-1)! }
          : { tiles: 1, rows: filters, columns: sizeOf(shape.slice(1)) };
      return [{ ...common, shape: grid, transposed: false }];
    }
    if (shape.length !== 2 || !isProduct(node)) return [];
    const transposed = (node.attributes.transB === 1) === turned;
    const [rows, columns] = transposed ? [shape[1], shape[0]] : shape;
    return [{ ...common, shape: { tiles: 1, rows, columns }, transposed }];
  });
}

function isProduct({ op }: Node): boolean {
  return op === "Gemm" || op === "MatMul";
}

/** Numbers stored like the parameter, line by line. */
export function toLines(values: Float32Array, { shape, transposed }: WeightLayout): Float64Array {
  const lines = new Float64Array(values.length);
  if (!transposed) lines.set(values);
  else forTransposed(shape, (line, stored) => (lines[line] = values[stored]));
  return lines;
}

/** The reverse. */
export function fromLines(lines: Float64Array, { shape, transposed }: WeightLayout, to: Float32Array): void {
  if (!transposed) to.set(lines);
  else forTransposed(shape, (line, stored) => (to[stored] = lines[line]));
}

function forTransposed({ rows, columns }: LineShape, copy: (line: number, stored: number) => void): void {
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) copy(row * columns + column, column * rows + row);
}
