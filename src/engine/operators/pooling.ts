import type { Attributes, Value } from "../graph.ts";
import { constant } from "../graph.ts";
import { sameShape } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf, tensor } from "../tensor.ts";
import { mul } from "./arithmetic.ts";
import { convTranspose } from "./convolution.ts";
import { gather, scatterElements } from "./indexing.ts";
import type { AttributeKind, InferCall, Numeric } from "./operator.ts";
import {
  apply,
  defineOperator,
  INTERNAL_DOMAIN,
  integers,
  numberAttribute,
  numbersAttribute,
  requireAttribute,
  scalar,
} from "./operator.ts";
import { expand } from "./repeat.ts";
import { reshape } from "./reshape.ts";
import type { PerAxis, WindowOptions, Windows } from "./windows.ts";
import {
  extentOf,
  tapsOf,
  unreached,
  windowAttributeKinds,
  windowAttributes,
  windowOptions,
  windowsOf,
} from "./windows.ts";

const attributeKinds = { ...windowAttributeKinds, ceil_mode: "int" } as const;

function kernelOf(attributes: Attributes): readonly number[] {
  return requireAttribute(attributes, "kernel_shape", "the size of a window, one number a spatial axis");
}

export function poolWindows(attributes: Attributes, shape: Shape): Windows {
  const kernel = kernelOf(attributes);
  if (shape.length < 3 || kernel.length !== shape.length - 2)
    throw new Error(`kernel_shape [${kernel}] does not fit the spatial axes of input [${shape}]`);
  const windows = windowsOf(attributes, shape.slice(2), kernel);
  if (kernel.some((k, i) => windows.before[i] >= k || windows.after[i] >= k))
    throw new Error(`pads [${windows.before},${windows.after}] must be smaller than the kernel [${kernel}]`);
  return windows;
}

function pooledShape({ inputs: [x], attributes }: InferCall): number[] {
  return [...x!.shape.slice(0, 2), ...poolWindows(attributes, x!.shape).output];
}

/** Calls `visit` with every element under every window, window by window, taps in row-major order. */
function forEachPooled(x: Shape, windows: Windows, visit: (read: number, made: number) => void): void {
  const taps = tapsOf(windows);
  const [readCells, madeCells] = [windows.input, windows.output].map(sizeOf);
  for (let plane = 0; plane < x[0] * x[1]; plane++)
    for (let t = 0; t < taps.length; t += 3)
      visit(plane * readCells + taps[t + 2], plane * madeCells + taps[t]);
}

// Maximum ------------------------------------------------------------------------------------------------------------

function maxPoolNumeric(x: Numeric, shape: Shape, windows: Windows): { values: Numeric; indices: Numeric } {
  const values = new Float64Array(sizeOf(shape)).fill(Number.NEGATIVE_INFINITY);
  const indices = new Float64Array(values.length).fill(-1);
  forEachPooled(x.shape, windows, (read, made) => {
    if (indices[made] >= 0 && !(x.data[read] > values[made])) return;
    values[made] = x.data[read];
    indices[made] = read;
  });
  return { values: { shape, data: values }, indices: { shape, data: indices } };
}

/**
 * Sends each element of `dy` to where `indices` (row-major positions in an array of `shape`) says; those that meet add
 * up unless `distinct` promises that none do.
 */
function scatterTo(dy: Value, indices: Value, shape: Shape, distinct: boolean): Value {
  const { graph } = dy;
  if (distinct)
    return apply(graph, "MaxUnpool", [dy, indices, integers(graph, shape)], {
      kernel_shape: shape.slice(2).map(() => 1),
    })[0];
  const nothing = expand(scalar(graph, 0, dy.dtype), [sizeOf(shape)]);
  const added = scatterElements(nothing, reshape(indices, [-1]), reshape(dy, [-1]), { reduction: "add" });
  return reshape(added, shape);
}

const maxPoolAttributes: Record<string, AttributeKind> = {
  ...attributeKinds,
  dilations: "ints",
  storage_order: "int",
};

defineOperator({
  name: "MaxPool",
  attributes: maxPoolAttributes,
  infer: (call) => {
    if (call.outputCount > 1 && numberAttribute(call.attributes, "storage_order", 0) !== 0)
      throw new Error("column-major Indices (storage_order 1) are not supported");
    const shape = pooledShape(call);
    return [
      { dtype: call.inputs[0]!.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
  gradient: ({ graph, inputs: [x], gradients: [dy], attributes }) =>
    apply(graph, "MaxPoolGradient", [x, dy!], attributes),
  evaluate: ({ inputs: [x], attributes, outputTypes: [{ shape }] }) => {
    const { values, indices } = maxPoolNumeric(x, shape, poolWindows(attributes, x.shape));
    return [values, indices];
  },
});

/** Position in `x` of what each window of a pooling of x chose. */
function chosen(x: Value, attributes: Attributes): Value {
  return apply(x.graph, "MaxPool", [x], { ...attributes, storage_order: 0 }, { outputCount: 2 })[1];
}

/** Whether no two windows share a cell. */
export function windowsApart({ kernel, dilations, strides }: Windows): boolean {
  return extentOf(kernel, dilations).every((e, i) => strides[i] >= e);
}

/** Sends each element of dy [n, c, windows…] to the cell of x [n, c, …] that `MaxPool` chose; linear in dy. */
defineOperator({
  name: "MaxPoolGradient",
  domain: INTERNAL_DOMAIN,
  attributes: maxPoolAttributes,
  infer: ({ inputs: [x, dy], attributes }) => {
    const { output } = poolWindows(attributes, x!.shape);
    if (!sameShape(output, dy!.shape.slice(2)))
      throw new Error(`dy [${dy!.shape}] should have the spatial shape [${output}] of the pooled input`);
    return [x!];
  },
  // ONNX Runtime's fast kernel gives no indices, and inference wants the fast kernel; asking for the indices again here
  // costs a fifth more than a forward pass that carries them.
  gradient: ({ inputs: [x], gradients: [g], attributes }) => [
    undefined,
    gather(reshape(g!, [-1]), chosen(x, attributes)),
  ],
  evaluate: ({ inputs: [x, dy], attributes }) => {
    const { indices } = maxPoolNumeric(x, dy.shape, poolWindows(attributes, x.shape));
    const data = new Float64Array(x.data.length);
    indices.data.forEach((at, i) => {
      data[at] += dy.data[i];
    });
    return [{ shape: x.shape, data }];
  },
  lower: ({ inputs: [x, dy], attributes }) => [
    scatterTo(dy!, chosen(x!, attributes), x!.shape, windowsApart(poolWindows(attributes, x!.shape))),
  ],
});

export interface PoolOptions extends Omit<WindowOptions, "dilations"> {
  /** Default: the kernel itself, so that windows neither overlap nor leave gaps. */
  strides?: PerAxis;
  /** Whether a last window that is only partly inside counts. Default false. */
  ceilMode?: boolean;
}

function poolAttributes(
  x: Value,
  kernel: PerAxis,
  { ceilMode = false, strides = kernel, ...options }: PoolOptions & WindowOptions,
): Attributes {
  const spatial = x.shape.slice(2);
  const kernelShape = spatial.map((_, i) => (typeof kernel === "number" ? kernel : kernel[i]));
  const attributes = {
    kernel_shape: kernelShape,
    ...windowAttributes({ strides, ...options }, spatial.length, (a) => windowsOf(a, spatial, kernelShape)),
  };
  if (!ceilMode) return attributes;
  // Written only where it adds a window: ONNX's own shape rule also counts windows that start in the padding.
  const withCeil = { ...attributes, ceil_mode: 1 };
  return unreached(windowsOf(withCeil, spatial, kernelShape)).some((r) => r < 0) ? withCeil : attributes;
}

/**
 * The largest element under each window: [n, c, …] → [n, c, windows…]. Where several tie, the first one in row-major
 * order takes the whole gradient, as in PyTorch.
 */
export function maxPool(
  x: Value,
  kernel: PerAxis,
  options: PoolOptions & Pick<WindowOptions, "dilations"> = {},
): Value {
  return apply(x.graph, "MaxPool", [x], poolAttributes(x, kernel, options))[0];
}

defineOperator({
  name: "MaxUnpool",
  attributes: { kernel_shape: "ints", pads: "ints", strides: "ints" },
  infer: (call) => {
    const [x] = call.inputs;
    if (!call.inputs[2]) {
      const shape = x!.shape.slice(2);
      const kernel = kernelOf(call.attributes);
      const strides = numbersAttribute(call.attributes, "strides") ?? shape.map(() => 1);
      const pads = numbersAttribute(call.attributes, "pads") ?? [...shape, ...shape].map(() => 0);
      const spatial = shape.map(
        (d, i) => (d - 1) * strides[i] + kernel[i] - pads[i] - pads[i + shape.length],
      );
      return [{ dtype: x!.dtype, shape: [...x!.shape.slice(0, 2), ...spatial] }];
    }
    const shape = call.constant(2);
    if (!shape) throw new Error("its output shape must be constant");
    return [{ dtype: x!.dtype, shape }];
  },
  gradient: ({ inputs: [, indices], gradients: [dy] }) => [gather(reshape(dy!, [-1]), indices)],
  evaluate: ({ inputs: [x, indices], outputTypes: [{ shape }] }) => {
    const data = new Float64Array(sizeOf(shape));
    x.data.forEach((v, i) => {
      data[indices.data[i]] = v;
    });
    return [{ shape, data }];
  },
});

defineOperator({
  name: "GlobalMaxPool",
  infer: ({ inputs: [x] }) => [{ dtype: x!.dtype, shape: x!.shape.map((d, axis) => (axis < 2 ? d : 1)) }],
  gradient: ({ graph, inputs: [x], gradients: [dy] }) => {
    const whole = x.shape.slice(2);
    return apply(graph, "MaxPoolGradient", [x, dy!], { kernel_shape: whole, strides: whole });
  },
  evaluate: ({ inputs: [x], outputTypes: [{ shape }] }) => [
    maxPoolNumeric(x, shape, poolWindows({ kernel_shape: x.shape.slice(2) }, x.shape)).values,
  ],
});

/** The largest element of each channel: [n, c, …] → [n, c, 1, …]. Ties as in `maxPool`. */
export function globalMaxPool(x: Value): Value {
  return apply(x.graph, "GlobalMaxPool", [x])[0];
}

// Mean ---------------------------------------------------------------------------------------------------------------

/** What the sum under each window is divided by. Cells that ceil mode reaches past the padding never count. */
function divisors(attributes: Attributes, windows: Windows): Float64Array {
  const { input, before, after } = windows;
  const padded = {
    ...windows,
    input: input.map((d, i) => d + before[i] + after[i]),
    before: input.map(() => 0),
  };
  const counts = new Float64Array(sizeOf(windows.output));
  const taps = tapsOf(numberAttribute(attributes, "count_include_pad", 0) ? padded : windows);
  for (let t = 0; t < taps.length; t += 3) counts[taps[t]]++;
  return counts;
}

defineOperator({
  name: "AveragePool",
  attributes: { ...attributeKinds, count_include_pad: "int" },
  infer: (call) => [{ dtype: call.inputs[0]!.dtype, shape: pooledShape(call) }],
  gradient: ({ inputs: [x], gradients: [dy], attributes }) => {
    const windows = poolWindows(attributes, x.shape);
    const counts = divisors(attributes, windows);
    const equal = counts.every((c) => c === counts[0]);
    const share = (shape: Shape, value: (i: number) => number) =>
      constant(
        x.graph,
        tensor(
          "float32",
          shape,
          Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i)),
        ),
      );
    const scaled = equal
      ? dy!
      : mul(
          dy!,
          share(windows.output, (i) => 1 / counts[i]),
        );
    const channels = x.shape[1];
    const kernel = share([channels, 1, ...windows.kernel], () => (equal ? 1 / counts[0] : 1));
    const rest = unreached(windows);
    return [
      convTranspose(scaled, kernel, {
        ...windowOptions({ ...windows, after: windows.after.map((a, i) => a - Math.min(0, rest[i])) }),
        outputPadding: rest.map((r) => Math.max(0, r)),
        group: channels,
      }),
    ];
  },
  evaluate: ({ inputs: [x], attributes, outputTypes: [{ shape }] }) => {
    const windows = poolWindows(attributes, x.shape);
    const counts = divisors(attributes, windows);
    const data = new Float64Array(sizeOf(shape));
    forEachPooled(x.shape, windows, (read, made) => {
      data[made] += x.data[read] / counts[made % counts.length];
    });
    return [{ shape, data }];
  },
});

/**
 * The mean under each window: [n, c, …] → [n, c, windows…]. Padding does not count, unless `countIncludePad`.
 */
export function averagePool(
  x: Value,
  kernel: PerAxis,
  { countIncludePad = false, ...options }: PoolOptions & { countIncludePad?: boolean } = {},
): Value {
  return apply(x.graph, "AveragePool", [x], {
    ...poolAttributes(x, kernel, options),
    ...(countIncludePad && { count_include_pad: 1 }),
  })[0];
}

defineOperator({
  name: "GlobalAveragePool",
  infer: ({ inputs: [x] }) => [{ dtype: x!.dtype, shape: x!.shape.map((d, axis) => (axis < 2 ? d : 1)) }],
  gradient: ({ inputs: [x], gradients: [dy] }) => [expand(mul(dy!, 1 / sizeOf(x.shape.slice(2))), x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [{ shape }] }) => {
    const cells = sizeOf(x.shape.slice(2));
    const data = new Float64Array(sizeOf(shape));
    x.data.forEach((v, i) => {
      data[Math.floor(i / cells)] += v / cells;
    });
    return [{ shape, data }];
  },
});

/** The mean of each channel: [n, c, …] → [n, c, 1, …]. */
export function globalAveragePool(x: Value): Value {
  return apply(x.graph, "GlobalAveragePool", [x])[0];
}
