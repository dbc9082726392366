/** The protocols of sparsey.md section 6 at one or two seeds, within its bands; each with the control that must fail. */
import { expect, test } from "vitest";
import { operationCounts, readOnlyQueries } from "../../protocols/support/sparsey/fixed-time.ts";
import {
  distributedAgainstLocalist,
  freezing,
  noveltyScore,
  similarityDistribution,
  storeAndRetrieve,
} from "../../protocols/support/sparsey/one-field.ts";
import {
  competingHypotheses,
  hierarchy,
  orderClassification,
  orderNovelty,
  replay,
  sequenceCapacity,
  timeWarp,
} from "../../protocols/support/sparsey/sequences.ts";
import { classGist, emergentTaxonomy, sampling } from "../../protocols/support/sparsey/taxonomy.ts";
import { vectors } from "./support.ts";

test("P1: stored once, retrieved; a fresh memory answers at chance", () => {
  const { perModule, familiarity, freshAgreement, freshFamiliarity } = storeAndRetrieve(0);
  expect(perModule).toBeGreaterThanOrEqual(0.99);
  expect(familiarity).toBeGreaterThanOrEqual(0.999);
  expect(Math.abs(freshAgreement - 24 / 16)).toBeLessThan(0.4);
  expect(freshFamiliarity).toBe(0);
});

test("P1: distributed codes hold a thousand items where as many localist units hold a few dozen", () => {
  expect(distributedAgainstLocalist(0, { q: 24, k: 16, items: 1000 })).toBeGreaterThanOrEqual(0.99);
  expect(distributedAgainstLocalist(0, { q: 1, k: 384, items: 1000 })).toBeLessThan(0.15);
});

test("P3: the taxonomy of the items is in their codes; not in random ones, nor in those without noise", () => {
  const runs = [0, 2].map((seed) => emergentTaxonomy(seed, "robust"));
  for (const { pairs, triples, ariClasses, ariSupers, identified } of runs) {
    expect(pairs).toBeGreaterThanOrEqual(0.5);
    expect(triples).toBeGreaterThanOrEqual(0.35);
    expect(ariClasses).toBeGreaterThanOrEqual(0.9);
    expect(ariSupers).toBeGreaterThanOrEqual(0.7);
    expect(identified).toBe(1);
  }
  const uniform = emergentTaxonomy(0, "uniform");
  expect(Math.abs(uniform.pairs)).toBeLessThan(0.1);
  expect(uniform.ariClasses).toBeLessThan(0.1);
  expect(emergentTaxonomy(0, "argmax").identified).toBeLessThan(0.3);
});

test("P4: one code ranks everything stored by similarity; read without weights it ranks nothing", () => {
  const { tau, top1 } = similarityDistribution(0, "robust");
  expect(tau).toBeGreaterThanOrEqual(0.4);
  expect(top1).toBeGreaterThanOrEqual(0.85);
  expect(similarityDistribution(0, "robust", 0).tau).toBeLessThan(0.15);
});

test("P5: the gist of a class, and new members of it; random codes do worse", () => {
  const gist = classGist(0, "robust");
  expect(gist.spearman).toBeGreaterThanOrEqual(0.45);
  expect(gist.votesRatio).toBeGreaterThanOrEqual(3);
  expect(gist.familiarity.stored).toBeCloseTo(1, 9);
  expect(gist.familiarity.prototype - gist.familiarity.random).toBeGreaterThan(0.8);
  expect(classGist(0, "randomCode").spearman).toBeLessThan(gist.spearman - 0.1);
  const samples = sampling(0, "robust");
  expect(samples.valid).toBeGreaterThanOrEqual(0.85);
  expect(samples.classesHit).toBe(9);
  expect(samples.fresh).toBeGreaterThanOrEqual(0.8);
  expect(sampling(0, "randomCode").valid).toBeLessThan(0.6);
});

test("P6: the more is new, the less familiar; with raw evidence everything is", () => {
  const { moved, halfMissing } = noveltyScore(0, "robust");
  for (let i = 1; i < moved.length; i++) expect(moved[i]).toBeLessThan(moved[i - 1]);
  expect(moved[0] - moved[4]).toBeGreaterThanOrEqual(0.5);
  expect(halfMissing).toBeCloseTo(1, 2);
  const classic = noveltyScore(0, "classic").moved;
  expect(classic[0] - classic[4]).toBeLessThan(0.05);
  expect(noveltyScore(0, "classic", { normalizer: 12 }).halfMissing).toBeCloseTo(0.5, 2);
});

test("P8: sequences come back exactly, from damaged frames and by themselves; not without H, nor in another order", () => {
  const { exact, oneMoved, familiarity, familiarityShuffled } = sequenceCapacity(0, {
    preset: "capacity",
    k: 16,
    sequences: 16,
  });
  expect(exact).toBeGreaterThanOrEqual(0.98);
  expect(oneMoved).toBeGreaterThanOrEqual(0.95);
  expect(familiarity).toBeGreaterThan(0.99);
  expect(familiarityShuffled).toBeLessThan(0.6);
  expect(replay(0, { sequences: 8 })).toBeGreaterThanOrEqual(0.95);
  expect(replay(0, { sequences: 8, rules: { useHorizontal: false } })).toBeLessThan(0.3);
});

test("P8: order is told by the last frame, and a new order is new", () => {
  expect(orderClassification(0, { preset: "robust" })).toBeGreaterThanOrEqual(0.95);
  expect(orderClassification(0, { preset: "robust", moved: 2 })).toBeGreaterThanOrEqual(0.95);
  expect(orderClassification(0, { preset: "robust", rules: { useHorizontal: false } })).toBeLessThan(0.3);
  expect(orderNovelty(0).order.auc).toBeGreaterThanOrEqual(0.95);
  expect(orderNovelty(0, { useHorizontal: false }).order.auc).toBeLessThanOrEqual(0.6);
  expect(orderNovelty(0, { backoff: [0.96, 0.93, 0.9] }).used.auc).toBeLessThanOrEqual(0.55);
});

test("P8: time warp needs back-off, ambiguity its compensation", () => {
  const warp = timeWarp(0, [0.96, 0.93, 0.9]);
  const rigid = timeWarp(0, null);
  for (const kind of ["doubleSpeed", "halfSpeed", "fourDropped"] as const) {
    expect(warp[kind]).toBeGreaterThanOrEqual(0.99);
    expect(rigid[kind]).toBeLessThan(0.97);
  }
  const { overlaps, accuracyAtC, familiarityAtC } = competingHypotheses(0, 1);
  for (const overlap of overlaps) expect(Math.abs(overlap - 0.5)).toBeLessThan(0.25);
  expect(accuracyAtC).toBe(1);
  expect(familiarityAtC).toBeGreaterThan(0.8);
  expect(competingHypotheses(0, 0).familiarityAtC).toBeLessThan(0.75);
});

test("P8: a level above with H and D keeps its trace; without them it does not", () => {
  const full = hierarchy(1, { preset: "classic" });
  const alone = hierarchy(1, { preset: "classic", rules: { useHorizontal: false, useTopDown: false } });
  expect(full.identified).toBe(1);
  expect(full.trace[1]).toBeGreaterThan(0.9);
  expect(alone.identified).toBeLessThan(0.7);
  expect(alone.trace[1]).toBeLessThan(full.trace[1] - 0.1);
});

test("P10: freezing comes when the closed form says, and saves the first items", () => {
  for (const { theta, M } of vectors.freeze)
    expect(Math.abs(freezing(0, theta).frozenAfter! - M)).toBeLessThanOrEqual(3);
  expect(freezing(0, 0.4).firstFifty).toBeGreaterThanOrEqual(0.99);
  expect(freezing(0, null).firstFifty).toBeLessThanOrEqual(0.35);
});

test("P11: the three-thousandth item takes the operations of the second, and reading writes nothing", () => {
  const { afterOne, afterMany } = operationCounts(0, 3000);
  expect(afterMany).toEqual(afterOne);
  expect(readOnlyQueries(0)).toBe(1);
});
