/**
 * ONNX files as plain data: the messages of onnx.proto that Filigree uses, under the names of that schema. Not kept:
 * doc strings, the model's own domain and version, training info, quantisation annotations.
 */
import type { DType, Tensor } from "../tensor.ts";

export { type DecodeOptions, decodeModel, decodeTensor } from "./decode.ts";
export { encodeModel, encodeTensor } from "./encode.ts";

export interface ModelProto {
  irVersion: number;
  opsets: { domain: string; version: number }[];
  producerName: string;
  producerVersion: string;
  graph: GraphProto;
  metadata: Record<string, string>;
  /** Model-local functions, by name only: their bodies are not read, and a model that has some cannot be encoded. */
  functions: FunctionProto[];
}

export interface FunctionProto {
  name: string;
  domain: string;
}

export interface GraphProto {
  name: string;
  nodes: NodeProto[];
  initializers: TensorProto[];
  inputs: ValueInfoProto[];
  outputs: ValueInfoProto[];
  valueInfo: ValueInfoProto[];
  /** How many sparse initialisers the file has; their content is not read. */
  sparseInitializers: number;
}

export interface NodeProto {
  opType: string;
  domain: string;
  name: string;
  /** An empty name stands for an optional input that is left out. */
  inputs: string[];
  outputs: string[];
  attributes: AttributeProto[];
}

/**
 * An attribute. Integers are exact up to 2^53; beyond, only the largest and the smallest int64 are accepted, as 2^63
 * and −2^63, because `Slice` spells "to the end" with them. `unsupported` is any other kind of AttributeType (`kind`
 * is its number), a string that is not UTF-8, or a reference to an attribute of an enclosing function.
 */
export type AttributeProto =
  | { name: string; type: "float"; value: number }
  | { name: string; type: "int"; value: number }
  | { name: string; type: "string"; value: string }
  | { name: string; type: "tensor"; value: TensorProto }
  | { name: string; type: "graph"; value: GraphProto }
  | { name: string; type: "floats"; value: number[] }
  | { name: string; type: "ints"; value: number[] }
  | { name: string; type: "strings"; value: string[] }
  | { name: string; type: "unsupported"; kind: number };

/** A dtype, or the name that ONNX gives to a type which Filigree has no tensors of (`FLOAT16`, `STRING`, …). */
export type ElementType = DType | { unsupported: string };

/** `shape` is absent when the rank is unknown; a dimension is a size, a symbol such as `"batch"`, or unknown. */
export interface TensorType {
  kind: "tensor";
  dtype: ElementType;
  shape?: (number | string | undefined)[];
}

/** `other` is a sequence, a map, an optional, a sparse tensor, an opaque type, or `untyped`. */
export interface ValueInfoProto {
  name: string;
  type: TensorType | { kind: "other"; what: string };
}

export interface TensorProto {
  name: string;
  tensor: Tensor;
}
