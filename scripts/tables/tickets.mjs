import { table, times } from "./format.mjs";

/** Runs of an experiment with tickets, and in how many seeds its claims hold. */
function ticketRuns({ runs, verdicts, reached = [] }) {
  const each = (list, show) => list.map(show).join(", ");
  const levels = reached.map(({ level, runs: own }) => [
    level,
    ...own.map(({ steps }) => each(steps, (t) => t ?? "never")),
  ]);
  return [
    table(
      ["run", "generalises for good after, each seed", "best test accuracy, %"],
      runs.map((r) => [
        r.label,
        each(r.generalised, (t) => t ?? "never"),
        each(r.bestTest, (v) => Math.round(100 * v)),
      ]),
    ),
    ...(levels.length === 0
      ? []
      : [
          table(
            ["first step at a test accuracy of", ...levels.map(([level]) => `${Math.round(100 * level)} %`)],
            runs.map(({ label }, i) => [label, ...levels.map((row) => row[i + 1])]),
          ),
        ]),
    table(
      ["claim", "seeds"],
      verdicts.map(({ says, holds, of }) => [says, `${holds} of ${of}`]),
    ),
  ].join("\n\n");
}

/** The parts of the full setting that have been run, one below the other. */
function ticketParts({ parts }) {
  const titles = { mlp: "MLP, p = 67", transformer: "One-layer transformer, p = 67", mnist: "MNIST" };
  return Object.entries(titles)
    .filter(([part]) => parts[part])
    .map(
      ([part, title]) => `**${title}**, seeds ${parts[part].seeds.join(", ")}\n\n${ticketRuns(parts[part])}`,
    )
    .join("\n\n");
}

/** Tables of docs/tickets.md: the name of each, the results it shows, and how. */
export const TABLES = {
  "tickets-quick": ["tickets-quick", ticketRuns],
  "tickets-full": ["tickets-full", ticketParts],
  "tickets-peers": [
    "tickets-peers",
    ({ rows }) =>
      table(
        ["network", "PyTorch", "steps per second: Filigree, PyTorch", "times faster"],
        rows.map((r) => [
          r.network,
          `${r.version}, ${r.torch}`,
          `${r.stepsPerSecond}, ${r.torchStepsPerSecond}`,
          times(r.timesFaster),
        ]),
      ),
  ],
};
