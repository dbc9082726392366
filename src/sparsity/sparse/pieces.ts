import type { Graph, Node } from "../../engine/graph.ts";
import { consumers, createGraph, initializer, producers } from "../../engine/graph.ts";
import { operationOf } from "./operation-of.ts";

/** A part of a graph that one runtime computes at a stretch: ONNX Runtime, or the sparse kernels. */
export interface Piece {
  kind: "dense" | "sparse";
  nodes: Node[];
  /** Values that others hand over: inputs of the graph, results of earlier pieces. */
  inputs: string[];
  /** Results that later pieces read or that the graph gives. */
  outputs: string[];
}

/** Operators whose weights may be sparse. */
const PRODUCTS = new Set(["Conv", "Gemm", "MatMul"]);

/** The layers that the sparse kernels can compute, whether or not that is faster. */
export function sparseLayers(graph: Graph): Node[] {
  return graph.nodes.filter((node) => PRODUCTS.has(node.op) && operationOf(graph, node) !== undefined);
}

/**
 * Cuts a graph around the layers in `chosen`. What lies between them and is only theirs goes with them, and so do
 * activations and normalisations right behind one, which cost nothing there; everything else stays in dense pieces.
 * Pieces come in an order in which they can run.
 */
export function cutGraph(graph: Graph, chosen: ReadonlySet<Node>): Piece[] {
  const sparse = sparseNodes(graph, chosen);
  const made = producers(graph);
  // A piece is a kind and a level; a node is one level above what the other kind hands it, and no lower than its own.
  const levels = new Map<Node, number>();
  const pieces = new Map<string, Piece>();
  for (const node of graph.nodes) {
    let level = 0;
    for (const name of node.inputs) {
      const before = made.get(name);
      if (before)
        level = Math.max(level, levels.get(before)! + Number(sparse.has(before) !== sparse.has(node)));
    }
    levels.set(node, level);
    const kind = sparse.has(node) ? "sparse" : "dense";
    const key = kind === "dense" ? `${level}` : `${level} ${rowsOf(graph, node)}`;
    if (!pieces.has(key)) pieces.set(key, { kind, nodes: [], inputs: [], outputs: [] });
    pieces.get(key)!.nodes.push(node);
  }
  const read = consumers(graph);
  const results = new Set(graph.outputs);
  for (const piece of pieces.values()) {
    const own = new Set(piece.nodes);
    const seen = new Set<string>();
    for (const node of piece.nodes) {
      for (const name of node.inputs)
        if (name !== "" && !seen.has(name) && !initializer(graph, name) && !own.has(made.get(name)!)) {
          seen.add(name);
          piece.inputs.push(name);
        }
      for (const name of node.outputs)
        if (results.has(name) || read.get(name)?.some((reader) => !own.has(reader))) piece.outputs.push(name);
    }
  }
  const levelOf = (piece: Piece) => levels.get(piece.nodes[0])!;
  return [...pieces.values()].sort((a, b) => levelOf(a) - levelOf(b));
}

/**
 * What a sparse operation computes each by itself: samples, or all tokens of these. Operations of one piece have equally many; what is
 * handed from one to another never changes how many.
 */
export function rowsOf({ types }: Graph, node: Node): number {
  return types.get(node.outputs[0])!.shape[0];
}

/** The chosen layers with the operations that go along. */
function sparseNodes(graph: Graph, chosen: ReadonlySet<Node>): Set<Node> {
  const made = producers(graph);
  const read = consumers(graph);
  const results = new Set(graph.outputs);
  const sparse = new Set(
    graph.nodes.filter((n) => chosen.has(n) || (!PRODUCTS.has(n.op) && operationOf(graph, n) !== undefined)),
  );
  // Everything that can go along does at first; then whatever touches a dense node is given back, until nothing changes.
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of sparse) {
      if (chosen.has(node)) continue;
      const before = node.inputs.map((name) => made.get(name)).filter((n) => n !== undefined);
      const readers = node.outputs.flatMap((name) => read.get(name) ?? []);
      const alone = before.length === 1 && read.get(before[0].outputs[0])!.length === 1;
      const follows = alone && sparse.has(before[0]) && operationOf(graph, node)?.kind === "affine";
      const enclosed =
        before.every((n) => sparse.has(n)) &&
        (readers.every((n) => sparse.has(n)) || (readers.length === 0 && results.has(node.outputs[0])));
      if (follows || enclosed) continue;
      sparse.delete(node);
      changed = true;
    }
  }
  return sparse;
}

/** The nodes of a piece as a graph of their own; initialisers are shared with the whole. */
export function pieceGraph(graph: Graph, piece: Piece): Graph {
  const part = createGraph(`${graph.name}/${piece.outputs[0]}`);
  part.inputs = [...piece.inputs];
  part.outputs = [...piece.outputs];
  part.nodes = piece.nodes;
  const names = new Set(piece.nodes.flatMap((node) => [...node.inputs, ...node.outputs]));
  for (const kind of ["parameters", "constants"] as const)
    for (const [name, t] of graph[kind]) if (names.has(name)) part[kind].set(name, t as never);
  for (const name of [...names, ...piece.inputs]) {
    const type = graph.types.get(name);
    if (type) part.types.set(name, type);
  }
  return part;
}
