import type { Graph, Node } from "../../engine/graph.ts";
import { consumers, producers } from "../../engine/graph.ts";
import { numbersAttribute } from "../../engine/operators/operator.ts";
import { sizeOf } from "../../engine/tensor.ts";
import type { GroupPart, GroupPartition, LabelledPart } from "../groups.ts";
import { layerName } from "../layers.ts";
import type { GroupSet } from "./group-set.ts";
import { nameApart } from "./group-set.ts";

/** A layer's weights as the matrix C_out × (C_in·kh·kw) of its products (wgsef.md 3.9). */
export interface WeightMatrix {
  /** The layer's name. */
  name: string;
  node: Node;
  parameter: string;
  outputs: number;
  inputs: number;
  /** Weights of one filter on one input channel; 1 in a linear layer. */
  taps: number;
  /** Order in memory: [outputs, inputs, taps], or [inputs, outputs, taps]. */
  outputsFirst: boolean;
}

/**
 * The trainable weights that multiply, in graph order, without those of the last layers, which are never pruned. A
 * parameter that several nodes read counts once.
 */
export function weightMatrices(graph: Graph): WeightMatrix[] {
  const makers = producers(graph);
  const all = graph.nodes.flatMap((node) => matrixOf(graph, makers, node) ?? []);
  const users = consumers(graph);
  const weighted = new Set(all.map(({ node }) => node));
  const leadsOn = new Map<Node, boolean>();
  for (const node of [...graph.nodes].reverse())
    leadsOn.set(
      node,
      node.outputs.some((o) => (users.get(o) ?? []).some((next) => weighted.has(next) || leadsOn.get(next))),
    );
  const seen = new Set<string>();
  return nameApart(
    all.filter(({ node, parameter }) => {
      if (!leadsOn.get(node) || seen.has(parameter)) return false;
      seen.add(parameter);
      return true;
    }),
  );
}

function matrixOf(graph: Graph, makers: ReadonlyMap<string, Node>, node: Node): WeightMatrix | undefined {
  const named = (parameter: string) => ({ name: layerName(graph, node), node, parameter });
  const shapeOf = (name: string) => graph.parameters.get(name)?.shape;
  switch (node.op) {
    case "Conv":
    case "ConvTranspose": {
      const shape = shapeOf(node.inputs[1]);
      if (!shape) return undefined;
      const outputsFirst = node.op === "Conv";
      const [outputs, inputs] = outputsFirst ? shape : [shape[1], shape[0]];
      return { ...named(node.inputs[1]), outputs, inputs, taps: sizeOf(shape.slice(2)), outputsFirst };
    }
    case "Gemm":
    case "MatMul": {
      for (const operand of [1, 0]) {
        let parameter = node.inputs[operand];
        let outputsFirst = operand === 0;
        if (node.attributes[operand === 1 ? "transB" : "transA"] === 1) outputsFirst = !outputsFirst;
        const maker = makers.get(parameter);
        if (
          maker?.op === "Transpose" &&
          `${numbersAttribute(maker.attributes, "perm") ?? [1, 0]}` === "1,0"
        ) {
          parameter = maker.inputs[0];
          outputsFirst = !outputsFirst;
        }
        const shape = shapeOf(parameter);
        if (shape?.length !== 2) continue;
        const [outputs, inputs] = outputsFirst ? shape : [shape[1], shape[0]];
        return { ...named(parameter), outputs, inputs, taps: 1, outputsFirst };
      }
      return undefined;
    }
    default:
      return undefined;
  }
}

const setOf = ({ name }: WeightMatrix, groups: number, parts: GroupPartition["parts"]): GroupSet => ({
  name,
  layers: [name],
  partition: { groups, parts },
});

/** Each weight alone. */
export function singleWeights(matrix: WeightMatrix): GroupSet {
  const { parameter } = matrix;
  const count = matrix.outputs * matrix.inputs * matrix.taps;
  return setOf(matrix, count, [{ parameter, outer: 1, channels: count, inner: 1 }]);
}

/** The 2-D kernels W[o, i, ·, ·] of a convolution; none in a layer without. */
export function kernels(matrix: WeightMatrix): GroupSet[] {
  const { parameter, outputs, inputs, taps } = matrix;
  if (taps === 1) return [];
  return [
    setOf(matrix, outputs * inputs, [{ parameter, outer: 1, channels: outputs * inputs, inner: taps }]),
  ];
}

/** The columns W[·, i, y, x]: what all filters do at one place of the window. */
export function filterShapes(matrix: WeightMatrix): GroupSet {
  const { parameter, outputs, inputs, taps, outputsFirst } = matrix;
  const columns = inputs * taps;
  const part: GroupPart | LabelledPart = outputsFirst
    ? { parameter, outer: outputs, channels: columns, inner: 1 }
    : taps === 1
      ? { parameter, outer: 1, channels: columns, inner: outputs }
      : labelled(matrix, (_, column) => column);
  return setOf(matrix, columns, [part]);
}

/** Tiles of `height` outputs by `width` columns; those at the ends may be smaller. */
export function blocks(matrix: WeightMatrix, height: number, width: number): GroupSet {
  const { parameter, outputs, inputs, taps, outputsFirst } = matrix;
  const columns = inputs * taps;
  const [rows, across] = [Math.ceil(outputs / height), Math.ceil(columns / width)];
  const plain = outputsFirst || taps === 1;
  // In memory, where a linear layer may hold a column's weights side by side.
  const [lines, line, tall, wide] = outputsFirst
    ? [outputs, columns, height, width]
    : [columns, outputs, width, height];
  const parts =
    plain && line % wide === 0
      ? Array.from({ length: Math.ceil(lines / tall) }, (_, i): GroupPart => {
          const channels = line / wide;
          const outer = Math.min(tall, lines - i * tall);
          return { parameter, outer, channels, inner: wide, offset: -i * channels, start: i * tall * line };
        })
      : [labelled(matrix, (o, c) => Math.floor(o / height) * across + Math.floor(c / width))];
  return setOf(matrix, rows * across, parts);
}

/** A part that says of each weight, by output and column, which group it is in. */
function labelled(
  { parameter, outputs, inputs, taps, outputsFirst }: WeightMatrix,
  groupOf: (output: number, column: number) => number,
): LabelledPart {
  const labels = new Int32Array(outputs * inputs * taps);
  const second = outputsFirst ? inputs : outputs;
  for (let i = 0; i < labels.length; i++) {
    const [tap, pair] = [i % taps, Math.floor(i / taps)];
    const [a, b] = [Math.floor(pair / second), pair % second];
    const [output, input] = outputsFirst ? [a, b] : [b, a];
    labels[i] = groupOf(output, input * taps + tap);
  }
  return { parameter, labels };
}
