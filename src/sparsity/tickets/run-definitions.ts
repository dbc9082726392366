import type { Graph } from "../../engine/graph.ts";
import { tensor } from "../../engine/tensor.ts";
import { deriveSeed } from "../../random.ts";
import type { EdgePopup } from "./edge-popup.ts";
import { createEdgePopup } from "./edge-popup.ts";
import type { Lesson, Samples } from "./lesson.ts";
import type { Masks, Scores, Weights } from "./masks.ts";
import { keepLargest, magnitudeMasks, mapValues, randomMasks, shuffleMasks, weightsOf } from "./masks.ts";
import { normRatios, scaleWeights } from "./norms.ts";
import { iterativePruning, signedConstant } from "./rewind.ts";
import { graspScores, snipScores, synflowMasks } from "./saliency.ts";
import type { ExperimentSettings } from "./settings.ts";
import { buildModel } from "./settings.ts";

/** What a run starts from, and which of its weights live. */
interface Start {
  weights: Weights;
  masks?: Masks;
  /** Looks for the mask while it trains, instead of being given one. */
  search?: EdgePopup;
}

/** Groups of runs, in the order of the report. Each is shown beside the base and the ticket. */
export const RUN_GROUPS = [
  "tickets",
  "norm",
  "moments",
  "rewinding",
  "initialisation",
  "search",
  "no decay",
] as const;
export type RunGroup = (typeof RUN_GROUPS)[number];

export interface RunDefinition {
  group: RunGroup;
  /** What it is, in a few words. */
  label: string;
  weightDecay?: number;
  start: (context: StartContext) => Start | undefined | Promise<Start | undefined>;
}

interface StartContext {
  settings: ExperimentSettings;
  seed: number;
  /** W(0). */
  initial: Weights;
  /** Mask of the ticket at a ratio, by default the experiment's. */
  ticket: (ratio?: number) => Masks;
  /** Weights of the base network at a moment of its training; undefined where it never came to it. */
  moment: (name: string) => Weights | undefined;
  /** A model with the initial weights, and what the training set feeds it. */
  model: Graph;
  lesson: Lesson;
  /** Trains from these weights under masks as the base was trained, and gives back what they became. */
  train: (weights: Weights, masks: Masks) => Promise<Weights>;
}

/** The name of the run that the others are compared with. */
export function ticketName({ ratio }: ExperimentSettings): string {
  return `ticket-${ratio}`;
}

/** The runs beside the base network, by name. */
export function runDefinitions(settings: ExperimentSettings): ReadonlyMap<string, RunDefinition> {
  if (settings.sweep) return sweepDefinitions(settings.sweep);
  const all = comparisonDefinitions(settings);
  const wanted = settings.runs && new Set([ticketName(settings), ...settings.runs]);
  return wanted ? new Map([...all].filter(([name]) => wanted.has(name))) : all;
}

/** What a run needs to be over before it starts: the base, and with `giveUp` the ticket too. */
export function prerequisiteOf(settings: ExperimentSettings, name: string): string | undefined {
  if (name === "base") return undefined;
  return settings.giveUp && !settings.sweep && name !== ticketName(settings) ? ticketName(settings) : "base";
}

const IMP_ROUNDS = 3;

const percent = (ratio: number) => `${Math.round(100 * ratio)} %`;

const ticket =
  (ratio: number): RunDefinition["start"] =>
  ({ initial, ticket }) => ({
    weights: initial,
    masks: ticket(ratio),
  });

/** The name of a sweep's run. */
export function sweepName(ratio: number, decay: number): string {
  return `ratio-${ratio}-decay-${decay}`;
}

function sweepDefinitions({
  ratios,
  decays,
}: NonNullable<ExperimentSettings["sweep"]>): ReadonlyMap<string, RunDefinition> {
  return new Map(
    ratios.flatMap((ratio) =>
      decays.map((weightDecay): [string, RunDefinition] => [
        sweepName(ratio, weightDecay),
        {
          group: "tickets",
          label: `${ratio === 0 ? "dense" : `ticket, ${percent(ratio)} pruned`}, weight decay ${weightDecay}`,
          weightDecay,
          start: ratio === 0 ? ({ initial }) => ({ weights: initial }) : ticket(ratio),
        },
      ]),
    ),
  );
}

function comparisonDefinitions(settings: ExperimentSettings): ReadonlyMap<string, RunDefinition> {
  const runs = new Map<string, RunDefinition>();
  for (const ratio of settings.ratios)
    runs.set(`ticket-${ratio}`, {
      group: "tickets",
      label: `ticket, ${percent(ratio)} pruned`,
      start: ticket(ratio),
    });

  for (const norm of ["l1", "l2"] as const)
    runs.set(`dense-${norm}`, {
      group: "norm",
      label: `dense at the ticket's ${norm.toUpperCase()} norm`,
      start: ({ initial, ticket }) => ({
        weights: scaleWeights(initial, normRatios(initial, ticket())[norm]),
      }),
    });

  const taken = {
    memorised: "at memorisation",
    half: "at 50 % test accuracy",
    most: "at 80 % test accuracy",
    generalised: "at generalisation",
    later500: "500 steps after generalisation",
    later1500: "1500 steps after generalisation",
  };
  for (const [name, label] of Object.entries(taken))
    runs.set(`taken-${name}`, {
      group: "moments",
      label: `ticket taken ${label}`,
      start: ({ initial, moment, settings: { ratio } }) => {
        const weights = moment(name);
        return weights && { weights: initial, masks: magnitudeMasks(weights, ratio) };
      },
    });

  const rewound: Record<string, [string, RunDefinition["start"]]> = {
    shuffled: [
      "mask shuffled within layers",
      ({ initial, ticket, seed }) => ({ weights: initial, masks: shuffleMasks(ticket(), seed) }),
    ],
    fresh: [
      "mask with fresh weights",
      ({ settings, ticket, seed }) => ({
        weights: weightsOf(buildModel(settings, deriveSeed(seed, "fresh"))),
        masks: ticket(),
      }),
    ],
    signs: [
      "mask with the signs alone",
      ({ initial, ticket }) => ({ weights: signedConstant(initial), masks: ticket() }),
    ],
  };
  for (const [name, [label, start]] of Object.entries(rewound))
    runs.set(name, { group: "rewinding", label, start });

  const early: Record<string, [string, (context: StartContext) => Masks | Promise<Masks>]> = {
    random: ["random mask", ({ initial, settings: { ratio }, seed }) => randomMasks(initial, ratio, seed)],
    "magnitude-init": [
      "magnitude at initialisation",
      ({ initial, settings: { ratio } }) => magnitudeMasks(initial, ratio),
    ],
    snip: ["SNIP", async (c) => keepLargest(await snipScores(...trainingBatch(c)), c.settings.ratio)],
    grasp: ["GraSP", async (c) => keepLargest(await grasp(c), c.settings.ratio)],
    "grasp-reversed": [
      "GraSP, the other sign",
      async (c) => {
        const scores = await grasp(c);
        return keepLargest(
          mapValues(scores, (s) => Float64Array.from(s, (v) => -v)),
          c.settings.ratio,
        );
      },
    ],
    "synflow-1": ["SynFlow, one shot", (c) => synflowMasks(...flowBatch(c), c.settings.ratio, { rounds: 1 })],
    "synflow-100": ["SynFlow, 100 rounds", (c) => synflowMasks(...flowBatch(c), c.settings.ratio)],
  };
  for (const [name, [label, masks]] of Object.entries(early))
    runs.set(name, {
      group: "initialisation",
      label,
      start: async (context) => ({ weights: context.initial, masks: await masks(context) }),
    });

  const iterative =
    (from: (context: StartContext) => Weights | undefined): RunDefinition["start"] =>
    async (context) => {
      const { initial, moment, train, settings } = context;
      const weights = from(context);
      if (!weights) return undefined;
      const masks = await iterativePruning(initial, {
        ratio: settings.ratio,
        rounds: IMP_ROUNDS,
        // The base is the first round.
        train: async (alive, round) => (round === 1 ? moment("ticket")! : await train(weights, alive)),
      });
      return { weights, masks };
    };
  runs.set("imp", {
    group: "search",
    label: `iterative pruning in ${IMP_ROUNDS} rounds, rewound to initialisation`,
    start: iterative(({ initial }) => initial),
  });
  runs.set("imp-early", {
    group: "search",
    label: `iterative pruning in ${IMP_ROUNDS} rounds, rewound to memorisation`,
    start: iterative(({ moment }) => moment("memorised")),
  });
  runs.set("edge-popup", {
    group: "search",
    label: "edge-popup: weights stay, the mask learns",
    weightDecay: 0,
    start: ({ initial, settings: { ratio }, seed }) => ({
      weights: initial,
      search: createEdgePopup({
        keepRatio: 1 - ratio,
        optimizer: { kind: "adamw", betas: [0.9, 0.98] },
        seed,
      }),
    }),
  });

  const noDecay = { group: "no decay", weightDecay: 0 } as const;
  runs.set("dense-0", {
    ...noDecay,
    label: "dense, no decay",
    start: ({ initial }) => ({ weights: initial }),
  });
  for (const ratio of [0.6, 0.7, 0.75])
    runs.set(`ticket-${ratio}-0`, {
      ...noDecay,
      label: `ticket taken 1500 steps after, ${percent(ratio)}, no decay`,
      start: ({ initial, moment }) => {
        const weights = moment("later1500");
        return weights && { weights: initial, masks: magnitudeMasks(weights, ratio) };
      },
    });
  runs.set("late-0.7-0", { ...noDecay, label: "ticket, 70 %, no decay", start: ticket(0.7) });
  runs.set("imp-0", {
    ...noDecay,
    label: `iterative pruning in ${IMP_ROUNDS} rounds with decay, then no decay`,
    start: iterative(({ initial }) => initial),
  });
  runs.set("random-0", {
    ...noDecay,
    label: "random mask, no decay",
    start: ({ initial, seed }) => ({ weights: initial, masks: randomMasks(initial, 0.7, seed) }),
  });
  return runs;
}

function grasp(context: StartContext): Promise<Scores> {
  const [model, samples, { objective }] = trainingBatch(context);
  return graspScores(model, samples, { objective: context.lesson.graspObjective ?? objective });
}

function trainingBatch({ model, lesson: { train, objective } }: StartContext) {
  return [model, train, { objective }] as const;
}

/** Ones; a transformer reads the training samples, since tokens cannot be ones. */
function flowBatch(context: StartContext): [Graph, Samples] {
  const { model, lesson } = context;
  const [name] = model.inputs;
  const { dtype, shape } = model.types.get(name)!;
  if (dtype !== "float32") return [model, { [name]: lesson.train[name] }];
  const ones: Samples = { [name]: tensor("float32", [1, shape[1]], new Float32Array(shape[1]).fill(1)) };
  return [model, ones];
}
