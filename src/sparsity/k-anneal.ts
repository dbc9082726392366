import type { OptimizerTarget } from "../nn/optimizers.ts";
import type { Sparsifier, TrainingMoment } from "../nn/sparsifier.ts";
import { Problem } from "../problem.ts";
import type { Allowance } from "./allowance.ts";
import { keepCount } from "./allowance.ts";
import type { BlockAdam, BlockAdamSpec } from "./block-adam.ts";
import { createBlockAdam } from "./block-adam.ts";
import type { GroupPenalty, GroupProx } from "./group-prox.ts";
import { createGroupProx } from "./group-prox.ts";
import type { Arrays, GroupPartition } from "./groups.ts";
import { groupNorms, scaleGroups, zeroGroups } from "./groups.ts";

/** A layer whose groups compete, or several at once: exactly `keep` of them are to survive, or as many as are allowed. */
export interface GroupedLayer {
  name: string;
  partition: GroupPartition;
  keep: number | Allowance;
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
  /** Weight decay of the groups, throughout. Default 5e-4. */
  weightDecay?: number;
  /** Train the grouped weights with one adaptive rate a group (wgsef.md 3.4), so that the prox stays exact for Adam. */
  adam?: BlockAdamSpec;
}

/** How a layer came to its number of groups. */
export interface LayerOutcome {
  name: string;
  groups: number;
  /** Groups that were to survive: the number asked for, or what the allowance came to. */
  keep: number;
  /** Non-zero groups that training itself left, before anything was forced. */
  natural: number;
  /** Epoch (from 1) after which the layer was frozen. */
  epoch: number;
  lambda: number;
  /** Groups that were cut by hand at the end of selection because training had left more than `keep`. */
  forced: number;
}

/** Figures of the network right before and right after the cut at the end of selection. */
export interface Commit {
  before: Record<string, number>;
  after: Record<string, number>;
}

export interface KAnneal extends Sparsifier {
  /** One entry for each layer that is frozen so far. */
  outcomes(): LayerOutcome[];
  /** What the cut at the end of selection cost; undefined before it. */
  commit(): Commit | undefined;
  /** Which groups of a layer live: 1 or 0 each. */
  mask(layer: string): Uint8Array;
}

interface LayerState {
  lambda: number;
  /** Set once the layer has at most `keep` groups: from then on the zeros are final. */
  frozen: number[] | undefined;
  /** Which groups lived when the epoch began; undefined: all. */
  live: number[] | undefined;
  /** One for each layer that competes. */
  outcomes: LayerOutcome[];
}

/**
 * Drives every layer to exactly its number of groups (wgsef.md 3.7): warm-up without penalty; selection, where a
 * proximal step follows each step of the optimiser and λ grows after each epoch until a layer has reached its number
 * and is frozen; a commit, which cuts by norm what is still too much and reports that it did; and polishing with the
 * zeros held.
 */
export function createKAnneal(options: KAnnealOptions): KAnneal {
  const {
    layers,
    penalty = "wgsef",
    warmup = 0.15,
    select = 0.5,
    lambdaStart = 0.01,
    lambdaEnd = 3,
    weightDecay = 5e-4,
  } = options;
  for (const { name, keep, partition } of layers)
    if (typeof keep === "number" && (!Number.isInteger(keep) || keep < 1 || keep > partition.groups))
      throw new Problem(
        `layer "${name}" has ${partition.groups} groups; cannot keep ${keep} of them: ask for 1 to ${partition.groups}`,
      );
  const allowances = layers.map(({ keep }) => (typeof keep === "number" ? keepCount(keep) : keep));
  const proxes: GroupProx[] = layers.map((l) => createGroupProx(penalty, l.partition));
  const norms = layers.map((l) => new Float64Array(l.partition.groups));
  const states: LayerState[] = layers.map(() => ({
    lambda: lambdaStart,
    frozen: undefined,
    live: undefined,
    outcomes: [],
  }));
  /** Budget and costs of each proximal step, the same throughout an epoch. */
  const limits: (ReturnType<Allowance["at"]> | undefined)[] = layers.map(() => undefined);
  let committed: Commit | undefined;
  let blockAdam: BlockAdam | undefined;

  const phases = (epochs: number) => {
    const warm = Math.max(1, Math.round(warmup * epochs));
    return { warm, end: Math.max(warm + 1, Math.round((warmup + select) * epochs)) };
  };
  const masks = (i: number): Uint8Array =>
    Uint8Array.from(states[i].frozen ?? Array.from(norms[i], (n) => Number(n !== 0)));
  const live = (i: number, arrays: Arrays) =>
    Uint8Array.from(groupNorms(layers[i].partition, arrays, norms[i]), (n) => Number(n !== 0));
  const limitOf = (i: number) =>
    (limits[i] ??= allowances[i].at(
      Uint8Array.from(states[i].live ?? new Uint8Array(layers[i].partition.groups).fill(1)),
    ));
  /** Every layer that competes in a set, with where its groups begin. */
  const sectionsOf = (i: number) => {
    const { name, partition } = layers[i];
    let from = 0;
    return (allowances[i].sections ?? [{ name, groups: partition.groups }]).map((section) => {
      const start = from;
      from += section.groups;
      return { ...section, count: (mask: Uint8Array) => sum(mask.subarray(start, start + section.groups)) };
    });
  };

  function freeze(i: number, moment: TrainingMoment, natural: Uint8Array): void {
    const { keep, partition } = layers[i];
    const kept = allowances[i].choose(norms[i]);
    states[i].frozen = [...kept];
    states[i].outcomes = sectionsOf(i).map(({ name, groups, count }) => ({
      name,
      groups,
      keep: typeof keep === "number" ? keep : count(kept),
      natural: count(natural),
      epoch: moment.epoch + 1,
      lambda: states[i].lambda,
      forced: count(natural) - count(kept),
    }));
    zeroGroups(partition, moment.parameters.arrays, kept);
    zeroState(i, moment);
  }

  /** Zeros stay zero only if the optimiser remembers nothing that would move them. */
  function zeroState(i: number, { optimizer }: TrainingMoment): void {
    const mask = Uint8Array.from(states[i].frozen!);
    for (const { arrays } of Object.values(optimizer.state)) zeroGroups(layers[i].partition, arrays, mask);
  }

  return {
    name: penalty,
    ownsWeightDecay: new Set(layers.flatMap((l) => l.partition.parts.map((p) => p.parameter))),
    createOptimizer:
      options.adam &&
      ((target: OptimizerTarget) =>
        (blockAdam = createBlockAdam(
          options.adam!,
          target,
          layers.map((l) => l.partition),
        ))),
    afterStep: (moment) => {
      const { warm, end } = phases(moment.epochs);
      const arrays = moment.parameters.arrays;
      const selecting = moment.epoch >= warm && moment.epoch < end;
      layers.forEach(({ partition }, i) => {
        const state = states[i];
        const active = selecting && !state.frozen;
        const step = {
          norms: norms[i],
          ...(active ? limitOf(i) : { k: partition.groups }),
          d: allowances[i].weights,
          lambda: active ? state.lambda : weightDecay,
          alpha: moment.learningRate,
          mu: weightDecay,
          h: blockAdam?.metric(i),
        };
        if (active) groupNorms(partition, arrays, norms[i]);
        const factors = active ? proxes[i](step) : ridge(step, partition.groups);
        if (active) {
          const spared = allowances[i].spared?.(norms[i]);
          if (spared) {
            const decayed = ridge(step, partition.groups);
            for (let j = 0; j < factors.length; j++) if (spared[j]) factors[j] = decayed[j];
          }
        }
        if (state.frozen) for (let j = 0; j < factors.length; j++) if (!state.frozen[j]) factors[j] = 0;
        scaleGroups(partition, arrays, factors);
        if (state.frozen) zeroState(i, moment);
      });
    },
    atBoundary: async (moment, evaluate) => {
      const { warm, end } = phases(moment.epochs);
      const growth = (lambdaEnd / lambdaStart) ** (1 / (end - warm));
      const alive = layers.map((_, i) => live(i, moment.parameters.arrays));
      if (moment.epoch < warm || moment.epoch >= end) return;
      const last = moment.epoch === end - 1;
      const before = last ? await evaluate() : undefined;
      states.forEach((state, i) => {
        if (state.frozen) return;
        state.live = [...alive[i]];
        limits[i] = undefined;
        if (allowances[i].met(alive[i]) || last) freeze(i, moment, alive[i]);
        else state.lambda *= growth;
      });
      if (before) committed = { before, after: await evaluate() };
    },
    metrics: () =>
      Object.fromEntries(
        layers.flatMap((_, i) =>
          sectionsOf(i).flatMap(({ name, count }) => [
            [`groups/${name}`, count(masks(i))],
            [`lambda/${name}`, states[i].lambda],
          ]),
        ),
      ),
    state: () => structuredClone({ states, committed }),
    restore: (saved) => {
      const { states: old, committed: done } = structuredClone(saved) as {
        states: LayerState[];
        committed: Commit | undefined;
      };
      old.forEach((s, i) => (states[i] = s));
      limits.fill(undefined);
      committed = done;
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

/** Weight decay μ alone: the prox of ½μ‖θ‖² in the metric h. */
function ridge(
  { alpha, mu, h }: { alpha: number; mu: number; h?: Float64Array },
  groups: number,
): Float64Array {
  return h
    ? Float64Array.from(h, (hj) => hj / (hj + alpha * mu))
    : new Float64Array(groups).fill(1 / (1 + alpha * mu));
}
