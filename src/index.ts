/** Filigree's library, the part that runs everywhere. In Node.js `index.node.ts` adds files, downloads and run directories. */
export { type Augment, allocateBatch, type Batch, batchesInOrder, batchesOfEpoch } from "./data/batches.ts";
export type { Dataset, Scale, Split } from "./data/dataset.ts";
export { holdOut } from "./data/hold-out.ts";
export { readIdx } from "./data/idx.ts";
export { readNpy, writeNpy } from "./data/npy.ts";
export { readNpz, writeNpz } from "./data/npz.ts";
export { type Relations, readRelations } from "./data/relations.ts";
export { readSafetensors, writeSafetensors } from "./data/safetensors.ts";
export { balancedTree } from "./data/synthetic/balanced-tree.ts";
export { glyphs } from "./data/synthetic/glyphs.ts";
export { evaluate } from "./engine/evaluate.ts";
export { gradients } from "./engine/gradients.ts";
export * from "./engine/graph.ts";
export { exportModel } from "./engine/onnx/export.ts";
export { type ImportOptions, importModel } from "./engine/onnx/import.ts";
export * from "./engine/operators/index.ts";
export { type FlatArrays, flatArrays, flattenParameters } from "./engine/parameters.ts";
export { rebatch, replay } from "./engine/replay.ts";
export { createSession, type Device, type Session, type SessionOptions } from "./engine/session.ts";
export { simplify } from "./engine/simplify.ts";
export { type DType, type Shape, type Tensor, tensor, zeros } from "./engine/tensor.ts";
export * from "./geometry/index.ts";
export { fnoConfig, gatConfig, gnsConfig, neuralMpmConfig } from "./giorom/baselines.ts";
export { CONFIGS, type LiteOptions, liteConfig, type StepperConfig } from "./giorom/config.ts";
export { type DecodeOptions, type FrameDecoder, frameDecoder } from "./giorom/decoders/decode-frames.ts";
export { openFrameNetwork, trainFrameNetwork } from "./giorom/decoders/frame-network.ts";
export {
  type KernelDecoder,
  openKernelDecoder,
  trainKernelDecoder,
} from "./giorom/decoders/kernel-decoder.ts";
export { subspaceModes, trainSubspace } from "./giorom/decoders/neural-subspace.ts";
export { type BakedDecoder, bakeRows, type Rows } from "./giorom/decoders/rows.ts";
export { splatRows } from "./giorom/decoders/splat.ts";
export { bakeModes, orthogonalModes } from "./giorom/decoders/subspace.ts";
export {
  type Geometry,
  inverseDistanceRows,
  movingLeastSquaresRows,
  nearestRows,
} from "./giorom/decoders/weightings.ts";
export { defaultLatentRadius, latentGrid } from "./giorom/latent-grid.ts";
export { rollout, rolloutError } from "./giorom/rollout.ts";
export { ballistic, constantVelocity, type Predictor, staticRule } from "./giorom/rules.ts";
export { connectivityRadius, coverageOf, pick } from "./giorom/sample.ts";
export type { Setting } from "./giorom/setting.ts";
export { openSimulator, type Simulator } from "./giorom/simulator.ts";
export { type TrainStepperOptions, trainStepper } from "./giorom/train-stepper.ts";
export type { SparseTrajectory } from "./giorom/windows.ts";
export * from "./graphs/index.ts";
export { type Svd, svd } from "./linalg/svd.ts";
export * from "./memory/index.ts";
export { type BleuOptions, corpusBleu } from "./nn/bleu.ts";
export { classification, classificationSource, evaluateClassifier } from "./nn/classification.ts";
export {
  bestEpoch,
  type EarlyStoppingOptions,
  outOfPatience,
  restoreWeights,
  snapshotWeights,
} from "./nn/early-stopping.ts";
export {
  createGenerator,
  type GenerateOptions,
  type Generator,
} from "./nn/generate.ts";
export { layers } from "./nn/layers.ts";
export { cachedDecoder } from "./nn/models/cached-decoder.ts";
export { DECODER_SIZES, type DecoderOptions, decoder } from "./nn/models/decoder.ts";
export { MODELS } from "./nn/models/index.ts";
export { lenet } from "./nn/models/lenet.ts";
export { mlp } from "./nn/models/mlp.ts";
export { resnet } from "./nn/models/resnet.ts";
export { smallCnn } from "./nn/models/small-cnn.ts";
export { transformer } from "./nn/models/transformer.ts";
export { type TranslatorOptions, translator } from "./nn/models/translator.ts";
export { vgg } from "./nn/models/vgg.ts";
export {
  createOptimizer,
  type Optimizer,
  type OptimizerSpec,
  type OptimizerTarget,
} from "./nn/optimizers.ts";
export { evaluatePredictive, type Predictive, type PredictiveOptions } from "./nn/predictive.ts";
export { regression, regressionSource, squaredError } from "./nn/regression.ts";
export { sacreBleu } from "./nn/sacre-bleu.ts";
export { createSchedule, type ScheduleSpec } from "./nn/schedules.ts";
export type { GradientAt, Sparsifier, TrainingMoment } from "./nn/sparsifier.ts";
export {
  type EpochRecord,
  type StepProgress,
  type TrainingResult,
  type TrainingSnapshot,
  type TrainingSource,
  type TrainOptions,
  train,
} from "./nn/trainer.ts";
export { createTrainingStep, type Objective, trainingGraph } from "./nn/training-step.ts";
export { MATERIAL_NAMES, MATERIALS, type Material, type MaterialName } from "./physics/materials.ts";
export { type NearestNeighbors, nearestNeighbors } from "./physics/nearest-neighbors.ts";
export type { Body, Dim, Particles } from "./physics/particles.ts";
export { countComponents, type Neighbors, radiusNeighbors } from "./physics/radius-graph.ts";
export { type Recording, type RecordingOptions, startRecording } from "./physics/recording.ts";
export { farthestPoints, randomPoints } from "./physics/sampling.ts";
export { drawScene, type SceneOptions } from "./physics/scene.ts";
export { createSimulation, type Simulation, type SimulationOptions } from "./physics/simulation.ts";
export { type MotionStatistics, poolStatistics } from "./physics/statistics.ts";
export { Problem } from "./problem.ts";
export { random } from "./random.ts";
export { withinBudget } from "./runs/budget.ts";
export { measureLatency } from "./runs/latency.ts";
export { measureLayers } from "./runs/layer-latency.ts";
export { layersWithin } from "./runs/layers-within.ts";
export { METHODS, type MethodName } from "./runs/methods.ts";
export { truncateByLatency } from "./runs/spectral-forms.ts";
export { accountModel } from "./sparsity/accounting.ts";
export { peakActivationBytes } from "./sparsity/activations.ts";
export { alignChannels } from "./sparsity/align.ts";
export type { Allowance } from "./sparsity/allowance.ts";
export { analyzeChannels, streamPartition } from "./sparsity/channels.ts";
export {
  isPacked,
  type PackedModel,
  type PackedTensor,
  type PackOptions,
  packModel,
  unpackModel,
} from "./sparsity/encoding/packed-model.ts";
export { posteriorStep } from "./sparsity/encoding/quantize.ts";
export { type ColumnChoice, fewerColumns } from "./sparsity/fewer-columns.ts";
export { foldBatchNorm } from "./sparsity/fold-batch-norm.ts";
export { type FoldedConstants, foldConstants } from "./sparsity/fold-constants.ts";
export type { GroupSet } from "./sparsity/groups/group-set.ts";
export { findGroups, GROUP_KINDS, type GroupChoice, type GroupKind } from "./sparsity/groups/kinds.ts";
export { createLedger, type Ledger, type Measure } from "./sparsity/groups/ledger.ts";
export type { GroupPartition } from "./sparsity/groups.ts";
export {
  createKAnneal,
  type GroupedLayer,
  type KAnneal,
  type KAnnealOptions,
  type LayerOutcome,
} from "./sparsity/k-anneal.ts";
export { type ConvolutionLayout, findWeights, type LineShape, type WeightLayout } from "./sparsity/lines.ts";
export { type LayerPattern, patternReport } from "./sparsity/pattern-report.ts";
export { type IndexBits, type Pattern, type PatternStatistics, patternStatistics } from "./sparsity/runs.ts";
export { shrink } from "./sparsity/shrink.ts";
export { shrinkZeros } from "./sparsity/shrink-zeros.ts";
export type { LayerChoice, SparsePlan } from "./sparsity/sparse/choose.ts";
export {
  createSparseSession,
  type SparseSession,
  type SparseSessionOptions,
} from "./sparsity/sparse/session.ts";
export { applyAdapter } from "./sparsity/spectral/adapter.ts";
export { inputMoments } from "./sparsity/spectral/calibrate.ts";
export type { Footprint } from "./sparsity/spectral/footprint.ts";
export { createGalore } from "./sparsity/spectral/galore.ts";
export { linearMaps } from "./sparsity/spectral/linear-maps.ts";
export {
  type Adapters,
  createDora,
  createLora,
  createRelora,
  type LoraOptions,
} from "./sparsity/spectral/lora.ts";
export type { SpectralOptions } from "./sparsity/spectral/options.ts";
export { createRankMethod, RANK_METHODS, type RankMethod } from "./sparsity/spectral/rank-methods.ts";
export { createSpectralTraining, type SpectralTraining } from "./sparsity/spectral/spectral-training.ts";
export { type TruncationRule, truncateSpectra } from "./sparsity/spectral/truncate.ts";
export type { Visits } from "./sparsity/spectral/visits.ts";
export { circularity } from "./sparsity/tickets/circularity.ts";
export { createDetector, type GrokTimes, grokTimes } from "./sparsity/tickets/detector.ts";
export { createEdgePopup } from "./sparsity/tickets/edge-popup.ts";
export { exactCrossEntropy } from "./sparsity/tickets/exact-cross-entropy.ts";
export { fourierEntropy } from "./sparsity/tickets/fourier.ts";
export {
  type Adjacency,
  averageDegree,
  averagePathLength,
  bipartite,
  bipartiteClustering,
  expansion,
  localClustering,
} from "./sparsity/tickets/graph-measures.ts";
export { type GrokRun, grokRun } from "./sparsity/tickets/grok-run.ts";
export { holdMasks } from "./sparsity/tickets/hold-masks.ts";
export { type Lesson, modularLesson } from "./sparsity/tickets/lesson.ts";
export { decodeMasks, encodeMasks } from "./sparsity/tickets/mask-file.ts";
export {
  composeMasks,
  density,
  jaccardDistance,
  keepLargest,
  loadWeights,
  type Masks,
  magnitudeMasks,
  maskWeights,
  prunable,
  randomMasks,
  shuffleMasks,
  type Weights,
  weightsOf,
} from "./sparsity/tickets/masks.ts";
export { modularMlp } from "./sparsity/tickets/modular-mlp.ts";
export { modularTransformer } from "./sparsity/tickets/modular-transformer.ts";
export { normRatios, norms, scaleWeights } from "./sparsity/tickets/norms.ts";
export { type Pruner, type Pruning, pruneWhileTraining } from "./sparsity/tickets/prune-while-training.ts";
export { iterativePruning, signedConstant } from "./sparsity/tickets/rewind.ts";
export { graspScores, snipScores, synflowMasks, synflowScores } from "./sparsity/tickets/saliency.ts";
export { effectiveRank } from "./sparsity/tickets/singular.ts";
export { smallerTicket } from "./sparsity/tickets/smaller-ticket.ts";
export { createTask, splitTask, TASKS } from "./sparsity/tickets/tasks.ts";
export { type TokenWaves, tokenWaves } from "./sparsity/tickets/token-waves.ts";
export { type TrainShrinkingOptions, trainShrinking } from "./sparsity/train-shrinking.ts";
export { type BcGnjOptions, createBcGnj } from "./sparsity/turbo-vbi/baselines/bc-gnj.ts";
export type { NoiseSelectionOptions } from "./sparsity/turbo-vbi/baselines/noise-selection.ts";
export { createSparseVd } from "./sparsity/turbo-vbi/baselines/sparse-vd.ts";
export { createVibNet } from "./sparsity/turbo-vbi/baselines/vibnet.ts";
export { likeliestWeights, likelyWeights } from "./sparsity/turbo-vbi/choose.ts";
export { type Deviations, survivingDeviations } from "./sparsity/turbo-vbi/deviations.ts";
export { fitLinear, type LinearModel, type LinearOptions } from "./sparsity/turbo-vbi/linear.ts";
export type { Variant } from "./sparsity/turbo-vbi/module-a.ts";
export type { Posterior, PosteriorSparsifier } from "./sparsity/turbo-vbi/posterior.ts";
export { type PrecisionPrior, precisionPrior } from "./sparsity/turbo-vbi/precision-prior.ts";
export { createPrior, type PriorSpec } from "./sparsity/turbo-vbi/priors/kinds.ts";
export { type SupportPrior, sendMessages } from "./sparsity/turbo-vbi/priors/prior.ts";
export {
  createTurboVbi,
  type TurboVbiLayer,
  type TurboVbiOptions,
} from "./sparsity/turbo-vbi/turbo-vbi.ts";
export { fenchelGap, proxCertificate } from "./sparsity/wgsef/certificate.ts";
export { debiasedProxFactors } from "./sparsity/wgsef/debiased.ts";
export { applyProx, proxFactors } from "./sparsity/wgsef/prox.ts";
export { wgsefConjugate, wgsefValue } from "./sparsity/wgsef/value.ts";
export { type BytePairOptions, trainBytePairs } from "./text/byte-pairs.ts";
export { createTokenizer, type Tokenizer, type TokenizerFile } from "./text/tokenizer.ts";
