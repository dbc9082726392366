/** Filigree's library in Node.js: all of `index.ts`, and what needs files. */

export { type HgcnGraph, readHgcn } from "./data/graphs/hgcn.node.ts";
export { type ImageFolderOptions, loadImageFolder } from "./data/image-folder.node.ts";
export { type LoadOptions, loadDataset } from "./data/load.node.ts";
export * from "./index.ts";
export { listCheckpoints, loadCheckpoint, saveCheckpoint } from "./runs/checkpoint.node.ts";
export {
  type BeforeAfter,
  type Compression,
  type CompressOptions,
  type CompressResult,
  compress,
} from "./runs/compress.node.ts";
export type { CompressRequest, GroupRequest, PosteriorRequest } from "./runs/compress-request.ts";
export { executeRun, type RunOptions } from "./runs/execute-run.node.ts";
export { type PackFileOptions, type PackReport, packFile, unpackFile } from "./runs/pack.node.ts";
export {
  listTrajectories,
  openParticles,
  type ParticleFile,
  type SaveOptions,
  saveRecording,
} from "./runs/particle-file.node.ts";
export {
  type ParticleSetOptions,
  type ParticleSetResult,
  simulateParticleSet,
} from "./runs/particle-set.node.ts";
export { loadPosterior, savePosterior } from "./runs/posterior-file.node.ts";
export { type PruneFileOptions, type PruneResult, pruneFile } from "./runs/prune-file.node.ts";
export {
  type LowMemoryRecipe,
  type PosteriorRecipe,
  parseRecipe,
  type Recipe,
  type RecipeDefaults,
  type SparsifierRecipe,
} from "./runs/recipe.ts";
export { loadMemory, saveMemory } from "./runs/saved-memory.node.ts";
export { type Communities, communities } from "./sparsity/tickets/communities.ts";
