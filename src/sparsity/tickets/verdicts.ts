import type { RunOutcome } from "./experiment.ts";
import type { ExperimentSettings } from "./settings.ts";

/** One of the pass marks of grokking.md section 5, for one seed. */
export interface Verdict {
  says: string;
  holds: boolean;
  /** The figures behind it. */
  because: string;
}

const EARLY = ["random", "magnitude-init", "snip", "grasp", "grasp-reversed", "synflow-1", "synflow-100"];

/** The pass marks, judged by the stable generalisation times; those whose runs are missing are left out. */
export function verdicts(
  runs: readonly RunOutcome[],
  { ratio, steps, giveUp }: ExperimentSettings,
): Verdict[] {
  const byName = new Map(runs.map((r) => [r.name, r]));
  const base = byName.get("base");
  const ticket = byName.get(`ticket-${ratio}`)?.times.generalisedForGood;
  /** A run that never generalised took at least as long as it was given. */
  const timeOf = (run: RunOutcome) => run.times.generalisedForGood ?? Number.POSITIVE_INFINITY;
  const show = (run: RunOutcome) => {
    const time = run.times.generalisedForGood;
    return `${run.name} ${time ?? `never in ${run.steps} (best ${run.bestTest.toFixed(2)})`}`;
  };
  const found: Verdict[] = [];
  const judge = (
    says: string,
    names: readonly string[],
    holds: (run: RunOutcome) => boolean,
    beside = "",
  ) => {
    const present = names.flatMap((name) => byName.get(name) ?? []);
    if (present.length > 0)
      found.push({ says, holds: present.every(holds), because: present.map(show).join(", ") + beside });
  };
  const never = (run: RunOutcome) => run.times.generalisedForGood === undefined;
  const beside = `; ticket ${ticket ?? "never"}`;
  const slower = (factor: number) => (run: RunOutcome) =>
    ticket !== undefined && timeOf(run) >= factor * ticket;
  if (base)
    judge("the ticket generalises at least 5 times sooner than its base", ["base"], slower(5), beside);
  judge(
    "dense networks at the ticket's L1 or L2 norm are at least 3 times slower than it",
    ["dense-l1", "dense-l2"],
    slower(3),
    beside,
  );
  judge("without weight decay the dense network does not generalise", ["dense-0"], never);
  judge(
    "without weight decay a ticket at 70 %, taken 1500 steps after its base generalised, needs less than 1000 steps",
    ["ticket-0.7-0"],
    (run) => timeOf(run) < 1000,
  );
  judge(
    "without weight decay the ticket of iterative pruning generalises",
    ["imp-0"],
    (run) => run.times.generalisedForGood !== undefined,
  );
  judge(
    "masks found at initialisation are at least 10 times slower than the ticket, or never generalise",
    EARLY,
    slower(10),
    beside,
  );
  judge(
    `the ticket taken at memorisation does not generalise in ${giveUp?.least ?? steps} steps`,
    ["taken-memorised"],
    never,
  );
  return found;
}
