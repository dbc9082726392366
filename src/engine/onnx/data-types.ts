import type { DType } from "../tensor.ts";
import type { ElementType } from "./proto.ts";

/** TensorProto.DataType of onnx.proto: the position is the number in the file. */
const names = [
  "UNDEFINED",
  "FLOAT",
  "UINT8",
  "INT8",
  "UINT16",
  "INT16",
  "INT32",
  "INT64",
  "STRING",
  "BOOL",
  "FLOAT16",
  "DOUBLE",
  "UINT32",
  "UINT64",
  "COMPLEX64",
  "COMPLEX128",
  "BFLOAT16",
  "FLOAT8E4M3FN",
  "FLOAT8E4M3FNUZ",
  "FLOAT8E5M2",
  "FLOAT8E5M2FNUZ",
  "UINT4",
  "INT4",
  "FLOAT4E2M1",
  "FLOAT8E8M0",
  "UINT2",
  "INT2",
];

const dtypes: Record<string, DType> = {
  FLOAT: "float32",
  DOUBLE: "float64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  BOOL: "bool",
};

const codes = new Map<string, number>([
  ...names.map((name, code) => [name, code] as const),
  ...Object.entries(dtypes).map(([name, dtype]) => [dtype, names.indexOf(name)] as const),
]);

/** The element type behind a number of TensorProto.DataType. */
export function elementType(code: number): ElementType {
  const name = names[code] ?? `data type ${code}`;
  return dtypes[name] ?? { unsupported: name };
}

/** The number of TensorProto.DataType; undefined for a type that ONNX does not name. */
export function dataTypeCode(type: ElementType): number | undefined {
  return codes.get(typeof type === "string" ? type : type.unsupported);
}
