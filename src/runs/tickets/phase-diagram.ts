import * as Plot from "@observablehq/plot";
import type { RunOutcome } from "../../sparsity/tickets/experiment.ts";
import { sweepName } from "../../sparsity/tickets/run-definitions.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import type { Html } from "../report/html.ts";
import { plotSvg } from "../report/plot-svg.ts";

/** Tickets of one ratio under one weight decay, over the seeds. */
export interface PhaseCell {
  ratio: number;
  decay: number;
  /** Stable generalisation times in steps; null: never. */
  times: (number | null)[];
  bestTest: number[];
  /** Of `times`, with never as the longest; of an even number the upper one. Null where it is never. */
  median: number | null;
}

/** The cells of a sweep that have runs, ratios first. */
export function phaseCells({ sweep }: ExperimentSettings, outcomes: readonly RunOutcome[]): PhaseCell[] {
  if (!sweep) return [];
  return sweep.ratios.flatMap((ratio) =>
    sweep.decays.flatMap((decay): PhaseCell[] => {
      const own = outcomes.filter((o) => o.name === sweepName(ratio, decay));
      if (own.length === 0) return [];
      const times = own.map((o) => o.times.generalisedForGood ?? null);
      return [{ ratio, decay, times, bestTest: own.map((o) => o.bestTest), median: upperMedian(times) }];
    }),
  );
}

function upperMedian(times: readonly (number | null)[]): number | null {
  const sorted = times.map((t) => t ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return Number.isFinite(middle) ? middle : null;
}

/**
 * Ratio across, weight decay up; the colour is the median generalisation time on a logarithmic scale, the stronger the
 * sooner. A cell whose median is never has a cross instead; one in which some seeds never generalised says in how many
 * they did.
 */
export function phaseDiagram(cells: readonly PhaseCell[]): Html {
  const known = cells.flatMap((c) => (c.median === null ? [] : [c.median]));
  const [soonest, latest] = [Math.min(...known), Math.max(...known)];
  const strength = ({ median }: PhaseCell) => {
    if (median === null) return 0;
    return latest > soonest ? 1 - (0.88 * Math.log(median / soonest)) / Math.log(latest / soonest) : 1;
  };
  const reached = ({ times }: PhaseCell) => times.filter((t) => t !== null).length;
  const inPart = (c: PhaseCell) => reached(c) > 0 && reached(c) < c.times.length;
  const write = (some: readonly PhaseCell[], text: (c: PhaseCell) => string, dy: number, fontSize: number) =>
    Plot.text(some, {
      x: "ratio",
      y: "decay",
      text,
      dy,
      fontSize,
      fill: (c: PhaseCell) => (strength(c) > 0.55 ? "var(--card)" : "var(--ink)"),
    });
  const time = ({ median }: PhaseCell) => (median === null ? "×" : String(median));
  const columns = new Set(cells.map((c) => c.ratio)).size;
  const rows = new Set(cells.map((c) => c.decay)).size;
  return plotSvg({
    width: Math.max(460, 80 + 62 * columns),
    height: 60 + 42 * rows,
    marginLeft: 56,
    marginBottom: 38,
    x: {
      type: "band",
      label: "share of weights pruned",
      labelOffset: 34,
      tickFormat: (ratio: number) => (ratio === 0 ? "dense" : `${Math.round(100 * ratio)} %`),
      padding: 0.04,
    },
    y: { type: "band", label: "weight decay", reverse: true, tickFormat: String, padding: 0.04 },
    opacity: { type: "identity" },
    color: { type: "identity" },
    marks: [
      Plot.cell(cells, { x: "ratio", y: "decay", fill: "var(--c1)", fillOpacity: strength }),
      Plot.cell(cells, { x: "ratio", y: "decay", fill: "none", stroke: "var(--line)" }),
      write(
        cells.filter((c) => !inPart(c)),
        time,
        0,
        11,
      ),
      write(cells.filter(inPart), time, -6, 11),
      write(cells.filter(inPart), (c) => `${reached(c)} of ${c.times.length}`, 8, 9),
    ],
  });
}
