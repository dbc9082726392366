/** The five materials after the same fall, side by side: docs/figures/materials.png. */
import { mkdirSync, writeFileSync } from "node:fs";
import { encode } from "fast-png";
import { MATERIALS } from "../src/physics/materials.ts";
import { fillShape } from "../src/physics/shapes.ts";
import { createSimulation } from "../src/physics/simulation.ts";

const CELLS = 48;
const DT = 3e-4;
/** Seconds at which a row of the picture is drawn. */
const TIMES = [0, 0.09, 0.24, 0.75];
const PANEL = 176;
const GAP = 6;
const COLUMNS = ["jelly", "plasticine", "sand", "goop", "water"] as const;
const COLORS = {
  jelly: [214, 64, 92],
  plasticine: [122, 88, 190],
  sand: [201, 146, 52],
  goop: [62, 148, 84],
  water: [44, 114, 196],
} as const;

const width = COLUMNS.length * (PANEL + GAP) - GAP;
const height = TIMES.length * (PANEL + GAP) - GAP;
const pixels = new Uint8Array(width * height * 3).fill(255);

/** Blends one particle, a disc with a soft edge, into a panel. */
function disc(left: number, top: number, x: number, y: number, color: readonly number[]): void {
  const radius = (0.62 * PANEL) / (2 * CELLS);
  const cx = x * PANEL;
  const cy = (1 - y) * PANEL;
  for (let py = Math.max(0, Math.floor(cy - radius - 1)); py <= Math.min(PANEL - 1, cy + radius + 1); py++)
    for (
      let px = Math.max(0, Math.floor(cx - radius - 1));
      px <= Math.min(PANEL - 1, cx + radius + 1);
      px++
    ) {
      const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(px + 0.5 - cx, py + 0.5 - cy)));
      const at = 3 * ((top + py) * width + left + px);
      for (let k = 0; k < 3; k++) pixels[at + k] += cover * (color[k] - pixels[at + k]);
    }
}

for (const [column, name] of COLUMNS.entries()) {
  const positions = fillShape("box", 2, [0.25, 0.25], 1 / (2 * CELLS)).map((x, i) => x + [0.5, 0.35][i % 2]);
  const velocities = positions.map((_, i) => [0, -2][i % 2]);
  const simulation = createSimulation({
    dim: 2,
    cells: CELLS,
    dt: DT,
    bodies: [{ material: MATERIALS[name], positions, velocities }],
  });
  const { x, count } = simulation.particles;
  const left = column * (PANEL + GAP);
  let steps = 0;
  for (const [row, time] of TIMES.entries()) {
    const until = Math.round(time / DT);
    simulation.step(until - steps);
    steps = until;
    const top = row * (PANEL + GAP);
    for (let py = 0; py < PANEL; py++) {
      const [low, high] = simulation.bounds;
      for (let px = 0; px < PANEL; px++) {
        const [u, v] = [(px + 0.5) / PANEL, 1 - (py + 0.5) / PANEL];
        const box = u > low - 0.01 && u < high + 0.01 && v > low - 0.01 && v < high + 0.01;
        pixels.fill(
          box ? 248 : 224,
          3 * ((top + py) * width + left + px),
          3 * ((top + py) * width + left + px + 1),
        );
      }
    }
    for (let i = 0; i < count; i++) {
      // Stripes of the block at rest, so that one sees how it was deformed.
      const stripe = Math.floor((positions[2 * i + 1] - 0.225) / 0.0417) % 2 === 0 ? 1 : 0.72;
      disc(
        left,
        top,
        x[2 * i],
        x[2 * i + 1],
        COLORS[name].map((c) => c * stripe),
      );
    }
  }
}

mkdirSync("docs/figures", { recursive: true });
writeFileSync("docs/figures/materials.png", encode({ width, height, data: pixels, channels: 3, depth: 8 }));
console.log("docs/figures/materials.png: columns jelly, plasticine, sand, goop, water; rows over time");
