import type { Section } from "../allowance.ts";
import type { Ledger } from "./ledger.ts";

export interface Choice {
  ledger: Ledger;
  sections: readonly Section[];
  /** What all kept groups may cost together. */
  limit: number;
  /** Every section keeps a multiple of this, or all it has. Default 1. */
  round?: number;
}

/** Room for the rounding of sums. */
const SLACK = 1 + 1e-12;

/**
 * The groups to keep within a budget: from all that have a score above 0, the one with the least score² a saved cost goes
 * first, whichever section it is in, until the rest fits; then what still fits comes back, the best first. So no more than
 * the budget is spent, and no group that could stay is gone. Every section keeps one group, or `round`.
 *
 * @param scores a norm for each group, comparable between sections.
 * @returns 1 or 0 for each group; more than the budget where even the least costs more.
 */
export function chooseWithin(
  { ledger, sections, limit, round = 1 }: Choice,
  scores: Float64Array,
): Uint8Array {
  const live = Uint8Array.from(scores, (s) => Number(s > 0));
  scores.forEach((_, j) => {
    if (!live[j]) ledger.remove(j);
  });
  let start = 0;
  const queues = sections.map(({ groups, least = 1 }) => {
    const own = Array.from({ length: groups }, (_, i) => start + i).filter((j) => live[j]);
    start += groups;
    // Of equal ones the first stays.
    own.sort((i, j) => scores[i] - scores[j] || j - i);
    return { own, groups, least: Math.max(least, Math.min(round, groups)), gone: 0 };
  });
  const worth = (chunk: readonly number[]) => chunk.reduce((sum, j) => sum + scores[j] ** 2, 0);
  const removeAll = (chunk: readonly number[]) => {
    for (const j of chunk) ledger.remove(j);
  };
  const restoreAll = (chunk: readonly number[]) => {
    for (const j of chunk) ledger.restore(j);
  };

  while (ledger.cost() > limit * SLACK) {
    let best: { queue: (typeof queues)[number]; chunk: number[]; price: number } | undefined;
    for (const queue of queues) {
      const left = queue.own.length - queue.gone;
      const next = Math.max(queue.least, (Math.ceil(left / round) - 1) * round);
      if (next >= left) continue;
      const chunk = queue.own.slice(queue.gone, queue.gone + left - next);
      const before = ledger.cost();
      removeAll(chunk);
      const price = worth(chunk) / Math.max(before - ledger.cost(), Number.MIN_VALUE);
      restoreAll(chunk);
      if (!best || price < best.price) best = { queue, chunk, price };
    }
    if (!best) break;
    removeAll(best.chunk);
    best.queue.gone += best.chunk.length;
  }
  for (;;) {
    let best: { queue: (typeof queues)[number]; chunk: number[]; price: number } | undefined;
    for (const queue of queues) {
      const left = queue.own.length - queue.gone;
      const next = Math.min((Math.floor(left / round) + 1) * round, queue.own.length);
      if (next === left || (next % round !== 0 && next !== queue.groups)) continue;
      const chunk = queue.own.slice(queue.own.length - next, queue.gone);
      const before = ledger.cost();
      restoreAll(chunk);
      const price = worth(chunk) / Math.max(ledger.cost() - before, Number.MIN_VALUE);
      if (ledger.cost() <= limit * SLACK && (!best || price > best.price)) best = { queue, chunk, price };
      removeAll(chunk);
    }
    if (!best) break;
    restoreAll(best.chunk);
    best.queue.gone -= best.chunk.length;
  }

  const kept = new Uint8Array(scores.length);
  for (const { own, gone } of queues) for (const j of own.slice(gone)) kept[j] = 1;
  kept.forEach((alive, j) => {
    if (!alive) ledger.restore(j);
  });
  return kept;
}

/** What the least costs that the sections can be left with. */
export function leastCost({ ledger, sections, round = 1 }: Omit<Choice, "limit">): number {
  const total = sections.reduce((sum, s) => sum + s.groups, 0);
  const choice = { ledger, sections, limit: Number.NEGATIVE_INFINITY, round };
  const kept = chooseWithin(choice, new Float64Array(total).fill(1));
  return costOf(ledger, kept);
}

/** What a network costs with these groups. */
export function costOf(ledger: Ledger, live: Uint8Array): number {
  live.forEach((alive, j) => {
    if (!alive) ledger.remove(j);
  });
  const cost = ledger.cost();
  live.forEach((alive, j) => {
    if (!alive) ledger.restore(j);
  });
  return cost;
}

/** Share of an equal share of its groups that every layer keeps, whatever its groups are worth. */
const SPARED = 0.5;

/**
 * The same sections, each with a least number of groups: half of what it would keep if all kept the same share. Norms say
 * which group of a layer to keep, but little about which layer needs more: where batch norm makes them nearly equal,
 * costs alone would decide, and whole layers would be cut down to one channel.
 */
export function spareLayers({ ledger, sections, limit, round = 1 }: Choice): Section[] {
  const countsAt = (share: number) =>
    sections.map(({ groups }) =>
      Math.max(Math.min(round, groups), Math.floor((share * groups) / round) * round),
    );
  const fits = (share: number) => {
    const counts = countsAt(share);
    const live = sections.flatMap(({ groups }, i) =>
      Array.from({ length: groups }, (_, j) => Number(j < counts[i])),
    );
    return costOf(ledger, Uint8Array.from(live)) <= limit * SLACK;
  };
  let [low, high] = [0, 1];
  if (fits(high)) low = high;
  for (let halving = 0; halving < 20; halving++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  const least = countsAt(SPARED * low);
  return sections.map((section, i) => ({ ...section, least: least[i] }));
}
