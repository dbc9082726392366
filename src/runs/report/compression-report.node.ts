import type { LayerPattern } from "../../sparsity/pattern-report.ts";
import type { Compression, CompressResult } from "../compress.node.ts";
import { formatBytes, formatCount, formatShare, significant } from "../format.ts";
import { PATTERN_HEADINGS, patternRows } from "../pattern-rows.ts";
import { readMetrics } from "../run-directory.node.ts";
import type { MetricsLine } from "../run-result.ts";
import type { Html } from "./html.ts";
import { figures, highlights, htmlTable, page } from "./page.ts";
import { linePlot } from "./plot-svg.ts";
import { layerCurves } from "./run-report.ts";

/** The page that shows what a compression did: key figures, before and after, and how training got there. */
export async function compressionReport(result: CompressResult, runs: Compression["runs"]): Promise<string> {
  const sparse = await readMetrics(runs.sparse);
  const dense = runs.dense ? await readMetrics(runs.dense) : [];
  const factor = ({ before, after }: { before: number; after: number }) => `${significant(before / after)}×`;
  const { accuracy, bytes, macs, latencyMs } = result;
  return page({
    title: `${result.model} on ${result.data}, compressed`,
    subtitle: `Method ${result.method}: ${Object.entries(result.kept)
      .map(([name, k]) => `${name} ${k}`)
      .join(", ")}`,
    sections: [
      {
        heading: "What came of it",
        content: highlights([
          {
            label: "test accuracy",
            value: `${formatShare(accuracy.before)} → ${formatShare(accuracy.after)}`,
          },
          { label: "fewer operations", value: factor(macs) },
          { label: "fewer bytes", value: factor(bytes) },
          {
            label: "faster at batch 64",
            value: factor({ before: latencyMs.before.b64, after: latencyMs.after.b64 }),
          },
        ]),
      },
      {
        heading: "Before and after",
        note: "Latencies are medians of interleaved runs on one thread; with its zeros left in place the network is not faster, which is why it is shrunk.",
        content: beforeAfter(result),
      },
      result.patterns
        ? {
            heading: "Which weights each layer kept",
            note: "Weights stay that are likelier in use than not. A run is a block of neighbours along what enters one neuron or filter; index bits are those for one weight in use.",
            content: patternTable(result.patterns),
          }
        : {
            heading: "How many groups each layer kept",
            note: "“Reached in training” counts the groups that were left when the layer was frozen; what is above the number asked for was cut by force.",
            content: layerTable(result),
          },
      ...(result.columns.length > 0
        ? [
            {
              heading: "Columns that are zero",
              note: "A convolution is a product whose columns are input channels and places in the window. Each layer is written in the form that was fastest at batch 64: whole, as a smaller window, or with the columns in use gathered.",
              content: columnTable(result),
            },
          ]
        : []),
      {
        heading: "How training got there",
        content: figures([
          accuracyCurves(dense, sparse),
          result.patterns ? densityCurves(sparse) : groupCurves(sparse),
          ...layerCurves(sparse, ["gap", "between"]),
        ]),
      },
    ],
  });
}

const right = (heading: string) => ({ heading, align: "right" as const });

function beforeAfter(result: CompressResult): Html {
  const { accuracy, parameters, bytes, macs, activationBytes, latencyMs, skippingZeros, outputError } =
    result;
  const ms = (v: number) => `${significant(v)} ms`;
  const row = (name: string, before: number, after: number, format: (v: number) => string) => [
    name,
    format(before),
    format(after),
    `${significant(before / after)}×`,
  ];
  return htmlTable({
    columns: [{ heading: "" }, right("before"), right("after"), right("smaller by")],
    rows: [
      [
        "test accuracy",
        formatShare(accuracy.before),
        formatShare(accuracy.after),
        `${(100 * (accuracy.after - accuracy.before)).toFixed(2)} points`,
      ],
      row("parameters", parameters.before, parameters.after, formatCount),
      row("bytes on disk", bytes.before, bytes.after, formatBytes),
      row("multiply–accumulates a sample", macs.before, macs.after, formatCount),
      row("memory of activations", activationBytes.before, activationBytes.after, formatBytes),
      row("latency, batch 1", latencyMs.before.b1, latencyMs.after.b1, ms),
      row("latency, batch 64", latencyMs.before.b64, latencyMs.after.b64, ms),
      row("latency, batch 64, zeros left in place", latencyMs.before.b64, latencyMs.masked.b64, ms),
      ...(skippingZeros
        ? [
            row("latency, batch 1, zeros skipped", latencyMs.before.b1, skippingZeros.b1, ms),
            row("latency, batch 64, zeros skipped", latencyMs.before.b64, skippingZeros.b64, ms),
          ]
        : []),
      ["largest output difference to the unshrunk network", "", outputError.toExponential(1), ""],
    ],
  });
}

function layerTable({ requested, budget, natural, kept }: CompressResult): Html {
  return htmlTable({
    columns: [{ heading: "layer" }, right("asked for"), right("reached in training"), right("kept")],
    rows: Object.keys(kept).map((name) => [
      name,
      requested?.[name] ?? budget ?? "",
      natural[name],
      kept[name],
    ]),
  });
}

function patternTable(patterns: readonly LayerPattern[]): Html {
  const [first, ...others] = PATTERN_HEADINGS;
  return htmlTable({
    columns: [{ heading: first }, ...others.map(right)],
    rows: patternRows(patterns),
  });
}

function columnTable({ columns }: CompressResult): Html {
  return htmlTable({
    columns: [
      { heading: "layer" },
      right("columns"),
      right("in use"),
      { heading: "written as" },
      { heading: "why" },
    ],
    rows: columns.map((c) => [c.layer, c.columns, c.used, c.form, c.why]),
  });
}

function curve(lines: readonly MetricsLine[], metric: string) {
  return lines.map(({ epoch, metrics }) => ({ x: epoch + 1, y: metrics[metric] }));
}

function accuracyCurves(dense: readonly MetricsLine[], sparse: readonly MetricsLine[]) {
  const lines = [
    ...(dense.length ? [{ label: "dense", points: curve(dense, "accuracy") }] : []),
    { label: "compressed", points: curve(sparse, "accuracy") },
  ];
  return { title: "Test accuracy", svg: linePlot({ lines, x: "epoch", percent: true }) };
}

function groupCurves(sparse: readonly MetricsLine[]) {
  const svg = linePlot({ lines: linesOf(sparse, "groups/"), x: "epoch" });
  return { title: "Groups that are not zero", svg };
}

function densityCurves(sparse: readonly MetricsLine[]) {
  const svg = linePlot({ lines: linesOf(sparse, "density/"), x: "epoch", percent: true });
  return { title: "Share of weights that are likelier in use than not", svg };
}

/** The metrics with this prefix, one line each. */
function linesOf(lines: readonly MetricsLine[], prefix: string) {
  const names = Object.keys(lines.at(-1)?.metrics ?? {}).filter((name) => name.startsWith(prefix));
  return names.map((name) => ({ label: name.slice(prefix.length), points: curve(lines, name) }));
}
