/** docs/figures/giorom.svg: what happened and what the networks of giorom-rollouts predict, on blocks that they have not seen. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { frameDecoder } from "../src/giorom/decoders/decode-frames.ts";
import { bakeRows } from "../src/giorom/decoders/rows.ts";
import { movingLeastSquaresRows } from "../src/giorom/decoders/weightings.ts";
import { rollout } from "../src/giorom/rollout.ts";
import { pick } from "../src/giorom/sample.ts";
import { openSimulator } from "../src/giorom/simulator.ts";
import { farthest, STEPS, type Trained, type TrainingJob, trainModel } from "./support/giorom/models.ts";
import { BOUNDS, simulate } from "./support/giorom/scenes.ts";
import { finishJob, ownJob, runJobs } from "./support/jobs.ts";
import { ROOT } from "./support/results.ts";

const SCENES = ["sand", "gel", "water"] as const;
const COLORS = { sand: "#c99234", gel: "#d6405c", water: "#2c72c4" };
const SEEN = 6;
const SHOWN = [5, 20, 40, 60];
const PANEL = 150;
/** What is drawn of the box: its lower half. */
const HEIGHT = 0.55;

const own = ownJob<TrainingJob>();
if (own) finishJob(await trainModel(own));
else await figure();

async function figure(): Promise<void> {
  const jobs = SCENES.map((scene): TrainingJob => ({ scene, model: "lite", steps: STEPS, seed: 0 }));
  const models = await runJobs<TrainingJob, Trained>(
    jobs,
    1,
    join(ROOT, "runs", "protocols", "giorom"),
    () => {},
  );
  const parts: string[] = [];
  for (const [s, scene] of SCENES.entries()) {
    const frames = simulate(scene, { split: "test", index: 0 });
    const chosen = farthest(frames);
    const simulator = await openSimulator(models[s].model, { threads: 1 });
    const seed = frames.slice(0, SEEN).map((f) => pick(f, 2, chosen));
    const predicted = await rollout((w) => simulator.step(w), seed, {
      frames: SHOWN[SHOWN.length - 1],
      dim: 2,
    });
    await simulator.release();
    const base = frames[SEEN - 1];
    const decoder = await frameDecoder(
      { dim: 2, sources: pick(base, 2, chosen), queries: base },
      { bake: (g) => bakeRows(movingLeastSquaresRows(g), g.queries, 2), rebaseEvery: 20 },
    );
    for (let t = 0; t < predicted.length; t++) {
      const dense = await decoder.next(predicted[t]);
      const column = SHOWN.indexOf(t + 1);
      if (column < 0) continue;
      panel(parts, column, 2 * s, frames[SEEN + t], COLORS[scene]);
      panel(parts, column, 2 * s + 1, dense, COLORS[scene], predicted[t]);
    }
  }
  const label = (x: number, y: number, text: string, turn = false) =>
    `<text x="${x}" y="${y}"${turn ? ` transform="rotate(-90 ${x} ${y})"` : ""}>${text}</text>`;
  const row = PANEL * HEIGHT + 6;
  SCENES.forEach((scene, s) => {
    for (const [k, what] of ["truth", "network"].entries())
      parts.push(label(14, 18 + (2 * s + k + 0.5) * row, `${scene}: ${what}`, true));
  });
  SHOWN.forEach((t, column) =>
    parts.push(label(24 + (column + 0.5) * (PANEL + 6), 12, `${t} frames, ${t * 5} ms`)),
  );
  const [width, height] = [24 + SHOWN.length * (PANEL + 6), 20 + 2 * SCENES.length * row];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="9" text-anchor="middle"><rect width="${width}" height="${height}" fill="#fff"/>${parts.join("")}</svg>\n`;
  mkdirSync(join(ROOT, "docs", "figures"), { recursive: true });
  writeFileSync(join(ROOT, "docs", "figures", "giorom.svg"), svg);
  console.log("docs/figures/giorom.svg");
}

/** Points as dots; those that the network carries are dark. */
function panel(
  parts: string[],
  column: number,
  row: number,
  points: ArrayLike<number>,
  color: string,
  carried: ArrayLike<number> = [],
): void {
  const [left, top] = [24 + column * (PANEL + 6), 18 + row * (PANEL * HEIGHT + 6)];
  const at = (x: number, y: number) =>
    `${(left + PANEL * x).toFixed(1)} ${(top + PANEL * (HEIGHT - y)).toFixed(1)}`;
  const dots = (from: ArrayLike<number>) => {
    let path = "";
    for (let i = 0; i < from.length; i += 2) path += `M${at(from[i], from[i + 1])}h0`;
    return path;
  };
  const [[low, high]] = BOUNDS;
  parts.push(
    `<path d="M${at(low, HEIGHT)}L${at(low, low)}L${at(high, low)}L${at(high, HEIGHT)}" fill="none" stroke="#bbb"/>`,
    `<path d="${dots(points)}" stroke="${color}" stroke-width="2.2" stroke-linecap="round"/>`,
  );
  if (carried.length > 0)
    parts.push(`<path d="${dots(carried)}" stroke="#222" stroke-width="1.6" stroke-linecap="round"/>`);
}
