import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Html } from "./html.ts";
import { html, raw } from "./html.ts";
import { PALETTE } from "./page.ts";

/** Draws an Observable Plot without a browser. Colours are the page's own, so the drawing follows light and dark. */
export function plotSvg(options: Plot.PlotOptions): Html {
  const { document } = parseHTML("<html><body></body></html>");
  const drawing = Plot.plot({
    width: 460,
    height: 260,
    marginLeft: 48,
    style: { background: "none", color: "var(--ink)", fontSize: "11px", fontFamily: "inherit" },
    ...options,
    document: document as unknown as Document,
  });
  return raw(drawing.outerHTML);
}

/** A drawing as the text of a file of its own, with the page's colours in it. */
export function svgFile({ html }: Html): string {
  const svg = html.includes("xmlns=")
    ? html
    : html.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"');
  return svg.replace(
    ">",
    `><style>${PALETTE}svg { background: var(--card) !important; font-family: system-ui, sans-serif !important; }</style>`,
  );
}

export interface Line {
  label: string;
  points: readonly { x: number; y: number }[];
}

export interface LinePlotOptions {
  lines: readonly Line[];
  x: string;
  y?: string;
  logarithmic?: boolean;
  /** Show y as percentages. */
  percent?: boolean;
}

/** Curves over a common axis, with a legend where there are several. Points that are not finite leave a gap. */
export function linePlot({ lines, x, y, logarithmic = false, percent = false }: LinePlotOptions): Html {
  const color = (i: number) => `var(--c${(i % 8) + 1})`;
  const drawing = plotSvg({
    marginBottom: 38,
    x: { label: x, labelOffset: 34, ...xTicks(lines) },
    y: {
      label: y ?? null,
      grid: true,
      ticks: 5,
      type: logarithmic ? "log" : "linear",
      // Plot would take the digits of "~g" from the step between ticks: 6e+1 for 60.
      tickFormat: percent ? "~%" : (v: number) => String(Number(v.toPrecision(6))),
    },
    marks: lines.flatMap(({ points }, i) => {
      const drawn = points.map((p) =>
        Number.isFinite(p.y) && (!logarithmic || p.y > 0) ? p : { x: p.x, y: Number.NaN },
      );
      const options = { x: "x", y: "y" };
      return [
        Plot.lineY(drawn, { ...options, stroke: color(i), strokeWidth: 1.75 }),
        ...(points.length <= 30 ? [Plot.dot(drawn, { ...options, fill: color(i), r: 2 })] : []),
      ];
    }),
  });
  if (lines.length < 2) return drawing;
  return html`${drawing}<div class="legend">${lines.map(
    ({ label }, i) => html`<span style="--swatch: ${color(i)}">${label}</span>`,
  )}</div>`;
}

/** Epochs and steps are whole: no ticks between them. */
function xTicks(lines: readonly Line[]): { ticks: number[]; tickFormat: string } | undefined {
  const values = lines.flatMap(({ points }) => points.map((p) => p.x));
  if (values.length === 0 || !values.every(Number.isInteger)) return undefined;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  let step = 1;
  for (let k = 0; (high - low) / step > 7; k++) step = [1, 2, 5][k % 3] * 10 ** Math.floor(k / 3);
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
  return { ticks, tickFormat: ",d" };
}
