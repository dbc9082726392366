import { neededNodes } from "./evaluate.ts";
import { foldNode, RANDOM } from "./fold.ts";
import type { Attribute, Graph, Node } from "./graph.ts";
import { sameShape } from "./shapes.ts";
import type { Tensor } from "./tensor.ts";
import { sizeOf, tensor } from "./tensor.ts";

/** Results with more elements than this stay computed: a file should not grow by what a node says in a few bytes. */
const FOLDED_ELEMENTS = 1e6;

/**
 * Folds constants, removes nodes that do nothing, merges equal ones and drops what no output needs; in place, in time
 * linear in the graph. Outputs keep their names and their meaning; inputs and parameters stay even where unused.
 */
export function simplify(graph: Graph): void {
  foldConstants(graph);
  removeIdentities(graph);
  dedupe(graph);
  removeDeadNodes(graph);
}

/** Removes the nodes that no output depends on, and the constants that nothing reads. */
export function removeDeadNodes(graph: Graph): void {
  const needed = neededNodes(graph, graph.outputs);
  const dropped = graph.nodes.filter((n) => !needed.has(n.name));
  graph.nodes = graph.nodes.filter((n) => needed.has(n.name));
  const read = new Set([...graph.outputs, ...graph.nodes.flatMap((n) => n.inputs)]);
  for (const name of dropped.flatMap((n) => n.outputs)) forget(graph, name);
  for (const name of graph.constants.keys()) if (!read.has(name)) forget(graph, name);
}

function forget(graph: Graph, name: string): void {
  graph.constants.delete(name);
  graph.types.delete(name);
  graph.batched.delete(name);
}

/**
 * Computes nodes whose inputs are all constant and replaces them by their results; `Shape` and `Size` are constant
 * always, because shapes are static. A `Reshape` to a shape that was computed is spelled with "copy" and "infer"
 * where it can be, so that the batch size is not written into the graph.
 */
export function foldConstants(graph: Graph): void {
  const outputs = new Set(graph.outputs);
  const folded = new Set<string>();
  const budget = { work: Number.POSITIVE_INFINITY, largest: FOLDED_ELEMENTS };
  graph.nodes = graph.nodes.filter((node) => {
    if (node.op === "Reshape" && folded.has(node.inputs[1])) keepBatchFree(graph, node);
    if (node.outputs.some((o) => outputs.has(o)) || !foldNode(graph, node, budget)) return true;
    for (const o of node.outputs) folded.add(o);
    return false;
  });
}

function keepBatchFree(graph: Graph, node: Node): void {
  const from = graph.types.get(node.inputs[0])!.shape;
  const to = graph.types.get(node.outputs[0])!.shape;
  if (node.attributes.allowzero === 1 || to.length === 0 || sizeOf(to) === 0) return;
  const target = to.map((d, i) => (d === from[i] ? 0 : d));
  if (target[0] !== 0) target[0] = -1;
  const name = `${node.name}/shape`;
  if (graph.types.has(name)) return;
  const shape = tensor("int64", [target.length], target);
  graph.constants.set(name, shape);
  graph.types.set(name, { dtype: "int64", shape: shape.shape });
  node.inputs[1] = name;
}

/** Removes nodes that give back their input: Identity, Cast to the same type, Reshape, Transpose, Expand and their kin that change nothing. */
export function removeIdentities(graph: Graph): void {
  const outputs = new Set(graph.outputs);
  const rename = new Map<string, string>();
  graph.nodes = graph.nodes.filter((node) => {
    redirect(node, rename);
    const [result] = node.outputs;
    if (!givesInputBack(graph, node) || outputs.has(result)) return true;
    rename.set(result, node.inputs[0]);
    forget(graph, result);
    return false;
  });
}

/** Operators that keep every element where it is, so that they do nothing where the shape stays. */
const PLACE_KEEPING = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile", "Cast"]);
/** Operators that, given one input, return it. */
const VARIADIC = new Set(["Concat", "Sum", "Max", "Min", "Mean"]);

function givesInputBack(graph: Graph, node: Node): boolean {
  if (node.op === "Identity") return true;
  if (VARIADIC.has(node.op)) return node.inputs.length === 1;
  if (node.op === "Transpose") {
    const perm = node.attributes.perm as readonly number[] | undefined;
    return perm?.every((p, i) => p === i) ?? false;
  }
  if (!PLACE_KEEPING.has(node.op)) return false;
  const from = graph.types.get(node.inputs[0])!;
  const to = graph.types.get(node.outputs[0])!;
  return from.dtype === to.dtype && sameShape(from.shape, to.shape);
}

/** Computes once what several nodes compute: equal operator, attributes and inputs. Equal small constants become one. */
export function dedupe(graph: Graph): void {
  const outputs = new Set(graph.outputs);
  const rename = new Map<string, string>();
  const constants = new Map<string, string>();
  const kept = overwritten(graph);
  for (const [name, t] of graph.constants) {
    if (t.data.length > 64 || outputs.has(name) || kept.has(name)) continue;
    const key = attributeKey(t);
    const first = constants.get(key);
    if (first === undefined) constants.set(key, name);
    else {
      rename.set(name, first);
      forget(graph, name);
    }
  }
  const seen = new Map<string, Node>();
  graph.nodes = graph.nodes.filter((node) => {
    redirect(node, rename);
    if (RANDOM.has(node.op) || node.outputs.some((o) => kept.has(o))) return true;
    const attributes = Object.entries(node.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = [
      node.op,
      node.outputs.length,
      ...node.inputs.map((i) => JSON.stringify(i)),
      ...attributes.map(([name, value]) => `${name}=${attributeKey(value)}`),
    ].join();
    const first = seen.get(key);
    if (first === undefined) seen.set(key, node);
    if (first === undefined || node.outputs.some((o) => outputs.has(o))) return true;
    node.outputs.forEach((o, i) => {
      rename.set(o, first.outputs[i]);
      forget(graph, o);
    });
    return false;
  });
}

/** Values that ONNX Runtime writes over: the statistics that a batch normalisation in training reads. */
function overwritten(graph: Graph): Set<string> {
  const training = graph.nodes.filter(
    (n) => n.op === "BatchNormalization" && n.attributes.training_mode === 1,
  );
  return new Set(training.flatMap((n) => n.inputs.slice(3, 5)));
}

function attributeKey(value: Attribute): string {
  if (typeof value !== "object" || !("dtype" in value)) return JSON.stringify(value);
  const { dtype, shape, data }: Tensor = value;
  const numbers = Array.from<number | bigint, string>(data as ArrayLike<number | bigint>, (x) =>
    Object.is(x, -0) ? "-0" : String(x),
  );
  return `${dtype}[${shape}](${numbers})`;
}

function redirect(node: Node, rename: ReadonlyMap<string, string>): void {
  node.inputs = node.inputs.map((i) => rename.get(i) ?? i);
}
