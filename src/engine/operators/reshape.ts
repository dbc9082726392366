import type { Value } from "../graph.ts";
import { sameShape } from "../shapes.ts";
import type { Shape } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import {
  apply,
  defineOperator,
  integers,
  normalizeAxis,
  numberAttribute,
  requireConstant,
} from "./operator.ts";

/** Resolves the 0 (copy) and −1 (infer) of an ONNX target shape. */
function resolveShape(from: Shape, target: readonly number[], allowZero = false): number[] {
  const shape = target.map((d, i) => {
    if (d !== 0 || allowZero) return d;
    if (i >= from.length)
      throw new Error(`target [${target}] copies axis ${i} of shape [${from}], which has none`);
    return from[i];
  });
  const open = shape.indexOf(-1);
  const known = shape.reduce((a, d, i) => (i === open ? a : a * d), 1);
  if (open >= 0) shape[open] = known === 0 ? 0 : sizeOf(from) / known;
  if (sizeOf(shape) !== sizeOf(from) || !shape.every((d) => Number.isInteger(d) && d >= 0))
    throw new Error(`cannot reshape [${from}] to [${target}]`);
  return shape;
}

defineOperator({
  name: "Reshape",
  attributes: { allowzero: "int" },
  infer: (call) => {
    const [x] = call.inputs;
    const target = requireConstant(call, 1, "target shape");
    return [{ dtype: x!.dtype, shape: resolveShape(x!.shape, target, call.attributes.allowzero === 1) }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [reshape(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [{ shape: type.shape, data: x.data }],
});

/**
 * The same elements in another shape; one dimension may be −1. Dimensions that stay are written as "copy" (0), so that
 * the exported graph keeps working at other batch sizes.
 */
export function reshape(x: Value, shape: readonly number[]): Value {
  const resolved = resolveShape(x.shape, shape);
  if (sameShape(resolved, x.shape)) return x;
  const target = shape.map((d, i) => (d === x.shape[i] ? 0 : d));
  return apply(x.graph, "Reshape", [x, integers(x.graph, target)])[0];
}

defineOperator({
  name: "Flatten",
  attributes: { axis: "int" },
  infer: ({ inputs: [x], attributes }) => {
    const rank = x!.shape.length;
    const given = numberAttribute(attributes, "axis", 1);
    const axis = given === rank ? rank : normalizeAxis(given, rank);
    return [{ dtype: x!.dtype, shape: [sizeOf(x!.shape.slice(0, axis)), sizeOf(x!.shape.slice(axis))] }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [reshape(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [{ shape: type.shape, data: x.data }],
});

/** A matrix: the axes before `axis` become rows, the others columns. */
export function flatten(x: Value, axis = 1): Value {
  return apply(x.graph, "Flatten", [x], { axis })[0];
}

defineOperator({
  name: "Squeeze",
  infer: (call) => {
    const [x] = call.inputs;
    const rank = x!.shape.length;
    const axes = call.inputs[1]
      ? requireConstant(call, 1, "axes").map((a) => normalizeAxis(a, rank))
      : x!.shape.flatMap((d, i) => (d === 1 ? [i] : []));
    for (const a of axes)
      if (x!.shape[a] !== 1) throw new Error(`axis ${a} of [${x!.shape}] has length ${x!.shape[a]}, not 1`);
    return [{ dtype: x!.dtype, shape: x!.shape.filter((_, i) => !axes.includes(i)) }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [reshape(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [{ shape: type.shape, data: x.data }],
});

/** Removes axes of length 1. */
export function squeeze(x: Value, axes: readonly number[]): Value {
  return apply(x.graph, "Squeeze", [x, integers(x.graph, axes)])[0];
}

defineOperator({
  name: "Unsqueeze",
  infer: (call) => {
    const [x] = call.inputs;
    const given = requireConstant(call, 1, "axes");
    const rank = x!.shape.length + given.length;
    const axes = given.map((a) => normalizeAxis(a, rank));
    const rest = [...x!.shape];
    return [
      {
        dtype: x!.dtype,
        shape: Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!)),
      },
    ];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [reshape(dy!, x.shape)],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => [{ shape: type.shape, data: x.data }],
});

/** Inserts axes of length 1 at the given places of the result. */
export function unsqueeze(x: Value, axes: readonly number[]): Value {
  return apply(x.graph, "Unsqueeze", [x, integers(x.graph, axes)])[0];
}
