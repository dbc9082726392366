import type { FlatArrays } from "../engine/parameters.ts";
import type { Sparsifier, TrainingMoment } from "../nn/sparsifier.ts";
import { Problem } from "../problem.ts";
import type { BlockAdam } from "./block-adam.ts";
import { createBlockAdam } from "./block-adam.ts";
import type { GroupPenalty, GroupProx } from "./group-prox.ts";
import { createGroupProx } from "./group-prox.ts";
import type { Arrays, GroupPartition } from "./groups.ts";
import { groupNorms, scaleGroups, zeroGroups } from "./groups.ts";

/** A layer whose groups compete: exactly `keep` of them are to survive. */
export interface GroupedLayer {
  name: string;
  partition: GroupPartition;
  keep: number;
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
  adam?: { betas?: readonly [number, number]; epsilon?: number };
}

/** How a layer came to its number of groups. */
export interface LayerOutcome {
  name: string;
  groups: number;
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
  outcome: LayerOutcome | undefined;
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
    if (!Number.isInteger(keep) || keep < 1 || keep > partition.groups)
      throw new Problem(
        `layer "${name}" has ${partition.groups} groups; cannot keep ${keep} of them: ask for 1 to ${partition.groups}`,
      );
  const proxes: GroupProx[] = layers.map((l) => createGroupProx(penalty, l.partition));
  const norms = layers.map((l) => new Float64Array(l.partition.groups));
  const states: LayerState[] = layers.map(() => ({
    lambda: lambdaStart,
    frozen: undefined,
    outcome: undefined,
  }));
  let committed: Commit | undefined;
  let blockAdam: BlockAdam | undefined;

  const phases = (epochs: number) => {
    const warm = Math.max(1, Math.round(warmup * epochs));
    return { warm, end: Math.max(warm + 1, Math.round((warmup + select) * epochs)) };
  };
  const masks = (i: number): Uint8Array =>
    Uint8Array.from(states[i].frozen ?? Array.from(norms[i], (n) => Number(n !== 0)));
  const live = (i: number, arrays: Arrays) =>
    groupNorms(layers[i].partition, arrays, norms[i]).reduce((a, n) => a + Number(n !== 0), 0);

  function freeze(i: number, moment: TrainingMoment, natural: number): void {
    const { name, keep, partition } = layers[i];
    const order = Array.from(norms[i].keys()).sort((a, b) => norms[i][b] - norms[i][a] || a - b);
    const kept = new Set(order.slice(0, Math.min(keep, natural)));
    states[i].frozen = Array.from(norms[i], (_, j) => Number(kept.has(j)));
    states[i].outcome = {
      name,
      groups: partition.groups,
      keep,
      natural,
      epoch: moment.epoch + 1,
      lambda: states[i].lambda,
      forced: natural - kept.size,
    };
    zeroGroups(partition, moment.parameters.arrays, Uint8Array.from(states[i].frozen));
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
      ((parameters: FlatArrays, gradients: FlatArrays) =>
        (blockAdam = createBlockAdam(
          options.adam!,
          { parameters, gradients },
          layers.map((l) => l.partition),
        ))),
    afterStep: (moment) => {
      const { warm, end } = phases(moment.epochs);
      const arrays = moment.parameters.arrays;
      const selecting = moment.epoch >= warm && moment.epoch < end;
      layers.forEach(({ partition, keep }, i) => {
        const state = states[i];
        const active = selecting && !state.frozen;
        const step = {
          norms: norms[i],
          k: active ? keep : partition.groups,
          lambda: active ? state.lambda : weightDecay,
          alpha: moment.learningRate,
          mu: weightDecay,
          h: blockAdam?.metric(i),
        };
        if (active) groupNorms(partition, arrays, norms[i]);
        const factors = active ? proxes[i](step) : ridge(step, partition.groups);
        if (state.frozen) for (let j = 0; j < factors.length; j++) if (!state.frozen[j]) factors[j] = 0;
        scaleGroups(partition, arrays, factors);
        if (state.frozen) zeroState(i, moment);
      });
    },
    atBoundary: async (moment, evaluate) => {
      const { warm, end } = phases(moment.epochs);
      const growth = (lambdaEnd / lambdaStart) ** (1 / (end - warm));
      const counts = layers.map((_, i) => live(i, moment.parameters.arrays));
      if (moment.epoch < warm || moment.epoch >= end) return;
      const last = moment.epoch === end - 1;
      const before = last ? await evaluate() : undefined;
      layers.forEach(({ keep }, i) => {
        if (states[i].frozen) return;
        const natural = counts[i];
        if (natural <= keep || last) freeze(i, moment, natural);
        else states[i].lambda *= growth;
      });
      if (before) committed = { before, after: await evaluate() };
    },
    metrics: () =>
      Object.fromEntries(
        layers.flatMap(({ name }, i) => [
          [`groups/${name}`, masks(i).reduce((a, b) => a + b, 0)],
          [`lambda/${name}`, states[i].lambda],
        ]),
      ),
    state: () => structuredClone({ states, committed }),
    restore: (saved) => {
      const { states: old, committed: done } = structuredClone(saved) as {
        states: LayerState[];
        committed: Commit | undefined;
      };
      old.forEach((s, i) => (states[i] = s));
      committed = done;
    },
    outcomes: () => states.flatMap((s) => s.outcome ?? []),
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

/** Weight decay μ alone: the prox of ½μ‖θ‖² in the metric h. */
function ridge(
  { alpha, mu, h }: { alpha: number; mu: number; h?: Float64Array },
  groups: number,
): Float64Array {
  return h
    ? Float64Array.from(h, (hj) => hj / (hj + alpha * mu))
    : new Float64Array(groups).fill(1 / (1 + alpha * mu));
}
