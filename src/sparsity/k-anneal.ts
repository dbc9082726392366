import type { FlatArrays } from "../engine/parameters.ts";
import { flatArrays } from "../engine/parameters.ts";
import type { Optimizer, OptimizerTarget } from "../nn/optimizers.ts";
import type { Sparsifier, TrainingMoment } from "../nn/sparsifier.ts";
import type { Svrg } from "../nn/svrg.ts";
import { createSvrg } from "../nn/svrg.ts";
import type { EpochRecord } from "../nn/trainer.ts";
import { Problem } from "../problem.ts";
import { deriveSeed } from "../random.ts";
import type { AdaptiveMetric, AdaptiveOptions } from "./adaptive-metric.ts";
import { createAdaptiveMetric } from "./adaptive-metric.ts";
import type { Allowance } from "./allowance.ts";
import { keepCount } from "./allowance.ts";
import type { GroupPenalty, GroupProxStep } from "./group-prox.ts";
import type { Arrays, GroupPartition } from "./groups.ts";
import { zeroGroups } from "./groups.ts";
import { halfSpaceStep } from "./half-space.ts";
import type { GroupRanking } from "./ranking.ts";
import { createRanking } from "./ranking.ts";
import type { UndecidedGroup } from "./regularizer.ts";
import { createRegularizer } from "./regularizer.ts";

/** A layer whose groups compete, or several at once: exactly `keep` of them are to survive, or as many as are allowed. */
export interface GroupedLayer {
  name: string;
  partition: GroupPartition;
  keep: number | Allowance;
  /** The part of each group that the penalty acts on and that groups live and are ranked by; all of it by default. */
  gates?: GroupPartition;
}

export interface KAnnealOptions {
  layers: readonly GroupedLayer[];
  /** Default `wgsef`, the debiased envelope. */
  penalty?: GroupPenalty;
  /** Shares of the epochs for warm-up and selection; the rest polishes. Default .15 and .5. */
  warmup?: number;
  select?: number;
  /** Regularisation at the start and the end of selection, growing geometrically. Default .01 and 3. */
  lambdaStart?: number;
  lambdaEnd?: number;
  /**
   * The literal reading of the paper instead of all that: this λ from warm-up on, and nothing is frozen or cut. Training
   * ends early when every layer has kept its number for five epochs and the loss has come to rest.
   */
  fixedLambda?: number;
  /** Weight decay of the groups, throughout. Default 5e-4. */
  weightDecay?: number;
  /**
   * Steps of selection: proximal ones (default); `half-space` (HSPG): proximal in its first half, half-space steps from
   * then on; `alternating` (as AdaHSPG+): proximal and half-space in turn, epoch by epoch.
   */
  steps?: "proximal" | "half-space" | "alternating";
  /** Steps along variance-reduced gradients (SVRG), at twice the cost. */
  varianceReduction?: boolean;
  /** What decides which groups stay where some have to be cut. Default `norm`. */
  ranking?: GroupRanking;
  /** Cut after every epoch of selection, by the cubic schedule of Zhu and Gupta (2017), instead of once at its end. */
  gradual?: boolean;
  /** Of the random ranking. */
  seed?: number;
  /** The trainer's optimiser is Adam: in which metric proximal steps are taken. */
  adam?: AdaptiveOptions;
  /**
   * Momentum β of the trainer's SGD, whose steps add up to 1/(1 − β) times the gradient, while proximal steps do not:
   * what is solved is loss + (1 − β)·penalty. The certificate takes that into account. Default 0.
   */
  momentum?: number;
}

/** How a layer came to its number of groups. */
export interface LayerOutcome {
  name: string;
  groups: number;
  /** Groups that were to survive: the number asked for, or what the allowance came to. */
  keep: number;
  /** Non-zero groups that training itself left, before anything was forced. */
  natural: number;
  /** Epoch (from 1) after which the layer was frozen; with a fixed λ, since which it has had its number. */
  epoch: number;
  lambda: number;
  /** Groups that were cut by hand because training had left more than `keep`. */
  forced: number;
  /** Groups that were neither zero nor out of the penalty's reach in the last proximal step, smallest first, at most 10. */
  undecided: UndecidedGroup[];
}

/** Figures of the network right before and right after the cut at the end of selection. */
export interface Commit {
  before: Record<string, number>;
  after: Record<string, number>;
}

export interface KAnneal extends Sparsifier {
  /** One entry for each layer that is frozen so far; with a fixed λ, for each layer as it stands. */
  outcomes(): LayerOutcome[];
  /** What the cut at the end of selection cost; undefined before it. */
  commit(): Commit | undefined;
  /** Which groups of a layer live: 1 or 0 each. */
  mask(layer: string): Uint8Array;
}

interface LayerState {
  lambda: number;
  /** Groups that are not held at zero; undefined: none is. */
  held: number[] | undefined;
  /** The layer has reached its number: from then on the zeros are final. */
  frozen: boolean;
  /** Which groups lived when the epoch began; undefined: all. */
  live: number[] | undefined;
  /** Groups that were cut by hand before the end of selection. */
  cut: number[];
  /** One for each layer that competes. */
  outcomes: LayerOutcome[];
}

interface Undecided {
  count: number;
  smallest: UndecidedGroup[];
}

/** Epochs that every layer has to keep its number, and the relative change of the loss, at which a fixed λ has done its work. */
const RESTING_EPOCHS = 5;
const RESTING_CHANGE = 1e-3;

/** Undecided groups that an outcome names. */
const UNDECIDED_SHOWN = 10;

/**
 * Drives every layer to exactly its number of groups (wgsef.md 3.7): warm-up without penalty; selection, where a
 * proximal step follows each step of the optimiser and λ grows after each epoch until a layer has reached its number
 * and is frozen; a commit, which cuts what is still too much and reports that it did; and polishing with the
 * zeros held.
 */
export function createKAnneal(options: KAnnealOptions): KAnneal {
  const {
    layers,
    penalty = "wgsef",
    warmup = 0.15,
    select = 0.5,
    fixedLambda,
    lambdaStart = 0.01,
    lambdaEnd = 3,
    weightDecay = 5e-4,
    steps = "proximal",
    ranking = "norm",
    gradual = false,
    seed = 0,
    momentum = 0,
  } = options;
  for (const { name, keep, partition } of layers)
    if (typeof keep === "number" && (!Number.isInteger(keep) || keep < 1 || keep > partition.groups))
      throw new Problem(
        `layer "${name}" has ${partition.groups} groups; cannot keep ${keep} of them: ask for 1 to ${partition.groups}`,
      );
  const allowances = layers.map(({ keep }) => (typeof keep === "number" ? keepCount(keep) : keep));
  const regularizers = layers.map((l) => createRegularizer(penalty, l.partition, l.gates));
  const rankings = layers.map((l) => createRanking(ranking, l.partition, deriveSeed(seed, l.name)));
  if (steps !== "proximal" && (!regularizers.every((r) => r.pull) || options.adam))
    throw new Problem(
      `half-space steps follow the gradient of the penalty and need plain SGD; use wgsef, wgsef-plain or group-lasso, not ${options.adam ? "Adam" : penalty}`,
    );
  const grouped = new Set(layers.flatMap((l) => l.partition.parts.map((p) => p.parameter)));
  const states: LayerState[] = layers.map(({ partition }) => ({
    lambda: fixedLambda ?? lambdaStart,
    held: undefined,
    frozen: false,
    live: undefined,
    cut: new Array(partition.groups).fill(0),
    outcomes: [],
  }));
  /** Budget and costs of each proximal step, the same throughout an epoch. */
  const limits: (ReturnType<Allowance["at"]> | undefined)[] = layers.map(() => undefined);
  /** What the last step of selection left undecided, by section; undefined: to be counted anew. */
  const undecided: (Undecided[] | undefined)[] = layers.map(() => undefined);
  /** Sum of the epoch's gradients, for the certificate; of `observed` steps. */
  let gradientSum: FlatArrays | undefined;
  let observed = 0;
  let committed: Commit | undefined;
  let certificates: Record<string, number> = {};
  let adaptive: AdaptiveMetric | undefined;
  let svrg: Svrg | undefined;
  const before: Record<string, Float32Array> = {};

  const phases = (epochs: number) => {
    const warm = warmup === 0 ? 0 : Math.max(1, Math.round(warmup * epochs));
    const end =
      fixedLambda === undefined ? Math.max(warm + 1, Math.round((warmup + select) * epochs)) : epochs;
    return { warm, end };
  };
  const selecting = ({ epoch, epochs }: TrainingMoment) => {
    const { warm, end } = phases(epochs);
    return epoch >= warm && epoch < end;
  };
  const inHalfSpace = ({ epoch, epochs }: TrainingMoment) => {
    const { warm, end } = phases(epochs);
    if (steps === "alternating") return (epoch - warm) % 2 === 1;
    return steps === "half-space" && epoch >= (warm + end) / 2;
  };
  const masks = (i: number) =>
    Uint8Array.from(states[i].held ?? states[i].live ?? new Uint8Array(layers[i].partition.groups).fill(1));
  const limitOf = (i: number) =>
    (limits[i] ??= allowances[i].at(
      Uint8Array.from(states[i].live ?? new Uint8Array(layers[i].partition.groups).fill(1)),
    ));
  const stepOf = (i: number, { learningRate }: TrainingMoment): GroupProxStep => ({
    ...limitOf(i),
    d: allowances[i].weights,
    lambda: states[i].lambda,
    alpha: learningRate,
    mu: weightDecay,
    metric: adaptive?.metric(i),
  });
  /** The groups that the allowance leaves, the most valuable ones. */
  const choose = (i: number, norms: Float64Array) => allowances[i].choose(rankings[i].scores(norms));
  /** Every layer that competes in a set, with where its groups begin. */
  const sectionsOf = (i: number) => {
    const { name, partition } = layers[i];
    let from = 0;
    return (allowances[i].sections ?? [{ name, groups: partition.groups }]).map((section) => {
      const start = from;
      const end = (from += section.groups);
      return { ...section, start, end, count: (mask: Uint8Array) => sum(mask.subarray(start, end)) };
    });
  };

  const undecidedOf = (i: number) => {
    if (undecided[i]) return undecided[i];
    const all = regularizers[i].undecided();
    return (undecided[i] = sectionsOf(i).map(({ start, end }) => {
      const own = all.filter(({ group }) => group >= start && group < end);
      const smallest = own.slice(0, UNDECIDED_SHOWN).map((u) => ({ ...u, group: u.group - start }));
      return { count: own.length, smallest };
    }));
  };

  function record(i: number, { epoch }: TrainingMoment, natural: Uint8Array, kept: Uint8Array): void {
    states[i].outcomes = sectionsOf(i).map(({ name, groups, count }, s) => ({
      name,
      groups,
      keep: typeof layers[i].keep === "number" ? layers[i].keep : count(kept),
      natural: count(natural),
      epoch: epoch + 1,
      lambda: states[i].lambda,
      forced: count(natural) - count(kept),
      undecided: undecidedOf(i)[s].smallest,
    }));
  }

  /** Holds all groups but `kept` at zero: zeros stay only if the optimiser remembers nothing that would move them. */
  function hold(i: number, { parameters, optimizer }: TrainingMoment, kept: Uint8Array): void {
    states[i].held = [...kept];
    for (const { arrays } of [parameters, ...Object.values(optimizer.state)])
      zeroGroups(layers[i].partition, arrays, kept);
  }

  function freeze(i: number, moment: TrainingMoment, natural: Uint8Array, norms: Float64Array): void {
    const kept = choose(i, norms);
    states[i].frozen = true;
    record(
      i,
      moment,
      natural.map((alive, j) => alive | states[i].cut[j]),
      kept,
    );
    hold(i, moment, kept);
  }

  /** Cuts down to k + (m − k)(1 − t)³ groups at the share t of selection. */
  function cutGradually(i: number, moment: TrainingMoment, norms: Float64Array, alive: Uint8Array): void {
    const { warm, end } = phases(moment.epochs);
    const share = (moment.epoch - warm + 1) / (end - warm);
    const least = sum(choose(i, norms));
    const target = least + Math.round((alive.length - least) * (1 - share) ** 3);
    const kept = keepCount(target).choose(rankings[i].scores(norms));
    alive.forEach((a, j) => {
      if (a && !kept[j]) states[i].cut[j] = 1;
    });
    hold(i, moment, kept);
  }

  /** Why each layer is where it is, in numbers: see docs/wgsef.md. */
  function certify(moment: TrainingMoment): void {
    certificates = {};
    const arrays = moment.parameters.arrays;
    states.forEach((state, i) => {
      if (state.frozen) return;
      undecidedOf(i).forEach(({ count, smallest: [first] }, s) => {
        const { name } = sectionsOf(i)[s];
        certificates[`between/${name}`] = count;
        if (first) certificates[`smallest/${name}`] = first.norm;
        if (first) certificates[`threshold/${name}`] = first.zero;
      });
      if (!gradientSum || observed === 0) return;
      const descent: Record<string, Float32Array> = {};
      for (const { parameter } of layers[i].partition.parts)
        descent[parameter] ??= gradientSum.arrays[parameter].map((g) => -g / observed);
      const step = stepOf(i, moment);
      const certificate = regularizers[i].certificate?.(arrays, descent, {
        ...step,
        lambda: (1 - momentum) * step.lambda,
        mu: (1 - momentum) * step.mu,
      });
      if (certificate) certificates[`gap/${layers[i].name}`] = certificate.relative;
    });
  }

  return {
    name: penalty,
    ownsWeightDecay: grouped,
    createOptimizer: (target: OptimizerTarget, own: () => Optimizer) => {
      adaptive =
        options.adam &&
        createAdaptiveMetric(
          options.adam,
          target,
          layers.map((l) => l.partition),
        );
      const optimizer = adaptive?.optimizer ?? own();
      const extra: Record<string, FlatArrays> = {};
      if (options.varianceReduction) Object.assign(extra, (svrg = createSvrg(target)).state);
      if (regularizers.some((r) => r.certificate))
        extra.gradientSum = gradientSum = flatArrays(
          target.parameters.segments.map((s) => [s.name, s.shape] as const),
        );
      return Object.assign(optimizer, { state: { ...optimizer.state, ...extra } });
    },
    beforeEpoch: async (_, gradientAt) => {
      observed = 0;
      await svrg?.startRound(gradientAt);
    },
    beforeStep: async (moment, gradientAt) => {
      await svrg?.correct(gradientAt);
      if (!selecting(moment)) return;
      const { parameters, gradients } = moment;
      if (gradientSum && !states.every((s) => s.frozen)) {
        if (observed++ === 0) gradientSum.values.fill(0);
        const [total, g] = [gradientSum.values, gradients.values];
        for (let i = 0; i < total.length; i++) total[i] += g[i];
      }
      if (gradual || moment.epoch === phases(moment.epochs).end - 1)
        for (const r of rankings) r.observe?.(parameters.arrays, gradients.arrays);
      if (inHalfSpace(moment)) for (const name of grouped) before[name] = parameters.arrays[name].slice();
    },
    afterStep: (moment) => {
      const arrays = moment.parameters.arrays;
      const active = selecting(moment);
      layers.forEach((_, i) => {
        const [state, regularizer] = [states[i], regularizers[i]];
        const step = stepOf(i, moment);
        if (!active || state.frozen) regularizer.decay(arrays, step);
        else if (inHalfSpace(moment)) {
          halfSpace(i, arrays, step);
          undecided[i] = sectionsOf(i).map(() => ({ count: 0, smallest: [] }));
        } else {
          undecided[i] = undefined;
          const { spared } = allowances[i];
          regularizer.prox(arrays, { ...step, spared: spared?.(regularizer.norms(arrays)) });
        }
        if (state.held) hold(i, moment, Uint8Array.from(state.held));
      });
    },
    atBoundary: async (moment, evaluate) => {
      const { warm, end } = phases(moment.epochs);
      const arrays = moment.parameters.arrays;
      const norms = regularizers.map((r) => r.norms(arrays).slice());
      const alive = norms.map((all) => Uint8Array.from(all, (n) => Number(n !== 0)));
      alive.forEach((mask, i) => {
        states[i].live = [...mask];
      });
      certificates = {};
      if (!selecting(moment)) return;
      certify(moment);
      const last = moment.epoch === end - 1;
      const figures = last && fixedLambda === undefined ? await evaluate() : undefined;
      states.forEach((state, i) => {
        if (state.frozen) return;
        limits[i] = undefined;
        if (fixedLambda !== undefined) {
          const {
            outcomes: [old],
          } = state;
          record(i, moment, alive[i], alive[i]);
          for (const o of state.outcomes) if (old?.natural === o.natural) o.epoch = old.epoch;
        } else if (last || (penalty !== "l0" && allowances[i].met(alive[i]) && !gradual))
          freeze(i, moment, alive[i], norms[i]);
        else {
          state.lambda *= (lambdaEnd / lambdaStart) ** (1 / (end - warm));
          if (gradual) cutGradually(i, moment, norms[i], alive[i]);
        }
      });
      for (const r of rankings) r.restore(r.state().fill(0));
      if (figures) committed = { before: figures, after: await evaluate() };
    },
    metrics: () => ({
      ...Object.fromEntries(
        layers.flatMap((_, i) =>
          sectionsOf(i).flatMap(({ name, count }) => [
            [`groups/${name}`, count(masks(i))],
            [`lambda/${name}`, states[i].lambda],
          ]),
        ),
      ),
      ...certificates,
    }),
    stopWhen: (history) =>
      fixedLambda !== undefined &&
      atRest(
        history,
        states.flatMap((s) => s.outcomes),
      ),
    state: () =>
      structuredClone({
        states,
        undecided: layers.map((_, i) => undecidedOf(i)),
        committed,
        observed,
        saliencies: rankings.map((r) => r.state()),
      }),
    restore: (saved) => {
      const old = structuredClone(saved) as {
        states: LayerState[];
        undecided: Undecided[][];
        committed: Commit | undefined;
        observed: number;
        saliencies: number[][];
      };
      old.states.forEach((s, i) => (states[i] = s));
      old.undecided.forEach((u, i) => (undecided[i] = u));
      old.saliencies.forEach((s, i) => rankings[i].restore(s));
      limits.fill(undefined);
      ({ committed, observed } = old);
    },
    outcomes: () => states.flatMap((s) => s.outcomes),
    commit: () => committed,
    mask: (name) => {
      const i = layers.findIndex((l) => l.name === name);
      if (i < 0)
        throw new Problem(
          `there is no grouped layer "${name}"; there are ${layers.map((l) => l.name).join(", ")}`,
        );
      return masks(i);
    },
  };

  function halfSpace(i: number, arrays: Arrays, step: GroupProxStep): void {
    const regularizer = regularizers[i];
    const norms = regularizer.norms(before).slice();
    const alive = norms.reduce((total, n) => total + Number(n !== 0), 0);
    halfSpaceStep(layers[i].partition, arrays, {
      before,
      pull: regularizer.pull!(before, step),
      alpha: step.alpha,
      epsilon: 0,
      // An envelope says how many may stay; other penalties let go of as many as turn around.
      atMost: regularizer.certificate ? alive - sum(choose(i, norms)) : Number.POSITIVE_INFINITY,
    });
  }
}

function sum(mask: Uint8Array): number {
  return mask.reduce((total, alive) => total + alive, 0);
}

/** Whether every layer has kept its number for five epochs and the loss has come to rest. */
function atRest(history: readonly EpochRecord[], outcomes: readonly LayerOutcome[]): boolean {
  const [last, previous] = [history.at(-1), history.at(-2)];
  if (!last || !previous || outcomes.length === 0) return false;
  const met = outcomes.every(
    ({ natural, keep, epoch }) => natural === keep && last.epoch + 1 - epoch >= RESTING_EPOCHS - 1,
  );
  return met && Math.abs(last.loss - previous.loss) < RESTING_CHANGE * Math.abs(previous.loss);
}
