import type { Optimizer, OptimizerTarget } from "../nn/optimizers.ts";
import type { Sparsifier, TrainingMoment } from "../nn/sparsifier.ts";
import type { Svrg } from "../nn/svrg.ts";
import { createSvrg } from "../nn/svrg.ts";
import { Problem } from "../problem.ts";
import { deriveSeed } from "../random.ts";
import type { AdaptiveMetric } from "./adaptive-metric.ts";
import { createAdaptiveMetric } from "./adaptive-metric.ts";
import type { Allowance } from "./allowance.ts";
import { keepCount } from "./allowance.ts";
import { atRest } from "./at-rest.ts";
import type { GroupProxStep } from "./group-prox.ts";
import type { Arrays } from "./groups.ts";
import { zeroGroups } from "./groups.ts";
import { halfSpaceStep } from "./half-space.ts";
import type { KAnnealOptions } from "./k-anneal-options.ts";
import type { Commit, KAnnealState, LayerOutcome, LayerState, Undecided } from "./k-anneal-state.ts";
import type { MeanGradient } from "./mean-gradient.ts";
import { createMeanGradient } from "./mean-gradient.ts";
import { phasesAt } from "./phases.ts";
import { createRanking } from "./ranking.ts";
import { createRegularizer } from "./regularizer.ts";

export type { GroupedLayer, KAnnealOptions } from "./k-anneal-options.ts";
export type { Commit, LayerOutcome } from "./k-anneal-state.ts";

export interface KAnneal extends Sparsifier {
  /** One entry for each layer that is frozen so far; with a fixed λ, for each layer as it stands. */
  outcomes(): LayerOutcome[];
  /** What the cut at the end of selection cost; undefined before it. */
  commit(): Commit | undefined;
  /** Which groups of a layer live: 1 or 0 each. */
  mask(layer: string): Uint8Array;
}

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
  let meanGradient: MeanGradient | undefined;
  let committed: Commit | undefined;
  let certificates: Record<string, number> = {};
  let adaptive: AdaptiveMetric | undefined;
  let svrg: Svrg | undefined;
  const before: Record<string, Float32Array> = {};

  const masks = (i: number) =>
    Uint8Array.from(states[i].held ?? states[i].live ?? new Uint8Array(layers[i].partition.groups).fill(1));
  const limitOf = (i: number) =>
    (limits[i] ??= allowances[i].at(
      Uint8Array.from(states[i].live ?? new Uint8Array(layers[i].partition.groups).fill(1)),
    ));
  const stepOf = (i: number, { learningRate }: TrainingMoment): GroupProxStep => ({
    ...limitOf(i),
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

  /** Holds all groups but `kept` at zero, from now on. */
  function hold(i: number, moment: TrainingMoment, kept: Uint8Array): void {
    states[i].held = kept;
    zeroRest(i, moment, kept);
  }

  /** Zeros stay zero only if the optimiser remembers nothing that would move them. */
  function zeroRest(i: number, { parameters, optimizer }: TrainingMoment, kept: Uint8Array): void {
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
    const { share } = phasesAt(moment, options);
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
      const descent = meanGradient?.descent(layers[i].partition);
      if (!descent) return;
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
      if (options.varianceReduction) svrg = createSvrg(target);
      if (regularizers.some((r) => r.certificate)) meanGradient = createMeanGradient(target);
      const state = { ...optimizer.state, ...svrg?.state, ...meanGradient?.state };
      return Object.assign(optimizer, { state });
    },
    beforeEpoch: async (_, gradientAt) => {
      if (meanGradient) meanGradient.steps = 0;
      await svrg?.startRound(gradientAt);
    },
    beforeStep: async (moment, gradientAt) => {
      await svrg?.correct(gradientAt);
      const { selecting, last, halfSpace } = phasesAt(moment, options);
      if (!selecting) return;
      const { parameters, gradients } = moment;
      if (!states.every((s) => s.frozen)) meanGradient?.add();
      if (gradual || last) for (const r of rankings) r.observe?.(parameters.arrays, gradients.arrays);
      if (halfSpace) for (const name of grouped) before[name] = parameters.arrays[name].slice();
    },
    afterStep: (moment) => {
      const arrays = moment.parameters.arrays;
      const { selecting, halfSpace } = phasesAt(moment, options);
      layers.forEach((_, i) => {
        const [state, regularizer] = [states[i], regularizers[i]];
        const step = stepOf(i, moment);
        if (!selecting || state.frozen) regularizer.decay(arrays, step);
        else if (halfSpace) {
          stepInHalfSpace(i, arrays, step);
          undecided[i] = sectionsOf(i).map(() => ({ count: 0, smallest: [] }));
        } else {
          undecided[i] = undefined;
          const { spared } = allowances[i];
          regularizer.prox(arrays, { ...step, spared: spared?.(regularizer.norms(arrays)) });
        }
        if (state.held) zeroRest(i, moment, state.held);
      });
    },
    atBoundary: async (moment, evaluate) => {
      const { warm, end, selecting, last } = phasesAt(moment, options);
      const arrays = moment.parameters.arrays;
      const norms = regularizers.map((r) => r.norms(arrays).slice());
      const alive = norms.map((all) => Uint8Array.from(all, (n) => Number(n !== 0)));
      alive.forEach((mask, i) => {
        states[i].live = [...mask];
      });
      certificates = {};
      if (!selecting) return;
      certify(moment);
      const figures = last ? await evaluate() : undefined;
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
        states: states.map((s) => ({ ...s, held: s.held && [...s.held] })),
        undecided: layers.map((_, i) => undecidedOf(i)),
        committed,
        gradients: meanGradient?.steps ?? 0,
        saliencies: rankings.map((r) => r.state()),
      }),
    restore: (saved) => {
      const old = structuredClone(saved) as KAnnealState;
      old.states.forEach((s, i) => (states[i] = { ...s, held: s.held && Uint8Array.from(s.held) }));
      old.undecided.forEach((u, i) => (undecided[i] = u));
      old.saliencies.forEach((s, i) => rankings[i].restore(s));
      limits.fill(undefined);
      if (meanGradient) meanGradient.steps = old.gradients;
      committed = old.committed;
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

  function stepInHalfSpace(i: number, arrays: Arrays, step: GroupProxStep): void {
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
