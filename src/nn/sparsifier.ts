import type { Graph, Node, Value } from "../engine/graph.ts";
import type { FlatArrays } from "../engine/parameters.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Optimizer, OptimizerSpec, OptimizerTarget } from "./optimizers.ts";
import type { EpochRecord } from "./trainer.ts";

/** Where training stands when a sparsifier is called. */
export interface TrainingMoment {
  readonly parameters: FlatArrays;
  readonly gradients: FlatArrays;
  readonly optimizer: Optimizer;
  /** The learning rate of the step just taken. */
  readonly learningRate: number;
  /** Epoch, from 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps taken since the start of training. */
  readonly step: number;
}

/** Writes the gradient of the loss at other weights to `into`, both laid out as the parameters' `values`. Changes nothing else. */
export type GradientAt = (weights: Float32Array, into: Float32Array) => Promise<void>;

/** What an optimiser moves a parameter along, made of derivatives of the loss with respect to values of the graph. */
export interface Direction {
  readonly of: readonly Value[];
  from(gradients: readonly Value[]): Value;
}

/**
 * The joint through which every sparse method takes part in training, and the only one. All members but `name` are
 * optional: a method implements the points at which it acts.
 */
export interface Sparsifier {
  readonly name: string;
  /** Parameters whose weight decay the method applies itself; the optimiser leaves theirs out. */
  readonly ownsWeightDecay?: ReadonlySet<string>;
  /** What the graph reads in place of a stored parameter: a masked, factored or sampled weight. */
  reparameterize?(parameter: Value): Value | undefined;
  /** Builds something else in place of a node that reads such a weight; undefined keeps the node. `inputs` are values of `target`. */
  replaceNode?(node: Node, inputs: readonly (Value | undefined)[], target: Graph): Value[] | undefined;
  /** What inputs that the method added to the graph hold in the next step: seeds of noise, weights of a penalty. */
  feeds?(moment: Pick<TrainingMoment, "epoch" | "epochs" | "step">): Readonly<Record<string, Tensor>>;
  /** What the optimiser gets in place of the derivative of the loss with respect to a parameter. */
  direction?(parameter: Value): Direction | undefined;
  /** Factor on the learning rate of a parameter in the step about to be taken. */
  rate?(parameter: string): number;
  /** A term to add to the loss. */
  penalty?(graph: Graph): Value | undefined;
  /**
   * Takes the place of the trainer's own optimiser, or wraps what `own` makes of the `spec` that training was given.
   * Weight decay is 0 for what `ownsWeightDecay` names. `own` can be told to update, and keep state for, `only` some
   * parameters.
   */
  createOptimizer?(
    target: OptimizerTarget,
    own: (only?: (parameter: string) => boolean) => Optimizer,
    spec: OptimizerSpec,
  ): Optimizer;
  /** Called before the first step of each epoch; `gradientAt` is the mean over all its batches. */
  beforeEpoch?(moment: TrainingMoment, gradientAt: GradientAt): Promise<void> | void;
  /** Called before each step of the optimiser; may change the gradients. `gradientAt` is of the same batch. */
  beforeStep?(moment: TrainingMoment, gradientAt: GradientAt): Promise<void> | void;
  /** Called after each step of the optimiser: a proximal step, a re-masking. */
  afterStep?(moment: TrainingMoment): Promise<void> | void;
  /** Called after each epoch. May evaluate the network as it stands. */
  atBoundary?(moment: TrainingMoment, evaluate: () => Promise<Record<string, number>>): Promise<void> | void;
  /** Numbers for the metrics of the epoch. */
  metrics?(): Record<string, number>;
  /** Ends training after an epoch when it returns true. */
  stopWhen?(history: readonly EpochRecord[]): boolean;
  /** Called when training is over: puts plain weights into the model where the training graph stored something else. */
  finish?(): void;
  /** All that the method remembers, as JSON: saved in checkpoints. */
  state?(): unknown;
  restore?(state: unknown): void;
}
