/**
 * sparsey.md P9 on MNIST: classes learnt from few images, each seen once, by the memory and by classifiers that fit weights or
 * keep everything.
 *
 * Options: --per-class 10,50,200; --test 2000 of the test images; --data-dir <folder>.
 */
import { parseArgs } from "node:util";
import { loadDataset } from "../src/data/load.node.ts";
import { reportMarks } from "./support/marks.ts";
import { DATA_DIR, type Summary, writeResults } from "./support/results.ts";
import { CLASSIFIERS, digitAccuracy } from "./support/sparsey/digit-classifiers.ts";
import { take } from "./support/sparsey/mnist.ts";
import { measureAll, SEEDS } from "./support/sparsey/seeds.ts";

const { values } = parseArgs({
  options: {
    "per-class": { type: "string", default: "10,50,200" },
    test: { type: "string", default: "2000" },
    "data-dir": { type: "string" },
  },
});
const sizes = values["per-class"].split(",").map(Number);
const test = Number(values.test);

const data = await loadDataset("mnist", { dataDir: values["data-dir"] ?? DATA_DIR });
const asked = take(
  data.test,
  Array.from({ length: test }, (_, i) => i),
);
const accuracies = (names: readonly string[], dealtLabels: boolean) => (seed: number) =>
  Object.fromEntries(
    names.map((name) => [
      name,
      Object.fromEntries(
        sizes.map((perClass) => [
          perClass,
          digitAccuracy(data.train, asked, name, { perClass, seed, dealtLabels }),
        ]),
      ),
    ]),
  );
const figures = measureAll(SEEDS, {
  digits: accuracies(Object.keys(CLASSIFIERS), false),
  "digits, control: labels dealt out anew": accuracies(["memory, `logLik`", "naive Bayes, edges"], true),
});
await writeResults("sparsey-digits", "npm run protocol -- sparsey-digits", { seeds: SEEDS, test, figures });

type Accuracies = Record<string, Record<string, Summary>>;
const binary = (figures.digits as unknown as Accuracies)["memory, `binary`"];
const control = figures["digits, control: labels dealt out anew"] as unknown as Accuracies;
reportMarks([
  ...sizes
    .filter((perClass) => perClass >= 50)
    .map((perClass) => ({
      claim: `${perClass} a class: at least 70 % right by binary (${binary[perClass].mean.toFixed(3)})`,
      passed: binary[perClass].mean >= 0.7,
    })),
  ...Object.entries(control).flatMap(([name, accuracies]) =>
    sizes.map((perClass) => ({
      claim: `${perClass} a class, labels dealt out anew: chance by ${name} (${accuracies[perClass].mean.toFixed(3)})`,
      passed: Math.abs(accuracies[perClass].mean - 0.1) <= 0.05,
    })),
  ),
]);
