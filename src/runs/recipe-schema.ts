import type { OptimizerSpec } from "../nn/optimizers.ts";
import type { ScheduleSpec } from "../nn/schedules.ts";
import { Problem } from "../problem.ts";
import { ADAPTIVE_METRICS } from "../sparsity/adaptive-metric.ts";
import type { GroupChoice } from "../sparsity/groups/kinds.ts";
import { parseKinds } from "../sparsity/groups/kinds.ts";
import { SAMPLERS } from "../sparsity/spectral/samplers.ts";
import type { Variant } from "../sparsity/turbo-vbi/module-a.ts";
import type { PriorSpec } from "../sparsity/turbo-vbi/priors/kinds.ts";
import { parseBudget } from "./budget.ts";
import { customGroups } from "./custom-groups.ts";
import { INPUT_SCALES } from "./input-scale.ts";
import { hasSupport, METHOD_NAMES, methodOf, POSTERIOR_METHOD_NAMES } from "./methods.ts";
import type {
  EarlyStoppingRecipe,
  LowMemoryRecipe,
  PosteriorRecipe,
  Recipe,
  RecipeDefaults,
  SparsifierRecipe,
} from "./recipe.ts";
import type { Fields, Path, Reader, Refuse } from "./schema.ts";
import * as s from "./schema.ts";

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

const groups: Reader<GroupChoice> = (value, path, refuse) => {
  if (typeof value !== "string") return customGroups(value, path, refuse);
  accepted(() => parseKinds(value), path, refuse);
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
  exclude: s.withDefault(s.list(s.text()), []),
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

const rank = atLeast(1);
const iterationSteps = s.orNull(atLeast(1));
const iterationWarmup = s.orNull(atLeast(0));

const lowMemory = s.variant<"method", LowMemoryRecipe>("method", {
  sst: {
    rank,
    iterationSteps,
    roundIterations: s.orNull(atLeast(1)),
    iterationWarmup,
    sampler: s.withDefault(s.oneOf(SAMPLERS), "mixed"),
    gradient: s.withDefault(s.oneOf(["enhanced", "default"]), "enhanced"),
    weightDecay: s.withDefault(s.oneOf(["none", "values"]), "none"),
  },
  lora: { rank },
  dora: { rank },
  relora: { rank, iterationSteps, iterationWarmup },
  galore: { rank, iterationSteps },
  "low-rank": { rank },
  full: {},
});

const earlyStopping = s.object<EarlyStoppingRecipe>({
  metric: s.withDefault(s.oneOf(["validationLoss", "validationAccuracy"]), "validationLoss"),
  patience: atLeast(1),
  restoreBest: s.withDefault(s.boolean(), true),
});

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
    earlyStopping: s.orAbsent(earlyStopping),
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
  if (read.earlyStopping && (read.sparsifier || read.posterior || read.lowMemory))
    refuse(
      ["earlyStopping"],
      "training that drives weights to zero, or holds less than all of them, has phases that must end: leave sparsifier, posterior or lowMemory out",
    );
  if (read.earlyStopping && read.validation === 0)
    refuse(["earlyStopping"], "it looks at held-out samples: give validation, such as 0.1");
  const adaptive = read.optimizer.kind !== "sgd";
  return { ...read, learningRate: read.learningRate ?? (adaptive ? 0.001 : 0.05) };
}
