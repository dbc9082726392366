// Writes the tables of docs/*.md between `<!-- name -->` and `<!-- end name -->` from docs/results/*.json, so that no figure
// is typed by hand. `--check` changes nothing and fails where a table is not what the results say.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const docs = join(dirname(fileURLToPath(import.meta.url)), "..", "docs");
const check = process.argv.includes("--check");

const count = (n) => Math.round(n).toLocaleString("en-US");
const percent = ({ mean, sd }) => `${(100 * mean).toFixed(2)} ± ${(100 * sd).toFixed(2)}`;
const times = (n) => `${n.toFixed(2)}×`;
const change = ({ before, after }) => `${count(before)} → ${count(after)}`;
const columnsOf = (list, key) => [...new Set(list.map((row) => row[key]))];

function table(heads, rows) {
  return [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

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

/** One row for each of `down`, one column for each of `across`. */
function grid(rows, [downKey, downName], [acrossKey, acrossName], cell) {
  const across = columnsOf(rows, acrossKey);
  const find = (d, a) => rows.find((r) => r[downKey] === d && r[acrossKey] === a);
  return table(
    [downName, ...across.map(acrossName)],
    columnsOf(rows, downKey).map((d) => [
      typeof d === "number" ? count(d) : d,
      ...across.map((a) => (find(d, a) ? cell(find(d, a)) : "–")),
    ]),
  );
}

/** Of every cell that a sparse kernel was timed in: how many times faster it is than the dense layer. */
function sparseLayers({ rows }) {
  const sparsities = Object.keys(rows[0].denseOverKernel);
  const crossing = (c) => (c === null ? "never" : `${(100 * c).toFixed(0)} %`);
  const tableOf = (threads) =>
    table(
      [
        threads > 1 ? `layer, ${threads} threads` : "layer",
        "batch",
        ...sparsities.map((s) => `${Number((100 * s).toFixed(1))} %`),
        "crossing: kernel, layer alone",
        "PyTorch ÷ kernel at 90 %",
      ],
      rows
        .filter((r) => r.threads === threads)
        .map((r) => [
          r.layer,
          r.batch,
          ...sparsities.map((s) => r.denseOverKernel[s].toFixed(2)),
          `${crossing(r.crossing.kernel)}, ${crossing(r.crossing.layer)}`,
          r.torchOverKernel?.[0.9].toFixed(2) ?? "–",
        ]),
    );
  return columnsOf(rows, "threads").map(tableOf).join("\n\n");
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

/** Small MNIST: a row for each method; `own`: those that keep what they like. */
function turboSmall(own) {
  return ({ rows }) => {
    const list = (values, digits = 0) => values.map((v) => v.toFixed(digits)).join(", ");
    const heads = own
      ? ["method", "accuracy, %", "weights", "neurons", "index bits a weight: runs", "CSR"]
      : ["method", "accuracy, %", "runs of layer 1, each seed", "runs of layer 2", "index bits a weight"];
    const layer = (values, i) => list(values.map((v) => v[i]));
    return table(
      heads,
      rows
        .filter((r) => Boolean(r.settings.own) === own)
        .map((r) => [
          r.method.replace(", own mask", ""),
          percent(r.accuracy),
          ...(own
            ? [
                list(r.nonZeros.map((v) => v.reduce((a, b) => a + b, 0))),
                r.neurons.map((v) => v.join("+")).join(", "),
                list(r.indexBitsPerWeight.runs, 1),
                list(r.indexBitsPerWeight.csr, 1),
              ]
            : [layer(r.runs, 0), layer(r.runs, 1), list(r.indexBitsPerWeight.runs, 1)]),
        ]),
    );
  };
}

/** LeNet-300-100 on MNIST: a row for each method. */
function turboMnist({ dense, rows }) {
  const list = (values, digits = 1) => values.map((v) => v.toFixed(digits)).join(", ");
  return table(
    [
      "method",
      "error, % (mean ± s.d.)",
      "error before tuning",
      "times fewer weights, each seed",
      "mean run of layer 1",
      "index bits a weight: runs",
      "CSR",
      "neurons",
    ],
    [
      ["dense", spread(dense.error), "–", "1", "–", "–", "–", "300+100"],
      ...rows.map((r) => [
        r.method,
        spread(r.error),
        list(r.errorBeforeTuning, 2),
        list(r.fewerWeights),
        list(r.firstMeanRun),
        list(r.indexBitsPerWeight.runs),
        list(r.indexBitsPerWeight.csr),
        r.neurons.map((v) => v.join("+")).join(", "),
      ]),
    ],
  );
}

const spread = ({ mean, sd }) => `${mean.toFixed(2)} ± ${sd.toFixed(2)}`;

/** What modules A and B cost, by prior and size. */
function turboCost({ rows, epochs }) {
  const sizes = [...new Set(rows.map((r) => r.weights))];
  const priors = [...new Set(rows.map((r) => r.prior))];
  const of = (prior, weights) => rows.find((r) => r.prior === prior && r.weights === weights);
  const both = (r) => (r ? (r.moduleA + r.moduleB).toFixed(0) : "–");
  return [
    table(
      ["ns a weight, A and B together", ...sizes.map((n) => `${count(n)} weights`)],
      priors.map((prior) => [prior, ...sizes.map((n) => both(of(prior, n)))]),
    ),
    table(
      ["network", "share of an epoch", "sampled step ÷ plain step"],
      epochs.map((e) => [e.network, `${(100 * e.share).toFixed(1)} %`, e.stepOverPlain.toFixed(2)]),
    ),
  ].join("\n\n");
}

/** One frame by GNS on all particles, by GIOROM, and what is beside them. */
function gioromSpeed({ rows, decoding, claims }) {
  const ms = (value) => value.toFixed(value < 10 ? 1 : 0);
  return [
    table(
      [
        "particles",
        "carried",
        "GNS on all, ms",
        "GIOROM, decoded to all, ms",
        "ratio",
        "control: GNS on the carried alone, ratio",
        "the MPM itself, ms",
        "peak MiB: GNS / GIOROM / MPM",
      ],
      rows.map(({ milliseconds: t, peakMiB, ...r }) => [
        count(r.particles),
        count(r.few),
        ms(t.all),
        ms(t.giorom),
        `${r.ratio.toFixed(0)}×`,
        `${r.ratioOfFewer.toFixed(0)}×`,
        ms(t.mpm),
        [peakMiB.all, peakMiB.giorom, peakMiB.mpm].map((v) => v.toFixed(0)).join(" / "),
      ]),
    ),
    `${count(decoding.particles)} points decoded from ${count(decoding.few)} in 3D: weights in ${decoding.bakeMilliseconds.toFixed(0)} ms, then ${decoding.frameMilliseconds.toFixed(1)} ms a frame.`,
    table(
      ["goal", ""],
      Object.entries(claims).map(([claim, holds]) => [claim, holds ? "met" : "not met"]),
    ),
  ].join("\n\n");
}

const recovered = ({ nmse, f1 }) => `${nmse.toFixed(3)} / ${f1.toFixed(2)}`;

/** Embeddings of hierarchies: a row for each space and dimension. */
function treeEmbedding({ rows }) {
  const spaces = { poincare: "Poincaré ball", lorentz: "hyperboloid", euclidean: "flat space" };
  const data = { mammals: "WordNet's mammals", balanced: "balanced tree, 364 nodes" };
  return table(
    ["hierarchy", "space", "dimension", "mean rank", "MAP", "processor time, s"],
    rows.map((r) => [
      data[r.data],
      spaces[r.space],
      r.dimension,
      `${r.meanRank.mean.toFixed(2)} ± ${r.meanRank.sd.toFixed(2)}`,
      `${r.map.mean.toFixed(3)} ± ${r.map.sd.toFixed(3)}`,
      r.seconds.mean.toFixed(0),
    ]),
  );
}

const graphScore = ({ test }) => percentShort(test.auc ?? test.f1);
const percentShort = ({ mean, sd }) => `${(100 * mean).toFixed(1)} ± ${(100 * sd).toFixed(1)}`;

/** Networks at full rank beside what was published. */
function graphsFull({ rows, published }) {
  const names = { full: "hybonet", hgcn: "hgcn", gcn: "gcn", shuffled: "shuffled" };
  const found = Object.keys(names).filter((m) => rows.some((r) => r.method === m));
  const cell = (task, method) => {
    const row = rows.find((r) => r.task === task && r.method === method);
    const level = published[task][names[method]];
    return row ? `${graphScore(row)}${level ? ` [${level}]` : ""}` : "–";
  };
  const titles = { full: "HyboNet", hgcn: "HGCN", gcn: "GCN", shuffled: "shuffled" };
  return table(
    ["task", ...found.map((m) => titles[m]), "milliseconds an epoch, HyboNet, one thread"],
    columnsOf(rows, "task").map((task) => [
      task,
      ...found.map((m) => cell(task, m)),
      rows.find((r) => r.task === task && r.method === "full")?.millisecondsPerEpoch.mean.toFixed(0) ?? "–",
    ]),
  );
}

/** HyboNet at small ranks. */
function graphsRanks({ rows, gaps }) {
  const low = rows.filter((r) => r.method.includes("-"));
  const heads = [
    "task",
    "rank",
    "full",
    "LoRA",
    "ReLoRA\\*",
    "SST",
    "gap closed",
    "trained numbers: full, LoRA, SST",
  ];
  const keys = [...new Set(low.map((r) => `${r.task} ${r.method.split("-")[1]}`))];
  return table(
    heads,
    keys.map((key) => {
      const [task, rank] = key.split(" ");
      const row = (method) => rows.find((r) => r.task === task && r.method === method);
      const show = (method) => (row(method) ? graphScore(row(method)) : "–");
      const closed = gaps.find((g) => g.task === task && String(g.rank) === rank)?.closed;
      return [
        task,
        rank,
        show("full"),
        ...["lora", "relora", "sst"].map((kind) => show(`${kind}-${rank}`)),
        closed === undefined ? "–" : `${(100 * closed).toFixed(0)} %`,
        ["full", `lora-${rank}`, `sst-${rank}`]
          .map((m) => (row(m) ? count(row(m).trainable) : "–"))
          .join(", "),
      ];
    }),
  );
}

const exponential = (x) => x.toExponential(1);

/** Rollout errors: a row for each model, the horizons on unseen blocks, then the middle one on the other sets. */
function gioromRollouts({ horizons, rows }) {
  const others = columnsOf(rows, "set").slice(1);
  return ["sand", "gel", "water"]
    .map((scene) => {
      const own = rows.filter((r) => r.scene === scene);
      const find = (model, set) => own.find((r) => r.model === model && r.set === set);
      return table(
        [
          scene,
          "one step",
          ...horizons.map((h) => `${h} frames`),
          ...others.map((set) => `${set}, ${horizons[2]} frames`),
        ],
        columnsOf(own, "model").map((model) => {
          const first = find(model, rows[0].set);
          return [
            model,
            exponential(first.oneStep),
            ...first.errors.map(exponential),
            ...others.map((set) => exponential(find(model, set).errors[2])),
          ];
        }),
      );
    })
    .join("\n\n");
}

function gioromDecoders({ frames, rows }) {
  return grid(rows, ["decoder", `r.m.s. error at frames ${frames.join(", ")}`], ["material", (m) => m], (r) =>
    r.errors.map((e) => e.toFixed(4)).join(", "),
  );
}

const claimsOf = ({ claims }) =>
  table(
    ["claim", "holds"],
    Object.entries(claims).map(([claim, holds]) => [claim, holds ? "yes" : "no"]),
  );

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** Packed files with five bits a weight: one row a method, means over the seeds. */
function packed({ rows }) {
  return table(
    [
      "network",
      "weights in use",
      "index: runs",
      "CSR",
      "bitmap",
      "value",
      "file, bytes",
      "gzip, bytes",
      "of the dense file",
    ],
    columnsOf(rows, "method").map((method) => {
      const own = rows.filter((r) => r.method === method && r.storage === "5 bits");
      const of = (pick) => mean(own.map(pick));
      const each = (pick) => of((r) => pick(r) / r.nonZeros).toFixed(2);
      return [
        method,
        count(of((r) => r.nonZeros)),
        each((r) => r.indexBits.runs),
        each((r) => r.indexBits.csr),
        each((r) => r.indexBits.bitmap),
        each((r) => r.valueBits),
        count(of((r) => r.bytes)),
        count(of((r) => r.gzipBytes)),
        `1/${of((r) => r.onnxBytes / r.bytes).toFixed(1)}`,
      ];
    }),
  );
}

/** Error and bytes by storage. */
function packedBits({ rows }) {
  const storages = columnsOf(rows, "storage");
  return table(
    ["network", ...storages],
    columnsOf(rows, "method").map((method) => [
      method,
      ...storages.map((storage) => {
        const own = rows.filter((r) => r.method === method && r.storage === storage);
        if (own.length === 0) return "";
        return `${mean(own.map((r) => r.error)).toFixed(2)}, ${count(mean(own.map((r) => r.bytes)))} B`;
      }),
    ]),
  );
}

const TABLES = {
  "giorom-rollouts": ["giorom.md", "giorom-rollouts", gioromRollouts],
  "giorom-rollouts-claims": ["giorom.md", "giorom-rollouts", claimsOf],
  "giorom-decoders": ["giorom.md", "giorom-decoders", gioromDecoders],
  "giorom-decoders-claims": ["giorom.md", "giorom-decoders", claimsOf],
  "giorom-resolution": [
    "giorom.md",
    "giorom-resolution",
    ({ rows }) =>
      table(
        ["sample", "share of the particles", "lite", "GNS"],
        rows.map((r) => [r.sample, r.ratio, exponential(r.lite), exponential(r.gns)]),
      ),
  ],
  "tree-embedding": ["geometry.md", "tree-embedding", treeEmbedding],
  "graphs-full": ["geometry.md", "graphs", graphsFull],
  "graphs-ranks": ["geometry.md", "graphs", graphsRanks],
  "turbo-recovery": [
    "turbo-vbi.md",
    "turbo-regression",
    ({ recovery }) =>
      table(
        ["prior", "structured: error / F1", "mean-field, as published"],
        recovery.map((r) => [r.prior, recovered(r.structured), recovered(r.meanField)]),
      ),
  ],
  "turbo-mixed": [
    "turbo-vbi.md",
    "turbo-regression",
    ({ mixed }) =>
      table(
        ["weights in use", "independent bits", "chain", "groups"],
        mixed.map((r) => [r.truth, recovered(r.iid), recovered(r.chain), recovered(r.group)]),
      ),
  ],
  "turbo-small": ["turbo-vbi.md", "turbo-small", turboSmall(false)],
  "turbo-own": ["turbo-vbi.md", "turbo-small", turboSmall(true)],
  "turbo-mnist": ["turbo-vbi.md", "turbo-mnist", turboMnist],
  "turbo-cost": ["turbo-vbi.md", "turbo-cost", turboCost],
  "giorom-speed": ["giorom.md", "giorom-speed", gioromSpeed],
  "mnist-lenet": ["wgsef.md", "mnist-lenet", comparison],
  glyphs: ["wgsef.md", "glyphs", comparison],
  images: ["wgsef.md", "images", images],
  "images-front": ["wgsef.md", "images", fronts],
  "images-control": [
    "wgsef.md",
    "images",
    ({ control: { network, rows } }) =>
      `${network}: ${rows.map((r) => `${percent(r.accuracy)} % at ${100 * r.budget} % of the MACs`).join(", ")}.`,
  ],
  imported: [
    "wgsef.md",
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
    "wgsef.md",
    "shrink-while-training",
    ({ ratio, accuracy }) => {
      const spread = ({ mean, sd }) => `${mean.toFixed(2)} ± ${sd.toFixed(2)}`;
      return table(
        ["wall time, with ÷ without", "processor time", "test accuracy with, %", "without, %"],
        [[spread(ratio.wall), spread(ratio.processor), percent(accuracy.with), percent(accuracy.without)]],
      );
    },
  ],
  resnet50: ["wgsef.md", "resnet50", resnet50],
  "group-kinds": ["wgsef.md", "group-kinds", groupKinds],
  sparse: ["sparse.md", "sparse", sparseLayers],
  training: [
    "speed.md",
    "training-speed",
    ({ rows }) =>
      table(
        [
          "job",
          "threads",
          "Filigree ÷ PyTorch, medians",
          "fastest steps",
          "peak memory, MiB: Filigree, PyTorch",
        ],
        rows.map((r) => [
          r.title.trim(),
          r.threads,
          r.ratio.toFixed(2),
          r.ratioOfFastest.toFixed(2),
          `${r.filigree.peakMiB}, ${r.torch.peakMiB}`,
        ]),
      ),
  ],
  "tickets-quick": ["tickets.md", "tickets-quick", ticketRuns],
  "tickets-full": ["tickets.md", "tickets-full", ticketParts],
  "tickets-peers": [
    "tickets.md",
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
  optimizers: [
    "speed.md",
    "optimizers",
    ({ rows }) =>
      grid(rows, ["parameters", "parameters"], ["optimizer", (o) => o], (r) => r.ratio.toFixed(2)),
  ],
  prox: [
    "speed.md",
    "prox",
    ({ rows, slopes }) => {
      const sizes = columnsOf(rows, "groupSize");
      const counts = columnsOf(rows, "groups");
      const find = (size, m) => rows.find((r) => r.groupSize === size && r.groups === m);
      return table(
        [
          "group size",
          "slope of log time over log m, whole step / root search",
          ...counts.map((m) => `m = ${count(m)}`),
        ],
        sizes.map((size) => {
          const { whole, root } = slopes[`group size ${size}`];
          return [
            size,
            `${whole.toFixed(2)} / ${root.toFixed(2)}`,
            ...counts.map((m) => find(size, m)?.wholeOverCopy.toFixed(1) ?? "–"),
          ];
        }),
      );
    },
  ],
  "prox-networks": [
    "speed.md",
    "prox",
    ({ networks }) =>
      table(
        [
          "network",
          "parameters",
          "groups",
          "whole step ÷ one copy of all parameters",
          "share of a training step at batch 128",
        ],
        networks.map((n) => [
          n.model,
          count(n.weights),
          count(n.groups),
          n.wholeOverCopy.toFixed(1),
          `${(100 * n.shareOfTrainingStep).toPrecision(2)} %`,
        ]),
      ),
  ],
  peers: [
    "speed.md",
    "javascript-peers",
    ({ rows }) => {
      const ratios = ({ filigree }, peer) =>
        peer
          ? `${times(peer.milliseconds / filigree.milliseconds)}, ${times(peer.processorMilliseconds / filigree.processorMilliseconds)}`
          : "–";
      return table(
        [
          "job",
          "TensorFlow.js (wasm) ÷ Filigree: wall, processor time",
          "jax-js (wasm) ÷ Filigree: wall, processor time",
          "peak memory, MiB: Filigree, TensorFlow.js, jax-js",
        ],
        rows.map((r) => [
          r.title,
          ratios(r, r.peers.tfjs),
          ratios(r, r.peers.jax),
          [r.filigree, r.peers.tfjs, r.peers.jax].map((p) => p?.peakMiB ?? "–").join(", "),
        ]),
      );
    },
  ],
  "spectral-recovery": [
    "spectral.md",
    "spectral-recovery",
    ({ floor, rows }) =>
      table(
        ["method", "‖W − W*‖ at the end, each seed"],
        [
          [
            "no change of rank 2 gets below (Eckart and Young)",
            floor.values.map((v) => v.toPrecision(3)).join(", "),
          ],
          ...rows.map((r) => [r.method, r.distance.values.map((v) => v.toPrecision(2)).join(", ")]),
        ],
      ),
  ],
  "spectral-language": [
    "spectral.md",
    "spectral-language",
    ({ floor, gapClosed, gapClosedAtOneRate, rows, variants }) => {
      const spread = ({ mean, sd }) => `${mean.toFixed(3)} ± ${sd.toFixed(3)}`;
      const rates = rows[0].byRate.map((r) => r.learningRate);
      return [
        table(
          ["method", "numbers that train", "optimiser, kB", ...rates.map((r) => `rate ${r}`)],
          rows.map((r) => [
            r.method,
            count(r.footprint.trainable),
            (r.footprint.optimizer / 1000).toFixed(0),
            ...r.byRate.map((b) =>
              b.learningRate === r.learningRate ? `**${spread(b.perplexity)}**` : spread(b.perplexity),
            ),
          ]),
        ),
        `The text's own floor is ${floor.toFixed(3)}. Gap closed, each method at its best rate: ${(100 * gapClosed).toFixed(0)} %; all at rate ${rates[1]}: ${(100 * gapClosedAtOneRate).toFixed(0)} %.`,
        table(
          ["SST at rate 0.01", "perplexity"],
          variants.map((v) => [v.variant, spread(v.perplexity)]),
        ),
      ].join("\n\n");
    },
  ],
  "spectral-truncation": [
    "spectral.md",
    "spectral-language",
    ({ truncation }) =>
      table(
        ["trained by", ...truncation[0].shares.map((s) => `${Math.round(100 * s.share)} %`)],
        truncation.map((t) => [
          t.method,
          ...t.shares.map((s) => `${s.perplexity.mean.toFixed(2)} (${Math.round(100 * s.kept.mean)} %)`),
        ]),
      ),
  ],
  "spectral-translation": [
    "spectral.md",
    "spectral-translation",
    ({ rows, controls }) =>
      table(
        [
          "geometry, steps",
          "method",
          "numbers that train",
          "rate",
          "BLEU, each seed",
          "after 50 steps of full rank",
        ],
        rows.map((r) => [
          `${r.geometry}, ${r.steps}`,
          r.method,
          count(r.trainable),
          r.learningRate,
          r.bleu.values.map((v) => v.toFixed(1)).join(", "),
          controls.find((c) => c.geometry === r.geometry).bleu.mean.toFixed(1),
        ]),
      ),
  ],
  "spectral-memory": [
    "spectral.md",
    "spectral-memory",
    ({ settings, rows }) => {
      const mb = (bytes) => count(bytes / 1e6);
      return [
        `${settings.size}, rank ${settings.rank}, ${settings.batch} × ${settings.context} tokens, Adam; megabytes.`,
        table(
          [
            "method",
            "numbers that train",
            "weights",
            "gradients",
            "optimiser",
            "peak of the process",
            "a step, s",
          ],
          rows.map((r) => [
            r.method,
            count(r.footprint.trainable),
            mb(r.footprint.weights),
            mb(r.footprint.gradients),
            mb(r.footprint.optimizer),
            mb(r.peakBytes),
            r.stepSeconds.toFixed(1),
          ]),
        ),
      ].join("\n\n");
    },
  ],
  svd: [
    "spectral.md",
    "svd",
    ({ rows }) =>
      table(
        ["matrix", "spectrum", "processor time, s", "residual", "orthogonality"],
        rows.map((r) => [
          `${r.rows} × ${r.columns}`,
          r.spectrum,
          r.seconds.toFixed(2),
          r.residual.toExponential(0),
          r.orthogonality.toExponential(0),
        ]),
      ),
  ],
  packed: ["encoding.md", "turbo-packed", packed],
  "packed-bits": ["encoding.md", "turbo-packed", packedBits],
  runs: [
    "encoding.md",
    "runs",
    ({ rows }) =>
      table(
        [
          "layer",
          "density",
          "mask",
          "dense",
          "weight by weight",
          "in runs",
          "runs against weight by weight",
          "against dense",
        ],
        rows.map((r) => [
          r.layer,
          `${100 * r.density} %`,
          r.mask,
          r.microseconds.dense,
          r.microseconds.rows,
          r.microseconds.runs,
          times(r.rowsOverRuns),
          times(r.denseOverRuns),
        ]),
      ),
  ],
  "sparsey-mnist": [
    "sparsey.md",
    "sparsey-mnist",
    ({ rows }) => {
      const sizes = columnsOf(rows, "perClass");
      const kinds = [...new Map(rows.map((r) => [`${r.method}, ${r.order}`, r])).values()];
      const cell = ({ method, order }, perClass, figure) => {
        const row = rows.find((r) => r.method === method && r.order === order && r.perClass === perClass);
        return row ? percent(row.figures[figure]) : "–";
      };
      const names = { accuracy: "", binary: ", `binary`", logLik: ", `logLik`" };
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
  "sparsey-actions": [
    "sparsey.md",
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

let stale = false;
for (const [key, [page, results, render]] of Object.entries(TABLES)) {
  const source = join(docs, "results", `${results}.json`);
  const path = join(docs, page);
  const text = readFileSync(path, "utf8");
  const [start, end] = [`<!-- ${key} -->\n`, `<!-- end ${key} -->`];
  const [from, to] = [text.indexOf(start) + start.length, text.indexOf(end)];
  if (to < from) throw new Error(`${page}: no table "${key}"`);
  // What has not been run has no figures.
  const figures = existsSync(source) ? `${render(JSON.parse(readFileSync(source, "utf8")))}\n` : "";
  const filled = `${text.slice(0, from)}${figures}${text.slice(to)}`;
  if (filled === text) continue;
  stale = true;
  if (check) console.error(`docs/${page}: table "${key}" is not what docs/results/${results}.json says`);
  else writeFileSync(path, filled);
}
if (check && stale) {
  console.error("write them anew: npm run tables");
  process.exit(1);
}
