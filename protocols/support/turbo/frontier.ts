import * as Plot from "@observablehq/plot";
import type { Html } from "../../../src/runs/report/html.ts";
import { plotSvg } from "../../../src/runs/report/plot-svg.ts";
import { betterThan } from "../pareto.ts";

/** One network stored in one way. */
export interface StoredRow {
  seed: number;
  method: string;
  storage: string;
  bytes: number;
  /** Test error, %. */
  error: number;
}

export interface StoredPoint {
  family: string;
  bytes: number;
  error: number;
}

/** Names of rows up to the comma, in words. */
const NAMES: Readonly<Record<string, string>> = {
  chain: "Turbo-VBI, chain",
  iid: "VBI, independent bits",
  "sparse-vd": "Sparse VD",
  "bc-gnj": "BC-GNJ",
  vibnet: "VIBNet",
};

/** Every way to store every row, as the means over its seeds. Rows of one method belong to one family, whatever their settings. */
export function storedPoints(rows: readonly StoredRow[]): StoredPoint[] {
  const ways = [...new Set(rows.map(wayOf))];
  return ways.map((way) => {
    const own = rows.filter((row) => wayOf(row) === way);
    const mean = (pick: (row: StoredRow) => number) => own.reduce((sum, r) => sum + pick(r), 0) / own.length;
    const [family] = own[0].method.split(",");
    return { family, bytes: mean((r) => r.bytes), error: mean((r) => r.error) };
  });
}

const wayOf = ({ method, storage }: StoredRow) => `${method} | ${storage}`;

/** The points that no other beats, by falling error. */
export function frontOf(points: readonly StoredPoint[]): StoredPoint[] {
  const offers = points.map((point) => ({ point, cost: point.bytes, worth: -point.error }));
  return offers
    .filter((offer) => betterThan(offer, offers).length === 0)
    .map(({ point }) => point)
    .sort((a, b) => a.bytes - b.bytes);
}

/**
 * Test error against bytes on the disk: every network in every storage, and a line through the best of each family. Errors above
 * `worst` are left out.
 */
export function frontierFigure(rows: readonly StoredRow[], worst: number): Html {
  const points = storedPoints(rows).filter((p) => p.error <= worst);
  const families = [...new Set(points.map((p) => p.family))];
  const firsts = families.map((family) => frontOf(points.filter((p) => p.family === family))[0]);
  const errors = points.map((p) => p.error);
  const near = (Math.max(...errors) - Math.min(...errors)) / 20;
  /** Whether there is no room for a name to the right of a line's first point. */
  const crowded = (first: StoredPoint) =>
    firsts.some(
      ({ bytes, error }) =>
        bytes > first.bytes && bytes < 2 * first.bytes && Math.abs(error - first.error) < near,
    );
  const sizes = points.map((p) => p.bytes);
  /** How far to the right a point is, from 0 to 1. */
  const along = ({ bytes }: StoredPoint) =>
    Math.log(bytes / Math.min(...sizes)) / Math.log(Math.max(...sizes) / Math.min(...sizes));
  /** Names to the left of points at the border need room. */
  const insetLeft = firsts.some((first) => crowded(first) && along(first) < 0.15) ? 110 : 8;
  const color = (family: string) =>
    family === "dense" ? "var(--ink)" : `var(--c${families.indexOf(family)})`;
  return plotSvg({
    width: 720,
    height: 400,
    marginBottom: 40,
    marginRight: 20,
    x: {
      type: "log",
      inset: 8,
      insetLeft,
      label: "bytes on the disk",
      labelOffset: 34,
      ticks: 6,
      tickFormat: (v: number) => `${Number((v / 1000).toPrecision(3))} kB`,
    },
    y: { label: "test error, %", grid: true, inset: 8, ticks: 7 },
    marks: families.flatMap((family) => {
      const own = points.filter((p) => p.family === family);
      const front = frontOf(own);
      const stroke = color(family);
      const at = { x: "bytes", y: "error" };
      const left = crowded(front[0]);
      return [
        Plot.dot(own, { ...at, fill: stroke, fillOpacity: 0.35, r: 2 }),
        Plot.lineY(front, { ...at, stroke, strokeWidth: 1.75 }),
        Plot.dot(front, { ...at, fill: stroke, r: 3 }),
        Plot.text(front.slice(0, 1), {
          ...at,
          text: () => NAMES[family] ?? family,
          fill: stroke,
          dx: left ? -8 : 8,
          dy: -4,
          textAnchor: left ? "end" : "start",
        }),
      ];
    }),
  });
}
