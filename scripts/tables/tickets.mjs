import { table, times } from "./format.mjs";

/** Runs of an experiment with tickets, and in how many seeds its claims hold. */
function ticketRuns({ runs, verdicts }) {
  const each = (list, show) => list.map(show).join(", ");
  return [
    table(
      ["run", "generalises for good after, each seed", "best test accuracy, %"],
      runs.map((r) => [
        r.label,
        each(r.generalised, (t) => t ?? "never"),
        each(r.bestTest, (v) => Math.round(100 * v)),
      ]),
    ),
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
