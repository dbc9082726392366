import { LineCounter, parseDocument, stringify } from "yaml";
import type { Device } from "../engine/session.ts";
import type { OptimizerSpec } from "../nn/optimizers.ts";
import type { ScheduleSpec } from "../nn/schedules.ts";
import { Problem } from "../problem.ts";
import { ADAPTIVE_METRICS } from "../sparsity/adaptive-metric.ts";
import type { CustomGroups } from "../sparsity/groups/custom.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import { parseKind } from "../sparsity/groups/kinds.ts";
import type { RankMethod } from "../sparsity/spectral/rank-methods.ts";
import { LOW_MEMORY_METHODS } from "../sparsity/spectral/rank-methods.ts";
import type { Sampler } from "../sparsity/spectral/samplers.ts";
import { SAMPLERS } from "../sparsity/spectral/samplers.ts";
import type { Variant } from "../sparsity/turbo-vbi/module-a.ts";
import type { PriorSpec } from "../sparsity/turbo-vbi/priors/kinds.ts";
import { parseBudget } from "./budget.ts";
import type { InputScale } from "./input-scale.ts";
import { INPUT_SCALES } from "./input-scale.ts";
import type { MethodName, PosteriorMethod } from "./methods.ts";
import { hasSupport, METHOD_NAMES, methodOf, POSTERIOR_METHOD_NAMES } from "./methods.ts";
import type { Fields, Path, Reader, Refuse } from "./schema.ts";
import * as s from "./schema.ts";

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
  /** Versions of the software that the run was started with. */
  versions: Record<string, string>;
}

/** Exactly so many groups a layer are to survive; see `KAnnealOptions`. */
export interface SparsifierRecipe {
  method: MethodName;
  /** What a group is: a kind by name, or lists of elements by parameter. */
  groups: GroupChoice;
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

/** Training in which an optimiser sees less than every weight; see `RANK_METHODS`. */
export interface LowMemoryRecipe {
  method: Exclude<RankMethod, "full">;
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
}

/** What a recipe leaves to where it is run. */
export interface RecipeDefaults {
  name: string;
  threads: number;
}

const share = s.number({ min: 0, max: 1 });
const notNegative = s.number({ min: 0 });
const positive = s.number({ min: 0, above: true });
const atLeast = (min: number) => s.number({ min, whole: true });

const adam = {
  betas: s.withDefault(s.pair(share), [0.9, 0.999]),
  epsilon: s.withDefault(positive, 1e-8),
};

const optimizer = s.variant<"kind", OptimizerSpec>("kind", {
  sgd: { momentum: s.withDefault(share, 0.9), nesterov: s.withDefault(s.boolean(), false) },
  adam,
  adamw: adam,
  adamax: adam,
  rmsprop: {
    alpha: s.withDefault(share, 0.99),
    epsilon: s.withDefault(positive, 1e-8),
    momentum: s.withDefault(share, 0),
  },
});

const schedule = s.variant<"kind", ScheduleSpec>("kind", {
  constant: {},
  step: { milestones: s.list(share), gamma: s.withDefault(positive, 0.1) },
  cosine: { flat: s.withDefault(share, 0), floor: s.withDefault(share, 0) },
  "one-cycle": {
    peak: s.withDefault(share, 0.3),
    start: s.withDefault(share, 0.04),
    end: s.withDefault(share, 1e-4),
  },
  "inverse-root": {},
});

/** Turns a `Problem` of a parser into a refusal that says where. */
function accepted<T>(parse: () => T, path: Path, refuse: Refuse): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Problem) return refuse(path, error.message);
    throw error;
  }
}

const customGroups: Reader<CustomGroups> = s.record(s.list(s.record(s.list(atLeast(0)))));

const groups: Reader<GroupChoice> = (value, path, refuse) => {
  if (typeof value !== "string") return customGroups(value, path, refuse);
  accepted(() => parseKind(value), path, refuse);
  return value as GroupChoice;
};

const budget: Reader<string> = (value, path, refuse) => {
  const text = s.text()(value, path, refuse);
  accepted(() => parseBudget(text), path, refuse);
  return text;
};

const keep: Reader<number | Record<string, number>> = (value, path, refuse) =>
  typeof value === "number"
    ? s.number({ min: 0, above: true, max: 1 })(value, path, refuse)
    : s.record(atLeast(1))(value, path, refuse);

const mode = s.variant<"kind", SparsifierRecipe["mode"]>("kind", {
  "k-anneal": {},
  fixed: { lambda: positive },
});

const sparsifierFields = s.object<
  Omit<SparsifierRecipe, "lambdaStart" | "lambdaEnd"> & Record<"lambdaStart" | "lambdaEnd", number | null>
>({
  method: s.oneOf(METHOD_NAMES),
  groups: s.withDefault<GroupChoice>(groups, "filter"),
  keep: s.orNull(keep),
  budget: s.orNull(budget),
  round: s.withDefault(atLeast(1), 1),
  mode: s.withDefault(mode, { kind: "k-anneal" }),
  warmup: s.withDefault(share, 0.15),
  select: s.withDefault(share, 0.5),
  lambdaStart: s.orNull(positive),
  lambdaEnd: s.orNull(positive),
  weightDecay: s.withDefault(notNegative, 5e-4),
  varianceReduction: s.withDefault(s.boolean(), false),
  metric: s.withDefault(s.oneOf(ADAPTIVE_METRICS), "block"),
  shrinkWhileTraining: s.withDefault(s.boolean(), true),
});

/** The range of λ that is left out is the method's own. */
const sparsifier: Reader<SparsifierRecipe> = (value, path, refuse) => {
  const read = sparsifierFields(value, path, refuse);
  if ((read.keep === null) === (read.budget === null))
    refuse(path, "say how small: either keep or budget, such as keep: 0.3");
  const { lambdaStart = 0.01, lambdaEnd = 3 } = methodOf(read.method).options;
  return { ...read, lambdaStart: read.lambdaStart ?? lambdaStart, lambdaEnd: read.lambdaEnd ?? lambdaEnd };
};

const between = s.number({ min: 0, max: 1 });
const chainFields = { lambda: between, meanRun: s.number({ min: 1, above: true }) };

const prior = s.variant<"kind", PriorSpec>("kind", {
  iid: { lambda: between },
  chain: chainFields,
  group: { lambda: between, size: atLeast(1) },
  gate: { ...chainFields, gate: between, gateRun: s.orAbsent(s.number({ min: 1, above: true })) },
  product: { row: s.object(chainFields), column: s.object(chainFields) },
  ising: { density: between, down: notNegative, along: notNegative },
});

const posteriorFields = s.object<PosteriorRecipe>({
  method: s.oneOf(POSTERIOR_METHOD_NAMES),
  prior: s.orNull(prior),
  layers: s.withDefault(s.record(prior), {}),
  slab: s.withDefault(positive, 2),
  strength: s.withDefault(positive, 1),
  warmup: s.withDefault(share, 0.3),
  select: s.withDefault(share, 0.5),
  roundEpochs: s.withDefault(atLeast(1), 3),
  annealRounds: s.withDefault(atLeast(1), 3),
  learnPrior: s.withDefault(s.boolean(), false),
  variant: s.withDefault(s.oneOf<Variant>(["structured", "mean-field"]), "structured"),
});

const posterior: Reader<PosteriorRecipe> = (value, path, refuse) => {
  const read = posteriorFields(value, path, refuse);
  const priors = [read.prior, ...Object.values(read.layers)];
  if (!hasSupport(read.method) && priors.some((p) => p !== null))
    refuse(
      [...path, "prior"],
      `${read.method} has a prior of its own; those of supports are for turbo-vbi and vbi`,
    );
  if (read.method === "vbi" && priors.some((p) => p && p.kind !== "iid"))
    refuse([...path, "prior"], "bits are independent in vbi; other priors are turbo-vbi");
  return read;
};

const lowMemory = s.object<LowMemoryRecipe>({
  method: s.oneOf(LOW_MEMORY_METHODS),
  rank: atLeast(1),
  iterationSteps: s.orNull(atLeast(1)),
  roundIterations: s.orNull(atLeast(1)),
  iterationWarmup: s.orNull(atLeast(0)),
  sampler: s.withDefault(s.oneOf(SAMPLERS), "mixed"),
  gradient: s.withDefault(s.oneOf(["enhanced", "default"]), "enhanced"),
});

/** Groups made by hand from JSON. Throws a `Problem` that says where the text is wrong. */
export function readCustomGroups(json: string, file: string): CustomGroups {
  const refuse: Refuse = (path, reason) => {
    throw new Problem(`${file}: ${path.length ? `${path.join(".")}: ` : ""}${reason}`);
  };
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch (cause) {
    return refuse([], `not JSON: ${(cause as Error).message}`);
  }
  return customGroups(data, [], refuse);
}

/** A name that is a single folder on every system. */
const name: Reader<string> = (value, path, refuse) => {
  const found = s.text()(value, path, refuse);
  return /^[\w][\w.+-]*$/.test(found)
    ? found
    : refuse(path, `"${found}" cannot name a folder; use letters, digits, ".", "+", "-" and "_"`);
};

function fieldsOf(defaults: RecipeDefaults): Fields<Omit<Recipe, "learningRate">> & {
  learningRate: Reader<number | null>;
} {
  return {
    name: s.withDefault(name, defaults.name),
    model: s.text(),
    data: s.text(),
    validation: s.withDefault(s.number({ min: 0, max: 0.9 }), 0),
    inputScale: s.withDefault(s.oneOf(INPUT_SCALES), "standard"),
    epochs: s.withDefault(atLeast(1), 10),
    batch: s.withDefault(atLeast(1), 128),
    optimizer: s.withDefault(optimizer, { kind: "sgd", momentum: 0.9, nesterov: false }),
    learningRate: s.orNull(positive),
    schedule: s.withDefault(schedule, { kind: "cosine", flat: 0, floor: 0 }),
    warmup: s.withDefault(atLeast(0), 0),
    weightDecay: s.withDefault(notNegative, 5e-4),
    clipNorm: s.orNull(positive),
    labelSmoothing: s.withDefault(share, 0),
    temperature: s.withDefault(positive, 1),
    augment: s.withDefault(
      s.object({ crop: s.withDefault(atLeast(0), 0), flip: s.withDefault(s.boolean(), false) }),
      { crop: 0, flip: false },
    ),
    seed: s.withDefault(s.number({ min: 0, max: 2 ** 32 - 1, whole: true }), 0),
    threads: s.withDefault(atLeast(1), defaults.threads),
    device: s.withDefault(s.oneOf(["cpu", "webgpu", "cuda", "wasm"]), "cpu"),
    saveEvery: s.withDefault(atLeast(1), 200),
    sparsifier: s.orNull(sparsifier),
    posterior: s.orNull(posterior),
    lowMemory: s.orNull(lowMemory),
    versions: s.withDefault(s.record(s.text()), {}),
  };
}

/** A recipe from plain data, with every default filled in. `refuse` throws for the value at a path. */
export function readRecipe(data: unknown, defaults: RecipeDefaults, refuse: Refuse): Recipe {
  const read = s.object(fieldsOf(defaults))(data ?? {}, [], refuse);
  if (read.sparsifier && read.posterior)
    refuse(["posterior"], "groups go by the sparsifier, single weights by posteriors: leave one of them out");
  if (read.lowMemory && (read.sparsifier || read.posterior))
    refuse(
      ["lowMemory"],
      "weights that go have gradients of their own: leave the sparsifier or posterior out",
    );
  const adaptive = read.optimizer.kind !== "sgd";
  return { ...read, learningRate: read.learningRate ?? (adaptive ? 0.001 : 0.05) };
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
