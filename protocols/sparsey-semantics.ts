/** sparsey.md P3 and P5: the taxonomy of the items in their codes, the gist of a class, samples; controls beside them. */

import { writeResults } from "./support/results.ts";
import { measureAll, SEEDS } from "./support/sparsey/seeds.ts";
import { classGist, emergentTaxonomy, sampling } from "./support/sparsey/taxonomy.ts";

const figures = measureAll(SEEDS, {
  "P3 robust": (seed) => emergentTaxonomy(seed, "robust"),
  "P3 classic": (seed) => emergentTaxonomy(seed, "classic"),
  "P3 graded": (seed) => emergentTaxonomy(seed, "graded"),
  "P3 control: uniform": (seed) => emergentTaxonomy(seed, "uniform"),
  "P3 control: argmax": (seed) => emergentTaxonomy(seed, "argmax"),
  "P5 gist robust": (seed) => classGist(seed, "robust"),
  "P5 gist control: random codes": (seed) => classGist(seed, "randomCode"),
  "P5 samples robust": (seed) => sampling(seed, "robust"),
  "P5 samples control: random codes": (seed) => sampling(seed, "randomCode"),
  "P5 samples control: random codes, classic reading": (seed) => sampling(seed, "randomCodeClassic"),
  "P5 samples classic": (seed) => sampling(seed, "classic"),
  "P5 samples capacity": (seed) => sampling(seed, "capacity"),
});
await writeResults("sparsey-semantics", "npm run protocol -- sparsey-semantics", { seeds: SEEDS, figures });
