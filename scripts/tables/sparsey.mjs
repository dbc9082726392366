import { columnsOf, count, percent, table } from "./format.mjs";

/** Tables of docs/sparsey.md: the name of each, the results it shows, and how. */
export const TABLES = {
  "sparsey-mnist": [
    "sparsey-mnist",
    ({ rows }) => {
      const sizes = columnsOf(rows, "perClass");
      const kinds = [...new Map(rows.map((r) => [`${r.method}, ${r.order}`, r])).values()];
      const cell = ({ method, order }, perClass, figure) => {
        const row = rows.find((r) => r.method === method && r.order === order && r.perClass === perClass);
        if (!row) return "–";
        const { mean, values } = row.figures[figure];
        return values.length > 1 ? percent(row.figures[figure]) : (100 * mean).toFixed(2);
      };
      const names = { accuracy: "", binary: ", `binary`", typical: ", `typical`", logLik: ", `logLik`" };
      return table(
        ["right, %, by images a class", ...sizes.map(count)],
        kinds.flatMap((kind) =>
          Object.keys(names)
            .filter((figure) => kind.figures[figure])
            .map((figure) => [
              `${kind.method}, ${kind.order}${names[figure]}`,
              ...sizes.map((perClass) => cell(kind, perClass, figure)),
            ]),
        ),
      );
    },
  ],
  "sparsey-baselines": [
    "sparsey-baselines",
    ({ figures: { P7 } }) => {
      const cues = Object.keys(Object.values(P7)[0]);
      return table(
        ["exactly completed, %", ...cues],
        Object.entries(P7).map(([memory, rates]) => [memory, ...cues.map((cue) => percent(rates[cue]))]),
      );
    },
  ],
  "sparsey-digits": [
    "sparsey-digits",
    ({ figures: { digits } }) => {
      const sizes = Object.keys(Object.values(digits)[0]);
      return table(
        ["right, %, by images a class", ...sizes],
        Object.entries(digits).map(([name, right]) => [name, ...sizes.map((size) => percent(right[size]))]),
      );
    },
  ],
  "sparsey-planner": [
    "sparsey-planner",
    ({ figures }) =>
      table(
        ["stored; winners that come back, %", ...Object.keys(Object.values(figures)[0])],
        Object.entries(figures).map(([field, columns]) => [
          field,
          ...Object.values(columns).map(
            ({ stored, accuracy }) => `${count(stored.mean)}; ${(100 * accuracy.mean).toFixed(1)}`,
          ),
        ]),
      ),
  ],
  "sparsey-sequence-memories": [
    "sparsey-baselines",
    ({ figures: { "next frame": tasks } }) =>
      table(
        ["inputs expected, %, by presentations", ...Object.keys(Object.values(Object.values(tasks)[0])[0])],
        Object.entries(tasks).flatMap(([task, memories]) =>
          Object.entries(memories).map(([memory, shares]) => [
            `${task}, ${memory}`,
            ...Object.values(shares).map(percent),
          ]),
        ),
      ),
  ],
  "sparsey-speed": [
    "sparsey-speed",
    ({ rows, crossing, bandwidth: b, threads = [] }) => {
      const micros = (t) => (t < 10 ? t.toFixed(1) : count(t));
      const memories = columnsOf(rows, "memory");
      const sizes = columnsOf(rows, "items");
      const byThreads = columnsOf(threads, "memory").map((memory) => {
        const [one, two] = [1, 2].map((n) => threads.find((r) => r.memory === memory && r.threads === n));
        return [
          memory,
          ...[one, two].map((row) => `${micros(row.store)} / ${micros(row.recognize)}`),
          `${(one.store / two.store).toFixed(2)} / ${(one.recognize / two.recognize).toFixed(2)}`,
          one.sums === undefined
            ? "–"
            : `${(100 * one.sums).toFixed(0)}; ${(1 / (1 - one.sums / 2)).toFixed(2)}`,
        ];
      });
      return [
        table(
          ["store / recognise, µs, with so many stored", ...sizes.map(count)],
          memories.map((memory) => [
            memory,
            ...sizes.map((items) => {
              const row = rows.find((r) => r.memory === memory && r.items === items);
              return `${micros(row.store)} / ${micros(row.recognize)}`;
            }),
          ]),
        ),
        `A search takes longer than the codes from so many items on: ${Object.entries(crossing)
          .map(([memory, items]) => `${memory} ${count(items)}`)
          .join(
            ", ",
          )}. With weights that fit into no cache (${count(b.bytesRead / 1e6)} MB read an item), recognising takes ${b.timesTheLimit.toFixed(1)} times as long as memory takes to pass the active rows once; the goal is 3.`,
        ...(byThreads.length > 0
          ? [
              table(
                [
                  "store / recognise, µs by the clock",
                  "one thread",
                  "two",
                  "times as fast",
                  "sums of recognising, %; two threads at best",
                ],
                byThreads,
              ),
            ]
          : []),
      ].join("\n\n");
    },
  ],
  "sparsey-actions": [
    "sparsey-actions",
    ({ figures: { recognition: r, "leave one person out": one } }) =>
      table(
        ["36 clips, 4 actions by 9 people", "right, %", "familiarity of the last frame"],
        [
          ...[
            ["which clip, as stored", r.noNoise],
            ["which clip, 40 % of the pixels moved", r.noise40],
            ["control: all pixels moved", r.control100],
          ].map(([name, { clip, familiarity }]) => [name, percent(clip), familiarity.mean.toFixed(2)]),
          ["action of a person never seen, from all codes", percent(one.allCodes), "–"],
          ["the same, from the last code alone", percent(one.lastCode), "–"],
          ["the same, nearest clip by the same edges", percent(one.nearestClip), "–"],
        ],
      ),
  ],
};
