import { columnsOf, grid, table } from "./format.mjs";

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

/** How many times faster whole networks are; in brackets where the session leaves every layer to ONNX Runtime. */
function wholeNetworks({ rows }) {
  return grid(
    rows.map((r) => ({
      ...r,
      name: `${r.network} (${Number((r.macs / 1e6).toPrecision(2))}), batch ${r.batch}`,
    })),
    ["name", "network, batch"],
    ["sparsity", (s) => `${Number((100 * s).toFixed(1))} %`],
    (r) => (r.sparseLayers > 0 ? r.ratio.toFixed(2) : `(${r.ratio.toFixed(2)})`),
  );
}

/** Tables of docs/sparse.md: the name of each, the results it shows, and how. */
export const TABLES = {
  sparse: ["sparse", sparseLayers],
  "sparse-networks": ["sparse-networks", wholeNetworks],
};
