/** Networks on graphs: their data, sparse products, GCN, HGCN and HyboNet, training with early stopping. */
export { normalizeRows, withDegrees } from "../data/graphs/features.ts";
export type { GraphData, LinkSplit, NodeSplit, Pairs } from "../data/graphs/graph-data.ts";
export { type Hyperbolicity, hyperbolicity } from "../data/graphs/hyperbolicity.ts";
export { splitLinks, splitNodes, splitNodesOverlapping } from "../data/graphs/splits.ts";
export { type TreeGraphOptions, treeGraph } from "../data/synthetic/tree-graph.ts";
export { droppedInput } from "./dropped-input.ts";
export { lorentzFeatures } from "./lorentz-features.ts";
export { averagePrecision, type ClassScores, classScores, rocAuc } from "./metrics.ts";
export { type GraphModel, type GraphNetworkOptions, graphNetwork } from "./networks.ts";
export { normalizedAdjacency, type SparseMatrix } from "./sparse-matrix.ts";
export { sparseProduct } from "./sparse-product.ts";
export { type GraphTrainingOptions, type GraphTrainingResult, trainGraph } from "./train-graph.ts";
