import { columnsOf, count, grid, table, times } from "./format.mjs";

/** Tables of docs/speed.md: the name of each, the results it shows, and how. */
export const TABLES = {
  training: [
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
  optimizers: [
    "optimizers",
    ({ rows }) =>
      grid(rows, ["parameters", "parameters"], ["optimizer", (o) => o], (r) => r.ratio.toFixed(2)),
  ],
  prox: [
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
};
