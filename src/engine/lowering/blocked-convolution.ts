/** Convolution, its input gradient and its weight gradient as blocked convolutions. */
import type { Node, Value } from "../graph.ts";
import { gradientWindows } from "../operators/convolution-gradients.ts";
import { pad, slice } from "../operators/cutting.ts";
import { concat } from "../operators/joining.ts";
import { matmul } from "../operators/matmul.ts";
import { reduceSum } from "../operators/reduction.ts";
import { reshape } from "../operators/reshape.ts";
import { transpose } from "../operators/transpose.ts";
import type { Windows } from "../operators/windows.ts";
import { unreached } from "../operators/windows.ts";
import { sizeOf } from "../tensor.ts";
import { weightGradient } from "./blocked-weight-gradient.ts";
import type { Layout } from "./layout.ts";
import { padVector, padWeights } from "./layout.ts";
import { blockedConv, reorderInput, reorderOutput } from "./nchwc.ts";

const BACKWARDS = { start: -1, end: -(2 ** 31), step: -1 };

/** Every window of the convolution lies in two dimensions and its channels fill at least half of their blocks. */
function fits(layout: Layout, channels: number): boolean {
  return 2 * channels >= layout.padded(channels);
}

/** Weights [o, i, kh, kw] of whole blocks (or with i below a block) in the order that the kernels read. */
export function blockedWeights(w: Value, block: number): Value {
  const [o, i, kh, kw] = w.shape;
  const taps = kh * kw;
  const rows = reorderInput(reshape(w, [o / block, block, 1, i * taps]));
  if (i < block || taps === 1) return reshape(rows, w.shape);
  return reshape(
    transpose(reshape(rows, [o / block, i / block, block, taps, block]), [0, 1, 3, 2, 4]),
    w.shape,
  );
}

/** Depthwise weights [c, 1, kh, kw] of whole blocks. */
function depthwiseWeights(w: Value, block: number): Value {
  const [c, , kh, kw] = w.shape;
  return reshape(reorderInput(reshape(w, [c / block, block, 1, kh * kw])), w.shape);
}

/** Turns each kernel by 180 degrees. */
function turned(w: Value): Value {
  const [o, i, kh, kw] = w.shape;
  return kh * kw === 1 ? w : reshape(slice(reshape(w, [o, i, kh * kw]), { 2: BACKWARDS }), w.shape);
}

/** `Conv` */
export function convRule(
  layout: Layout,
  node: Node,
  [x, w, bias]: (Value | undefined)[],
): Value[] | undefined {
  if (!x || !w || x.shape.length !== 4) return undefined;
  const [filters, perGroup] = w.shape;
  const { windows, group } = gradientWindows(node.attributes, x.shape.slice(2), w.shape.slice(2));
  const depthwise = group > 1 && perGroup === 1 && filters === group;
  if ((group > 1 && !depthwise) || !fits(layout, filters)) return undefined;
  const { strides, dilations, before, after } = windows;
  const wide = layout.padded(filters);
  const options = {
    bias: bias && padVector(bias, wide),
    strides,
    dilations,
    pads: [...before, ...after],
  };
  if (depthwise) {
    const weights = depthwiseWeights(padWeights(w, wide, 1), layout.block);
    const y = blockedConv(layout.blocked(x), weights, { ...options, group: wide });
    return [layout.plain(y, filters)];
  }
  // The kernels read plain arrays of fewer channels than a block, such as the pixels of an image.
  const input = layout.find(x) ?? (x.shape[1] < layout.block ? x : layout.blocked(x));
  const y = blockedConv(input, blockedWeights(padWeights(w, wide, input.shape[1]), layout.block), options);
  return [layout.plain(y, filters)];
}

/** `ConvInputGradient` */
export function convInputGradientRule(
  layout: Layout,
  node: Node,
  [dy, w]: (Value | undefined)[],
): Value[] | undefined {
  if (!dy || !w || dy.shape.length !== 4) return undefined;
  const [filters, perGroup] = w.shape;
  const input = node.attributes.input_shape as number[];
  const { windows, group } = gradientWindows(node.attributes, input, w.shape.slice(2));
  const depthwise = group > 1 && perGroup === 1 && filters === group;
  const channels = perGroup * group;
  if ((group > 1 && !depthwise) || !fits(layout, channels)) return undefined;
  const [wideFilters, wideChannels] = [layout.padded(filters), layout.padded(channels)];
  const { dilations, before, kernel, output } = windows;
  if (windows.strides.every((s) => s === 1)) {
    const start = before.map((p, i) => (kernel[i] - 1) * dilations[i] - p);
    const end = start.map((p, i) => input[i] + (kernel[i] - 1) * dilations[i] - output[i] - p);
    if ([...start, ...end].some((p) => p < 0)) return undefined;
    // Most products would be with padding, as for a 5×5 kernel over 12×12 cells without padding: the plain transposed
    // convolution makes none of those.
    if (sizeOf(input) > 2 * sizeOf(output)) return undefined;
    const options = { dilations, pads: [...start, ...end] };
    const dx = depthwise
      ? blockedConv(
          layout.blocked(dy),
          depthwiseWeights(padWeights(turned(w), wideChannels, 1), layout.block),
          { ...options, group: wideChannels },
        )
      : blockedConv(
          layout.blocked(dy),
          blockedWeights(
            padWeights(transpose(turned(w), [1, 0, 2, 3]), wideChannels, wideFilters),
            layout.block,
          ),
          options,
        );
    return [layout.plain(dx, channels)];
  }
  const divides = input.every((d, i) => d % windows.strides[i] === 0);
  if (depthwise || !divides || dilations.some((d) => d !== 1)) return undefined;
  const weights = padWeights(transpose(w, [1, 0, 2, 3]), wideChannels, wideFilters);
  const dx = stridedInputGradient(layout.blocked(dy), weights, windows, layout.block);
  return dx && [layout.plain(dx, channels)];
}

/** The taps of one axis that reach input positions ≡ `phase` (mod stride), and the padding of their convolution. */
function phaseTaps(windows: Windows, axis: number, phase: number) {
  const stride = windows.strides[axis];
  const reach = phase + windows.before[axis];
  const taps: number[] = [];
  for (let k = windows.kernel[axis] - 1; k >= 0; k--) if ((reach - k) % stride === 0) taps.push(k);
  // Output t·stride + phase reads dy at t + (reach − k)/stride, which ascends along `taps`.
  const offset = (k: number) => (reach - k) / stride;
  const count = windows.input[axis] / stride;
  return taps.length === 0
    ? undefined
    : {
        taps,
        start: -offset(taps[0]),
        end: count - 1 + offset(taps[taps.length - 1]) - (windows.output[axis] - 1),
      };
}

/**
 * Input gradient of a strided convolution: each residue of the input positions modulo the stride sees its own taps of
 * the kernel, so it is one small convolution with stride 1; the results are interleaved. `w` is [channels, filters, …].
 */
function stridedInputGradient(dy: Value, w: Value, windows: Windows, block: number): Value | undefined {
  const [sh, sw] = windows.strides;
  const [channels] = w.shape;
  const [n] = dy.shape;
  const [h, wd] = windows.input.map((d, i) => d / windows.strides[i]);
  const parts: (Value | undefined)[] = [];
  for (let a = 0; a < sh; a++)
    for (let b = 0; b < sw; b++) {
      const [rows, columns] = [phaseTaps(windows, 0, a), phaseTaps(windows, 1, b)];
      if (!rows || !columns) {
        parts.push(undefined);
        continue;
      }
      const pads = [rows.start, columns.start, rows.end, columns.end];
      if (pads.some((p) => p < 0)) return undefined;
      const range = (taps: number[], stride: number) => ({
        start: taps[0],
        end: taps[taps.length - 1] === 0 ? -(2 ** 31) : taps[taps.length - 1] - 1,
        step: -stride,
      });
      const kernel = slice(w, { 2: range(rows.taps, sh), 3: range(columns.taps, sw) });
      parts.push(blockedConv(dy, blockedWeights(kernel, block), { pads }));
    }
  const known = parts.findIndex((p) => p !== undefined);
  const cells = channels * h * wd;
  // Phases without taps are zero. Where there is one with taps only (a 1×1 kernel), padding is cheaper than a sum.
  const stacked = parts.every((p) => p !== undefined)
    ? concat(parts as Value[], 1)
    : parts.filter((p) => p !== undefined).length === 1
      ? pad(reshape(parts[known]!, [n, 1, cells]), [0, known, 0], [0, parts.length - 1 - known, 0])
      : undefined;
  if (!stacked) return undefined;
  const interleaved = transpose(
    reshape(stacked, [n, sh, sw, channels / block, h, wd, block]),
    [0, 3, 4, 1, 5, 2, 6],
  );
  return reshape(interleaved, [n, channels, h * sh, wd * sw]);
}

/** `ConvWeightGradient` */
export function convWeightGradientRule(
  layout: Layout,
  node: Node,
  [x, dy]: (Value | undefined)[],
): Value[] | undefined {
  if (!x || !dy || x.shape.length !== 4) return undefined;
  const { windows, group } = gradientWindows(
    node.attributes,
    x.shape.slice(2),
    node.attributes.kernel_shape as number[],
  );
  const [filters, channels] = [dy.shape[1], x.shape[1]];
  if (!fits(layout, filters)) return undefined;
  if (group > 1) {
    if (group !== channels || group !== filters) return undefined;
    return depthwiseWeightGradient(layout, x, dy, windows);
  }
  if (windows.kernel.every((k) => k === 1) && [...windows.before, ...windows.after].every((p) => p === 0))
    return [pointwiseWeightGradient(layout, x, dy, windows)];
  return weightGradient(layout, x, dy, windows);
}

/** A 1×1 kernel: one matrix product a sample. */
function pointwiseWeightGradient(layout: Layout, x: Value, dy: Value, { strides, output }: Windows): Value {
  const [n, channels, h, w] = x.shape;
  const cells = output[0] * output[1];
  const known = layout.find(x);
  let pixels = x;
  if (strides.some((s) => s > 1)) {
    const ranges = { 2: { step: strides[0] }, 3: { step: strides[1] } };
    if (known) {
      const wide = known.shape[1];
      const picked = slice(reshape(known, [n, wide / layout.block, h, w, layout.block]), ranges);
      pixels = reorderOutput(reshape(picked, [n, wide, ...output]), channels);
    } else pixels = slice(x, ranges);
  }
  const products = matmul(
    reshape(dy, [n, dy.shape[1], cells]),
    transpose(reshape(pixels, [n, channels, cells]), [0, 2, 1]),
  );
  return reshape(reduceSum(products, [0]), [dy.shape[1], channels, 1, 1]);
}

/** Each channel of each sample is its own convolution of x with dy as the kernel; summed over the samples. */
function depthwiseWeightGradient(layout: Layout, x: Value, dy: Value, windows: Windows): Value[] | undefined {
  const { kernel, strides, dilations, before, after, input, output } = windows;
  const rest = unreached(windows);
  const end = after.map((a, i) => a - rest[i]);
  if (end.some((p) => p < 0)) return undefined;
  const [xb, dyb] = [layout.blocked(x), layout.blocked(dy)];
  const [n, wide] = xb.shape;
  const product = blockedConv(reshape(xb, [1, n * wide, ...input]), reshape(dyb, [n * wide, 1, ...output]), {
    pads: [...before, ...end],
    strides: dilations,
    dilations: strides,
    group: n * wide,
  });
  const taps = kernel[0] * kernel[1];
  const summed = reshape(reduceSum(reshape(product, [n, wide * taps]), [0]), [1, wide, ...kernel]);
  return [reshape(reorderOutput(summed, x.shape[1]), [x.shape[1], 1, ...kernel])];
}
