import { PbfWriter } from "pbf";
import { Problem } from "../../problem.ts";
import { dataTypeCode } from "./data-types.ts";
import type {
  AttributeProto,
  ElementType,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  TensorType,
  ValueInfoProto,
} from "./proto.ts";

/**
 * Encodes a model as the bytes of an .onnx file: tensors as `raw_data`, fields in the order of their numbers, the same
 * bytes for the same model. Throws a Problem for what decoding did not keep: sparse initialisers, function bodies,
 * unsupported attributes, types other than tensors.
 */
export function encodeModel(model: ModelProto): Uint8Array {
  if (model.functions.length)
    throw new Problem(
      `cannot write the model: the body of its function "${model.functions[0].name}" was not read; inline functions first`,
    );
  const pbf = new PbfWriter();
  writeInt(pbf, 1, model.irVersion);
  writeText(pbf, 2, model.producerName);
  writeText(pbf, 3, model.producerVersion);
  pbf.writeMessage(7, writeGraph, model.graph);
  for (const opset of model.opsets)
    pbf.writeMessage(
      8,
      ({ domain, version }, p) => {
        writeText(p, 1, domain);
        writeInt(p, 2, version);
      },
      opset,
    );
  for (const entry of Object.entries(model.metadata))
    pbf.writeMessage(
      14,
      ([key, value], p) => {
        writeString(p, 1, key);
        writeString(p, 2, value);
      },
      entry,
    );
  return pbf.finish();
}

/** Encodes a single tensor, as in the `.pb` files that accompany models as test data. */
export function encodeTensor(tensor: TensorProto): Uint8Array {
  const pbf = new PbfWriter();
  writeTensor(tensor, pbf);
  return pbf.finish();
}

function writeGraph(graph: GraphProto, pbf: PbfWriter) {
  if (graph.sparseInitializers)
    throw new Problem(`cannot write graph "${graph.name}": its sparse initialisers were not read`);
  for (const node of graph.nodes) pbf.writeMessage(1, writeNode, node);
  writeText(pbf, 2, graph.name);
  for (const tensor of graph.initializers) pbf.writeMessage(5, writeTensor, tensor);
  for (const value of graph.inputs) pbf.writeMessage(11, writeValueInfo, value);
  for (const value of graph.outputs) pbf.writeMessage(12, writeValueInfo, value);
  for (const value of graph.valueInfo) pbf.writeMessage(13, writeValueInfo, value);
}

function writeNode(node: NodeProto, pbf: PbfWriter) {
  for (const name of node.inputs) writeString(pbf, 1, name);
  for (const name of node.outputs) writeString(pbf, 2, name);
  writeText(pbf, 3, node.name);
  writeString(pbf, 4, node.opType);
  for (const attribute of node.attributes)
    pbf.writeMessage(5, (a, p) => writeAttribute(a, p, node), attribute);
  writeText(pbf, 7, node.domain);
}

function writeAttribute(attribute: AttributeProto, pbf: PbfWriter, node: NodeProto) {
  writeString(pbf, 1, attribute.name);
  switch (attribute.type) {
    case "float":
      pbf.writeFloatField(2, attribute.value);
      return pbf.writeVarintField(20, 1);
    case "int":
      writeInt(pbf, 3, attribute.value);
      return pbf.writeVarintField(20, 2);
    case "string":
      writeString(pbf, 4, attribute.value);
      return pbf.writeVarintField(20, 3);
    case "tensor":
      pbf.writeMessage(5, writeTensor, attribute.value);
      return pbf.writeVarintField(20, 4);
    case "graph":
      pbf.writeMessage(6, writeGraph, attribute.value);
      return pbf.writeVarintField(20, 5);
    // Unpacked, as onnx.proto declares the lists of attributes; other readers may insist on it.
    case "floats":
      for (const value of attribute.value) pbf.writeFloatField(7, value);
      return pbf.writeVarintField(20, 6);
    case "ints":
      for (const value of attribute.value) writeInt(pbf, 8, value);
      return pbf.writeVarintField(20, 7);
    case "strings":
      for (const value of attribute.value) writeString(pbf, 9, value);
      return pbf.writeVarintField(20, 8);
    case "unsupported":
      throw new Problem(
        `cannot write node "${node.name}" (${node.opType}): its attribute "${attribute.name}" of kind ${attribute.kind} was not read`,
      );
  }
}

function writeTensor({ name, tensor }: TensorProto, pbf: PbfWriter) {
  for (const dim of tensor.shape) writeInt(pbf, 1, dim);
  writeInt(pbf, 2, dataTypeCode(tensor.dtype)!);
  writeText(pbf, 8, name);
  const { buffer, byteOffset, byteLength } = tensor.data;
  pbf.writeBytesField(9, new Uint8Array(buffer, byteOffset, byteLength));
}

function writeValueInfo(value: ValueInfoProto, pbf: PbfWriter) {
  const { name, type } = value;
  writeString(pbf, 1, name);
  if (type.kind === "tensor") pbf.writeMessage(2, (t, p) => p.writeMessage(1, writeTensorType, t), type);
  else if (type.what !== "untyped")
    throw new Problem(`cannot write "${name}": it is of type ${type.what}, not a tensor`);
}

function writeTensorType({ dtype, shape }: TensorType, pbf: PbfWriter) {
  writeInt(pbf, 1, elementCode(dtype));
  if (shape)
    pbf.writeMessage(
      2,
      (dims, p) => {
        for (const dim of dims) p.writeMessage(1, writeDimension, dim);
      },
      shape,
    );
}

function writeDimension(dimension: number | string | undefined, pbf: PbfWriter) {
  if (typeof dimension === "number") writeInt(pbf, 1, dimension);
  else if (dimension !== undefined) writeString(pbf, 2, dimension);
}

function elementCode(type: ElementType): number {
  const code = dataTypeCode(type);
  if (code === undefined)
    throw new Problem(`cannot write a value of ${JSON.stringify(type)}: ONNX has no such type`);
  return code;
}

const utf8 = new TextEncoder();

/** In place of pbf's own writer of strings, which garbles the characters of planes 2, 4, … (U+20000 on; 5.1.2). */
function writeString(pbf: PbfWriter, field: number, text: string) {
  pbf.writeBytesField(field, utf8.encode(text));
}

/** Singular text: an empty one is the default, which need not be there. */
function writeText(pbf: PbfWriter, field: number, text: string) {
  if (text) writeString(pbf, field, text);
}

function writeInt(pbf: PbfWriter, field: number, value: number) {
  if (!Number.isSafeInteger(value) && Math.abs(value) !== 2 ** 63)
    throw new Error(`an ONNX integer field cannot hold ${value}`);
  if (value !== 2 ** 63) return pbf.writeVarintField(field, value);
  // 2^63 stands for the largest int64, 2^63 − 1, which is no JavaScript number: 63 bits in 9 bytes.
  pbf.writeTag(field, 0);
  pbf.realloc(9);
  pbf.buf.fill(0xff, pbf.pos, pbf.pos + 8);
  pbf.buf[pbf.pos + 8] = 0x7f;
  pbf.pos += 9;
}
