/** P3 and P5 of sparsey.md: the order of things in the codes of things, and what can be made from it. */
import { averageLinkage } from "../../../src/memory/cluster.ts";
import { agreement, createMemory } from "../../../src/memory/memory.ts";
import { type PresetName, resolveRules } from "../../../src/memory/rules.ts";
import { random } from "../../../src/random.ts";
import { overlap, taxonomy } from "./patterns.ts";
import { adjustedRand, average, spearman } from "./statistics.ts";

const FIELD = { q: 32, k: 16 };

/** P3: pairs, triples, clusters and identity of 54 items in 9 classes in 3 super-classes. */
export function emergentTaxonomy(seed: number, preset: PresetName) {
  const rng = random(seed);
  const { inputs, items, classes, supers } = taxonomy(rng);
  const memory = createMemory({ inputs, levels: [FIELD], preset, seed, rules: { freezeAt: null } });
  const codes = items.map((item) => memory.learn(item).code);
  const pairs: [number, number][] = [];
  for (let i = 0; i < items.length; i++) for (let j = 0; j < i; j++) pairs.push([i, j]);
  const triples = Array.from({ length: 6000 }, () =>
    Array.from(rng.permutation(items.length).subarray(0, 3)),
  );
  const similarity = (i: number, j: number) => agreement(codes[i], codes[j]);
  const meanWhere = (test: (i: number, j: number) => boolean) =>
    average(pairs.filter(([i, j]) => test(i, j)).map(([i, j]) => similarity(i, j)));
  const identified = items.map((item, i) => {
    const near = Array.from(memory.similarityDistribution(item, codes));
    return Number(near.every((x, j) => j === i || x < near[i]));
  });
  return {
    within: meanWhere((i, j) => classes[i] === classes[j]),
    sameSuper: meanWhere((i, j) => classes[i] !== classes[j] && supers[i] === supers[j]),
    between: meanWhere((i, j) => supers[i] !== supers[j]),
    pairs: spearman(
      pairs.map(([i, j]) => overlap(items[i], items[j])),
      pairs.map(([i, j]) => similarity(i, j)),
    ),
    triples: spearman(
      triples.map(([a, b, c]) => items[a].filter((f) => items[b].includes(f) && items[c].includes(f)).length),
      triples.map(([a, b, c]) =>
        codes[a].reduce((n, w, q) => n + Number(w === codes[b][q] && w === codes[c][q]), 0),
      ),
    ),
    ariClasses: adjustedRand(classes, averageLinkage(items.length, 9, similarity)),
    ariSupers: adjustedRand(supers, averageLinkage(items.length, 3, similarity)),
    identified: average(identified),
  };
}

/** A preset, or codes drawn at random that are then read as `robust` (or `classic`) does: the fair control. */
export type Learner = PresetName | "randomCode" | "randomCodeClassic";

function learner(name: Learner, inputs: number, seed: number) {
  const read = name === "randomCode" ? "robust" : name === "randomCodeClassic" ? "classic" : name;
  const random = read !== name;
  const memory = createMemory({
    inputs,
    levels: [FIELD],
    preset: read,
    seed,
    rules: { freezeAt: null, ...(random && { chi: 0 }) },
  });
  return {
    memory,
    beginReading: () =>
      memory.network.macs.forEach((mac) => (mac.rules = resolveRules(read, { freezeAt: null }))),
  };
}

/** P5: what the memory expects of a class, shown the features that its members have in common. */
export function classGist(seed: number, name: Learner) {
  const rng = random(seed);
  const { inputs, items, classes, core } = taxonomy(rng);
  const { memory, beginReading } = learner(name, inputs, seed);
  // The last exemplar of each class is held out.
  const held = core.map((_, c) => classes.lastIndexOf(c));
  const shown = items.map((_, i) => i).filter((i) => !held.includes(i));
  for (const i of shown) memory.learn(items[i]);
  beginReading();
  const rhos: number[] = [];
  const ratios: number[] = [];
  for (const [c, cue] of core.entries()) {
    const gist = memory.gist(cue, { draws: 8 });
    const members = shown.filter((i) => classes[i] === c);
    const truth = Array.from({ length: inputs }, (_, j) =>
      average(members.map((i) => Number(items[i].includes(j)))),
    );
    const others = Array.from({ length: inputs }, (_, j) => j).filter((j) => !cue.includes(j));
    rhos.push(
      spearman(
        others.map((j) => truth[j]),
        others.map((j) => gist[j]),
      ),
    );
    const votes = (test: (p: number) => boolean) =>
      average(others.filter((j) => test(truth[j])).map((j) => gist[j]));
    ratios.push(votes((p) => p > 0) / votes((p) => p === 0));
  }
  const g = (cues: readonly (readonly number[])[]) =>
    average(cues.map((cue) => memory.recognize(cue).familiarity!));
  return {
    spearman: average(rhos),
    votesRatio: average(ratios),
    familiarity: {
      stored: g(shown.map((i) => items[i])),
      prototype: g(core),
      heldOut: g(held.map((i) => items[i])),
      random: g(core.map(() => Array.from(rng.permutation(inputs).subarray(0, 30)))),
    },
  };
}

/** P5: 200 samples; are they members of a class, of every class, and new? */
export function sampling(seed: number, name: Learner) {
  const { inputs, items, core } = taxonomy(random(seed));
  const { memory, beginReading } = learner(name, inputs, seed);
  for (const item of items) memory.learn(item);
  beginReading();
  const stored = new Set(items.map((item) => [...item].sort((a, b) => a - b).join()));
  const samples = Array.from({ length: 200 }, () => memory.sample());
  const best = samples.map((x) => core.map((features) => overlap(features, x) / features.length));
  const hit = new Set(
    best.flatMap((shares) => (Math.max(...shares) >= 0.8 ? [shares.indexOf(Math.max(...shares))] : [])),
  );
  return {
    valid: average(best.map((shares) => Number(Math.max(...shares) >= 0.8))),
    classesHit: hit.size,
    fresh: average(samples.map((x) => Number(!stored.has(x.join())))),
  };
}
