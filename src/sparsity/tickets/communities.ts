import { UndirectedGraph } from "graphology";
import louvainPackage from "graphology-communities-louvain";
import { random } from "../../random.ts";
import type { Adjacency } from "./graph-measures.ts";

// The package exports the function itself; its types speak of a default export inside.
const louvain = louvainPackage as unknown as typeof louvainPackage.default;

export interface Communities {
  /** Community of each node. */
  of: number[];
  count: number;
  /** Q = Σ_c (L_c/m − (d_c/2m)²) over communities with L_c inner edges and degree d_c, m edges in all (Newman and Girvan 2004). */
  modularity: number;
}

/** Groups of nodes with many edges inside and few between, by the Louvain method (Blondel et al. 2008) in an order drawn with the seed. */
export function communities(graph: Adjacency, seed: number): Communities {
  const network = new UndirectedGraph();
  for (const node of graph.keys()) network.addNode(node);
  graph.forEach((neighbours, a) => {
    for (const b of neighbours) if (a < b) network.addEdge(a, b);
  });
  const rng = random(seed);
  const found = louvain.detailed(network, { rng: () => rng.uniform() });
  return {
    of: Array.from(graph.keys(), (node) => found.communities[node]),
    count: found.count,
    modularity: found.modularity,
  };
}
