import type { Value, ValueType } from "../graph.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import {
  biasGradient,
  convInputGradient,
  convWeightGradient,
  withoutUnreached,
} from "./convolution-gradients.ts";
import type { EvaluateCall, InferCall } from "./operator.ts";
import { apply, defineOperator, numberAttribute, numbersAttribute } from "./operator.ts";
import type { PerAxis, WindowOptions, Windows } from "./windows.ts";
import {
  tapsOf,
  transposedWindows,
  windowAttributeKinds,
  windowAttributes,
  windowOptions,
  windowsOf,
} from "./windows.ts";

const attributeKinds = { ...windowAttributeKinds, group: "int" } as const;

/** What both operators demand of their operands; returns the group count and the spatial shapes. */
function operands({ inputs: [x, w, bias], attributes }: InferCall, transposed: boolean) {
  const group = numberAttribute(attributes, "group", 1);
  if (x!.shape.length < 3 || x!.shape.length !== w!.shape.length)
    throw new Error(`input [${x!.shape}] and weights [${w!.shape}] need the same rank, 3 or more`);
  const [expected, made] = transposed
    ? [w!.shape[0], w!.shape[1] * group]
    : [w!.shape[1] * group, w!.shape[0]];
  if (x!.shape[1] !== expected || w!.shape[0] % group !== 0)
    throw new Error(
      `weights [${w!.shape}] in ${group} groups take ${expected} channels; the input [${x!.shape}] has ${x!.shape[1]}`,
    );
  const kernel = w!.shape.slice(2);
  const named = numbersAttribute(attributes, "kernel_shape");
  if (named && named.join() !== kernel.join())
    throw new Error(`kernel_shape [${named}] differs from that of the weights [${w!.shape}]`);
  if (bias && bias.shape.join() !== `${made}`)
    throw new Error(`bias [${bias.shape}] should have shape [${made}], one number a channel`);
  const outputType = (spatial: Shape): ValueType[] => [
    { dtype: x!.dtype, shape: [x!.shape[0], made, ...spatial] },
  ];
  return { spatial: x!.shape.slice(2), kernel, outputType };
}

/**
 * Visits every product of a convolution in `group` groups. `read` is the shape of the array under the windows
 * [n, channels, …], `made` that of the array with one cell a window; weights are [made channels, read channels / group, …].
 */
export function forEachProduct(
  windows: Windows,
  group: number,
  read: Shape,
  made: Shape,
  visit: (read: number, weight: number, made: number) => void,
): void {
  const taps = tapsOf(windows);
  const [readCells, madeCells, weightCells] = [windows.input, windows.output, windows.kernel].map(sizeOf);
  const [readGroup, madeGroup] = [read[1] / group, made[1] / group];
  for (let n = 0; n < read[0]; n++)
    for (let m = 0; m < made[1]; m++)
      for (let c = 0; c < readGroup; c++) {
        const atRead = (n * read[1] + Math.floor(m / madeGroup) * readGroup + c) * readCells;
        const atWeight = (m * readGroup + c) * weightCells;
        const atMade = (n * made[1] + m) * madeCells;
        for (let t = 0; t < taps.length; t += 3)
          visit(atRead + taps[t + 2], atWeight + taps[t + 1], atMade + taps[t]);
      }
}

/** The bias of each channel, or zeros, in every cell of an array [n, channels, …]. */
function biased(shape: Shape, bias: Float64Array | undefined): Float64Array {
  const cells = sizeOf(shape.slice(2));
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) =>
    bias ? bias[Math.floor(i / cells) % shape[1]] : 0,
  );
}

defineOperator({
  name: "Conv",
  attributes: attributeKinds,
  infer: (call) => {
    const { spatial, kernel, outputType } = operands(call, false);
    return outputType(windowsOf(call.attributes, spatial, kernel).output);
  },
  gradient: ({ inputs: [x, w, bias], gradients: [dy], attributes, wanted }) => {
    const windows = windowsOf(attributes, x.shape.slice(2), w.shape.slice(2));
    const group = numberAttribute(attributes, "group", 1);
    return [
      wanted[0] ? convInputGradient(dy!, w, windows, group) : undefined,
      wanted[1] ? convWeightGradient(x, dy!, windows, group) : undefined,
      bias && wanted[2] ? biasGradient(dy!) : undefined,
    ];
  },
  evaluate: ({ inputs: [x, w, bias], attributes, outputTypes: [{ shape }] }: EvaluateCall) => {
    const windows = windowsOf(attributes, x.shape.slice(2), w.shape.slice(2));
    const data = biased(shape, bias?.data);
    forEachProduct(windows, numberAttribute(attributes, "group", 1), x.shape, shape, (read, weight, made) => {
      data[made] += x.data[read] * w.data[weight];
    });
    return [{ shape, data }];
  },
});

export interface ConvOptions extends WindowOptions {
  /** Added to every cell of a channel; [o]. */
  bias?: Value;
  /** Channels are split into this many independent convolutions; `group` = channels is the depthwise one. */
  group?: number;
}

export function groupAttribute(group: number | undefined) {
  return group !== undefined && group !== 1 && { group };
}

/** Cross-correlation over any number of spatial axes: x [n, c, …], w [o, c/group, kernel…] → [n, o, windows…]. */
export function conv(x: Value, w: Value, { bias, group, ...windows }: ConvOptions = {}): Value {
  const [spatial, kernel] = [x.shape.slice(2), w.shape.slice(2)];
  return apply(x.graph, "Conv", bias ? [x, w, bias] : [x, w], {
    ...windowAttributes(windows, spatial.length, (a) => windowsOf(a, spatial, kernel)),
    ...groupAttribute(group),
  })[0];
}

defineOperator({
  name: "ConvTranspose",
  attributes: { ...attributeKinds, output_padding: "ints", output_shape: "ints" },
  infer: (call) => {
    const { spatial, kernel, outputType } = operands(call, true);
    return outputType(transposedWindows(call.attributes, spatial, kernel).input);
  },
  gradient: ({ inputs: [x, w, bias], gradients: [dy], attributes, wanted }) => {
    const windows = transposedWindows(attributes, x.shape.slice(2), w.shape.slice(2));
    const group = numberAttribute(attributes, "group", 1);
    const dx = () => {
      const { values, after } = withoutUnreached(dy!, windows);
      return conv(values, w, { ...windowOptions({ ...windows, after }), group });
    };
    return [
      wanted[0] ? dx() : undefined,
      wanted[1] ? convWeightGradient(dy!, x, windows, group) : undefined,
      bias && wanted[2] ? biasGradient(dy!) : undefined,
    ];
  },
  evaluate: ({ inputs: [x, w, bias], attributes, outputTypes: [{ shape }] }: EvaluateCall) => {
    const windows = transposedWindows(attributes, x.shape.slice(2), w.shape.slice(2));
    const data = biased(shape, bias?.data);
    forEachProduct(windows, numberAttribute(attributes, "group", 1), shape, x.shape, (read, weight, made) => {
      data[read] += x.data[made] * w.data[weight];
    });
    return [{ shape, data }];
  },
});

export interface ConvTransposeOptions extends ConvOptions {
  /** Cells added at the end of each spatial axis, where several input sizes would give the same convolution. */
  outputPadding?: PerAxis;
}

/** The transpose of `conv` (in x): x [n, c, …], w [c, o/group, kernel…] → [n, o, (… − 1)·stride + extent − pads]. */
export function convTranspose(
  x: Value,
  w: Value,
  { bias, group, outputPadding = 0, ...windows }: ConvTransposeOptions = {},
): Value {
  const [spatial, kernel] = [x.shape.slice(2), w.shape.slice(2)];
  const padding = spatial.map((_, i) =>
    typeof outputPadding === "number" ? outputPadding : outputPadding[i],
  );
  const extra = { ...(padding.some((p) => p !== 0) && { output_padding: padding }) };
  return apply(x.graph, "ConvTranspose", bias ? [x, w, bias] : [x, w], {
    ...windowAttributes(windows, spatial.length, (a) =>
      transposedWindows({ ...a, ...extra }, spatial, kernel),
    ),
    ...groupAttribute(group),
    ...extra,
  })[0];
}
