import type { CompressResult } from "../runs/compress.node.ts";
import type { ComparedFigure } from "../runs/compression-rows.ts";
import { comparedFigures } from "../runs/compression-rows.ts";
import { formatSeconds, formatShare } from "../runs/format.ts";
import { PATTERN_HEADINGS, patternRows } from "../runs/pattern-rows.ts";
import { table } from "./table.ts";

/** A column of numbers. */
export const right = (heading: string) => ({ heading, align: "right" as const });

/** Figures before and after, side by side, with the factor between them. */
export function figureTable(heading: string, figures: readonly ComparedFigure[]): string {
  return table(
    [{ heading }, right("before"), right("after"), right("smaller by")],
    figures.map(({ name, detail, before, after, smallerBy }) => [
      detail ? `  ${name}` : name,
      before,
      after,
      smallerBy,
    ]),
  );
}

/** What a compression did. */
export function resultTable(result: CompressResult): string {
  const { kept, natural, requested, budget, commit, patterns, skippingZeros } = result;
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
  const took = `took ${formatSeconds(result.seconds)}`;
  const skipped = skippingZeros
    ? ["zeros are skipped by createSparseSession of the library; other latencies are of ONNX Runtime"]
    : [];
  const last =
    result.alignedTo > 1
      ? `${took}; ${result.patterns ? "" : "on loading, "}widths of convolutions are filled up with zeros to multiples of ${result.alignedTo}, which was faster`
      : took;
  const parts = [
    figureTable(`${result.model} on ${result.data}`, comparedFigures(result)),
    layers,
    ...(result.columns.length > 0 ? [columns] : []),
    ...skipped,
    last,
  ];
  return parts.join("\n\n");
}
