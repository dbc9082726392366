import type { Attributes, Value } from "../graph.ts";
import { constant } from "../graph.ts";
import { stridesOf } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf, tensor } from "../tensor.ts";
import { matmul } from "./matmul.ts";
import type { InferCall, Numeric } from "./operator.ts";
import { apply, defineOperator, requireAttribute, requireConstant, stringAttribute } from "./operator.ts";
import { reduceSum } from "./reduction.ts";
import { reshape } from "./reshape.ts";
import { strided } from "./strided.ts";
import { transpose } from "./transpose.ts";

// Depth and space ----------------------------------------------------------------------------------------------------

/** `x` read as `shape`, its axes permuted. */
function permuted(x: Numeric, shape: Shape, perm: readonly number[], result: Shape): Numeric {
  const strides = stridesOf(shape);
  const { data } = strided(
    x,
    perm.map((p) => shape[p]),
    perm.map((p) => strides[p]),
  );
  return { shape: result, data };
}

/** How DepthToSpace cuts the channels of [N, C·b², H, W] and where the cuts go. */
function depthLayout(shape: Shape, b: number, mode: string): { cut: number[]; perm: number[] } {
  const [n, c, h, w] = shape;
  const channels = c / (b * b);
  return mode === "CRD"
    ? { cut: [n, channels, b, b, h, w], perm: [0, 1, 4, 2, 5, 3] }
    : { cut: [n, b, b, channels, h, w], perm: [0, 3, 4, 1, 5, 2] };
}

function blockSize(attributes: Attributes, shape: Shape): number {
  if (shape.length !== 4) throw new Error(`shape [${shape}] is not [N, C, H, W]`);
  return requireAttribute(attributes, "blocksize", "the side of the blocks of pixels");
}

defineOperator({
  name: "DepthToSpace",
  attributes: { blocksize: "int", mode: "string" },
  infer: ({ inputs: [x], attributes }) => {
    const b = blockSize(attributes, x!.shape);
    const [n, c, h, w] = x!.shape;
    if (c % (b * b) !== 0) throw new Error(`${c} channels are not a multiple of ${b}²`);
    return [{ dtype: x!.dtype, shape: [n, c / (b * b), h * b, w * b] }];
  },
  gradient: ({ inputs: [x], gradients: [dy], attributes }) => {
    const layout = depthLayout(
      x.shape,
      attributes.blocksize as number,
      stringAttribute(attributes, "mode", "DCR"),
    );
    const parts = reshape(
      dy!,
      layout.perm.map((p) => layout.cut[p]),
    );
    const back = layout.perm.map((_, i) => layout.perm.indexOf(i));
    return [reshape(transpose(parts, back), x.shape)];
  },
  evaluate: ({ inputs: [x], attributes, outputTypes: [type] }) => {
    const layout = depthLayout(
      x.shape,
      attributes.blocksize as number,
      stringAttribute(attributes, "mode", "DCR"),
    );
    return [permuted(x, layout.cut, layout.perm, type.shape)];
  },
});

/**
 * [N, C·b², H, W] → [N, C, H·b, W·b]: every b×b block of pixels comes from b² channels. Mode `CRD` takes them from
 * neighbouring channels (pixel shuffle), `DCR` from channels C apart.
 */
export function depthToSpace(x: Value, blockSize: number, mode: "DCR" | "CRD" = "DCR"): Value {
  return apply(x.graph, "DepthToSpace", [x], { blocksize: blockSize, mode })[0];
}

defineOperator({
  name: "SpaceToDepth",
  attributes: { blocksize: "int" },
  infer: ({ inputs: [x], attributes }) => {
    const b = blockSize(attributes, x!.shape);
    const [n, c, h, w] = x!.shape;
    if (h % b !== 0 || w % b !== 0) throw new Error(`${h}×${w} does not divide into blocks of ${b}×${b}`);
    return [{ dtype: x!.dtype, shape: [n, c * b * b, h / b, w / b] }];
  },
  gradient: ({ gradients: [dy], attributes }) => [depthToSpace(dy!, attributes.blocksize as number)],
  evaluate: ({ inputs: [x], attributes, outputTypes: [type] }) => {
    const b = attributes.blocksize as number;
    const [n, c, h, w] = x.shape;
    return [permuted(x, [n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4], type.shape)];
  },
});

/** [N, C, H·b, W·b] → [N, C·b², H, W], the inverse of `depthToSpace` in mode `DCR`. */
export function spaceToDepth(x: Value, blockSize: number): Value {
  return apply(x.graph, "SpaceToDepth", [x], { blocksize: blockSize })[0];
}

// Resize -------------------------------------------------------------------------------------------------------------

/** Along each axis: length in the result and the scale that maps coordinates back. */
function resizedAxes(call: Pick<InferCall, "inputs" | "constant">): { length: number; scale: number }[] {
  const { shape } = call.inputs[0]!;
  if (call.inputs[3]) {
    const sizes = requireConstant(call as InferCall, 3, "sizes");
    return shape.map((d, i) => ({ length: sizes[i], scale: sizes[i] / d }));
  }
  const scales = requireConstant(call as InferCall, 2, "scales");
  return shape.map((d, i) => ({ length: Math.floor(d * scales[i]), scale: scales[i] }));
}

/** Weights [length, from] of one axis: row o says how output o is made of the inputs. */
function resizeMatrix(from: number, length: number, scale: number, attributes: Attributes): Float64Array {
  const mode = stringAttribute(attributes, "mode", "nearest");
  const transformation = stringAttribute(attributes, "coordinate_transformation_mode", "half_pixel");
  if (mode !== "nearest" && mode !== "linear") throw new Error(`Resize mode "${mode}" cannot be evaluated`);
  const weights = new Float64Array(length * from);
  const inside = (i: number) => Math.min(Math.max(i, 0), from - 1);
  for (let o = 0; o < length; o++) {
    const x = sourceCoordinate(o, from, length, scale, transformation);
    if (mode === "nearest") {
      weights[
        o * from + inside(nearest(x, stringAttribute(attributes, "nearest_mode", "round_prefer_floor")))
      ] = 1;
      continue;
    }
    const low = Math.floor(x);
    weights[o * from + inside(low)] += 1 - (x - low);
    weights[o * from + inside(low + 1)] += x - low;
  }
  return weights;
}

function sourceCoordinate(o: number, from: number, length: number, scale: number, mode: string): number {
  switch (mode) {
    case "half_pixel":
      return (o + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return length > 1 ? (o + 0.5) / scale - 0.5 : 0;
    case "asymmetric":
      return o / scale;
    case "align_corners":
      return length > 1 ? (o * (from - 1)) / (length - 1) : 0;
    default:
      throw new Error(`Resize with coordinates "${mode}" cannot be evaluated`);
  }
}

function nearest(x: number, mode: string): number {
  switch (mode) {
    case "floor":
      return Math.floor(x);
    case "ceil":
      return Math.ceil(x);
    case "round_prefer_ceil":
      return Math.floor(x + 0.5);
    default:
      return Math.ceil(x - 0.5);
  }
}

defineOperator({
  name: "Resize",
  attributes: {
    coordinate_transformation_mode: "string",
    cubic_coeff_a: "float",
    exclude_outside: "int",
    extrapolation_value: "float",
    mode: "string",
    nearest_mode: "string",
  },
  infer: (call) => [{ dtype: call.inputs[0]!.dtype, shape: resizedAxes(call).map((a) => a.length) }],
  // Axis by axis: a sum over blocks where each input was repeated a whole number of times, else a product.
  gradient: ({ graph, inputs, gradients: [dy], attributes }) => {
    const numbers = (i: number) => {
      const found = graph.constants.get(inputs[i].name);
      return found && Array.from(found.data, Number);
    };
    const [x] = inputs;
    let gradient = dy!;
    resizedAxes({ inputs, constant: numbers }).forEach(({ length, scale }, axis) => {
      const from = x.shape[axis];
      const weights = resizeMatrix(from, length, scale, attributes);
      const repeat = length / from;
      const before = gradient.shape.slice(0, axis);
      const after = gradient.shape.slice(axis + 1);
      const repeats = Array.from({ length }, (_, o) => weights[o * from + Math.floor(o / repeat)] === 1);
      if (Number.isInteger(repeat) && repeats.every(Boolean)) {
        if (repeat > 1)
          gradient = reduceSum(reshape(gradient, [...before, from, repeat, ...after]), [axis + 1]);
        return;
      }
      const turned = new Float32Array(weights.length);
      for (let o = 0; o < length; o++)
        for (let i = 0; i < from; i++) turned[i * length + o] = weights[o * from + i];
      const matrix = constant(graph, tensor("float32", [from, length], turned));
      const product = matmul(matrix, reshape(gradient, [sizeOf(before), length, sizeOf(after)]));
      gradient = reshape(product, [...before, from, ...after]);
    });
    return [gradient];
  },
  evaluate: ({ inputs, inputTypes, attributes }) => {
    const constantOf = (i: number) => inputs[i] && Array.from(inputs[i].data);
    let { shape, data } = inputs[0];
    resizedAxes({ inputs: inputTypes, constant: constantOf }).forEach(({ length, scale }, axis) => {
      const from = shape[axis];
      const weights = resizeMatrix(from, length, scale, attributes);
      const inner = sizeOf(shape.slice(axis + 1));
      const outer = sizeOf(shape.slice(0, axis));
      const result = new Float64Array(outer * length * inner);
      for (let row = 0; row < outer; row++)
        for (let o = 0; o < length; o++)
          for (let i = 0; i < from; i++) {
            const weight = weights[o * from + i];
            if (weight === 0) continue;
            for (let j = 0; j < inner; j++)
              result[(row * length + o) * inner + j] += weight * data[(row * from + i) * inner + j];
          }
      shape = shape.map((d, i) => (i === axis ? length : d));
      data = result;
    });
    return [{ shape, data }];
  },
});

export interface ResizeOptions {
  mode?: "nearest" | "linear";
  coordinates?: "half_pixel" | "pytorch_half_pixel" | "asymmetric" | "align_corners";
  /** Which neighbour `nearest` takes. */
  rounding?: "round_prefer_floor" | "round_prefer_ceil" | "floor" | "ceil";
}

/**
 * `x` at another length along each axis, by interpolation. The defaults repeat elements where a length is a multiple,
 * as PyTorch's nearest upsampling does.
 */
export function resize(
  x: Value,
  shape: Shape,
  { mode = "nearest", coordinates = "asymmetric", rounding = "floor" }: ResizeOptions = {},
): Value {
  const sizes = constant(x.graph, tensor("int64", [shape.length], shape));
  return apply(x.graph, "Resize", [x, undefined, undefined, sizes], {
    mode,
    coordinate_transformation_mode: coordinates,
    nearest_mode: rounding,
  })[0];
}
