import type { Dim } from "../../physics/particles.ts";

export interface ParticlePage {
  title: string;
  dim: Dim;
  frames: number;
  /** Seconds from one shown frame to the next. */
  interval: number;
  /** Shown frames at the start that are given, not predicted. */
  seedFrames: number;
  /** Where walls stop particles. */
  bounds?: readonly (readonly [number, number])[];
  /** GNS's number of each point's material. */
  types: Uint8Array;
  /** [frames, points, dim] in 65535ths of the box. */
  prediction: Uint16Array;
  truth?: Uint16Array;
}

/** GNS's numbers of materials and ours. */
const COLORS: Readonly<Record<number, string>> = {
  1: "#d6405c",
  3: "#777777",
  4: "#7a58be",
  5: "#2c72c4",
  6: "#c99234",
  7: "#3e9454",
};

const base64 = (values: Uint16Array | Uint8Array) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");

/** The page: drawn on canvases by a few lines of script, in 3D turned by dragging. Nothing is loaded from anywhere. */
export function particlePage(page: ParticlePage): string {
  const { title, dim, frames, interval, seedFrames, bounds, types, prediction, truth } = page;
  const data = {
    dim,
    frames,
    interval,
    seedFrames,
    bounds: bounds ?? Array.from({ length: dim }, () => [0, 1]),
    colors: COLORS,
    types: base64(types),
    prediction: base64(prediction),
    truth: truth ? base64(truth) : null,
  };
  const escaped = title.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped}</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { margin: 0 auto; max-width: 1400px; padding: 1rem; }
  h1 { font-size: 1.1rem; font-weight: 600; }
  main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
  figure { margin: 0; }
  figcaption { padding-bottom: .3rem; }
  canvas { width: 100%; aspect-ratio: 1; background: #f6f6f4; border-radius: 6px; touch-action: none; }
  @media (prefers-color-scheme: dark) { canvas { background: #1d1f22; } }
  form { display: flex; gap: 1rem; align-items: center; margin-top: 1rem; }
  input[type=range] { flex: 1; }
  output { min-width: 15em; font-variant-numeric: tabular-nums; text-align: right; }
  button { font: inherit; padding: .2rem 1rem; }
</style>
<h1>${escaped}</h1>
<main></main>
<form onsubmit="return false">
  <button type="button" aria-label="play or pause">Play</button>
  <input type="range" min="0" max="${frames - 1}" value="0" aria-label="frame">
  <output></output>
</form>
<script type="application/json" id="data">${JSON.stringify(data)}</script>
<script>
${SCRIPT}
</script>
</html>
`;
}

const SCRIPT = `"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const types = bytes(data.types);
const prediction = new Uint16Array(bytes(data.prediction).buffer);
const truth = data.truth && new Uint16Array(bytes(data.truth).buffer);
const { dim, frames } = data;
const points = types.length;
const names = truth ? ["truth", "prediction", "error"] : [data.seedFrames ? "prediction" : "recording"];
const canvases = names.map((name) => {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = name;
  const canvas = document.createElement("canvas");
  figure.append(caption, canvas);
  document.querySelector("main").append(figure);
  return canvas;
});
const button = document.querySelector("button");
const range = document.querySelector("input");
const output = document.querySelector("output");
let turn = 0.6, tilt = 0.35, frame = 0, playing = false, last = 0;

// The largest distance of all frames is the end of the scale of colours.
let worst = 0;
if (truth) for (let i = 0; i < truth.length; i += dim) worst = Math.max(worst, distance(i));
function distance(i) {
  let d = 0;
  for (let k = 0; k < dim; k++) d += ((prediction[i + k] - truth[i + k]) / 65535) ** 2;
  return Math.sqrt(d);
}
const heat = (s) => "hsl(" + (230 - 220 * s) + " 80% " + (45 + 10 * s) + "%)";

function place(values, i, size) {
  const x = values[i] / 65535, y = values[i + 1] / 65535;
  if (dim === 2) return [x * size, (1 - y) * size, 0];
  const z = values[i + 2] / 65535;
  return view(x, y, z, size);
}
function view(x, y, z, size) {
  const a = x - 0.5, c = z - 0.5, b = y - 0.5;
  const u = a * Math.cos(turn) - c * Math.sin(turn);
  const w = a * Math.sin(turn) + c * Math.cos(turn);
  const v = b * Math.cos(tilt) - w * Math.sin(tilt);
  const depth = b * Math.sin(tilt) + w * Math.cos(tilt);
  return [(0.5 + 0.72 * u) * size, (0.5 - 0.72 * v) * size, depth];
}
function walls(ctx, size) {
  const b = data.bounds;
  ctx.strokeStyle = "#8886";
  ctx.lineWidth = Math.max(1, size / 500);
  ctx.beginPath();
  if (dim === 2) ctx.rect(b[0][0] * size, (1 - b[1][1]) * size, (b[0][1] - b[0][0]) * size, (b[1][1] - b[1][0]) * size);
  else
    for (let e = 0; e < 12; e++) {
      const axis = e >> 2, one = (axis + 1) % 3, two = (axis + 2) % 3;
      const p = [0, 0, 0], q = [0, 0, 0];
      p[one] = q[one] = b[one][e & 1];
      p[two] = q[two] = b[two][(e >> 1) & 1];
      p[axis] = b[axis][0];
      q[axis] = b[axis][1];
      ctx.moveTo(...view(...p, size).slice(0, 2));
      ctx.lineTo(...view(...q, size).slice(0, 2));
    }
  ctx.stroke();
}
const spacing = Math.max(0.006, 0.35 / Math.pow(points, 1 / dim));
function draw() {
  let squares = 0;
  names.forEach((name, panel) => {
    const canvas = canvases[panel];
    const size = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const ctx = canvas.getContext("2d");
    ctx.clearRect(0, 0, size, size);
    walls(ctx, size);
    const values = name === "truth" ? truth : prediction;
    const radius = Math.max(1, 0.3 * spacing * size);
    const order = Array.from({ length: points }, (_, p) => {
      const i = (frame * points + p) * dim;
      return [...place(values, i, size), p, i];
    });
    if (dim === 3) order.sort((a, b) => b[2] - a[2]);
    for (const [x, y, depth, p, i] of order) {
      const off = name === "error" ? distance(i) : 0;
      if (name === "error") squares += off * off;
      ctx.fillStyle = name === "error" ? heat(worst > 0 ? off / worst : 0) : data.colors[types[p]] || "#4a7ab5";
      ctx.globalAlpha = dim === 3 ? Math.max(0.25, 0.85 - 0.7 * depth) : 1;
      ctx.beginPath();
      ctx.arc(x, y, radius, 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.globalAlpha = 1;
  });
  const time = (frame * data.interval * 1000).toFixed(0) + " ms";
  const rms = truth ? ", r.m.s. error " + Math.sqrt(squares / points).toFixed(4) : "";
  output.textContent = time + (frame < data.seedFrames ? ", given" : rms);
  range.value = frame;
}
if (truth) canvases[2].previousSibling.textContent = "error: from 0, blue, to " + worst.toFixed(3) + " of the box, red";
function play(now) {
  if (!playing) return;
  if (now - last > 33) {
    last = now;
    frame = (frame + 1) % frames;
    draw();
  }
  requestAnimationFrame(play);
}
button.onclick = () => {
  playing = !playing;
  button.textContent = playing ? "Pause" : "Play";
  requestAnimationFrame(play);
};
range.oninput = () => {
  frame = Number(range.value);
  draw();
};
for (const canvas of canvases)
  canvas.onpointermove = (event) => {
    if (dim === 2 || !event.buttons) return;
    turn += event.movementX / 150;
    tilt = Math.max(-1.4, Math.min(1.4, tilt + event.movementY / 150));
    draw();
  };
addEventListener("resize", draw);
const asked = Number(new URLSearchParams(location.hash.slice(1)).get("frame"));
frame = asked > 0 && asked < frames ? Math.floor(asked) : 0;
draw();`;
