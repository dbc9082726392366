import type { Attributes } from "../graph.ts";
import { forEachIndex, stridesOf } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import type { AttributeKind } from "./operator.ts";
import { numberAttribute, numbersAttribute, stringAttribute } from "./operator.ts";

/**
 * Windows that slide over the spatial axes of an array: what convolution and pooling share. Along each axis, tap k of
 * window o reads position o·stride + k·dilation − before; positions outside the input are padding.
 */
export interface Windows {
  /** Spatial shape of the array that is read, without padding. */
  readonly input: Shape;
  readonly kernel: Shape;
  /** How many windows there are along each axis. */
  readonly output: Shape;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** The attributes that say where windows lie. */
export const windowAttributeKinds: Readonly<Record<string, AttributeKind>> = {
  auto_pad: "string",
  dilations: "ints",
  kernel_shape: "ints",
  pads: "ints",
  strides: "ints",
};

/** One number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[];

export type AutoPad = "NOTSET" | "SAME_UPPER" | "SAME_LOWER" | "VALID";

export interface WindowOptions {
  /** Default 1. */
  strides?: PerAxis;
  /** Default 0: one number for all sides, or all begins followed by all ends, as in ONNX. */
  pads?: PerAxis;
  /** Default 1. */
  dilations?: PerAxis;
  /** How to choose pads instead of `pads`; SAME makes ⌈input / stride⌉ windows, SAME_UPPER puts an odd cell behind. */
  autoPad?: AutoPad;
}

/**
 * The ONNX attributes of the options; defaults are left out. `autoPad` is resolved to pads: ONNX Runtime refuses the
 * attribute for dilated windows and for strides beyond the kernel.
 */
export function windowAttributes(
  { strides, pads, dilations, autoPad = "NOTSET" }: WindowOptions,
  rank: number,
  resolve: (attributes: Attributes) => Windows,
): Attributes {
  const list = (v: PerAxis, length: number) =>
    typeof v === "number" ? new Array<number>(length).fill(v) : [...v];
  const attributes = {
    ...(strides !== undefined && { strides: list(strides, rank) }),
    ...(pads !== undefined && { pads: list(pads, 2 * rank) }),
    ...(dilations !== undefined && { dilations: list(dilations, rank) }),
  };
  if (autoPad === "NOTSET") return attributes;
  const { before, after } = resolve({ ...attributes, auto_pad: autoPad });
  return { ...attributes, pads: [...before, ...after] };
}

/** The windows back as options, with the pads that were resolved. */
export function windowOptions({ strides, dilations, before, after }: Windows): WindowOptions {
  return { strides, dilations, pads: [...before, ...after] };
}

/** Cells from the first tap of a window to its last. */
export function extentOf(kernel: Shape, dilations: readonly number[]): number[] {
  return kernel.map((k, i) => (k - 1) * dilations[i] + 1);
}

function listOf(attributes: Attributes, name: string, length: number, fallback: number): number[] {
  const list = numbersAttribute(attributes, name) ?? new Array<number>(length).fill(fallback);
  if (list.length !== length) throw new Error(`${name} [${list}] has ${list.length} numbers, not ${length}`);
  if (!list.every((v) => v >= fallback)) throw new Error(`${name} [${list}] has a number below ${fallback}`);
  return list;
}

/** Halves a padding total; the odd cell goes in front only where `lower`. */
function halves(totals: number[], lower: boolean): { before: number[]; after: number[] } {
  const before = totals.map((t) => (lower ? Math.ceil(t / 2) : Math.floor(t / 2)));
  return { before, after: totals.map((t, i) => t - before[i]) };
}

/** The windows of a `Conv` or pooling node over spatial shape `input`; throws where they do not fit. */
export function windowsOf(attributes: Attributes, input: Shape, kernel: Shape): Windows {
  const rank = input.length;
  const strides = listOf(attributes, "strides", rank, 1);
  const dilations = listOf(attributes, "dilations", rank, 1);
  const pads = listOf(attributes, "pads", 2 * rank, 0);
  const mode = stringAttribute(attributes, "auto_pad", "NOTSET");
  const extent = extentOf(kernel, dilations);
  let before = pads.slice(0, rank);
  let after = pads.slice(rank);
  if (mode.startsWith("SAME")) {
    const totals = input.map((d, i) =>
      Math.max(0, (Math.ceil(d / strides[i]) - 1) * strides[i] + extent[i] - d),
    );
    ({ before, after } = halves(totals, mode === "SAME_LOWER"));
  } else if (mode === "VALID") before = after = new Array<number>(rank).fill(0);
  const ceilMode = numberAttribute(attributes, "ceil_mode", 0) !== 0;
  const output = input.map((d, i) => {
    const room = d + before[i] + after[i] - extent[i];
    if (room < 0)
      throw new Error(
        `a window of ${extent[i]} cells does not fit into ${d} + ${before[i] + after[i]} of padding (axis ${i + 2})`,
      );
    if (!ceilMode) return Math.floor(room / strides[i]) + 1;
    const count = Math.ceil(room / strides[i]) + 1;
    // A window that starts behind the input sees padding only.
    return (count - 1) * strides[i] >= d + before[i] ? count - 1 : count;
  });
  return { input, kernel, output, strides, dilations, before, after };
}

/**
 * The windows of a `ConvTranspose` node whose input has spatial shape `small`: those of the convolution that it is the
 * transpose of, so `output` is `small` and `input` is the larger shape that the node makes.
 */
export function transposedWindows(attributes: Attributes, small: Shape, kernel: Shape): Windows {
  const rank = small.length;
  const strides = listOf(attributes, "strides", rank, 1);
  const dilations = listOf(attributes, "dilations", rank, 1);
  const pads = listOf(attributes, "pads", 2 * rank, 0);
  const outputPadding = listOf(attributes, "output_padding", rank, 0);
  const mode = stringAttribute(attributes, "auto_pad", "NOTSET");
  const target =
    numbersAttribute(attributes, "output_shape")?.slice(-rank) ??
    (mode.startsWith("SAME") ? small.map((d, i) => d * strides[i]) : undefined);
  const extent = extentOf(kernel, dilations);
  const full = small.map((d, i) => (d - 1) * strides[i] + outputPadding[i] + extent[i]);
  let before = pads.slice(0, rank);
  let after = pads.slice(rank);
  if (target) {
    const totals = full.map((d, i) => d - target[i]);
    if (totals.some((t) => t < 0))
      throw new Error(`output [${target}] is larger than the [${full}] that its windows reach`);
    ({ before, after } = halves(totals, mode !== "SAME_UPPER"));
  } else if (mode === "VALID") before = after = new Array<number>(rank).fill(0);
  const input = full.map((d, i) => d - before[i] - after[i]);
  if (input.some((d) => d < 1)) throw new Error(`pads [${pads}] leave nothing of [${full}]`);
  return { input, kernel, output: small, strides, dilations, before, after };
}

/**
 * Cells at the far end, padding included, that no window reaches because the stride does not divide the way. Negative
 * where, in ceil mode, the last window reaches past the padding.
 */
export function unreached({ input, kernel, output, strides, dilations, before, after }: Windows): number[] {
  const extent = extentOf(kernel, dilations);
  return input.map((d, i) => d + before[i] + after[i] - extent[i] - (output[i] - 1) * strides[i]);
}

/** Every tap that lies inside the input, as triples (window, tap, position) of row-major spatial offsets. */
export function tapsOf({ input, kernel, output, strides, dilations, before }: Windows): number[] {
  const steps = stridesOf(input);
  const taps: number[] = [];
  forEachIndex(output, (o, window) =>
    forEachIndex(kernel, (k, tap) => {
      let at = 0;
      for (let i = 0; i < o.length; i++) {
        const position = o[i] * strides[i] + k[i] * dilations[i] - before[i];
        if (position < 0 || position >= input[i]) return;
        at += position * steps[i];
      }
      taps.push(window, tap, at);
    }),
  );
  return taps;
}
