import { Problem } from "../../problem.ts";
import { foldNode } from "../fold.ts";
import type { Attributes, Graph, Value } from "../graph.ts";
import { createGraph, input, valueNamed } from "../graph.ts";
import { findOperator, operatorNames } from "../operators/operator.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { isPacked } from "./packed-magic.ts";
import type { AttributeProto, DecodeOptions, GraphProto, NodeProto, ValueInfoProto } from "./proto.ts";
import { decodeModel } from "./proto.ts";
import { namesOf, weightsRead } from "./trained.ts";
import { constantOf, FOREIGN_OPERATORS, importNode } from "./upgrade.ts";

export interface ImportOptions extends DecodeOptions {
  /** Length of axis 0 of every input (default 1), also where the file fixes it: a whole number above 0, as all lengths. */
  batch?: number;
  /** Lengths of other symbolic dimensions, by their name in the file. */
  dimensions?: Readonly<Record<string, number>>;
  /** Shape of one sample: lengths of open axes of an input with as many, where `dimensions` does not name them. */
  sampleShape?: Shape;
  /** Weights that a Pad fills up with zeros stay as the file stores them, and the Pad a node of the graph. Default false: they are read filled up. */
  keepPads?: boolean;
}

/**
 * Work that folding may do (see `FoldingBudget`), and how much more for each byte of the file, so that a small file
 * cannot take much memory or time: 256 MiB of constants that are filled in, or a 64th of that of others, and 1 KiB or
 * 16 bytes for each byte of the file. What is left over stays an operator.
 */
const FOLDING_WORK = 2 ** 26;
const FOLDING_WORK_PER_BYTE = 256;
/** One result at most: 64 MiB. */
const LARGEST_FOLDED = 2 ** 24;

/**
 * Reads an .onnx file of any opset from 7 on as a graph of opset 17. Trained initialisers become parameters, shapes
 * that are known are folded, dropout disappears.
 *
 * Throws a `Problem` that names the operator, the node and its position where something is unknown or does not fit.
 */
export function importModel(bytes: Uint8Array, options: ImportOptions = {}): Graph {
  if (isPacked(bytes))
    throw new Problem(
      "this is a packed model (.flg), not an ONNX model; give importModel what unpackModel makes of it",
    );
  const model = decodeModel(bytes, options);
  const opset = model.opsets.find((o) => o.domain === "" || o.domain === "ai.onnx")?.version ?? 0;
  if (opset < 7)
    throw new Problem(
      `the model uses ONNX opset ${opset}; Filigree reads opset 7 and later: convert it with onnx.version_converter`,
    );
  if (model.graph.sparseInitializers > 0)
    throw new Problem(
      "the model stores sparse initialisers, which Filigree does not read; export it with dense weights",
    );
  refuseUnknown(model.graph);
  refuseUnknownDimensions(model.graph, options.dimensions);

  const graph = createGraph(model.graph.name || "imported");
  const budget = {
    work: FOLDING_WORK + FOLDING_WORK_PER_BYTE * bytes.length,
    largest: LARGEST_FOLDED,
  };
  const values = new Map<string, Value>();
  const stored = new Set(model.graph.initializers.map((t) => t.name));
  const pads = options.keepPads ? model.graph.nodes.filter((n) => n.opType === "Pad") : [];
  const named = new Set([...namesOf("parameters", model.metadata), ...pads.map((n) => n.inputs[0])]);
  for (const { name, tensor: t } of model.graph.initializers) {
    values.set(name, addNamed(graph, name, t));
    if (!named.has(name) || t.dtype !== "float32") continue;
    graph.constants.delete(name);
    graph.parameters.set(name, t as Tensor<"float32">);
  }
  for (const info of model.graph.inputs)
    if (!stored.has(info.name)) values.set(info.name, addInput(graph, info, options));

  const read = new Set([
    ...model.graph.nodes.flatMap((n) => n.inputs),
    ...model.graph.outputs.map((o) => o.name),
  ]);
  model.graph.nodes.forEach((node, position) => {
    const where = `node ${position + 1} of ${model.graph.nodes.length} ("${node.name || node.outputs[0] || ""}", ${node.opType})`;
    if (node.outputs.length === 0) throw new Problem(`cannot import ${where}: it has no outputs`);
    const attributes = readAttributes(node, where);
    try {
      if (node.opType === "Constant") {
        values.set(node.outputs[0], addNamed(graph, node.outputs[0], constantOf(attributes, node.name)));
        return;
      }
      const inputs = node.inputs.map((name) => {
        if (name === "") return undefined;
        const value = values.get(name);
        if (!value) throw new Error(`it reads "${name}", which no earlier node makes`);
        return value;
      });
      const outputCount = node.outputs.reduce((a, o, i) => (read.has(o) ? i + 1 : a), 1);
      const before = graph.nodes.length;
      const made = importNode({
        graph,
        op: node.opType,
        opset,
        name: node.outputs[0],
        inputs,
        attributes,
        outputCount,
      });
      const added = graph.nodes.splice(before);
      graph.nodes.push(...added.filter((n) => !foldNode(graph, n, budget)));
      node.outputs.forEach((name, i) => {
        if (made[i]) values.set(name, made[i]);
      });
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem(`cannot import ${where}: ${misfit((error as Error).message)}`);
    }
  });

  for (const info of model.graph.outputs) {
    const value = values.get(info.name);
    if (!value) throw new Problem(`the model's output "${info.name}" is made by no node`);
    graph.outputs.push(value.name);
    if (value.shape.length > 0) graph.batched.add(value.name);
  }
  promoteParameters(graph, stored, namesOf("constants", model.metadata));
  dropUnused(graph);
  return graph;
}

/** Rules take for granted that required inputs are there and that sizes are sane; a file may say otherwise. */
function misfit(message: string): string {
  if (/Invalid (typed )?array length|Array buffer allocation/.test(message))
    return "what it makes is too large";
  return /Cannot (read|convert|mix)|is not (a function|iterable)/.test(message)
    ? "an input or attribute that it needs is missing, or of another kind"
    : message;
}

function refuseUnknown({ nodes }: GraphProto): void {
  const unknown = nodes.flatMap((node, i) => {
    const standard = node.domain === "" || node.domain === "ai.onnx";
    const known = FOREIGN_OPERATORS.includes(node.opType) || findOperator(node.opType) !== undefined;
    if (known && (standard || findOperator(node.opType)?.domain === node.domain)) return [];
    return [
      `${standard ? "" : `${node.domain}.`}${node.opType} (node ${i + 1}, "${node.name || node.outputs[0] || ""}")`,
    ];
  });
  if (unknown.length === 0) return;
  const listed =
    unknown.slice(0, 5).join(", ") + (unknown.length > 5 ? ` and ${unknown.length - 5} more` : "");
  throw new Problem(
    `the model uses operators that Filigree does not know: ${listed}. Known: ${operatorNames().join(", ")}`,
  );
}

function refuseUnknownDimensions({ inputs }: GraphProto, dimensions: ImportOptions["dimensions"] = {}): void {
  const open = inputs.flatMap(({ type }) =>
    type.kind === "tensor" ? (type.shape ?? []).slice(1).filter((d) => typeof d === "string") : [],
  );
  const unknown = Object.keys(dimensions).find((name) => !open.includes(name));
  if (unknown !== undefined)
    throw new Problem(
      `no input has an open dimension "${unknown}"; ${open.length > 0 ? `there are ${[...new Set(open)].join(", ")}` : "all lengths but the batch are fixed"}`,
    );
}

function addNamed(graph: Graph, name: string, t: Tensor): Value {
  if (graph.types.has(name)) throw new Problem(`the name "${name}" stands for two values`);
  graph.constants.set(name, t);
  graph.types.set(name, { dtype: t.dtype, shape: t.shape });
  return valueNamed(graph, name);
}

function addInput(
  graph: Graph,
  { name, type }: ValueInfoProto,
  { batch = 1, dimensions = {}, sampleShape }: ImportOptions,
): Value {
  if (graph.types.has(name)) throw new Problem(`the name "${name}" stands for two values`);
  if (type.kind !== "tensor") throw new Problem(`input "${name}" is a ${type.what}, not a tensor`);
  if (!type.shape) throw new Problem(`input "${name}" has no shape; export the model with one`);
  const sample = sampleShape?.length === type.shape.length - 1 ? sampleShape : undefined;
  const shape = type.shape.map((d, axis) => {
    if (axis === 0) return requireLength("the batch", batch);
    if (typeof d === "number" && d > 0) return d;
    const bound = (typeof d === "string" ? dimensions[d] : undefined) ?? sample?.[axis - 1];
    if (bound === undefined)
      throw new Problem(
        typeof d === "string"
          ? `axis ${axis} of input "${name}" is open ("${d}"); give its length: dimensions: { "${d}": 128 }, on the command line --dimension ${d}=128`
          : `axis ${axis} of input "${name}" is open and has no name; export the model with its length, or with a name for it`,
      );
    return requireLength(`axis ${axis} of input "${name}"`, bound);
  });
  const { dtype } = type;
  // Half precision is widened on reading: weights and inputs alike become float32.
  if (typeof dtype !== "string" && dtype.unsupported !== "FLOAT16" && dtype.unsupported !== "BFLOAT16")
    throw new Problem(
      `input "${name}" has element type ${dtype.unsupported}, which Filigree does not handle`,
    );
  return input(graph, name, shape, { dtype: typeof dtype === "string" ? dtype : "float32" });
}

function requireLength(what: string, length: number): number {
  if (!(Number.isInteger(length) && length > 0))
    throw new Problem(`${what} is to have the length ${length}; give a whole number above 0`);
  return length;
}

function readAttributes(node: NodeProto, where: string): Record<string, Attributes[string]> {
  const attributes: Record<string, Attributes[string]> = {};
  for (const a of node.attributes) attributes[a.name] = attributeValue(a, where);
  return attributes;
}

function attributeValue(a: AttributeProto, where: string): Attributes[string] {
  if (a.type === "tensor") return a.value.tensor;
  if (a.type === "graph" || a.type === "unsupported")
    throw new Problem(
      `${where}: attribute "${a.name}" holds a ${a.type === "graph" ? "subgraph" : "kind of value"} that Filigree does not read`,
    );
  return a.value;
}

/** Turns trained float weights into parameters. Elementwise operands count only where the file stored them as weights. */
function promoteParameters(graph: Graph, stored: ReadonlySet<string>, fixed: ReadonlySet<string>): void {
  for (const node of graph.nodes)
    for (const name of weightsRead(
      node,
      (n) => (fixed.has(n) ? undefined : graph.constants.get(n)),
      (n) => stored.has(n),
    )) {
      graph.parameters.set(name, graph.constants.get(name) as Tensor<"float32">);
      graph.constants.delete(name);
    }
}

function dropUnused(graph: Graph): void {
  const used = new Set([...graph.nodes.flatMap((n) => n.inputs), ...graph.outputs]);
  for (const name of [...graph.constants.keys()])
    if (!used.has(name)) {
      graph.constants.delete(name);
      graph.types.delete(name);
    }
}
