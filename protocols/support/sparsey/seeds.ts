import { type Summary, summarize } from "../results.ts";

/** The same nested object with mean, standard deviation and values in place of every number. */
export type Summarized = Summary | { [key: string]: Summarized } | Summarized[];

export function overSeeds(seeds: readonly number[], run: (seed: number) => unknown): Summarized {
  return merge(seeds.map(run));
}

function merge(runs: readonly unknown[]): Summarized {
  const [first] = runs;
  if (first === undefined || typeof first === "number") return summarize(runs.map((x) => x as number));
  if (Array.isArray(first)) return first.map((_, i) => merge(runs.map((run) => (run as unknown[])[i])));
  return Object.fromEntries(
    Object.keys(first as object).map((key) => [
      key,
      merge(runs.map((run) => (run as Record<string, unknown>)[key])),
    ]),
  );
}

/** One line a number: "within  0.757 ± 0.012". */
export function printSummary(figures: Summarized, name: string): void {
  if (!Array.isArray(figures) && "mean" in figures && "values" in figures) {
    const { mean, sd } = figures as Summary;
    console.log(`${name.padEnd(60)} ${mean.toFixed(3)} ± ${sd.toFixed(3)}`);
  } else
    for (const [key, value] of Object.entries(figures)) printSummary(value as Summarized, `${name} ${key}`);
}

/** Runs every protocol over the seeds, prints as it goes, and returns all figures. */
export function measureAll(
  seeds: readonly number[],
  protocols: Record<string, (seed: number) => unknown>,
): Record<string, Summarized> {
  const results: Record<string, Summarized> = {};
  for (const [name, run] of Object.entries(protocols)) {
    results[name] = overSeeds(seeds, run);
    printSummary(results[name], name);
  }
  return results;
}

export const SEEDS = [0, 1, 2, 3, 4];
