import { LineCounter, parseDocument, stringify } from "yaml";
import type { Device } from "../engine/session.ts";
import type { OptimizerSpec } from "../nn/optimizers.ts";
import type { ScheduleSpec } from "../nn/schedules.ts";
import { Problem } from "../problem.ts";
import type { ADAPTIVE_METRICS } from "../sparsity/adaptive-metric.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import type { Sampler } from "../sparsity/spectral/samplers.ts";
import type { Variant } from "../sparsity/turbo-vbi/module-a.ts";
import type { PriorSpec } from "../sparsity/turbo-vbi/priors/kinds.ts";
import type { InputScale } from "./input-scale.ts";
import type { MethodName, PosteriorMethod } from "./methods.ts";
import { readRecipe } from "./recipe-schema.ts";
import type { Path } from "./schema.ts";

/** Everything that decides what a training run computes. As YAML it is the file `recipe.yaml`. */
export interface Recipe {
  /** Name of the run and of its directory. */
  name: string;
  /** A built-in model by name, or the path of an .onnx file whose weights are the start; from where the command runs. */
  model: string;
  /** A data set by name, or the path of an .npz file or of a folder of images. */
  data: string;
  /** Share of the training samples, chosen by the seed, that is held out: what is tried out is chosen by these, not by the test set. */
  validation: number;
  inputScale: InputScale;
  epochs: number;
  /** Samples a step. */
  batch: number;
  optimizer: OptimizerSpec;
  learningRate: number;
  schedule: ScheduleSpec;
  /** Steps of linear warm-up of the learning rate. */
  warmup: number;
  weightDecay: number;
  /** Largest Euclidean norm of the gradient; null: no limit. */
  clipNorm: number | null;
  labelSmoothing: number;
  /** What logits are divided by in the loss. */
  temperature: number;
  /** Pixels by which training images are shifted at random, and whether they are mirrored. */
  augment: { crop: number; flip: boolean };
  /** Decides initial weights, order of samples and augmentation. */
  seed: number;
  /** Threads of ONNX Runtime. Another number may round differently. */
  threads: number;
  device: Device;
  /** Steps between checkpoints; there is one after every epoch in any case. */
  saveEvery: number;
  sparsifier: SparsifierRecipe | null;
  /** Single weights go, by their posteriors, instead of groups; null: they stay. */
  posterior: PosteriorRecipe | null;
  /** Training keeps gradients and moments for less than every weight; null: for all. */
  lowMemory: LowMemoryRecipe | null;
  /** Training ends once held-out samples gain nothing any more; absent: after all epochs. */
  earlyStopping?: EarlyStoppingRecipe;
  /** Versions of the software that the run was started with. */
  versions: Record<string, string>;
}

/** Exactly so many groups a layer are to survive; see `KAnnealOptions`. */
export interface SparsifierRecipe {
  method: MethodName;
  /** What a group is: a kind by name, or lists of elements by parameter. */
  groups: GroupChoice;
  /** Layers that keep all their groups. */
  exclude: readonly string[];
  /** Groups to keep by layer, or the share of every layer's groups; null where there is a budget. */
  keep: number | Record<string, number> | null;
  /** What the whole network may cost, such as `macs=0.3` (see `parseBudget`); null where groups are counted. */
  budget: string | null;
  /** Counts are rounded up to multiples of this, budgets shared out in them. */
  round: number;
  /** λ that grows until every layer has its number, with a cut at the end; or one λ throughout, and nothing else. */
  mode: { kind: "k-anneal" } | { kind: "fixed"; lambda: number };
  warmup: number;
  select: number;
  lambdaStart: number;
  lambdaEnd: number;
  weightDecay: number;
  /** Steps along variance-reduced gradients, at twice the cost. */
  varianceReduction: boolean;
  /** With Adam, the metric of proximal steps. */
  metric: (typeof ADAPTIVE_METRICS)[number];
  /** Training goes on with a smaller network where groups are dead for good, see `trainShrinking`. */
  shrinkWhileTraining: boolean;
}

/** Every weight gets a posterior, and in the end those that are likelier unused than not are zero; see `TurboVbiOptions`. */
export interface PosteriorRecipe {
  /** `vbi`: bits are independent. */
  method: PosteriorMethod;
  /** The structure of supports; null: see `defaultPrior`. */
  prior: PriorSpec | null;
  /** Other priors for some layers. */
  layers: Record<string, PriorSpec>;
  /** Of turbo-vbi and vbi: variance of weights in use, in units of that of each layer's weights when posteriors start. Smaller keeps more. */
  slab: number;
  /** Of all others: factor on what the noise of weights costs. Smaller keeps more. */
  strength: number;
  /** Shares of the epochs before there are posteriors, and with them; in the rest what is left trains alone. */
  warmup: number;
  select: number;
  roundEpochs: number;
  annealRounds: number;
  learnPrior: boolean;
  variant: Variant;
}

/**
 * Training in which an optimiser sees less than every weight; see `RANK_METHODS`. `full` is what they are compared with: every
 * weight, and the same report.
 */
export type LowMemoryRecipe =
  | { method: "full" }
  | { method: "lora" | "dora" | "low-rank"; rank: number }
  | (Pick<SpectralRecipe, "rank" | "iterationSteps" | "iterationWarmup"> & { method: "relora" })
  | (Pick<SpectralRecipe, "rank" | "iterationSteps"> & { method: "galore" })
  | SpectralRecipe;

export interface SpectralRecipe {
  method: "sst";
  /** Directions that train at a time, in every layer but the output layer. */
  rank: number;
  /** Steps between switches, merges or projections; by default what the length of the run suggests. */
  iterationSteps: number | null;
  /** Switches between decompositions; by default each direction is drawn once. */
  roundIterations: number | null;
  /** Steps of warm-up after each switch; by default a tenth. */
  iterationWarmup: number | null;
  sampler: Sampler;
  gradient: "enhanced" | "default";
  /** Whether the recipe's weight decay acts on singular values. */
  weightDecay: "none" | "values";
}

/** See `EarlyStoppingOptions`. */
export interface EarlyStoppingRecipe {
  metric: "validationLoss" | "validationAccuracy";
  patience: number;
  /** In the end the model gets the weights of the best epoch, instead of the last one's. */
  restoreBest: boolean;
}

/** What a recipe leaves to where it is run. */
export interface RecipeDefaults {
  name: string;
  threads: number;
}

/** A recipe that was put together in a program, checked and with every default filled in, inner ones too. */
export function completeRecipe(recipe: Recipe): Recipe {
  return readRecipe(recipe, recipe, (path, reason) => {
    throw new Problem(`recipe: ${path.join(".")}: ${reason}`);
  });
}

/** A recipe from YAML. Throws a `Problem` that names file, line and key for whatever is wrong with it. */
export function parseRecipe(yaml: string, file: string, defaults: RecipeDefaults): Recipe {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines });
  const lineAt = (offset: number | undefined) =>
    offset === undefined ? "" : `:${lines.linePos(offset).line}`;
  const [error] = document.errors;
  if (error)
    throw new Problem(`${file}${lineAt(error.pos[0])}: not YAML: ${error.message.split("\n")[0].trim()}`);
  let data: unknown;
  try {
    data = document.toJS();
  } catch (cause) {
    throw new Problem(`${file}: ${(cause as Error).message}`);
  }
  const lineOf = (path: Path) => {
    for (let depth = path.length; depth > 0; depth--) {
      const node = document.getIn(path.slice(0, depth), true) as { range?: [number] } | undefined;
      if (node?.range) return lineAt(node.range[0]);
    }
    return "";
  };
  return readRecipe(data, defaults, (path, reason) => {
    const where = path.length ? `${path.join(".")}: ` : "";
    throw new Problem(`${file}${lineOf(path)}: ${where}${reason}`);
  });
}

export function formatRecipe(recipe: Recipe): string {
  return stringify(recipe);
}

/** The first setting in which two recipes differ, e.g. `epochs: 10 against 20`; versions do not count. */
export function recipeDifference(a: Recipe, b: Recipe): string | undefined {
  const flatA = flatten(a);
  const flatB = flatten(b);
  for (const key of new Set([...flatA.keys(), ...flatB.keys()])) {
    if (key.startsWith("versions")) continue;
    const [x, y] = [flatA.get(key), flatB.get(key)];
    if (x !== y) return `${key}: ${x ?? "absent"} against ${y ?? "absent"}`;
  }
  return undefined;
}

function flatten(value: unknown, path = "", into = new Map<string, string>()): Map<string, string> {
  if (typeof value === "object" && value !== null)
    for (const [key, v] of Object.entries(value)) flatten(v, path ? `${path}.${key}` : key, into);
  else into.set(path, JSON.stringify(value));
  return into;
}
