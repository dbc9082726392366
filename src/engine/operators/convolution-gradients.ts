import type { Attributes, Value } from "../graph.ts";
import { sameShape } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { conv, convTranspose, forEachProduct, groupAttribute } from "./convolution.ts";
import { slice } from "./cutting.ts";
import { apply, defineOperator, INTERNAL_DOMAIN, numberAttribute, numbersAttribute } from "./operator.ts";
import { reduceSum } from "./reduction.ts";
import { reshape } from "./reshape.ts";
import { transpose } from "./transpose.ts";
import type { Windows } from "./windows.ts";
import { unreached, windowAttributeKinds, windowOptions, windowsOf } from "./windows.ts";

/** How the convolution was done, as attributes of the operators below and of `Conv`. */
function attributesOf(windows: Windows, group: number): Attributes {
  const { strides, dilations, before, after } = windows;
  return { strides, dilations, pads: [...before, ...after], ...groupAttribute(group) };
}

function convolutionOf({ input_shape, ...attributes }: Attributes): Attributes {
  return attributes;
}

/** Windows and groups of a gradient node over spatial shape `input` with `kernel`. */
export function gradientWindows(attributes: Attributes, input: Shape, kernel: Shape) {
  return {
    windows: windowsOf(convolutionOf(attributes), input, kernel),
    group: numberAttribute(attributes, "group", 1),
  };
}

function requireWindows(windows: Windows, dy: Shape): void {
  if (!sameShape(windows.output, dy.slice(2)))
    throw new Error(
      `dy [${dy}] should have the spatial shape [${windows.output}] of the convolution's output`,
    );
}

defineOperator({
  name: "ConvInputGradient",
  domain: INTERNAL_DOMAIN,
  attributes: { ...windowAttributeKinds, group: "int", input_shape: "ints" },
  infer: ({ inputs: [dy, w], attributes }) => {
    const input = numbersAttribute(attributes, "input_shape")!;
    const { windows, group } = gradientWindows(attributes, input, w!.shape.slice(2));
    requireWindows(windows, dy!.shape);
    return [{ dtype: dy!.dtype, shape: [dy!.shape[0], w!.shape[1] * group, ...input] }];
  },
  gradient: ({ inputs: [dy, w], gradients: [g], attributes, wanted }) => {
    const { windows, group } = gradientWindows(attributes, g!.shape.slice(2), w.shape.slice(2));
    return [
      wanted[0] ? conv(g!, w, { ...windowOptions(windows), group }) : undefined,
      wanted[1] ? convWeightGradient(g!, dy, windows, group) : undefined,
    ];
  },
  evaluate: ({ inputs: [dy, w], attributes, outputTypes: [{ shape }] }) => {
    const { windows, group } = gradientWindows(attributes, shape.slice(2), w.shape.slice(2));
    const data = new Float64Array(sizeOf(shape));
    forEachProduct(windows, group, shape, dy.shape, (read, weight, made) => {
      data[read] += dy.data[made] * w.data[weight];
    });
    return [{ shape, data }];
  },
  lower: ({ inputs: [dy, w], outputs: [{ shape }], attributes }) => {
    const { windows, group } = gradientWindows(attributes, shape.slice(2), w!.shape.slice(2));
    return [convTranspose(dy!, w!, { ...windowOptions(windows), outputPadding: unreached(windows), group })];
  },
});

/** ∂/∂x of a convolution from `dy` [n, o, windows…] and its weights [o, c/group, kernel…]: the transposed convolution. */
export function convInputGradient(dy: Value, w: Value, windows: Windows, group: number): Value {
  const attributes = { ...attributesOf(windows, group), input_shape: [...windows.input] };
  return apply(dy.graph, "ConvInputGradient", [dy, w], attributes)[0];
}

defineOperator({
  name: "ConvWeightGradient",
  domain: INTERNAL_DOMAIN,
  attributes: { ...windowAttributeKinds, group: "int" },
  infer: ({ inputs: [x, dy], attributes }) => {
    const kernel = numbersAttribute(attributes, "kernel_shape")!;
    const { windows, group } = gradientWindows(attributes, x!.shape.slice(2), kernel);
    requireWindows(windows, dy!.shape);
    return [{ dtype: x!.dtype, shape: [dy!.shape[1], x!.shape[1] / group, ...kernel] }];
  },
  gradient: ({ inputs: [x, dy], gradients: [g], attributes, wanted }) => {
    const { windows, group } = gradientWindows(attributes, x.shape.slice(2), g!.shape.slice(2));
    return [
      wanted[0] ? convInputGradient(dy, g!, windows, group) : undefined,
      wanted[1] ? conv(x, g!, { ...windowOptions(windows), group }) : undefined,
    ];
  },
  evaluate: ({ inputs: [x, dy], attributes, outputTypes: [{ shape }] }) => {
    const { windows, group } = gradientWindows(attributes, x.shape.slice(2), shape.slice(2));
    const data = new Float64Array(sizeOf(shape));
    forEachProduct(windows, group, x.shape, dy.shape, (read, weight, made) => {
      data[weight] += x.data[read] * dy.data[made];
    });
    return [{ shape, data }];
  },
  // A convolution itself, with batch and channels trading places and stride trading places with dilation.
  lower: ({ inputs, outputs: [{ shape }], attributes }) => {
    const [x, dy] = inputs as Value[];
    const { windows, group } = gradientWindows(attributes, x.shape.slice(2), shape.slice(2));
    const { values, after } = withoutUnreached(x, windows);
    const [n, channels] = x.shape;
    const perGroup = channels / group;
    const spatial = values.shape.slice(2);
    const axes = (first: number) => spatial.map((_, i) => first + i);
    const swapped =
      group === 1
        ? transpose(values, [1, 0, ...axes(2)])
        : reshape(transpose(reshape(values, [n, group, perGroup, ...spatial]), [2, 1, 0, ...axes(3)]), [
            perGroup,
            group * n,
            ...spatial,
          ]);
    const dw = conv(swapped, transpose(dy, [1, 0, ...axes(2)]), {
      strides: windows.dilations,
      dilations: windows.strides,
      pads: [...windows.before, ...after],
      group,
    });
    return [transpose(dw, [1, 0, ...axes(2)])];
  },
});

/** ∂/∂w [o, c/group, kernel…] of a convolution from its input `x` [n, c, …] and `dy` [n, o, windows…]. */
export function convWeightGradient(x: Value, dy: Value, windows: Windows, group: number): Value {
  const attributes = { ...attributesOf(windows, group), kernel_shape: [...windows.kernel] };
  return apply(x.graph, "ConvWeightGradient", [x, dy], attributes)[0];
}

/** ∂/∂bias [o] from `dy` [n, o, …]. */
export function biasGradient(dy: Value): Value {
  return reduceSum(
    dy,
    dy.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis])),
  );
}

/** Takes away what no window reaches: from the padding where that suffices, else from the end of `x` too. */
export function withoutUnreached(x: Value, windows: Windows): { values: Value; after: number[] } {
  const after = unreached(windows).map((r, i) => windows.after[i] - r);
  const cut = after.flatMap((a, i) => (a < 0 ? [[i + 2, { end: windows.input[i] + a }] as const] : []));
  return {
    values: cut.length ? slice(x, Object.fromEntries(cut)) : x,
    after: after.map((a) => Math.max(a, 0)),
  };
}
