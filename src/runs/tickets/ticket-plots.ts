import * as Plot from "@observablehq/plot";
import type { RunOutcome } from "../../sparsity/tickets/experiment.ts";
import type { TokenWaves } from "../../sparsity/tickets/token-waves.ts";
import type { TracePoint } from "../../sparsity/tickets/trace.ts";
import type { Html } from "../report/html.ts";
import { html } from "../report/html.ts";
import { plotSvg } from "../report/plot-svg.ts";
import type { RunSummary } from "./ticket-summary.ts";
import { meanOf } from "./ticket-summary.ts";

/** The base network is always 0, its ticket 1. */
const color = (i: number) => (i < 8 ? `var(--c${i + 1})` : "var(--ink)");

export interface Curve {
  label: string;
  outcome: RunOutcome;
}

/** Test accuracy over training on a logarithmic axis; training accuracy of the first curve is dashed. */
export function accuracyPlot(curves: readonly Curve[]): Html {
  const points = ({ outcome }: Curve, which: "train" | "test") =>
    outcome.curve.filter((q) => q.step > 0).map((q) => ({ x: q.step, y: q[which] }));
  const drawing = plotSvg({
    height: 240,
    marginBottom: 38,
    x: { type: "log", label: "step", labelOffset: 34, ticks: 5, tickFormat: ",d" },
    y: { domain: [0, 1], grid: true, ticks: 5, tickFormat: "~%", label: null },
    marks: [
      Plot.lineY(points(curves[0], "train"), { x: "x", y: "y", stroke: color(0), strokeDasharray: "2,3" }),
      ...curves.map((c, i) =>
        Plot.lineY(points(c, "test"), { x: "x", y: "y", stroke: color(i), strokeWidth: 1.75 }),
      ),
    ],
  });
  return html`${drawing}<div class="legend">${curves.map(
    ({ label }, i) => html`<span style="--swatch: ${color(i)}">${label}</span>`,
  )}</div>`;
}

/** A bar for each kind of run: mean and s.d. of τ_grok over the seeds, and a word where it never generalised. */
export function timeBars(runs: readonly RunSummary[]): Html {
  const bars = runs.map(({ name, label, tau }) => ({ label, name, of: tau.length, time: meanOf(tau) }));
  const known = bars.flatMap(({ time, ...bar }) => (time ? [{ ...bar, ...time }] : []));
  const ends = bars.map(({ label, of, time }) => ({
    label,
    x: time ? time.mean + time.sd : 1,
    note: !time ? "never" : time.count < of ? `${time.count} of ${of} seeds` : "",
  }));
  return plotSvg({
    width: 940,
    height: 22 * bars.length + 50,
    marginLeft: 360,
    marginRight: 90,
    marginBottom: 38,
    x: {
      type: "log",
      domain: [1, Math.max(10, ...ends.map((e) => e.x))],
      label: "τ = generalisation time / memorisation time",
      labelOffset: 34,
      grid: true,
      ticks: 5,
      tickFormat: ",d",
    },
    y: { label: null, domain: bars.map((b) => b.label) },
    marks: [
      Plot.barX(known, {
        x1: () => 1,
        x2: "mean",
        y: "label",
        fill: (b) => color(b.name === "base" ? 0 : 1),
        insetTop: 3,
        insetBottom: 3,
      }),
      Plot.ruleY(known, {
        x1: (b) => Math.max(1, b.mean - b.sd),
        x2: (b) => b.mean + b.sd,
        y: "label",
        stroke: "var(--ink)",
      }),
      Plot.text(ends, {
        x: "x",
        y: "label",
        text: "note",
        textAnchor: "start",
        dx: 6,
        fill: "var(--soft)",
      }),
    ],
  });
}

/** How a figure of the base network's weights goes along with its training. */
export function tracePlot<P extends TracePoint>(trace: readonly P[], value: (point: P) => number): Html {
  return plotSvg({
    height: 200,
    marginBottom: 38,
    x: { label: "step", labelOffset: 34, ticks: 5, tickFormat: ",d" },
    y: { label: null, grid: true, ticks: 4, zero: true },
    marks: [Plot.lineY(trace, { x: "step", y: value, stroke: color(0), strokeWidth: 1.75 })],
  });
}

/** Columns of numbers over training as a heat map; rows are in the given order, or have names. */
export function heatMap<P extends TracePoint>(
  trace: readonly P[],
  rows: (point: P) => readonly number[],
  { label, order, names }: { label: string; order?: readonly number[]; names?: readonly string[] },
): Html {
  const steps = trace.map((q) => q.step);
  const cells = trace.flatMap((point, i) => {
    const values = rows(point);
    return (order ?? values.map((_, r) => r)).map((r, row) => ({
      x1: steps[i],
      x2: steps[i + 1] ?? 2 * steps[i] - steps[i - 1],
      y1: row - 0.5,
      y2: row + 0.5,
      value: values[r],
    }));
  });
  return plotSvg({
    height: 260,
    marginBottom: 38,
    x: { label: "step", labelOffset: 34, ticks: 5, tickFormat: ",d" },
    y: names
      ? { label, ticks: fewOf(names), tickFormat: (row: number) => names[row] }
      : { label, ticks: 6, tickFormat: "d" },
    // The page's own colours, so that the map follows light and dark.
    color: {
      type: "linear",
      interpolate: (t: number) => `color-mix(in oklab, var(--c1) ${Math.round(100 * t)}%, var(--card))`,
    },
    marks: [Plot.rect(cells, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: "value", inset: -0.2 })],
  });
}

/** Spectra as bars side by side, one small plot each. */
export function spectrumPlot(
  spectrum: readonly number[],
  most: number,
  { kind, names }: Pick<TokenWaves, "kind" | "names">,
): Html {
  return plotSvg({
    height: 180,
    marginBottom: 38,
    x: {
      label: kind,
      labelOffset: 34,
      type: "band",
      domain: names,
      ticks: fewOf(names).map((i) => names[i]),
    },
    y: { label: null, grid: true, ticks: 4, tickFormat: "~%", domain: [0, most] },
    marks: [
      Plot.barY(
        spectrum.map((share, i) => ({ name: names[i], share })),
        { x: "name", y: "share", fill: color(0) },
      ),
    ],
  });
}

/** Which of many names to write: the first and every fifth; all of a few. */
function fewOf(names: readonly string[]): number[] {
  return [...names.keys()].filter((i) => names.length <= 8 || i === 0 || (i + 1) % 5 === 0);
}
