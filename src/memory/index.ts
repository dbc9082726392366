/** An associative memory, its encoders and what it is compared with; needs nothing else of this package. */
export { createHopfieldMemory, type HopfieldOptions } from "./baselines/hopfield.ts";
export { createHtmMemory, createPoolerMemory, type HtmOptions } from "./baselines/htm/htm.ts";
export type { SpatialPoolerOptions } from "./baselines/htm/spatial-pooler.ts";
export { createModernHopfieldMemory } from "./baselines/modern-hopfield.ts";
export { createNaiveBayesClassifier, createNaiveBayesMemory } from "./baselines/naive-bayes.ts";
export { createNearestMemory, type NearestMemory } from "./baselines/nearest.ts";
export type { PatternClassifier } from "./baselines/pattern-classifier.ts";
export type { PatternMemory } from "./baselines/pattern-memory.ts";
export { createRidgeClassifier, createRidgeMemory } from "./baselines/ridge.ts";
export type { SequenceMemory } from "./baselines/sequence-memory.ts";
export {
  createSparseDistributedMemory,
  type SparseDistributedOptions,
} from "./baselines/sparse-distributed.ts";
export { createWillshawMemory } from "./baselines/willshaw.ts";
export { averageLinkage } from "./cluster.ts";
export { STEP_DECAY } from "./decay.ts";
export { strongestInputs } from "./decode.ts";
export { type Clip, clipsFromNpz } from "./encoders/clips.ts";
export {
  type GrayImage,
  imageEdges,
  imageSkeleton,
  resizeImage,
  videoEdges,
} from "./encoders/images.ts";
export { type OrientedEdgesOptions, orientedEdges } from "./encoders/oriented-edges.ts";
export {
  categoryEncoder,
  type Encoder,
  encodeBits,
  joinEncoders,
  type ScalarOptions,
  scalarEncoder,
  type TextOptions,
  textEncoder,
} from "./encoders/values.ts";
export { neighbourMacs, patchFields, radiusFields } from "./fields.ts";
export type { LabelField } from "./label-field.ts";
export type { NetworkOptions } from "./levels.ts";
export {
  agreement,
  type Classification,
  type ClassifyOptions,
  cellsOf,
  createMemory,
  type Memory,
  type MemoryOptions,
  type MemoryReport,
  memoryFromBytes,
  type RecallOptions,
} from "./memory.ts";
export type { Frame } from "./network.ts";
export { type Plan, planField } from "./planner.ts";
export { PRESETS, type Rules } from "./rules.ts";
export { type LearningReport, type LearningWatch, watchLearning } from "./watch-learning.ts";
