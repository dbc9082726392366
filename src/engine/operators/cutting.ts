import type { Value } from "../graph.ts";
import { forEachIndex, offsetOf, stridesOf } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import type { InferCall } from "./operator.ts";
import { apply, defineOperator, integers, normalizeAxis, requireConstant, scalar } from "./operator.ts";
import { reshape, unsqueeze } from "./reshape.ts";
import { strided } from "./strided.ts";

interface SliceAxis {
  start: number;
  step: number;
  length: number;
}

/** What ONNX `Slice` takes along each axis, negative indices and clamping resolved. */
function sliceAxes(
  shape: Shape,
  starts: number[],
  ends: number[],
  axes: number[],
  steps: number[],
): SliceAxis[] {
  const result = shape.map((d) => ({ start: 0, step: 1, length: d }));
  axes.forEach((given, i) => {
    const axis = normalizeAxis(given, shape.length);
    const d = shape[axis];
    const step = steps[i];
    if (step === 0) throw new Error(`step 0 along axis ${axis}`);
    const clampTo = (v: number, low: number, high: number) =>
      Math.min(Math.max(v < 0 ? v + d : v, low), high);
    const start = step > 0 ? clampTo(starts[i], 0, d) : clampTo(starts[i], 0, d - 1);
    const end = step > 0 ? clampTo(ends[i], 0, d) : clampTo(ends[i], -1, d - 1);
    result[axis] = { start, step, length: Math.max(0, Math.ceil((end - start) / step)) };
  });
  return result;
}

function sliceOf(call: Pick<InferCall, "inputs" | "constant">): SliceAxis[] {
  const starts = requireConstant(call as InferCall, 1, "starts");
  const ends = requireConstant(call as InferCall, 2, "ends");
  const axes = call.inputs[3] ? requireConstant(call as InferCall, 3, "axes") : starts.map((_, i) => i);
  const steps = call.inputs[4] ? requireConstant(call as InferCall, 4, "steps") : starts.map(() => 1);
  return sliceAxes(call.inputs[0]!.shape, starts, ends, axes, steps);
}

defineOperator({
  name: "Slice",
  infer: (call) => [{ dtype: call.inputs[0]!.dtype, shape: sliceOf(call).map((s) => s.length) }],
  gradient: ({ graph, inputs, gradients: [dy] }) => {
    const constantOf = (i: number) =>
      Array.from(graph.constants.get(inputs[i].name)!.data as BigInt64Array, Number);
    const [x] = inputs;
    const taken = sliceOf({ inputs, constant: constantOf });
    let gradient = dy!;
    taken.forEach(({ start, step, length }, axis) => {
      if (step === 1 || length <= 1) return;
      if (step < 0) gradient = slice(gradient, { [axis]: { start: -1, end: -(2 ** 31), step: -1 } });
      gradient = dilate(gradient, axis, Math.abs(step));
      if (step < 0) taken[axis] = { start: start + (length - 1) * step, step: -step, length };
    });
    const before = taken.map((s) => s.start);
    const after = x.shape.map((d, i) => d - before[i] - gradient.shape[i]);
    return [pad(gradient, before, after)];
  },
  evaluate: ({ inputs, inputTypes }) => {
    const [x] = inputs;
    const taken = sliceOf({ inputs: inputTypes, constant: (i) => Array.from(inputs[i].data) });
    const strides = stridesOf(x.shape);
    const offset = taken.reduce((a, s, i) => a + s.start * strides[i], 0);
    return [
      strided(
        x,
        taken.map((s) => s.length),
        taken.map((s, i) => s.step * strides[i]),
        offset,
      ),
    ];
  },
});

/** Puts step−1 zeros between neighbours along an axis. */
function dilate(x: Value, axis: number, step: number): Value {
  const wide = unsqueeze(x, [axis + 1]);
  const zerosAfter = wide.shape.map((_, i) => (i === axis + 1 ? step - 1 : 0));
  const padded = pad(
    wide,
    zerosAfter.map(() => 0),
    zerosAfter,
  );
  const joined = reshape(
    padded,
    x.shape.map((d, i) => (i === axis ? d * step : d)),
  );
  return slice(joined, { [axis]: { start: 0, end: (x.shape[axis] - 1) * step + 1 } });
}

export interface SliceRange {
  start?: number;
  end?: number;
  step?: number;
}

/** A part of `x`: a range (end exclusive, negative counts from the end) for each axis named. */
export function slice(x: Value, ranges: Readonly<Record<number, SliceRange>>): Value {
  const axes = Object.keys(ranges).map(Number);
  const pick = (f: (r: SliceRange) => number) =>
    integers(
      x.graph,
      axes.map((a) => f(ranges[a])),
    );
  return apply(x.graph, "Slice", [
    x,
    pick((r) => r.start ?? 0),
    pick((r) => r.end ?? 2 ** 31 - 1),
    integers(x.graph, axes),
    pick((r) => r.step ?? 1),
  ])[0];
}

defineOperator({
  name: "Pad",
  attributes: { mode: "string" },
  infer: (call) => {
    const [x] = call.inputs;
    const pads = requireConstant(call, 1, "pads");
    const rank = x!.shape.length;
    if (pads.length !== 2 * rank)
      throw new Error(`${pads.length} pads for rank ${rank}, expected ${2 * rank}`);
    const shape = x!.shape.map((d, i) => d + pads[i] + pads[rank + i]);
    if (shape.some((d) => d < 0)) throw new Error(`pads [${pads}] cut more than shape [${x!.shape}] has`);
    return [{ dtype: x!.dtype, shape }];
  },
  gradient: ({ graph, inputs, gradients: [dy], attributes }) => {
    if ((attributes.mode ?? "constant") !== "constant")
      throw new Error(`Pad mode "${attributes.mode}" has no gradient rule; only "constant" has`);
    const rank = inputs[0].shape.length;
    const pads = Array.from(graph.constants.get(inputs[1].name)!.data as BigInt64Array, Number);
    return [
      pad(
        dy!,
        pads.slice(0, rank).map((p) => -p),
        pads.slice(rank).map((p) => -p),
      ),
    ];
  },
  evaluate: ({ inputs: [x, pads, fill], attributes, outputTypes: [type] }) => {
    const mode = attributes.mode ?? "constant";
    const strides = stridesOf(x.shape);
    const data = new Float64Array(sizeOf(type.shape));
    forEachIndex(type.shape, (index, flat) => {
      let inside = true;
      const source = index.map((v, i) => {
        const at = v - pads.data[i];
        const last = x.shape[i] - 1;
        if (at >= 0 && at <= last) return at;
        if (mode === "edge") return Math.min(Math.max(at, 0), last);
        if (mode === "reflect") return at < 0 ? -at : 2 * last - at;
        inside = false;
        return 0;
      });
      data[flat] = inside ? x.data[offsetOf(source, strides)] : (fill?.data[0] ?? 0);
    });
    return [{ shape: type.shape, data }];
  },
});

/** Adds `before[i]` and `after[i]` cells of `value` around axis i; negative amounts cut. */
export function pad(x: Value, before: readonly number[], after: readonly number[], value = 0): Value {
  if ([...before, ...after].every((p) => p === 0)) return x;
  return apply(x.graph, "Pad", [
    x,
    integers(x.graph, [...before, ...after]),
    scalar(x.graph, value, x.dtype),
  ])[0];
}
