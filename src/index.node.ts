/** Filigree's library in Node.js: all of `index.ts`, and what needs files. */
export { type HgcnGraph, readHgcn } from "./data/graphs/hgcn.node.ts";
export { loadImageFolder } from "./data/image-folder.node.ts";
export { type LoadOptions, loadDataset } from "./data/load.node.ts";
export * from "./index.ts";
export { listCheckpoints, loadCheckpoint, saveCheckpoint } from "./runs/checkpoint.node.ts";
export { type CompressResult, compress } from "./runs/compress.node.ts";
export type { CompressRequest } from "./runs/compress-request.ts";
export { executeRun } from "./runs/execute-run.node.ts";
export { type PackReport, packFile, unpackFile } from "./runs/pack.node.ts";
export { openParticles, type ParticleFile, saveRecording } from "./runs/particle-file.node.ts";
export { simulateParticleSet } from "./runs/particle-set.node.ts";
export { type PruneFileOptions, type PruneResult, pruneFile } from "./runs/prune-file.node.ts";
export { parseRecipe, type Recipe } from "./runs/recipe.ts";
export { loadMemory, saveMemory } from "./runs/saved-memory.node.ts";
export { type Communities, communities } from "./sparsity/tickets/communities.ts";
