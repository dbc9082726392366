import type { Graph } from "./graph.ts";

const scopes = new WeakMap<Graph, string[]>();

/** Names every node that `build` adds to the graph `name/…`, so that reports and errors can speak of layers. */
export function withScope<T>(graph: Graph, name: string, build: () => T): T {
  let stack = scopes.get(graph);
  if (!stack) scopes.set(graph, (stack = []));
  stack.push(name);
  try {
    return build();
  } finally {
    stack.pop();
  }
}

/** `name` inside the current scope of the graph: `block1/conv2/weight`. */
export function scoped(graph: Graph, name: string): string {
  const stack = scopes.get(graph);
  return stack?.length ? `${stack.join("/")}/${name}` : name;
}
