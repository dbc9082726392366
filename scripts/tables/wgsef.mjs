import { count, grid, percent, table, times } from "./format.mjs";

const change = ({ before, after }) => `${count(before)} → ${count(after)}`;

const METHODS = {
  wgsef: "WGSEF (debiased)",
  "wgsef-plain": "WGSEF as published",
  magnitude: "magnitude + fine-tuning",
  "group-lasso": "group lasso, same controller",
  scratch: "the small net from scratch",
};

const NETWORKS = {
  dense: "dense",
  masked: "zeros left in place",
  shrunk: "shrunk",
  aligned: "shrunk, widths rounded up on loading",
  session: "shrunk, by `createSparseSession`",
};

function comparison({ methods, latencyMs }) {
  const counts = (list) => list.map((c) => Object.values(c).join("-")).join(", ") || "–";
  const signed = (v) => (v ? `${v > 0 ? "+" : ""}${(100 * v).toFixed(2)}` : "0");
  const rows = methods.map((m) => {
    const cut = m.kept.some((k) => Object.keys(k).length > 0);
    return [
      METHODS[m.method] ?? m.method,
      percent(m.accuracy),
      cut ? counts(m.kept) : "–",
      cut ? counts(m.natural) : "–",
      cut ? m.commitChange.map(signed).join(", ") : "–",
      count(m.parameters),
      count(m.macs),
      count(m.bytes),
    ];
  });
  const heads = [
    "method",
    "test accuracy, % (mean ± s.d. of 3 seeds)",
    "groups kept, each seed",
    "reached in training",
    "accuracy change at the cut, points",
    "parameters",
    "MACs",
    "bytes",
  ];
  const latencies = Object.entries(latencyMs).map(([batch, ms]) => {
    const parts = Object.entries(ms).map(
      ([name, t]) =>
        `${NETWORKS[name]} ${t.toFixed(3)} ms${name === "dense" ? "" : ` (${times(ms.dense / t)})`}`,
    );
    return `Latency at ${batch}, one thread, median: ${parts.join(", ")}.`;
  });
  return [table(heads, rows), ...latencies].join("\n\n");
}

function resnet50({ rows }) {
  const both = (r, pick) => ["batch 1", "batch 8"].map((b) => pick(r.latencyMs[b])).join(", ");
  return table(
    [
      "seed",
      "MACs",
      "MAC ratio",
      "latency ratio at batch 1, 8",
      "its share of the MAC ratio",
      "zeros left in place",
      "output error; with one wrong weight",
    ],
    rows.map((r) => [
      r.seed,
      change(r.macs),
      times(r.macs.before / r.macs.after),
      both(r, (l) => times(l.ratio)),
      both(r, (l) => l.ofMacRatio.toFixed(2)),
      both(r, (l) => times(l.before / l.zerosInPlace)),
      `${r.outputError.toExponential(1)}; ${r.errorWithOneWrongWeight.toExponential(1)}`,
    ]),
  );
}

const COSTS = { macs: "MACs", bytes: "bytes", latencyMs: "latency" };

/** A row for each method of each network, with its budgets side by side. */
function images({ rows, missing, settings: { budgets } }) {
  const find = (network, method, budget) =>
    rows.find((r) => r.network === network && r.method === method && r.budget === budget);
  const rounded = ({ mean }) => Number(mean.toPrecision(3));
  const groups = ({ natural, kept }) => {
    const mean = (list) => Math.round(list.reduce((a, b) => a + b) / list.length);
    return `${mean(natural)} → ${mean(kept)}`;
  };
  const lines = [...new Set(rows.map((r) => `${r.network} ${r.method}`))].map((key) => {
    const [network, method] = key.split(" ");
    const at = find(network, method, 1) ? [1] : budgets;
    const each = (cell) =>
      at.map((b) => (find(network, method, b) ? cell(find(network, method, b)) : "–")).join(", ");
    const accuracies = budgets
      .map((b) => find(network, method, b))
      .map((r) => (r ? percent(r.accuracy) : "–"));
    return [
      network,
      at.length === 1 ? `${method}: ${each((r) => percent(r.accuracy))}` : (METHODS[method] ?? method),
      ...accuracies,
      each(groups),
      each((r) => rounded(r.bytes) / 1000),
      each((r) => (r.latencyMs ? rounded(r.latencyMs) : "–")),
    ];
  });
  const heads = [
    "network",
    "method",
    ...budgets.map((b) => `test accuracy at ${100 * b} % of the MACs, %`),
    "groups left by training → kept",
    "kB",
    "ms",
  ];
  const rest =
    missing > 0 ? `\n\n${count(missing)} runs are still to come; rows stand where all seeds are there.` : "";
  return table(heads, lines) + rest;
}

/** Where the envelope stands among the others, for each cost that was measured. */
function fronts({ standings }) {
  const verdict = ({ beatenBy, clearlyBeatenBy }) => {
    if (beatenBy.length === 0) return "on the front";
    if (clearlyBeatenBy.length === 0) return `within one s.d. of ${beatenBy.join(", ")}`;
    return `**not on it**: ${clearlyBeatenBy.join(", ")}`;
  };
  const places = standings.map((s) => ({ ...s, place: `${s.network} at ${100 * s.budget} %` }));
  return grid(places, ["place", "WGSEF"], ["cost", (c) => `accuracy against ${COSTS[c]}`], verdict);
}

/** What each kind of group comes to over the seeds: counts of every seed where they differ, the rest as mean ± s.d. */
function groupKinds({ kinds, runs }) {
  const spread = ({ mean, sd }, digits) => `${mean.toFixed(digits)} ± ${sd.toFixed(digits)}`;
  return table(
    [
      "kind",
      "groups",
      "asked for and left",
      "reached in training",
      "channels removed",
      "MACs, fewer by",
      "weights that are not zero",
      "test accuracy, %",
    ],
    kinds.map(({ kind, accuracy, removed, macsRatio, nonZeros }) => {
      const own = runs.filter((r) => r.kind === kind);
      const counts = (key) => [...new Set(own.map((r) => r.sets.map((s) => s[key]).join("-")))].join(", ");
      return [
        kind,
        counts("groups"),
        counts("nonZero"),
        counts("natural"),
        spread(removed, 1),
        `${spread(macsRatio, 2)}×`,
        count(Math.round(nonZeros.mean)),
        percent(accuracy),
      ];
    }),
  );
}

const figures = (values) =>
  values.map((v) => (v === null ? "–" : Number(v.toPrecision(2)).toString())).join(", ");

/** P1 and P2: what each method found, seed by seed. */
function bySeed({ methods }, columns) {
  return table(
    ["method, k = 6 unless said", ...columns.map(([head]) => head)],
    methods.map((m) => [m.method, ...columns.map(([, cell]) => cell(m))]),
  );
}

/** Tables of docs/wgsef.md: the name of each, the results it shows, and how. */
export const TABLES = {
  "shrink-equivalence": [
    "shrink-equivalence",
    ({ rows, seeds }) =>
      table(
        [
          "network",
          `groups, ${seeds.length} seeds`,
          "MACs, fewer by",
          "largest difference in double precision",
          "in single precision",
          "with one wrong weight, at least",
        ],
        rows.map((r) => [
          r.network,
          change(r.groups),
          times(r.macsRatio),
          ...[r.double, r.single, r.wrong].map((v) => (v === 0 ? "0" : v.toExponential(1))),
        ]),
      ),
  ],
  sensitivity: [
    "sensitivity",
    ({ rows }) =>
      grid(
        rows.map((r) => ({ ...r, name: r.method === "group-lasso" ? "group lasso" : `WGSEF, k = ${r.k}` })),
        ["name", "neurons left, each seed"],
        ["lambda", (v) => `λ = ${v}`],
        (r) => `${r.neurons.join(", ")} (${figures(r.nmse)})`,
      ),
  ],
  regression: [
    "regression",
    (results) =>
      bySeed(results, [
        ["groups, each seed", (m) => m.groups.join(", ")],
        ["true ones among them", (m) => m.true.join(", ")],
        ["left by training", (m) => m.natural.join(", ")],
        ["test error (MSE)", (m) => figures(m.mse.values)],
      ]),
  ],
  "teacher-student": [
    "teacher-student",
    (results) =>
      bySeed(results, [
        ["error (NMSE), each seed", (m) => figures(m.nmse.values)],
        ["neurons", (m) => m.neurons.join(", ")],
        ["left by training", (m) => m.natural.join(", ")],
        ["error right after the cut", (m) => figures(m.nmseAfterCut)],
      ]),
  ],
  "mnist-lenet": ["mnist-lenet", comparison],
  glyphs: ["glyphs", comparison],
  prune: [
    "prune",
    ({ dense, rows }) =>
      `${table(
        [
          "`--keep`",
          "MACs, fewer by",
          "`--by l2`, %",
          "`--by l1`, %",
          "`--by random`, %",
          "l2, then trained, %",
        ],
        rows.map((r) => [
          r.keep,
          times(r.macsRatio),
          ...["l2", "l1", "random"].map((by) => percent(r.cut[by])),
          percent(r.tuned),
        ]),
      )}\n\nThe whole network: ${percent(dense)} %.`,
  ],
  images: ["images", images],
  "images-front": ["images", fronts],
  "images-control": [
    "images",
    ({ control: { network, rows } }) =>
      rows.length === 0
        ? ""
        : `${network}: ${rows.map((r) => `${percent(r.accuracy)} % at ${100 * r.budget} % of the MACs`).join(", ")}.`,
  ],
  imported: [
    "imported",
    ({ rows }) =>
      table(
        [
          "network",
          "asked for",
          "accuracy before, %",
          "after, % (mean ± s.d.)",
          "MACs",
          "parameters",
          "bytes",
          "faster at batch 64, each seed",
        ],
        rows.map((r) => [
          r.network,
          `\`${r.budget}\``,
          (100 * r.original).toFixed(2),
          percent(r.compressed),
          change(r.macs),
          change(r.parameters),
          change(r.bytes),
          r.latencyMs
            .map((l) => l["batch 64"])
            .map((l) => times(l.before / Math.min(l.after, l.aligned)))
            .join(", "),
        ]),
      ),
  ],
  shrink: [
    "shrink-while-training",
    ({ ratio, accuracy }) => {
      const spread = ({ mean, sd }) => `${mean.toFixed(2)} ± ${sd.toFixed(2)}`;
      return table(
        ["wall time, with ÷ without", "processor time", "test accuracy with, %", "without, %"],
        [[spread(ratio.wall), spread(ratio.processor), percent(accuracy.with), percent(accuracy.without)]],
      );
    },
  ],
  resnet50: ["resnet50", resnet50],
  "group-kinds": ["group-kinds", groupKinds],
  ...Object.fromEntries(
    ["transformer", "resnet"].map((name) => [
      `heads-and-branches-${name}`,
      ["heads-and-branches", ({ results }) => comparison(results[name])],
    ]),
  ),
};
