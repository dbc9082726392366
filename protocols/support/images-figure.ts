import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Cost, ImageRow } from "./images-results.ts";
import { COSTS } from "./images-results.ts";

const LABELS: Record<Cost, string> = {
  macs: "million multiply–accumulates",
  bytes: "kB on disk",
  latencyMs: "ms for 64 images, one thread",
};
const UNITS: Record<Cost, number> = { macs: 1e-6, bytes: 1e-3, latencyMs: 1 };
const INK = "#222";
const LEADING = "#d6240c";
/** Told apart by hue, and by dashes where hues come again. */
const HUES = ["#3366b0", "#2f8f57", "#8a5fb0", "#b07a1f", "#4aa3b8", "#c2588f", "#6b6b6b"];
const [WIDTH, HEIGHT] = [380, 300];

/** Methods that end in the same shape stand side by side, this much of the cost apart. */
const ASIDE = 0.012;

/**
 * Accuracy against each cost that was measured, a panel each, networks below each other; methods as colours, bars of one
 * standard deviation.
 */
export function imagesFigure(rows: readonly ImageRow[]): string {
  const methods = [...new Set(rows.map((r) => r.method))];
  const others = methods.filter((m) => m !== "wgsef" && m !== "dense");
  const styleOf = (method: string) => {
    const i = others.indexOf(method);
    if (method === "wgsef") return { stroke: LEADING, strokeWidth: 2.6, strokeDasharray: "" };
    if (method === "dense") return { stroke: INK, strokeWidth: 1.4, strokeDasharray: "" };
    const round = Math.floor(i / HUES.length);
    return { stroke: HUES[i % HUES.length], strokeWidth: 1.4, strokeDasharray: round ? "4,3" : "" };
  };
  const networks = [...new Set(rows.map((r) => r.network))];
  const costs = COSTS.filter((cost) => rows.some((r) => r[cost]));
  const panels = networks.flatMap((network, y) =>
    costs.map((cost, x) => {
      const own = rows.filter((r) => r.network === network && r[cost]);
      return placed(panel(own, methods, cost, network, styleOf), x * WIDTH, y * HEIGHT);
    }),
  );
  const columns = 7;
  const legend = methods.map((method, i) => {
    const { stroke, strokeWidth, strokeDasharray } = styleOf(method);
    const x = 50 + (i % columns) * 155;
    const y = networks.length * HEIGHT + 20 + Math.floor(i / columns) * 20;
    return `<line x1="${x}" x2="${x + 24}" y1="${y - 4}" y2="${y - 4}" stroke="${stroke}" stroke-width="${strokeWidth}" stroke-dasharray="${strokeDasharray}"/><text x="${x + 30}" y="${y}">${method}</text>`;
  });
  const height = networks.length * HEIGHT + 20 + 20 * Math.ceil(methods.length / columns);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${3 * WIDTH}" height="${height}" viewBox="0 0 ${3 * WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}"><rect width="100%" height="100%" fill="white"/>${panels.join("")}${legend.join("")}</svg>\n`;
}

function panel(
  rows: readonly ImageRow[],
  methods: readonly string[],
  cost: Cost,
  network: string,
  styleOf: (method: string) => { stroke: string; strokeWidth: number; strokeDasharray: string },
): string {
  const { document } = parseHTML("<html><body></body></html>");
  const points = rows.map((row) => ({
    method: row.method,
    x: row[cost]!.mean * UNITS[cost] * (1 + ASIDE * (methods.indexOf(row.method) - (methods.length - 1) / 2)),
    y: row.accuracy.mean,
    low: row.accuracy.mean - row.accuracy.sd,
    high: row.accuracy.mean + row.accuracy.sd,
  }));
  const drawing = Plot.plot({
    document: document as unknown as Document,
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 48,
    marginBottom: 40,
    marginTop: 28,
    style: { background: "white", color: INK, fontSize: "11px", fontFamily: "system-ui, sans-serif" },
    x: {
      type: "log",
      inset: 12,
      label: LABELS[cost],
      labelOffset: 34,
      ticks: 5,
      tickFormat: (v: number) => `${Number(v.toPrecision(3))}`,
    },
    y: { label: `${network}: test accuracy`, grid: true, ticks: 6, tickFormat: "~%" },
    // The leading method last, on top of the others.
    marks: [...methods.filter((m) => m !== "wgsef"), "wgsef"].flatMap((method) => {
      const own = points.filter((p) => p.method === method).sort((a, b) => a.x - b.x);
      const { stroke, strokeWidth, strokeDasharray } = styleOf(method);
      return [
        Plot.ruleX(own, { x: "x", y1: "low", y2: "high", stroke, strokeWidth: 1, strokeOpacity: 0.6 }),
        Plot.lineY(own, { x: "x", y: "y", stroke, strokeWidth, strokeDasharray }),
        Plot.dot(own, { x: "x", y: "y", fill: stroke, r: method === "wgsef" ? 4 : 2.6 }),
      ];
    }),
  });
  return drawing.outerHTML;
}

/** A drawing within another. */
function placed(svg: string, x: number, y: number): string {
  return svg.replace(/^<svg /, `<svg x="${x}" y="${y}" `);
}
