import type { CompressResult } from "../runs/compress.node.ts";
import { formatBytes, formatCount, formatSeconds, formatShare, significant } from "../runs/format.ts";
import { PATTERN_HEADINGS, patternRows } from "../runs/pattern-rows.ts";
import { table } from "./table.ts";

/** Before and after, side by side, with the factor between them. */
export function resultTable(result: CompressResult): string {
  const { accuracy, validation, parameters, nonZeros, bytes, macs, activationBytes } = result;
  const { latencyMs, skippingZeros } = result;
  const { kept, natural, requested, budget, commit, patterns, packedBytes } = result;
  const times = ({ before, after }: { before: number; after: number }) => `${significant(before / after)}×`;
  const ms = (v: number) => `${significant(v)} ms`;
  const latency = (b: "b1" | "b64") => ({ before: latencyMs.before[b], after: latencyMs.after[b] });
  const row = (name: string, figures: { before: number; after: number }, format: (v: number) => string) => [
    name,
    format(figures.before),
    format(figures.after),
    times(figures),
  ];
  const accuracyRow = (name: string, { before, after }: { before: number; after: number }) => [
    name,
    formatShare(before),
    formatShare(after),
    `${((after - before) * 100).toFixed(2)} points`,
  ];
  const rows = [
    accuracyRow("test accuracy", accuracy),
    ...(validation ? [accuracyRow("validation accuracy", validation)] : []),
    row("parameters", parameters, formatCount),
    ...(skippingZeros ? [row("  that are not zero", nonZeros, formatCount)] : []),
    row("bytes on disk", bytes, formatBytes),
    ...(packedBytes === null
      ? []
      : [row("  packed (filigree pack)", { before: bytes.before, after: packedBytes }, formatBytes)]),
    row("multiply-accumulates", macs, formatCount),
    row("memory of activations", activationBytes, formatBytes),
    row("latency, batch 1", latency("b1"), ms),
    row("latency, batch 64", latency("b64"), ms),
    [
      "  zeros left in place, 64",
      ms(latencyMs.before.b64),
      ms(latencyMs.masked.b64),
      times({ before: latencyMs.before.b64, after: latencyMs.masked.b64 }),
    ],
    ...(skippingZeros
      ? (["b1", "b64"] as const).map((b) =>
          row(`  zeros skipped, ${b.slice(1)}`, { before: latencyMs.before[b], after: skippingZeros[b] }, ms),
        )
      : []),
  ];
  const right = (heading: string) => ({ heading, align: "right" as const });
  const [first, ...others] = PATTERN_HEADINGS;
  const layers = patterns
    ? `${table([{ heading: first }, ...others.map(right)], patternRows(patterns))}\n\naccuracy ${formatShare(commit!.before)} right before the other weights became zero, ${formatShare(commit!.after)} right after`
    : `${table(
        [{ heading: "layer" }, right("asked for"), right("reached in training"), right("kept")],
        Object.keys(kept).map((name) => [name, requested?.[name] ?? budget ?? "", natural[name], kept[name]]),
      )}${commit ? `\n\naccuracy ${formatShare(commit.before)} right before the cut, ${formatShare(commit.after)} right after` : ""}`;
  const columns = table(
    [{ heading: "layer" }, right("columns"), right("in use"), { heading: "written as" }, { heading: "why" }],
    result.columns.map((c) => [c.layer, c.columns, c.used, c.form, c.why]),
  );
  const heads = [
    { heading: `${result.model} on ${result.data}` },
    right("before"),
    right("after"),
    right("smaller by"),
  ];
  const took = `took ${formatSeconds(result.seconds)}`;
  const last =
    result.alignedTo > 1
      ? `${took}; on loading, widths of convolutions are filled up with zeros to multiples of ${result.alignedTo}, which was faster`
      : took;
  const parts = [table(heads, rows), layers, ...(result.columns.length > 0 ? [columns] : []), last];
  return parts.join("\n\n");
}
