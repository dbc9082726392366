import type { Attribute, Graph } from "../graph.ts";
import { lowerPlain } from "../lowering/plain.ts";
import type { AttributeKind } from "../operators/operator.ts";
import { findOperator } from "../operators/operator.ts";
import type { Tensor } from "../tensor.ts";
import type { AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from "./proto.ts";
import { encodeModel } from "./proto.ts";
import { withRoles } from "./trained.ts";

/** The operator set every graph is written in, and the format version that goes with it. */
export const OPSET = 17;
const IR_VERSION = 8;

export interface ExportOptions {
  /** Declare the parameters as inputs that are fed, instead of storing them: for training sessions. */
  parametersAsInputs?: boolean;
  /** Entries of the model's metadata, e.g. how it was made. */
  metadata?: Record<string, string>;
  /** Dimensions of inputs and outputs as the file declares them, symbols or lengths, where they are not the graph's own. */
  dimensions?: Readonly<Record<string, readonly (string | number)[]>>;
}

/** The graph as the bytes of an .onnx file, internal operators spelled in standard ones. The batch axis of inputs and outputs is written as the symbol `batch`. */
export function exportModel(
  source: Graph,
  { parametersAsInputs = false, metadata = {}, dimensions = {} }: ExportOptions = {},
): Uint8Array {
  const graph = lowerPlain(source);
  const domains = new Set(graph.nodes.map((n) => findOperator(n.op)!.domain));
  domains.add("");
  const parameterNames = [...graph.parameters.keys()];
  const stored = [...(parametersAsInputs ? [] : graph.parameters), ...graph.constants];
  const used = new Set(graph.nodes.flatMap((n) => n.inputs).concat(graph.outputs));
  const model: ModelProto = {
    irVersion: IR_VERSION,
    opsets: [...domains].sort().map((domain) => ({ domain, version: domain === "" ? OPSET : 1 })),
    producerName: "filigree",
    producerVersion: "",
    metadata: parametersAsInputs ? metadata : withRoles(graph, metadata),
    functions: [],
    graph: {
      name: graph.name,
      nodes: graph.nodes.map((node) => toNodeProto(node)),
      initializers: stored
        .filter(([name]) => used.has(name))
        .map(([name, tensor]): TensorProto => ({ name, tensor })),
      inputs: [...graph.inputs, ...(parametersAsInputs ? parameterNames : [])].map((name) =>
        valueInfo(graph, name, dimensions[name]),
      ),
      outputs: graph.outputs.map((name) => valueInfo(graph, name, dimensions[name])),
      valueInfo: [],
      sparseInitializers: 0,
    },
  };
  return encodeModel(model);
}

function valueInfo(graph: Graph, name: string, declared?: readonly (string | number)[]): ValueInfoProto {
  const { dtype, shape } = graph.types.get(name)!;
  return {
    name,
    type: {
      kind: "tensor",
      dtype,
      shape: declared?.slice() ?? shape.map((d, i) => (i === 0 && graph.batched.has(name) ? "batch" : d)),
    },
  };
}

function toNodeProto({ name, op, inputs, outputs, attributes }: Graph["nodes"][number]): NodeProto {
  const operator = findOperator(op)!;
  return {
    name,
    opType: operator.onnxName ?? op,
    domain: operator.domain,
    inputs,
    outputs,
    attributes: Object.entries(attributes).map(([key, value]) => {
      const kind = operator.attributes[key];
      if (!kind) throw new Error(`operator ${op} has no attribute "${key}" (node "${name}")`);
      return attributeProto(key, kind, value);
    }),
  };
}

function attributeProto(name: string, type: AttributeKind, value: Attribute): AttributeProto {
  switch (type) {
    case "int":
    case "float":
      return { name, type, value: value as number };
    case "string":
      return { name, type, value: value as string };
    case "ints":
    case "floats":
      return { name, type, value: [...(value as readonly number[])] };
    case "strings":
      return { name, type, value: [...(value as readonly string[])] };
    case "tensor":
      return { name, type, value: { name: "", tensor: value as Tensor } };
  }
}
