import type { DType, Shape, Tensor } from "./tensor.ts";
import { sizeOf } from "./tensor.ts";

export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export type Attribute = number | string | readonly number[] | readonly string[] | Tensor;
export type Attributes = Readonly<Record<string, Attribute>>;

/** One application of an ONNX operator. An absent optional input is the empty string, as in ONNX. */
export interface Node {
  name: string;
  op: string;
  inputs: string[];
  outputs: string[];
  attributes: Attributes;
}

/**
 * A computation of standard ONNX operators with static shapes, nodes in topological order. Every value has a name;
 * a name is exactly one of: an input, a parameter, a constant, an output of one node.
 */
export interface Graph {
  name: string;
  /** Values fed on every run, in order. */
  inputs: string[];
  /** Trainable initialisers. Their arrays are updated in place while training. */
  parameters: Map<string, Tensor<"float32">>;
  /** Initialisers that do not train. */
  constants: Map<string, Tensor>;
  nodes: Node[];
  outputs: string[];
  /** The type of every value above. */
  types: Map<string, ValueType>;
  /** Values whose axis 0 is the batch: written as the symbolic dimension `batch` on export. */
  batched: Set<string>;
}

/** A handle to a value of a graph under construction. */
export interface Value extends ValueType {
  readonly graph: Graph;
  readonly name: string;
}

export function createGraph(name: string): Graph {
  return {
    name,
    inputs: [],
    parameters: new Map(),
    constants: new Map(),
    nodes: [],
    outputs: [],
    types: new Map(),
    batched: new Set(),
  };
}

/** A copy that can be extended without touching the original; parameter and constant arrays are shared. */
export function cloneGraph(graph: Graph): Graph {
  return {
    ...graph,
    inputs: [...graph.inputs],
    parameters: new Map(graph.parameters),
    constants: new Map(graph.constants),
    nodes: graph.nodes.map((n) => ({ ...n, inputs: [...n.inputs], outputs: [...n.outputs] })),
    outputs: [...graph.outputs],
    types: new Map(graph.types),
    batched: new Set(graph.batched),
  };
}

export function valueNamed(graph: Graph, name: string): Value {
  const type = graph.types.get(name);
  if (!type) throw new Error(`graph "${graph.name}" has no value "${name}"`);
  return { graph, name, dtype: type.dtype, shape: type.shape };
}

/** `base` if it is free in the graph, else `base_2`, `base_3`, … */
export function freshName(graph: Graph, base: string): string {
  if (!graph.types.has(base)) return base;
  let counters = nameCounters.get(graph);
  if (!counters) nameCounters.set(graph, (counters = new Map()));
  for (let i = counters.get(base) ?? 2; ; i++) {
    const name = `${base}_${i}`;
    if (!graph.types.has(name)) {
      counters.set(base, i + 1);
      return name;
    }
  }
}

const nameCounters = new WeakMap<Graph, Map<string, number>>();

function declare(graph: Graph, name: string, { dtype, shape }: ValueType): Value {
  if (graph.types.has(name)) throw new Error(`graph "${graph.name}" already has a value "${name}"`);
  graph.types.set(name, { dtype, shape });
  return { graph, name, dtype, shape };
}

/** Declares a value that is fed on every run; `batched` (default) says that its axis 0 is the batch. */
export function input(
  graph: Graph,
  name: string,
  shape: Shape,
  { dtype = "float32", batched = true }: { dtype?: DType; batched?: boolean } = {},
): Value {
  graph.inputs.push(name);
  if (batched && shape.length > 0) graph.batched.add(name);
  return declare(graph, name, { dtype, shape });
}

/** Declares a trainable initialiser; `tensor.data` becomes the live array that training updates. */
export function parameter(graph: Graph, name: string, tensor: Tensor<"float32">): Value {
  const value = declare(graph, name, { dtype: "float32", shape: tensor.shape });
  graph.parameters.set(name, tensor);
  return value;
}

/** Adds an initialiser that does not train. Small ones with equal content are shared unless they are given a name. */
export function constant(graph: Graph, tensor: Tensor, name?: string): Value {
  if (name !== undefined || sizeOf(tensor.shape) > 64) return addConstant(graph, tensor, name ?? "constant");
  let shared = sharedConstants.get(graph);
  if (!shared) sharedConstants.set(graph, (shared = new Map()));
  const key = `${tensor.dtype}[${tensor.shape}]${tensor.data}${tensor.data.some((x) => Object.is(x, -0)) ? "-0" : ""}`;
  const known = shared.get(key);
  // Simplification removes constants, and their names may serve others since.
  if (known && graph.constants.get(known.name) === known.tensor) return valueNamed(graph, known.name);
  const value = addConstant(graph, tensor, "constant");
  shared.set(key, { name: value.name, tensor });
  return value;
}

const sharedConstants = new WeakMap<Graph, Map<string, { name: string; tensor: Tensor }>>();

function addConstant(graph: Graph, tensor: Tensor, base: string): Value {
  const name = freshName(graph, base);
  graph.constants.set(name, tensor);
  return declare(graph, name, { dtype: tensor.dtype, shape: tensor.shape });
}

/** Adds a node whose output types are known. Operators are applied with `apply` (operators/operator.ts), which infers them. */
export function addNode(
  graph: Graph,
  op: string,
  inputs: readonly (Value | undefined)[],
  attributes: Attributes,
  types: readonly ValueType[],
  name: string,
): Value[] {
  for (const i of inputs)
    if (i && i.graph !== graph)
      throw new Error(`${op}: value "${i.name}" belongs to graph "${i.graph.name}", not "${graph.name}"`);
  const outputs = types.map((type, i) =>
    declare(graph, freshName(graph, i === 0 ? name : `${name}.${i}`), type),
  );
  graph.nodes.push({
    name: outputs[0].name,
    op,
    inputs: inputs.map((i) => i?.name ?? ""),
    outputs: outputs.map((o) => o.name),
    attributes,
  });
  return outputs;
}

/** Declares `value` an output of its graph, under its own name. */
export function output(value: Value, { batched = value.shape.length > 0 }: { batched?: boolean } = {}): void {
  value.graph.outputs.push(value.name);
  if (batched) value.graph.batched.add(value.name);
}

/** The node that computes each value. */
export function producers(graph: Graph): Map<string, Node> {
  const map = new Map<string, Node>();
  for (const node of graph.nodes) for (const o of node.outputs) map.set(o, node);
  return map;
}

/** The nodes that read each value, in order. */
export function consumers(graph: Graph): Map<string, Node[]> {
  const map = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const i of new Set(node.inputs)) {
      if (i === "") continue;
      const list = map.get(i);
      if (list) list.push(node);
      else map.set(i, [node]);
    }
  return map;
}

/** The initialiser behind a name: a parameter or a constant. */
export function initializer(graph: Graph, name: string): Tensor | undefined {
  return graph.parameters.get(name) ?? graph.constants.get(name);
}
