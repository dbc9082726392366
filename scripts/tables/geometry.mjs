import { columnsOf, count, table } from "./format.mjs";

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

/** Tables of docs/geometry.md: the name of each, the results it shows, and how. */
export const TABLES = {
  "tree-embedding": ["tree-embedding", treeEmbedding],
  "graphs-full": ["graphs", graphsFull],
  "graphs-ranks": ["graphs", graphsRanks],
};
