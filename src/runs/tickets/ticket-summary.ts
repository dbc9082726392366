import type { RunOutcome } from "../../sparsity/tickets/experiment.ts";
import { runDefinitions } from "../../sparsity/tickets/run-definitions.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { verdicts } from "../../sparsity/tickets/verdicts.ts";

/** One kind of run over all seeds. */
export interface RunSummary {
  name: string;
  label: string;
  /** Stable generalisation times in steps, in the order of the seeds; null: never. */
  generalised: (number | null)[];
  memorised: (number | null)[];
  /** τ_grok, generalisation time over memorisation time. */
  tau: (number | null)[];
  bestTest: number[];
  /** Weights of the networks that were trained: tickets lose what their masks cut off. */
  parameters: number[];
  /** Steps that each was given at most or stopped at. */
  steps: number[];
}

export interface VerdictSummary {
  says: string;
  /** Seeds in which it holds, and seeds in which it was judged. */
  holds: number;
  of: number;
  because: string[];
}

export interface TicketSummary {
  runs: RunSummary[];
  verdicts: VerdictSummary[];
}

/** Times of every kind of run over the seeds, and the pass marks. */
export function summarizeExperiment(
  settings: ExperimentSettings,
  outcomes: readonly RunOutcome[],
): TicketSummary {
  const labels = new Map([
    ["base", "base, dense"],
    ...[...runDefinitions(settings)].map(([n, d]) => [n, d.label] as const),
  ]);
  const runs = [...labels].flatMap(([name, label]): RunSummary[] => {
    const own = outcomes.filter((o) => o.name === name);
    if (own.length === 0) return [];
    return [
      {
        name,
        label,
        generalised: own.map((o) => o.times.generalisedForGood ?? null),
        memorised: own.map((o) => o.times.memorised ?? null),
        tau: own.map(({ times: { generalisedForGood: g, memorised: m } }) =>
          g !== undefined && m ? g / m : null,
        ),
        bestTest: own.map((o) => o.bestTest),
        parameters: own.map((o) => o.parameters),
        steps: own.map((o) => o.steps),
      },
    ];
  });
  const seeds = [...new Set(outcomes.map((o) => o.seed))].sort((a, b) => a - b);
  const bySays = new Map<string, VerdictSummary>();
  for (const seed of seeds)
    for (const { says, holds, because } of verdicts(
      outcomes.filter((o) => o.seed === seed),
      settings,
    )) {
      const summary = bySays.get(says) ?? { says, holds: 0, of: 0, because: [] };
      bySays.set(says, {
        says,
        holds: summary.holds + Number(holds),
        of: summary.of + 1,
        because: [...summary.because, `seed ${seed}: ${because}`],
      });
    }
  return { runs, verdicts: [...bySays.values()] };
}

/** Mean and sample standard deviation of the times that there are; undefined where there is none. */
export function meanOf(
  values: readonly (number | null)[],
): { mean: number; sd: number; count: number } | undefined {
  const known = values.filter((v) => v !== null);
  if (known.length === 0) return undefined;
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const sd = Math.sqrt(known.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, known.length - 1));
  return { mean, sd, count: known.length };
}
