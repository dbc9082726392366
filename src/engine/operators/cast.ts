import type { Value } from "../graph.ts";
import type { DType } from "../tensor.ts";
import { apply, defineOperator, requireAttribute } from "./operator.ts";

/** ONNX TensorProto.DataType numbers, the `to` attribute of Cast. */
export const ONNX_DTYPES: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

export const dtypeOfCode = new Map(Object.entries(ONNX_DTYPES).map(([name, code]) => [code, name as DType]));

defineOperator({
  name: "Cast",
  attributes: { to: "int" },
  infer: ({ inputs: [x], attributes }) => {
    const to = requireAttribute<number>(attributes, "to", "the number of an ONNX data type");
    const dtype = dtypeOfCode.get(to);
    if (!dtype)
      throw new Error(`cannot cast to ONNX type ${to}; known: ${[...dtypeOfCode.values()].join(", ")}`);
    return [{ dtype, shape: x!.shape }];
  },
  gradient: ({ inputs: [x], gradients: [dy] }) => [
    x.dtype.startsWith("float") ? cast(dy!, x.dtype) : undefined,
  ],
  evaluate: ({ inputs: [x], outputTypes: [type] }) => {
    const convert = (v: number) =>
      type.dtype === "bool" ? Number(v !== 0) : type.dtype.startsWith("float") ? v : Math.trunc(v);
    return [{ shape: x.shape, data: x.data.map(convert) }];
  },
});

export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : apply(x.graph, "Cast", [x], { to: ONNX_DTYPES[dtype] })[0];
}
