import * as Plot from "@observablehq/plot";
import type { Html } from "../../../src/runs/report/html.ts";
import { plotSvg } from "../../../src/runs/report/plot-svg.ts";
import type { Summary } from "../results.ts";
import type { Order } from "./mnist.ts";

export interface DigitsRow {
  method: string;
  perClass: number;
  order: Order;
  figures: Record<string, Summary>;
}

const LINES = [
  { label: "memory", method: "memory", order: "shuffled", figure: "logLik", hue: 1 },
  {
    label: "memory, class after class",
    method: "memory",
    order: "class after class",
    figure: "logLik",
    hue: 2,
  },
  {
    label: "nearest neighbour, same edges",
    method: "nearest edges",
    order: "shuffled",
    figure: "accuracy",
    hue: 3,
  },
  {
    label: "nearest neighbour, pixels",
    method: "nearest pixels",
    order: "shuffled",
    figure: "accuracy",
    hue: 4,
  },
  { label: "perceptron, one pass", method: "perceptron", order: "shuffled", figure: "accuracy", hue: 5 },
  {
    label: "perceptron, class after class",
    method: "perceptron",
    order: "class after class",
    figure: "accuracy",
    hue: 6,
  },
] as const;

/** Accuracy against images a class, each stored or trained on once; names at the ends of the lines. */
export function drawDigits(rows: readonly DigitsRow[]): Html {
  const points = LINES.flatMap(({ label, method, order, figure, hue }) =>
    rows
      .filter((row) => row.method === method && row.order === order)
      .map((row) => ({ label, x: row.perClass, y: row.figures[figure].mean, stroke: `var(--c${hue})` })),
  );
  return plotSvg({
    width: 720,
    height: 400,
    marginRight: 190,
    marginBottom: 38,
    x: {
      type: "log",
      label: "images a class, each seen once",
      ticks: [1, 5, 10, 50, 200, 1000, 6000],
      tickFormat: String,
    },
    y: { label: "right", grid: true, tickFormat: "~%", domain: [0, 1] },
    marks: [
      Plot.line(points, { x: "x", y: "y", z: "label", stroke: "stroke", strokeWidth: 1.8 }),
      Plot.dot(points, { x: "x", y: "y", fill: "stroke", r: 2.5 }),
      ...LINES.map(({ label, hue }, i) =>
        Plot.text([label], {
          frameAnchor: "top-right",
          textAnchor: "start",
          dx: 12,
          dy: 20 + 20 * i,
          text: String,
          fill: `var(--c${hue})`,
        }),
      ),
    ],
  });
}
