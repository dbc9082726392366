import { elementType } from "./data-types.ts";
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  TensorType,
  ValueInfoProto,
} from "./proto.ts";
import { type ReadExternal, readEntry, readTensor } from "./read-tensor.ts";
import { utf8, type WireReader, wireReader } from "./wire.ts";

export interface DecodeOptions {
  /** How to read tensors that lie beside the model; without it such a model is refused. */
  external?: ReadExternal;
}

/** Graphs inside attributes of graphs (If, Loop, Scan) that are followed before a file counts as hostile. */
const MAX_DEPTH = 32;

interface Context extends DecodeOptions {
  reader: WireReader;
  depth: number;
}

/**
 * Decodes the bytes of an .onnx file. The tensors view `bytes` where alignment permits, so leave those alone; tensor
 * data takes at most 8 times the size of the file, and nothing is allocated on the word of a length or a shape alone.
 * Throws a Problem with field and byte for a file that is damaged or no ONNX model, and for tensors that Filigree
 * cannot hold (strings, complex numbers, floats and integers below 8 bits, float8).
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): ModelProto {
  const reader = wireReader(bytes, "an ONNX model");
  const context: Context = { ...options, reader, depth: 0 };
  let graph: GraphProto | undefined;
  const metadata = new Map<string, string>();
  const model = {
    irVersion: 0,
    opsets: [] as ModelProto["opsets"],
    producerName: "",
    producerVersion: "",
    functions: [] as FunctionProto[],
  };
  reader.eachField((field) => {
    if (field === 1) model.irVersion = reader.int("ir_version");
    else if (field === 2) model.producerName = reader.string("producer_name");
    else if (field === 3) model.producerVersion = reader.string("producer_version");
    else if (field === 7) {
      if (graph) reader.damaged("a second graph", "graph");
      graph = reader.message("graph", () => readGraph(context));
    } else if (field === 8) {
      const opset = { domain: "", version: 0 };
      reader.message(`opset_import[${model.opsets.length}]`, () =>
        reader.eachField((f) => {
          if (f === 1) opset.domain = reader.string("domain");
          if (f === 2) opset.version = reader.int("version");
        }),
      );
      model.opsets.push(opset);
    } else if (field === 14) reader.message("metadata_props", () => metadata.set(...readEntry(reader)));
    else if (field === 25) {
      const local = { name: "", domain: "" };
      reader.message(`functions[${model.functions.length}]`, () =>
        reader.eachField((f) => {
          if (f === 1) local.name = reader.string("name");
          if (f === 10) local.domain = reader.string("domain");
        }),
      );
      model.functions.push(local);
    }
  });
  if (!graph) return reader.damaged("the file ends and has no graph");
  if (model.irVersion < 1) return reader.damaged("the file ends and has no ir_version");
  return { ...model, graph, metadata: Object.fromEntries(metadata) };
}

/** Decodes the bytes of a single tensor, as in the `.pb` files that accompany models as test data. */
export function decodeTensor(bytes: Uint8Array, options: DecodeOptions = {}): TensorProto {
  return readTensor(wireReader(bytes, "an ONNX tensor"), options.external);
}

function readGraph(context: Context): GraphProto {
  const { reader } = context;
  const graph: GraphProto = {
    name: "",
    nodes: [],
    initializers: [],
    inputs: [],
    outputs: [],
    valueInfo: [],
    sparseInitializers: 0,
  };
  const push = <T>(list: T[], name: string, read: (context: Context) => T) => {
    list.push(reader.message(`${name}[${list.length}]`, () => read(context)));
  };
  reader.eachField((field) => {
    if (field === 1) push(graph.nodes, "node", readNode);
    else if (field === 2) graph.name = reader.string("name");
    else if (field === 5) push(graph.initializers, "initializer", () => readTensor(reader, context.external));
    else if (field === 11) push(graph.inputs, "input", readValueInfo);
    else if (field === 12) push(graph.outputs, "output", readValueInfo);
    else if (field === 13) push(graph.valueInfo, "value_info", readValueInfo);
    else if (field === 15) graph.sparseInitializers++;
  });
  return graph;
}

function readNode(context: Context): NodeProto {
  const { reader } = context;
  const node: NodeProto = { opType: "", domain: "", name: "", inputs: [], outputs: [], attributes: [] };
  reader.eachField((field) => {
    if (field === 1) node.inputs.push(reader.string("input"));
    else if (field === 2) node.outputs.push(reader.string("output"));
    else if (field === 3) node.name = reader.string("name");
    else if (field === 4) node.opType = reader.string("op_type");
    else if (field === 5)
      node.attributes.push(
        reader.message(`attribute[${node.attributes.length}]`, () => readAttribute(context)),
      );
    else if (field === 7) node.domain = reader.string("domain");
  });
  if (!node.opType) reader.damaged("a node without op_type");
  return node;
}

/** The field of AttributeProto that holds each AttributeType, in the order of that enumeration from FLOAT = 1 on. */
const valueFields = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 23, 14, 15];

function readAttribute(context: Context): AttributeProto {
  const { reader } = context;
  let name = "";
  let kind = 0;
  let reference = false;
  const present = new Set<number>();
  let float = 0;
  let int = 0;
  let tensor: TensorProto | undefined;
  let graph: GraphProto | undefined;
  const floats: number[] = [];
  const ints: number[] = [];
  const strings: (string | undefined)[] = [];
  const takeInt = (value: number, exact: () => bigint): number => {
    if (Number.isSafeInteger(value)) return value;
    if (exact() === 2n ** 63n - 1n || exact() === -(2n ** 63n)) return value;
    return reader.refuse("an integer of more than 53 bits");
  };
  reader.eachField((field) => {
    if (valueFields.includes(field)) present.add(field);
    if (field === 1) name = reader.string("name");
    else if (field === 2) float = reader.float("f");
    else if (field === 3) reader.ints("i", (value, exact) => (int = takeInt(value, exact)));
    else if (field === 4) strings.push(utf8(reader.bytes("s")));
    else if (field === 5) tensor = reader.message("t", () => readTensor(reader, context.external));
    else if (field === 6) {
      if (context.depth === MAX_DEPTH) reader.refuse(`graphs nested more than ${MAX_DEPTH} deep`, "g");
      graph = reader.message("g", () => readGraph({ ...context, depth: context.depth + 1 }));
    } else if (field === 7) {
      const bytes = reader.fixed("floats", 4);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.length; at += 4) floats.push(view.getFloat32(at, true));
    } else if (field === 8) reader.ints("ints", (value, exact) => ints.push(takeInt(value, exact)));
    else if (field === 9) strings.push(utf8(reader.bytes("strings")));
    else if (field === 20) kind = reader.int("type");
    else if (field === 21) reference = reader.string("ref_attr_name") !== "";
  });
  // Before IR version 2 the type was not written: the one field that is there tells it.
  if (kind === 0 && present.size === 1) kind = valueFields.indexOf([...present][0]) + 1;
  const field = valueFields[kind - 1];
  for (const other of present)
    if (other !== field) reader.damaged(`attribute "${name}" of type ${kind} has a value in field ${other}`);

  if (reference) return { name, type: "unsupported", kind };
  const texts = strings.filter((text) => text !== undefined);
  const legible = texts.length === strings.length;
  // A number, text or list that equals its default may be missing from the file.
  if (kind === 1) return { name, type: "float", value: float };
  if (kind === 2) return { name, type: "int", value: int };
  if (kind === 3 && legible) return { name, type: "string", value: texts.at(-1) ?? "" };
  if (kind === 4)
    return { name, type: "tensor", value: tensor ?? reader.damaged(`attribute "${name}" is empty`) };
  if (kind === 5)
    return { name, type: "graph", value: graph ?? reader.damaged(`attribute "${name}" is empty`) };
  if (kind === 6) return { name, type: "floats", value: floats };
  if (kind === 7) return { name, type: "ints", value: ints };
  if (kind === 8 && legible) return { name, type: "strings", value: texts };
  return { name, type: "unsupported", kind };
}

/** The fields of TypeProto that are no tensors. */
const otherTypes: Record<number, string> = {
  4: "sequence",
  5: "map",
  7: "opaque",
  8: "sparse tensor",
  9: "optional",
};

function readValueInfo({ reader }: Context): ValueInfoProto {
  const value: ValueInfoProto = { name: "", type: { kind: "other", what: "untyped" } };
  reader.eachField((field) => {
    if (field === 1) value.name = reader.string("name");
    else if (field === 2)
      reader.message("type", () =>
        reader.eachField((f) => {
          if (f === 1) value.type = reader.message("tensor_type", () => readTensorType(reader));
          else if (otherTypes[f]) value.type = { kind: "other", what: otherTypes[f] };
        }),
      );
  });
  return value;
}

function readTensorType(reader: WireReader): TensorType {
  const type: TensorType = { kind: "tensor", dtype: elementType(0) };
  reader.eachField((field) => {
    if (field === 1) type.dtype = elementType(reader.int("elem_type"));
    else if (field === 2) {
      const shape: (number | string | undefined)[] = [];
      reader.message("shape", () =>
        reader.eachField((f) => {
          if (f === 1) shape.push(reader.message(`dim[${shape.length}]`, () => readDimension(reader)));
        }),
      );
      type.shape = shape;
    }
  });
  return type;
}

function readDimension(reader: WireReader): number | string | undefined {
  let dimension: number | string | undefined;
  reader.eachField((field) => {
    if (field === 1) dimension = reader.int("dim_value");
    else if (field === 2) dimension = reader.string("dim_param") || undefined;
  });
  // Some exporters write −1 where they mean "unknown".
  return typeof dimension === "number" && dimension < 0 ? undefined : dimension;
}
