import type { Compression, CompressResult } from "../compress.node.ts";
import { comparedFigures } from "../compression-rows.ts";
import { formatCount, formatShare, significant } from "../format.ts";
import type { TimedPattern } from "../pattern-rows.ts";
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
  const { commit, patterns, skippingZeros } = result;
  return page({
    title: `${result.model} on ${result.data}, compressed`,
    subtitle: `Method ${result.method}: ${patterns ? weightsKept(patterns) : groupsKept(result)}`,
    sections: [
      {
        heading: "What came of it",
        content: highlights(keyFigures(result)),
      },
      {
        heading: "Before and after",
        note: `Latencies are medians of interleaved runs of ONNX Runtime on one thread; with its zeros left in place the network is not faster, which is why it is shrunk.${
          skippingZeros ? " Zeros are skipped by createSparseSession of the library." : ""
        }`,
        content: beforeAfter(result),
      },
      patterns
        ? {
            heading: "Which weights each layer kept",
            note: `Weights stay that are likelier in use than not. A run is a block of neighbours along what enters one neuron or filter; index bits are those for one weight in use; latencies are of the layer alone at batch 64, on one thread. Test accuracy was ${formatShare(commit!.before)} right before the other weights became zero and ${formatShare(commit!.after)} right after; then what was left trained on alone.`,
            content: patternTable(patterns),
          }
        : {
            heading: "How many groups each layer kept",
            note: `“Reached in training” counts the groups that were left when the layer was frozen; what is above the number asked for was cut by force.${
              commit
                ? ` Test accuracy was ${formatShare(commit.before)} right before that and ${formatShare(commit.after)} right after.`
                : ""
            }`,
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
          patterns ? densityCurves(sparse) : groupCurves(sparse),
          ...layerCurves(sparse, ["gap", "between"]),
        ]),
      },
    ],
  });
}

/** What was won, in the form in which each gain is had. */
function keyFigures(result: CompressResult): { label: string; value: string }[] {
  const { accuracy, bytes, packedBytes, macs, usedMacs, latencyMs, skippingZeros, patterns } = result;
  const factor = (more: number, less: number) => `${significant(more / less)}×`;
  const [before, plain] = [latencyMs.before.b64, latencyMs.after.b64];
  const skipped = skippingZeros?.b64.skipped ? skippingZeros.b64.ms : plain;
  const fastest = Math.min(plain, skipped);
  return [
    { label: "test accuracy", value: `${formatShare(accuracy.before)} → ${formatShare(accuracy.after)}` },
    patterns
      ? { label: "fewer operations, zeros skipped", value: factor(usedMacs.before, usedMacs.after) }
      : { label: "fewer operations", value: factor(macs.before, macs.after) },
    packedBytes === null
      ? { label: "fewer bytes", value: factor(bytes.before, bytes.after) }
      : { label: "fewer bytes, packed", value: factor(bytes.before, packedBytes) },
    {
      label: `${fastest <= before ? "faster" : "slower"} at batch 64${skipped < plain ? ", zeros skipped" : ""}`,
      value: factor(Math.max(before, fastest), Math.min(before, fastest)),
    },
  ];
}

function groupsKept({ kept }: CompressResult): string {
  return Object.entries(kept)
    .map(([name, k]) => `${name} ${k}`)
    .join(", ");
}

function weightsKept(patterns: readonly TimedPattern[]): string {
  const sum = (pick: (l: TimedPattern) => number) => patterns.reduce((s, l) => s + pick(l), 0);
  const [all, used] = [sum((l) => l.weights), sum((l) => l.nonZeros)];
  return `${formatCount(used)} of ${formatCount(all)} weights are left, ${formatShare(used / all)}`;
}

const right = (heading: string) => ({ heading, align: "right" as const });

function beforeAfter(result: CompressResult): Html {
  return htmlTable({
    columns: [{ heading: "" }, right("before"), right("after"), right("smaller by")],
    rows: [
      ...comparedFigures(result).map(({ name, detail, before, after, smallerBy }) => [
        detail ? `\u2003${name}` : name,
        before,
        after,
        smallerBy,
      ]),
      ["largest output difference to the unshrunk network", "", result.outputError.toExponential(1), ""],
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

function patternTable(patterns: readonly TimedPattern[]): Html {
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
