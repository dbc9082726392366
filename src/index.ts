/** Filigree's library, the part that runs everywhere. In Node.js `index.node.ts` adds files, downloads and run directories. */

export {
  type Augment,
  allocateBatch,
  type Batch,
  batchesInOrder,
  batchesOfEpoch,
  type Epoch,
} from "./data/batches.ts";
export { readCifar10 } from "./data/cifar.ts";
export type { Dataset, Scale, Split } from "./data/dataset.ts";
export { holdOut } from "./data/hold-out.ts";
export { readIdx } from "./data/idx.ts";
export { readNpy, writeNpy } from "./data/npy.ts";
export { readNpz, writeNpz } from "./data/npz.ts";
export { type Relations, readRelations } from "./data/relations.ts";
export { readSafetensors, type Safetensors, writeSafetensors } from "./data/safetensors.ts";
export { balancedTree } from "./data/synthetic/balanced-tree.ts";
export { type GlyphOptions, glyphs } from "./data/synthetic/glyphs.ts";
export { evaluate } from "./engine/evaluate.ts";
export { gradients } from "./engine/gradients.ts";
export * from "./engine/graph.ts";
export { type ExportOptions, exportModel } from "./engine/onnx/export.ts";
export { type ImportOptions, importModel } from "./engine/onnx/import.ts";
export * from "./engine/operators/index.ts";
export type { Numeric, Operand } from "./engine/operators/operator.ts";
export { type FlatArrays, flatArrays, flattenParameters } from "./engine/parameters.ts";
export { type ReplayOptions, rebatch, replay } from "./engine/replay.ts";
export { createSession, type Device, type Session, type SessionOptions } from "./engine/session.ts";
export { simplify } from "./engine/simplify.ts";
export { type ArrayOf, type DType, type Shape, type Tensor, tensor, zeros } from "./engine/tensor.ts";
export * from "./geometry/index.ts";
export { fnoConfig, gatConfig, gnsConfig, neuralMpmConfig } from "./giorom/baselines.ts";
export { chamferDistance } from "./giorom/chamfer.ts";
export {
  CONFIGS,
  type LatentConfig,
  type LiteOptions,
  liteConfig,
  type StepperConfig,
  transformerConfig,
} from "./giorom/config.ts";
export {
  type DecodeOptions,
  type Decoder,
  type FrameDecoder,
  frameDecoder,
} from "./giorom/decoders/decode-frames.ts";
export {
  DECODER_NETWORKS,
  type DecoderFile,
  type DecoderNetwork,
  openDecoderFile,
  trainDecoderNetwork,
} from "./giorom/decoders/decoder-file.ts";
export {
  type FrameNetwork,
  type FrameNetworkDecoder,
  openFrameNetwork,
  trainFrameNetwork,
} from "./giorom/decoders/frame-network.ts";
export {
  type DecoderTrainingOptions,
  type KernelDecoder,
  openKernelDecoder,
  trainKernelDecoder,
} from "./giorom/decoders/kernel-decoder.ts";
export { subspaceModes, trainSubspace } from "./giorom/decoders/neural-subspace.ts";
export { type BakedDecoder, bakeRows, type Rows } from "./giorom/decoders/rows.ts";
export { type SplatOptions, splatRows } from "./giorom/decoders/splat.ts";
export { bakeModes, type Modes, orthogonalModes } from "./giorom/decoders/subspace.ts";
export {
  type Geometry,
  inverseDistanceRows,
  movingLeastSquaresRows,
  nearestRows,
} from "./giorom/decoders/weightings.ts";
export type { Positions, Window } from "./giorom/features.ts";
export type { FnoOptions } from "./giorom/fno.ts";
export { defaultLatentRadius, type LatentGrid, latentGrid } from "./giorom/latent-grid.ts";
export type { OperatorTransformerOptions } from "./giorom/operator-transformer.ts";
export {
  type RolloutOptions,
  relativeL2,
  rollout,
  rolloutError,
  rolloutTrajectory,
} from "./giorom/rollout.ts";
export { ballistic, constantVelocity, type Predictor, type Rule, staticRule } from "./giorom/rules.ts";
export { type Coverage, connectivityRadius, coverageOf, pick } from "./giorom/sample.ts";
export type { Setting } from "./giorom/setting.ts";
export { openSimulator, type Simulator, type SimulatorOptions } from "./giorom/simulator.ts";
export type { StepperDescription } from "./giorom/stepper-file.ts";
export { type TrainedStepper, type TrainStepperOptions, trainStepper } from "./giorom/train-stepper.ts";
export type { UnetOptions } from "./giorom/unet.ts";
export type { SparseTrajectory } from "./giorom/windows.ts";
export * from "./graphs/index.ts";
export { type Svd, svd } from "./linalg/svd.ts";
export * from "./memory/index.ts";
export { type BleuOptions, corpusBleu, type Sentence } from "./nn/bleu.ts";
export {
  type ClassificationOptions,
  classification,
  classificationSource,
  type Evaluation,
  evaluateClassifier,
  fittingTemperature,
} from "./nn/classification.ts";
export {
  bestEpoch,
  type EarlyStoppingOptions,
  outOfPatience,
  restoreWeights,
  snapshotWeights,
} from "./nn/early-stopping.ts";
export { createGenerator, type GenerateOptions, type Generator } from "./nn/generate.ts";
export {
  constantFill,
  type Initializer,
  kaimingNormal,
  normal,
  uniformFanIn,
  xavierUniform,
} from "./nn/initializers.ts";
export {
  nextToken,
  type TokenCost,
  type TokenSourceOptions,
  type Tokens,
  tokenCost,
  tokenSource,
} from "./nn/language-model.ts";
export { type Layers, layers } from "./nn/layers.ts";
export { cachedDecoder } from "./nn/models/cached-decoder.ts";
export { DECODER_SIZES, type DecoderOptions, decoder } from "./nn/models/decoder.ts";
export { type DensenetOptions, densenet } from "./nn/models/densenet.ts";
export { MODELS } from "./nn/models/index.ts";
export { type LenetOptions, lenet } from "./nn/models/lenet.ts";
export { mlp } from "./nn/models/mlp.ts";
export { type MobilenetOptions, mobilenetV1, mobilenetV2 } from "./nn/models/mobilenet.ts";
export type { ModelBuilder, ModelOptions } from "./nn/models/model.ts";
export type { PublishedConfig } from "./nn/models/published-config.ts";
export { decoderFromSafetensors, type PublishedDecoderOptions } from "./nn/models/published-decoder.ts";
export { type ResnetOptions, resnet } from "./nn/models/resnet.ts";
export { smallCnn } from "./nn/models/small-cnn.ts";
export { type TransformerOptions, transformer } from "./nn/models/transformer.ts";
export { type TranslatorOptions, translator } from "./nn/models/translator.ts";
export { type Vgg16Options, type VggOptions, vgg, vgg16 } from "./nn/models/vgg.ts";
export {
  createOptimizer,
  type Optimizer,
  type OptimizerSpec,
  type OptimizerTarget,
} from "./nn/optimizers.ts";
export { evaluatePredictive, type Predictive, type PredictiveOptions } from "./nn/predictive.ts";
export { regression, regressionSource, squaredError } from "./nn/regression.ts";
export { sacreBleu } from "./nn/sacre-bleu.ts";
export { createSchedule, type Schedule, type ScheduleSpec } from "./nn/schedules.ts";
export type { Direction, GradientAt, Sparsifier, TrainingMoment } from "./nn/sparsifier.ts";
export {
  type EpochRecord,
  type StepProgress,
  type TrainingResult,
  type TrainingSnapshot,
  type TrainingSource,
  type TrainOptions,
  train,
} from "./nn/trainer.ts";
export {
  createTrainingStep,
  type Objective,
  type TrainingGraph,
  type TrainingStep,
  type TrainingStepOptions,
  trainingGraph,
} from "./nn/training-step.ts";
export { MATERIAL_NAMES, MATERIALS, type Material, type MaterialName } from "./physics/materials.ts";
export { type NearestNeighbors, nearestNeighbors } from "./physics/nearest-neighbors.ts";
export type { Body, Dim, Particles } from "./physics/particles.ts";
export { countComponents, type Neighbors, radiusNeighbors } from "./physics/radius-graph.ts";
export { type Recording, type RecordingOptions, startRecording } from "./physics/recording.ts";
export { farthestPoints, randomPoints } from "./physics/sampling.ts";
export { drawScene, type Scene, type SceneName, type SceneOptions } from "./physics/scene.ts";
export {
  type BodyState,
  createSimulation,
  type Simulation,
  type SimulationOptions,
} from "./physics/simulation.ts";
export { type MotionStatistics, poolStatistics } from "./physics/statistics.ts";
export type { Walls } from "./physics/step.ts";
export type { TrajectoryMetadata } from "./physics/trajectory.ts";
export { Problem } from "./problem.ts";
export { type Random, random } from "./random.ts";
export { type KeepCounts, withinBudget } from "./runs/budget.ts";
export type { FastestForm } from "./runs/fastest-form.ts";
export type { InputScale } from "./runs/input-scale.ts";
export { type LatencyModel, type LatencyOptions, measureLatency } from "./runs/latency.ts";
export { measureLayers } from "./runs/layer-latency.ts";
export { layersWithin } from "./runs/layers-within.ts";
export { METHODS, type MethodName } from "./runs/methods.ts";
export {
  IMPORTANCES,
  type Importance,
  type PrunedLayer,
  type PrunedModel,
  type PruneOptions,
  pruneModel,
} from "./runs/prune.ts";
export type { RunResult } from "./runs/run-result.ts";
export { type TimedLayer, type TimingOptions, truncateByLatency } from "./runs/spectral-forms.ts";
export {
  type QuantizedModel,
  type QuantizedTrainingOptions,
  trainQuantized,
} from "./runs/train-quantized.ts";
export { accountModel, type ModelCost } from "./sparsity/accounting.ts";
export { peakActivationBytes } from "./sparsity/activations.ts";
export { alignChannels } from "./sparsity/align.ts";
export type { Allowance } from "./sparsity/allowance.ts";
export type { Kept } from "./sparsity/channels/kept.ts";
export {
  analyzeChannels,
  type ChannelAnalysis,
  type ChannelMember,
  type ChannelStream,
  type PartitionOptions,
  streamPartition,
} from "./sparsity/channels.ts";
export {
  isPacked,
  type PackedModel,
  type PackedTensor,
  type PackOptions,
  packModel,
  quantizeModel,
  unpackModel,
} from "./sparsity/encoding/packed-model.ts";
export { clusteredValues, posteriorStep, type Quantized } from "./sparsity/encoding/quantize.ts";
export { createQuantizedTraining } from "./sparsity/encoding/quantized-training.ts";
export { type ColumnChoice, fewerColumns } from "./sparsity/fewer-columns.ts";
export { foldBatchNorm } from "./sparsity/fold-batch-norm.ts";
export { type FoldedConstants, foldConstants } from "./sparsity/fold-constants.ts";
export type { ResidualBranch } from "./sparsity/groups/branches.ts";
export type { CustomGroups } from "./sparsity/groups/custom.ts";
export type { GroupSet } from "./sparsity/groups/group-set.ts";
export { findGroups, GROUP_KINDS, type GroupChoice, type GroupKind } from "./sparsity/groups/kinds.ts";
export { createLedger, type Ledger, type Measure } from "./sparsity/groups/ledger.ts";
export {
  type Arrays,
  type GroupPart,
  type GroupPartition,
  groupNorms,
  groupSizes,
  type LabelledPart,
  zeroGroups,
} from "./sparsity/groups.ts";
export {
  createKAnneal,
  type GroupedLayer,
  type KAnneal,
  type KAnnealOptions,
  type LayerOutcome,
} from "./sparsity/k-anneal.ts";
export type { Commit } from "./sparsity/k-anneal-state.ts";
export { type ConvolutionLayout, findWeights, type LineShape, type WeightLayout } from "./sparsity/lines.ts";
export { type LayerPattern, patternReport, usedMacs } from "./sparsity/pattern-report.ts";
export { type IndexBits, type Pattern, type PatternStatistics, patternStatistics } from "./sparsity/runs.ts";
export { shrink } from "./sparsity/shrink.ts";
export { shrinkZeros, type ZeroShrinkResult } from "./sparsity/shrink-zeros.ts";
export type { LayerChoice, SparsePlan } from "./sparsity/sparse/choose.ts";
export {
  createSparseSession,
  type SparseSession,
  type SparseSessionOptions,
} from "./sparsity/sparse/session.ts";
export { applyAdapter } from "./sparsity/spectral/adapter.ts";
export { inputMoments, type SecondMoments } from "./sparsity/spectral/calibrate.ts";
export type { Footprint, Measured } from "./sparsity/spectral/footprint.ts";
export { createGalore, type GaloreOptions } from "./sparsity/spectral/galore.ts";
export { type LinearMap, linearMaps } from "./sparsity/spectral/linear-maps.ts";
export {
  type Adapters,
  createDora,
  createLora,
  createRelora,
  type LoraOptions,
  type ReloraOptions,
} from "./sparsity/spectral/lora.ts";
export type { SpectralOptions } from "./sparsity/spectral/options.ts";
export { adapterFromPeft, adapterToPeft } from "./sparsity/spectral/peft.ts";
export {
  createRankMethod,
  RANK_METHODS,
  type RankMethod,
  type RankOptions,
  type RankTraining,
} from "./sparsity/spectral/rank-methods.ts";
export type { Sampler } from "./sparsity/spectral/samplers.ts";
export {
  createSpectralTraining,
  type SpectralLayer,
  type SpectralTraining,
} from "./sparsity/spectral/spectral-training.ts";
export {
  type TruncatedLayer,
  type TruncateOptions,
  type TruncationRule,
  truncateSpectra,
} from "./sparsity/spectral/truncate.ts";
export type { Visits } from "./sparsity/spectral/visits.ts";
export { circularity } from "./sparsity/tickets/circularity.ts";
export {
  type CurvePoint,
  createDetector,
  type DetectorOptions,
  type GrokDetector,
  type GrokTimes,
  grokTimes,
} from "./sparsity/tickets/detector.ts";
export { digitsLesson } from "./sparsity/tickets/digits.ts";
export { createEdgePopup, type EdgePopup, type EdgePopupOptions } from "./sparsity/tickets/edge-popup.ts";
export { exactCrossEntropy } from "./sparsity/tickets/exact-cross-entropy.ts";
export { fourierEntropy, powerShares, rowSpectra } from "./sparsity/tickets/fourier.ts";
export {
  type Adjacency,
  averageDegree,
  averagePathLength,
  bipartite,
  bipartiteClustering,
  expansion,
  localClustering,
} from "./sparsity/tickets/graph-measures.ts";
export { type GrokRun, type GrokRunOptions, grokRun } from "./sparsity/tickets/grok-run.ts";
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
  type Scores,
  shuffleMasks,
  type Weights,
  weightsOf,
} from "./sparsity/tickets/masks.ts";
export { type ModularMlpOptions, modularMlp } from "./sparsity/tickets/modular-mlp.ts";
export {
  type ModularTransformerOptions,
  modularTransformer,
} from "./sparsity/tickets/modular-transformer.ts";
export {
  createNetworkSurgery,
  type NetworkSurgery,
  type NetworkSurgeryOptions,
} from "./sparsity/tickets/network-surgery.ts";
export { normRatios, norms, scaleWeights } from "./sparsity/tickets/norms.ts";
export { plainMlp } from "./sparsity/tickets/plain-mlp.ts";
export { polynomialLesson } from "./sparsity/tickets/polynomial.ts";
export { type Pruner, type Pruning, pruneWhileTraining } from "./sparsity/tickets/prune-while-training.ts";
export { type IterativePruningOptions, iterativePruning, signedConstant } from "./sparsity/tickets/rewind.ts";
export {
  type GraspOptions,
  graspScores,
  type SaliencyOptions,
  snipScores,
  synflowMasks,
  synflowScores,
} from "./sparsity/tickets/saliency.ts";
export { effectiveRank, singularValues } from "./sparsity/tickets/singular.ts";
export { smallerTicket } from "./sparsity/tickets/smaller-ticket.ts";
export {
  createTask,
  splitTask,
  TASKS,
  type Task,
  type TaskName,
  type TaskSplit,
} from "./sparsity/tickets/tasks.ts";
export { type TokenWaves, tokenWaves } from "./sparsity/tickets/token-waves.ts";
export { createTrace } from "./sparsity/tickets/trace.ts";
export {
  type ShrunkTraining,
  type TrainShrinkingOptions,
  trainShrinking,
} from "./sparsity/train-shrinking.ts";
export { type BcGnjOptions, createBcGnj } from "./sparsity/turbo-vbi/baselines/bc-gnj.ts";
export type { NoiseSelectionOptions } from "./sparsity/turbo-vbi/baselines/noise-selection.ts";
export { createSparseVd } from "./sparsity/turbo-vbi/baselines/sparse-vd.ts";
export { createVibNet } from "./sparsity/turbo-vbi/baselines/vibnet.ts";
export { likeliestWeights, likelyWeights } from "./sparsity/turbo-vbi/choose.ts";
export { type Deviations, survivingDeviations } from "./sparsity/turbo-vbi/deviations.ts";
export {
  fitLinear,
  type LinearModel,
  type LinearOptions,
  type LinearPosterior,
} from "./sparsity/turbo-vbi/linear.ts";
export type { ModuleAOptions, Variant } from "./sparsity/turbo-vbi/module-a.ts";
export type { Posterior, PosteriorSparsifier } from "./sparsity/turbo-vbi/posterior.ts";
export { type PrecisionPrior, precisionPrior } from "./sparsity/turbo-vbi/precision-prior.ts";
export { type ChainSpec, createPrior, type PriorSpec } from "./sparsity/turbo-vbi/priors/kinds.ts";
export { type Messages, type SupportPrior, sendMessages } from "./sparsity/turbo-vbi/priors/prior.ts";
export type { Supports } from "./sparsity/turbo-vbi/supports.ts";
export { createTurboVbi, type TurboVbiLayer, type TurboVbiOptions } from "./sparsity/turbo-vbi/turbo-vbi.ts";
export { type Certificate, fenchelGap, proxCertificate } from "./sparsity/wgsef/certificate.ts";
export { type DebiasedStep, debiasedProxFactors } from "./sparsity/wgsef/debiased.ts";
export { applyProx, type ProxResult, type ProxStep, proxFactors } from "./sparsity/wgsef/prox.ts";
export { type Wgsef, type WgsefValue, wgsefConjugate, wgsefValue } from "./sparsity/wgsef/value.ts";
export { type BytePairOptions, trainBytePairs } from "./text/byte-pairs.ts";
export { createTokenizer, type Tokenizer, type TokenizerFile } from "./text/tokenizer.ts";
