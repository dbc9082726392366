import { betterThan } from "./pareto.ts";
import type { Summary } from "./results.ts";
import { summarize } from "./results.ts";

/** One compressed network. */
export interface ImageRun {
  network: string;
  method: string;
  /** Share of the multiply–accumulates that was asked for; absent: nothing is cut. */
  macs?: number;
  seed: number;
  result: {
    accuracy: number;
    macs: number;
    parameters: number;
    bytes: number;
    groups: number;
    natural: number;
    kept: number;
    processorSeconds: number;
  };
  /** At batch 64, one thread; absent until it is measured. */
  latencyMs?: number;
}

/** A method at one budget, over the seeds. */
export interface ImageRow {
  network: string;
  method: string;
  /** Share asked for; 1 where nothing is cut. */
  budget: number;
  accuracy: Summary;
  macs: Summary;
  parameters: Summary;
  bytes: Summary;
  latencyMs: Summary | null;
  groups: number;
  natural: number[];
  kept: number[];
  processorSeconds: number;
}

export const COSTS = ["macs", "bytes", "latencyMs"] as const;
export type Cost = (typeof COSTS)[number];

/** Where a row stands in the plane of accuracy and one cost. */
export interface Standing {
  network: string;
  method: string;
  budget: number;
  cost: Cost;
  /** Rows with a better mean at no higher cost; none: it is on the front. */
  beatenBy: string[];
  /** Those that are better by more than one standard deviation, the larger of the two. */
  clearlyBeatenBy: string[];
}

/** Rows in the order of the runs. */
export function rowsOf(runs: readonly ImageRun[]): ImageRow[] {
  const keyOf = ({ network, method, macs }: ImageRun) => `${network} ${method} ${macs}`;
  return [...new Set(runs.map(keyOf))].map((key) => {
    const own = runs.filter((run) => keyOf(run) === key);
    const [{ network, method, macs }] = own;
    const of = (pick: (r: ImageRun["result"]) => number) => summarize(own.map((run) => pick(run.result)));
    const times = own.flatMap(({ latencyMs }) => latencyMs ?? []);
    return {
      network,
      method,
      budget: macs ?? 1,
      accuracy: of((r) => r.accuracy),
      macs: of((r) => r.macs),
      parameters: of((r) => r.parameters),
      bytes: of((r) => r.bytes),
      latencyMs: times.length === own.length ? summarize(times) : null,
      groups: own[0].result.groups,
      natural: own.map((run) => run.result.natural),
      kept: own.map((run) => run.result.kept),
      processorSeconds: of((r) => r.processorSeconds).mean,
    };
  });
}

/** Of every row of a method whether the other rows of its network beat it, for each cost that was measured. */
export function standingsOf(rows: readonly ImageRow[], method: string): Standing[] {
  return rows
    .filter((row) => row.method === method)
    .flatMap((own) =>
      COSTS.flatMap((cost): Standing[] => {
        const offers = rows
          .filter((row) => row.network === own.network && row[cost])
          .map((row) => ({ row, cost: row[cost]!.mean, worth: row.accuracy.mean, sd: row.accuracy.sd }));
        const offer = offers.find(({ row }) => row === own);
        if (!offer) return [];
        const name = ({ row }: (typeof offers)[number]) => `${row.method} ${row.budget}`;
        const better = betterThan(offer, offers);
        const { network, budget } = own;
        return [
          {
            network,
            method,
            budget,
            cost,
            beatenBy: better.map(name),
            clearlyBeatenBy: better
              .filter((other) => other.worth - offer.worth > Math.max(other.sd, offer.sd))
              .map(name),
          },
        ];
      }),
    );
}
