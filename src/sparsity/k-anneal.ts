import type { Sparsifier, TrainingMoment } from "../nn/sparsifier.ts";
import type { Svrg } from "../nn/svrg.ts";
import { createSvrg } from "../nn/svrg.ts";
import { Problem } from "../problem.ts";
import { deriveSeed } from "../random.ts";
import type { AdaptiveMetric } from "./adaptive-metric.ts";
import { createAdaptiveMetric } from "./adaptive-metric.ts";
import type { Allowance } from "./allowance.ts";
import { keepCount, layerSections, requireKeepable } from "./allowance.ts";
import { atRest } from "./at-rest.ts";
import { createCertificates } from "./certificates.ts";
import type { GroupProxStep } from "./group-prox.ts";
import { requireDisjoint, zeroGroups } from "./groups.ts";
import { createHalfSpaceRounds } from "./half-space-rounds.ts";
import type { KAnnealOptions } from "./k-anneal-options.ts";
import { requireProximal } from "./k-anneal-options.ts";
import type { Commit, KAnnealState, LayerOutcome, LayerState } from "./k-anneal-state.ts";
import type { MeanGradient } from "./mean-gradient.ts";
import { createMeanGradient } from "./mean-gradient.ts";
import { phasesAt, requireSelection } from "./phases.ts";
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
    metric = "block",
  } = options;
  for (const { name, keep, partition } of layers)
    if (typeof keep === "number") requireKeepable({ name, groups: partition.groups }, keep);
  const allowances = layers.map(({ keep }) => (typeof keep === "number" ? keepCount(keep) : keep));
  const regularizers = layers.map((l) => createRegularizer(penalty, l.partition, l.gates));
  const rankings = layers.map((l) => createRanking(ranking, l.partition, deriveSeed(seed, l.name)));
  if (steps !== "proximal" && !regularizers.every((r) => r.pull))
    throw new Problem(
      `half-space steps follow the gradient of the penalty, and ${penalty} has none; use wgsef, wgsef-plain or group-lasso`,
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
  const sections = layers.map(({ name, partition }, i) =>
    layerSections({ name, groups: partition.groups }, allowances[i]),
  );
  const certificates = createCertificates(regularizers, sections, () => momentum);
  const rounds = steps === "proximal" ? undefined : createHalfSpaceRounds(layers, penalty);
  let meanGradient: MeanGradient | undefined;
  let committed: Commit | undefined;
  let certified: Record<string, number> = {};
  let adaptive: AdaptiveMetric | undefined;
  let svrg: Svrg | undefined;
  /**
   * β of SGD, whose steps add up to 1/(1 − β) times the gradient, while proximal steps do not: what is solved is
   * loss + (1 − β)·penalty.
   */
  let momentum = 0;

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
  function record(i: number, { epoch }: TrainingMoment, natural: Uint8Array, kept: Uint8Array): void {
    states[i].outcomes = sections[i].map(({ name, groups, count }, s) => ({
      name,
      groups,
      keep: typeof layers[i].keep === "number" ? layers[i].keep : count(kept),
      natural: count(natural),
      epoch: epoch + 1,
      lambda: states[i].lambda,
      forced: count(natural) - count(kept),
      undecided: certificates.undecided(i)[s].smallest,
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

  const isHalfSpace = (moment: TrainingMoment) =>
    phasesAt(moment, options).halfSpace || (rounds?.decided ?? false);

  return {
    name: penalty,
    ownsWeightDecay: grouped,
    createOptimizer: (target, own, spec) => {
      requireProximal(spec, options);
      const partitions = layers.map((l) => l.partition);
      adaptive =
        spec.kind === "adam" || spec.kind === "adamw"
          ? createAdaptiveMetric(metric, { ...spec, kind: spec.kind }, target, partitions)
          : undefined;
      momentum = spec.kind === "sgd" ? (spec.momentum ?? 0) : 0;
      const optimizer = adaptive?.optimizer ?? own();
      if (options.varianceReduction || steps === "adaptive") svrg = createSvrg(target);
      if (regularizers.some((r) => r.certificate)) meanGradient = createMeanGradient(target);
      const state = { ...optimizer.state, ...svrg?.state, ...meanGradient?.state };
      return Object.assign(optimizer, { state });
    },
    beforeEpoch: async (moment, gradientAt) => {
      requireSelection(options, moment.epochs);
      if (moment.step === 0) {
        if (states.some((s) => s.frozen))
          throw new Problem(
            "this sparsifier has already trained a model; create another one for this training",
          );
        requireDisjoint(layers, moment.parameters.arrays);
      }
      if (meanGradient) meanGradient.steps = 0;
      await svrg?.startRound(gradientAt);
      if (steps !== "adaptive") return;
      const { selecting } = phasesAt(moment, options);
      const open = states.map((s, i) => (selecting && !s.frozen ? stepOf(i, moment) : undefined));
      rounds!.decide(moment.parameters.arrays, svrg!.state.fullGradient.arrays, open);
    },
    beforeStep: async (moment, gradientAt) => {
      await svrg?.correct(gradientAt);
      const { selecting, last } = phasesAt(moment, options);
      if (!selecting) return;
      const { parameters, gradients } = moment;
      if (!states.every((s) => s.frozen)) meanGradient?.add();
      if (gradual || last) for (const r of rankings) r.observe?.(parameters.arrays, gradients.arrays);
      if (isHalfSpace(moment)) rounds!.remember(parameters.arrays);
    },
    afterStep: (moment) => {
      const arrays = moment.parameters.arrays;
      const { selecting } = phasesAt(moment, options);
      const halfSpace = isHalfSpace(moment);
      layers.forEach((_, i) => {
        const [state, regularizer] = [states[i], regularizers[i]];
        const step = stepOf(i, moment);
        if (!selecting || state.frozen) regularizer.decay(arrays, step);
        else if (halfSpace) {
          // An envelope says how many may stay; other penalties let go of as many as turn around.
          rounds!.step(i, arrays, step, (norms) =>
            regularizer.certificate
              ? norms.reduce((alive, n) => alive + Number(n !== 0), 0) - sum(choose(i, norms))
              : Number.POSITIVE_INFINITY,
          );
          certificates.settled(i);
        } else {
          certificates.stepped(i);
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
      certified = {};
      if (!selecting) return;
      layers.forEach(({ name, partition }, i) => {
        if (states[i].frozen) return;
        const descent = meanGradient?.descent(partition);
        Object.assign(certified, certificates.metrics(i, name, arrays, stepOf(i, moment), descent));
      });
      const figures = last ? await evaluate() : undefined;
      states.forEach((state, i) => {
        if (state.frozen) return;
        limits[i] = undefined;
        if (fixedLambda !== undefined) {
          const [old] = state.outcomes;
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
          sections[i].flatMap(({ name, count }) => [
            [`groups/${name}`, count(masks(i))],
            [`lambda/${name}`, states[i].lambda],
          ]),
        ),
      ),
      ...certified,
      ...(steps === "adaptive" && { "half-space": Number(rounds!.decided) }),
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
        undecided: layers.map((_, i) => certificates.undecided(i)),
        committed,
        gradients: meanGradient?.steps ?? 0,
        saliencies: rankings.map((r) => r.state()),
        far: rounds?.state(),
      }),
    restore: (saved) => {
      const old = structuredClone(saved) as KAnnealState;
      old.states.forEach((s, i) => (states[i] = { ...s, held: s.held && Uint8Array.from(s.held) }));
      old.undecided.forEach((u, i) => certificates.restore(i, u));
      rounds?.restore(old.far);
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
}

function sum(mask: Uint8Array): number {
  return mask.reduce((total, alive) => total + alive, 0);
}
