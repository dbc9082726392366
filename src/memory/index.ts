/** An associative memory, its encoders and what it is compared with; needs nothing else of this package. */
export { createHopfieldMemory } from "./baselines/hopfield.ts";
export { createHtmMemory, createPoolerMemory } from "./baselines/htm/htm.ts";
export { createModernHopfieldMemory } from "./baselines/modern-hopfield.ts";
export { createNaiveBayesClassifier, createNaiveBayesMemory } from "./baselines/naive-bayes.ts";
export { createNearestMemory } from "./baselines/nearest.ts";
export type { PatternClassifier } from "./baselines/pattern-classifier.ts";
export type { PatternMemory } from "./baselines/pattern-memory.ts";
export { createRidgeClassifier, createRidgeMemory } from "./baselines/ridge.ts";
export type { SequenceMemory } from "./baselines/sequence-memory.ts";
export { createSparseDistributedMemory } from "./baselines/sparse-distributed.ts";
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
export { orientedEdges } from "./encoders/oriented-edges.ts";
export {
  categoryEncoder,
  type Encoder,
  encodeBits,
  joinEncoders,
  scalarEncoder,
  textEncoder,
} from "./encoders/values.ts";
export { neighbourMacs, patchFields, radiusFields } from "./fields.ts";
export {
  agreement,
  cellsOf,
  createMemory,
  type Memory,
  type MemoryOptions,
  memoryFromBytes,
} from "./memory.ts";
export { planField } from "./planner.ts";
export { PRESETS, type Rules } from "./rules.ts";
export { type LearningReport, watchLearning } from "./watch-learning.ts";
