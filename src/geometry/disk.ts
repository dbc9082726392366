export interface DiskOptions {
  /** Points of the Poincaré disk, [x, y] with x² + y² < 1. */
  points: readonly (readonly [number, number])[];
  /** Pairs of points that a geodesic joins. */
  edges: readonly (readonly [number, number])[];
  /** Names of some of the points. */
  labels?: ReadonlyMap<number, string>;
  /** Colour of each point's group, from 0. */
  groups?: readonly number[];
  /** Side of the drawing in pixels. */
  size?: number;
}

const COLORS = ["#8a8f98", "#c2412d", "#2f6fb3", "#2e8b57", "#8b5fbf", "#c98a1b", "#17868c", "#b0457f"];

/** The Poincaré disk as an SVG file: points, geodesics (arcs of circles that meet the edge at right angles), names. */
export function drawDisk({ points, edges, labels = new Map(), groups, size = 900 }: DiskOptions): string {
  const radius = size / 2 - 12;
  const at = ([x, y]: readonly [number, number]) => [
    number(size / 2 + radius * x),
    number(size / 2 - radius * y),
  ];
  const colorOf = (i: number) => COLORS[(groups?.[i] ?? 0) % COLORS.length];
  const lines = edges.map(([a, b]) => {
    const [from, to] = [at(points[a]), at(points[b])];
    return `<path d="M${from.join(" ")}${arc(points[a], points[b], radius)}${to.join(" ")}" stroke="${colorOf(a)}"/>`;
  });
  const dots = points.map((p, i) => {
    const [x, y] = at(p);
    return `<circle cx="${x}" cy="${y}" r="${labels.has(i) ? 4 : 2}" fill="${colorOf(i)}"/>`;
  });
  const names = [...labels].map(([i, text]) => {
    const [x, y] = at(points[i]);
    // Names at the right edge stand to the left of their points, or they would leave the picture.
    const end = points[i][0] > 0.8;
    const place = end ? `x="${Number(x) - 6}" text-anchor="end"` : `x="${Number(x) + 6}"`;
    return `<text ${place} y="${Number(y) - 5}">${text.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" width="${size}" height="${size}">`,
    `<rect width="${size}" height="${size}" fill="#fff"/>`,
    `<circle cx="${size / 2}" cy="${size / 2}" r="${radius}" fill="#fbfaf7" stroke="#444"/>`,
    `<g fill="none" stroke-width="0.7" stroke-opacity="0.5">${lines.join("\n")}</g>`,
    `<g>${dots.join("\n")}</g>`,
    `<g font-family="system-ui, sans-serif" font-size="14" fill="#111" stroke="#fff" stroke-width="3" paint-order="stroke">${names.join("\n")}</g>`,
    "</svg>\n",
  ].join("\n");
}

const number = (v: number) => String(Math.round(v * 100) / 100);

/** The SVG path command from a to b along their geodesic: a circle with centre m, m·p = (1 + |p|²)/2 for both points. */
function arc(a: readonly [number, number], b: readonly [number, number], scale: number): string {
  const cross = a[0] * b[1] - a[1] * b[0];
  const [p, q] = [(1 + a[0] ** 2 + a[1] ** 2) / 2, (1 + b[0] ** 2 + b[1] ** 2) / 2];
  const [x, y] = [(p * b[1] - q * a[1]) / cross, (q * a[0] - p * b[0]) / cross];
  const radius = Math.sqrt(x * x + y * y - 1);
  // A diameter, or too large a circle to tell from one.
  if (!(radius < 1e3)) return "L";
  return `A${number(radius * scale)} ${number(radius * scale)} 0 0 ${cross > 0 ? 1 : 0} `;
}
