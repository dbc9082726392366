/** What `filigree sparsey plan` foretells, and what fields of that size do with random patterns. */
import { planField } from "../src/memory/planner.ts";
import { reportMarks } from "./support/marks.ts";
import { type Summary, writeResults } from "./support/results.ts";
import { FIELDS, forecast } from "./support/sparsey/forecast.ts";
import { measureAll, SEEDS } from "./support/sparsey/seeds.ts";

const fields = FIELDS.map((task) => ({ ...task, k: planField(task).k }));
const name = ({ items, active, inputs, q, k }: (typeof fields)[number]) =>
  `${items} of ${active} in ${inputs}, ${q} × ${k} cells`;
const figures = measureAll(
  SEEDS,
  Object.fromEntries(fields.map((task) => [name(task), (seed: number) => forecast(seed, task)])),
);
await writeResults("sparsey-planner", "npm run protocol -- sparsey-planner", { seeds: SEEDS, figures });

type Figures = Record<string, Record<"stored" | "density" | "accuracy", Summary>>;
reportMarks(
  Object.entries(figures as unknown as Record<string, Figures>).flatMap(
    ([field, { plan, robust, uniform }]) => {
      const off = Math.abs(uniform.accuracy.mean - plan.accuracy.mean);
      const less = plan.accuracy.mean - robust.accuracy.mean;
      return [
        {
          claim: `${field}: uniform codes come back as foretold, to 0.02 (${off.toFixed(3)})`,
          passed: off <= 0.02,
        },
        { claim: `${field}: robust at least as well, less 0.02 (${less.toFixed(3)})`, passed: less <= 0.02 },
        {
          claim: `${field}: robust stores no fewer (${robust.stored.mean} of ${plan.stored.mean})`,
          passed: robust.stored.mean >= 0.99 * plan.stored.mean,
        },
      ];
    },
  ),
);
