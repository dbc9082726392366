/**
 * Operators whose result does not depend on any element that trains: shapes, ranges, fills. Imported models compute
 * their shapes with them, and folding (simplify.ts) makes them vanish.
 */
import type { Attributes } from "../graph.ts";
import type { DType, Shape, Tensor } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { dtypeOfCode } from "./cast.ts";
import { defineOperator, numberAttribute, requireConstant } from "./operator.ts";

function shapePart(shape: Shape, attributes: Attributes): Shape {
  const end = attributes.end as number | undefined;
  return shape.slice(numberAttribute(attributes, "start", 0), end ?? shape.length);
}

defineOperator({
  name: "Shape",
  attributes: { start: "int", end: "int" },
  infer: ({ inputs: [x], attributes }) => [
    { dtype: "int64", shape: [shapePart(x!.shape, attributes).length] },
  ],
  evaluate: ({ inputTypes: [x], attributes, outputTypes: [type] }) => [
    { shape: type.shape, data: Float64Array.from(shapePart(x.shape, attributes)) },
  ],
});

defineOperator({
  name: "Size",
  infer: () => [{ dtype: "int64", shape: [] }],
  evaluate: ({ inputTypes: [x] }) => [{ shape: [], data: Float64Array.of(sizeOf(x.shape)) }],
});

defineOperator({
  name: "ConstantOfShape",
  attributes: { value: "tensor" },
  infer: (call) => {
    const value = call.attributes.value as Tensor | undefined;
    return [{ dtype: value?.dtype ?? "float32", shape: requireConstant(call, 0, "shape") }];
  },
  evaluate: ({ attributes, outputTypes: [{ shape }] }) => {
    const value = attributes.value as Tensor | undefined;
    return [{ shape, data: new Float64Array(sizeOf(shape)).fill(Number(value?.data[0] ?? 0)) }];
  },
});

defineOperator({
  name: "Range",
  infer: (call) => {
    const [start, limit, delta] = [0, 1, 2].map((i) => requireConstant(call, i, "start, limit and delta")[0]);
    return [{ dtype: call.inputs[0]!.dtype, shape: [Math.max(0, Math.ceil((limit - start) / delta))] }];
  },
  evaluate: ({ inputs: [start, , delta], outputTypes: [{ shape }] }) => [
    { shape, data: Float64Array.from({ length: shape[0] }, (_, i) => start.data[0] + i * delta.data[0]) },
  ],
});

defineOperator({
  name: "EyeLike",
  attributes: { dtype: "int", k: "int" },
  infer: ({ inputs: [x], attributes }) => {
    if (x!.shape.length !== 2) throw new Error(`shape [${x!.shape}] is not a matrix`);
    const dtype: DType | undefined =
      attributes.dtype === undefined ? x!.dtype : dtypeOfCode.get(attributes.dtype as number);
    if (!dtype) throw new Error(`ONNX type ${attributes.dtype} is not supported`);
    return [{ dtype, shape: x!.shape }];
  },
  // Not through x: the result holds no element of it.
  gradient: () => [undefined],
  evaluate: ({ attributes, outputTypes: [{ shape }] }) => {
    const k = numberAttribute(attributes, "k", 0);
    const data = new Float64Array(sizeOf(shape));
    for (let row = 0; row < shape[0]; row++)
      if (row + k >= 0 && row + k < shape[1]) data[row * shape[1] + row + k] = 1;
    return [{ shape, data }];
  },
});
