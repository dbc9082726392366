/** What peers in JavaScript share: weights in, lines of JSON out, as bench/training/child.ts does it. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

/** The command line: `<case> <weights.safetensors> <options.json> <folder with node_modules>`. */
const [name, weights, settings, folder] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));

export const options = JSON.parse(settings);

/** Loads an installed CommonJS package from the folder of peers. */
export const load = (name) => require(name);

/** Loads an installed ES module from the folder of peers. */
export const loadModule = (name) =>
  import(pathToFileURL(require.resolve(name).replace(/\.cjs$/, ".js")).href);

export const version = (name) =>
  JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8")).version;

/** name → { shape, data } of a safetensors file of F32 and I32. */
function readTensors() {
  const bytes = readFileSync(weights);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start));
  const tensors = {};
  for (const [
    key,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of Object.entries(header)) {
    if (key === "__metadata__") continue;
    const { buffer } = new Uint8Array(bytes.subarray(start + from, start + to));
    tensors[key] = { shape, data: dtype === "F32" ? new Float32Array(buffer) : new Int32Array(buffer) };
  }
  return tensors;
}

/**
 * Reads numbers of steps from standard input and answers each with milliseconds per step, losses and peak memory (MiB).
 * `build` gets the case's name, parameters and feeds, and gives `step()`, which takes one step and returns the loss.
 */
export async function serve(hello, build) {
  const feeds = {};
  const parameters = {};
  for (const [key, t] of Object.entries(readTensors())) {
    if (key.startsWith("feed/")) feeds[key.slice(5)] = t;
    else parameters[key] = t;
  }
  const { step, notes = [] } = await build(name, parameters, feeds);
  console.log(JSON.stringify({ ready: true, ...hello, notes }));
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = { times: [], losses: [], peakMemory: 0 };
    for (let i = 0; i < Number(line); i++) {
      const begin = performance.now();
      answer.losses.push(await step());
      answer.times.push(performance.now() - begin);
    }
    answer.peakMemory = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024;
    console.log(JSON.stringify(answer));
  }
}
