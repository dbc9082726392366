/** Hyperbolic geometry: on the graph (lorentz…, poincare…), on plain arrays (…Points), layers, decoders, optimisers. */
export { type Curvature, learnableCurvature } from "./curvature.ts";
export * from "./decoders.ts";
export { type DiskOptions, drawDisk } from "./disk.ts";
export { euclideanPoints } from "./euclidean-points.ts";
export { drawHierarchy } from "./hierarchy-disk.ts";
export * from "./lorentz.ts";
export { type LorentzAttentionOptions, lorentzAttention } from "./lorentz-attention.ts";
export * from "./lorentz-layers.ts";
export { lorentzPoints } from "./lorentz-points.ts";
export type { Manifold, Space, Vector } from "./manifold.ts";
export * from "./poincare.ts";
export { type PoincarePointsOptions, poincarePoints } from "./poincare-points.ts";
export { createRiemannianOptimizer } from "./riemannian-optimizer.ts";
export * from "./tree-embedding.ts";
