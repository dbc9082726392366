/**
 * How fast is the proximal step of WGSEF? Prints JSON and writes docs/results/prox.json: nanoseconds per group of the root search alone and of the whole
 * prox (norms, root, scaling), its ratio to one copy of the same weights, the slope of log time over log m, and how often
 * a breakpoint is looked at.
 *
 * usage: prox.js [largest m, default 10000000] [repetitions, default 9]
 */
import { writeResults } from "../protocols/support/results.ts";
import { random } from "../src/random.ts";
import { median } from "../src/runs/latency.ts";
import { type Arrays, type GroupPartition, groupNorms, scaleGroups } from "../src/sparsity/groups.ts";
import { proxFactors, proxWorkspace } from "../src/sparsity/wgsef/prox.ts";

const largest = Number(process.argv[2] ?? 1e7);
const repetitions = Number(process.argv[3] ?? 9);

/** At most so many weights in one array: 1.28 GB with its copy. */
const MAX_WEIGHTS = 1.6e8;

function seconds(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

/** Least-squares slope of log y over log x. */
function logSlope(points: [x: number, y: number][]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)]);
  const mean = (i: number) => logs.reduce((sum, p) => sum + p[i], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const covariance = logs.reduce((sum, p) => sum + (p[0] - mx) * (p[1] - my), 0);
  return covariance / logs.reduce((sum, p) => sum + (p[0] - mx) ** 2, 0);
}

function measure(m: number, size: number) {
  const rng = random(m + size);
  const start = new Float32Array(m * size);
  // Group scales spread over two decades, as filters of a network in training are; weights inside are uniform.
  for (let j = 0, i = 0; j < m; j++) {
    const scale = 10 ** (-2 * rng.uniform());
    for (let to = i + size; i < to; i++) start[i] = scale * (rng.uniform() - 0.5);
  }
  const weights = new Float32Array(start.length);
  const arrays: Arrays = { weights };
  const partition: GroupPartition = {
    groups: m,
    parts: [{ parameter: "weights", outer: 1, channels: m, inner: size }],
  };
  const ws = proxWorkspace(m);
  const step = { k: Math.ceil(m / 4), lambda: 0.05, alpha: 0.5 };

  const inner = Math.max(1, Math.ceil(2e5 / start.length));
  const times = { copy: [] as number[], norms: [] as number[], root: [] as number[], scale: [] as number[] };
  const repeat = (work: () => void) => () => {
    for (let i = 0; i < inner; i++) work();
  };
  // Small sizes finish before the compiler has warmed up: some more rounds there.
  const rounds = repetitions + (start.length < 1e6 ? 30 : 2);
  for (let round = 0; round < rounds; round++) {
    times.copy.push(seconds(repeat(() => weights.set(start))) / inner);
    times.norms.push(seconds(repeat(() => groupNorms(partition, arrays, ws.norms))) / inner);
    times.root.push(seconds(repeat(() => proxFactors({ ...step, norms: ws.norms }, ws))) / inner);
    times.scale.push(seconds(() => scaleGroups(partition, arrays, ws.factors)));
  }
  const settled = (list: number[]) => median(list.slice(rounds - repetitions));
  const [copy, norms, root, scale] = [times.copy, times.norms, times.root, times.scale].map(settled);
  const whole = norms + root + scale;
  const ns = (t: number) => Number(((t / m) * 1e9).toFixed(2));
  return {
    groups: m,
    groupSize: size,
    nsPerGroup: { root: ns(root), norms: ns(norms), scale: ns(scale), whole: ns(whole), copy: ns(copy) },
    wholeOverCopy: Number((whole / copy).toFixed(2)),
    visitsPerBreakpoint: Number((ws.root.visits / (2 * m)).toFixed(2)),
    shares: {
      zero: ws.u.reduce((n, u) => n + Number(u === 0), 0) / m,
      saturated: ws.u.reduce((n, u) => n + Number(u === 1), 0) / m,
    },
    seconds: { root, whole },
  };
}

const rows: ReturnType<typeof measure>[] = [];
for (const size of [1, 16, 64, 256])
  for (let m = 1000; m <= largest && m * size <= MAX_WEIGHTS; m *= 10) rows.push(measure(m, size));

const slopes = Object.fromEntries(
  [1, 16, 64, 256].map((size) => {
    const ofSize = rows.filter((row) => row.groupSize === size);
    const slope = (key: "root" | "whole") =>
      Number(logSlope(ofSize.map((row) => [row.groups, row.seconds[key]])).toFixed(3));
    return [`group size ${size}`, { root: slope("root"), whole: slope("whole") }];
  }),
);
console.log(JSON.stringify({ rows, slopes }, null, 1));
await writeResults("prox", "npm run bench -- prox", { slopes, rows });
