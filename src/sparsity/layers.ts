import type { Graph, Node } from "../engine/graph.ts";
import { initializer } from "../engine/graph.ts";

/**
 * What people call a node: `conv1` where its weights are `conv1/weight`, `conv1.weight` or `conv1_w`, else the node's
 * own name.
 */
export function layerName(graph: Graph, node: Node): string {
  for (const input of node.inputs) {
    if (!initializer(graph, input)) continue;
    const match = /^(.+?)[./_](?:weights?|kernel|w|scale|gamma|bias|b)(?:_\d+)?$/i.exec(input);
    if (match) return match[1];
  }
  return node.name;
}
