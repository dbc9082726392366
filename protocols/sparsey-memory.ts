/** sparsey.md P1, P4, P6, P10, P11: one field stores, answers, tells what is new, and freezes; controls beside them. */

import { writeResults } from "./support/results.ts";
import { operationCounts, readOnlyQueries } from "./support/sparsey/fixed-time.ts";
import {
  distributedAgainstLocalist,
  freezing,
  noveltyScore,
  similarityDistribution,
  storeAndRetrieve,
} from "./support/sparsey/one-field.ts";
import { measureAll, SEEDS } from "./support/sparsey/seeds.ts";

const figures = measureAll(SEEDS, {
  "P1 store and retrieve": storeAndRetrieve,
  "P1 24 modules of 16 cells": (seed) =>
    Object.fromEntries(
      [1000, 1500].map((items) => [items, distributedAgainstLocalist(seed, { q: 24, k: 16, items })]),
    ),
  "P1 control: 1 module of 384 cells": (seed) =>
    Object.fromEntries(
      [300, 600, 1000, 1500].map((items) => [
        items,
        distributedAgainstLocalist(seed, { q: 1, k: 384, items }),
      ]),
    ),
  "P4 robust": (seed) => similarityDistribution(seed, "robust"),
  "P4 classic": (seed) => similarityDistribution(seed, "classic"),
  "P4 control: read without weights": (seed) => similarityDistribution(seed, "robust", 0),
  "P6 robust": (seed) => noveltyScore(seed, "robust"),
  "P6 control: classic": (seed) => noveltyScore(seed, "classic"),
  "P6 classic, fixed normaliser": (seed) => noveltyScore(seed, "classic", { normalizer: 12 }),
  "P10 frozen at 0.3": (seed) => freezing(seed, 0.3),
  "P10 frozen at 0.4": (seed) => freezing(seed, 0.4),
  "P10 frozen at 0.5": (seed) => freezing(seed, 0.5),
  "P10 frozen at 0.6": (seed) => freezing(seed, 0.6),
  "P10 control: never": (seed) => ({ firstFifty: freezing(seed, null).firstFifty }),
  "P11 operations": (seed) => operationCounts(seed, 10_000),
  "P11 queries leave every weight": readOnlyQueries,
});
await writeResults("sparsey-memory", "npm run protocol -- sparsey-memory", { seeds: SEEDS, figures });
