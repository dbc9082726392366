/**
 * Which operator runs where? Runs an example of every operator of the table on the CPU, on WebGPU (in Node.js) and on
 * WebAssembly, compares each with the reference evaluation in double precision, and writes docs/devices.md.
 *
 * usage: devices.js; without a GPU, VK_ICD_FILENAMES names a software Vulkan driver
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { evaluate } from "../src/engine/evaluate.ts";
import { lowerWithoutPoolIndices } from "../src/engine/lowering/pooling-without-indices.ts";
import { exportModel } from "../src/engine/onnx/export.ts";
import { operatorNames } from "../src/engine/operators/operator.ts";
import { fromNumbers } from "../src/engine/tensor.ts";
import { softwareVersions } from "../src/runs/environment.node.ts";
import type { Example } from "./support/operator-examples.ts";
import { exampleOf, FOLDED } from "./support/operator-examples.ts";
import { ROOT } from "./support/results.ts";

/** Largest difference, relative to the largest element, for which a result counts as right. */
const TOLERANCE = 1e-3;

type Runtime = Pick<typeof node, "InferenceSession" | "Tensor">;

interface Outcome {
  /** Relative to the largest element of the expected result. */
  error?: number;
  /** The first line of what the runtime said instead of a result. */
  refusal?: string;
}

async function attempt(
  ort: Runtime,
  { graph, feeds }: Example,
  options: node.InferenceSession.SessionOptions,
): Promise<Outcome> {
  try {
    const lowered = options.executionProviders![0] === "webgpu" ? lowerWithoutPoolIndices(graph) : graph;
    const session = await ort.InferenceSession.create(exportModel(lowered), {
      logSeverityLevel: 4,
      ...options,
    });
    try {
      const inputs = Object.fromEntries(
        Object.entries(feeds).map(([name, { dtype, shape, data }]) => [
          name,
          new ort.Tensor(dtype as "float32", fromNumbers(dtype, data) as Float32Array, shape),
        ]),
      );
      const [found] = Object.values(await session.run(inputs));
      const [expected] = Object.values(evaluate(graph, feeds));
      const numbers = Array.from(found.data as Float32Array, Number);
      let worst = 0;
      let scale = 0;
      expected.data.forEach((e, i) => {
        worst = Math.max(
          worst,
          Number.isNaN(numbers[i] - e) ? Number.POSITIVE_INFINITY : Math.abs(numbers[i] - e),
        );
        scale = Math.max(scale, Math.abs(e));
      });
      return { error: worst / (scale || 1) };
    } finally {
      await session.release();
    }
  } catch (error) {
    return { refusal: String((error as Error).message ?? error).split("\n")[0] };
  }
}

const right = ({ error = Number.POSITIVE_INFINITY }: Outcome) => error <= TOLERANCE;
const verdict = (o: Outcome) =>
  right(o) ? "yes" : o.refusal ? "**no**" : `**wrong** (${o.error!.toExponential(0)})`;

const rows: string[] = [];
const notes: string[] = [];
const names = operatorNames();
for (const name of names) {
  if (FOLDED.includes(name)) continue;
  const example = exampleOf(name);
  if (!example) throw new Error(`${name} has no example: add one to protocols/support/operator-examples.ts`);
  const cpu = await attempt(node, example, { executionProviders: ["cpu"] });
  const alone = await attempt(node, example, {
    executionProviders: ["webgpu"],
    extra: { session: { disable_cpu_ep_fallback: "1" } },
  });
  const webgpu = right(alone) ? alone : await attempt(node, example, { executionProviders: ["webgpu"] });
  const wasm = await attempt(web as unknown as Runtime, example, { executionProviders: ["wasm"] });
  const onGpu = right(alone) ? "yes" : right(webgpu) ? "on the CPU" : verdict(webgpu);
  rows.push(`| ${name} | ${verdict(cpu)} | ${onGpu} | ${verdict(wasm)} |`);
  for (const [device, { refusal }] of Object.entries({ cpu, webgpu, wasm }))
    if (refusal) notes.push(`- ${name} on ${device}: ${refusal}`);
  console.log(rows.at(-1));
}

const versions = Object.entries({ ...softwareVersions(), "onnxruntime-web": web.env.versions.web });
const text = `# Operators and devices

Made by \`npm run protocol -- devices\`, which runs an example of every operator on each device and compares the result
with the reference evaluation in double precision (tolerance ${TOLERANCE} of the largest element). ${versions.map(([k, v]) => `${k} ${v}`).join(", ")}.

- **yes**: runs there, result right.
- **on the CPU**: \`--device webgpu\` gives the right result, but ONNX Runtime has no WebGPU kernel for the example and
  computes it on the CPU, with copies there and back.
- **no**, **wrong**: see below the table.

WebGPU is measured in Node.js; \`onnxruntime-web/webgpu\`, which the browser test trains with, has the same kernels. Examples
are small and mostly in single precision: another type or rank may fare differently. The operators of domain \`filigree\`
(ConvInputGradient, ConvWeightGradient, MaxPoolGradient, SumByIndex) stand for standard ones that depend on the device.
${FOLDED.join(", ")} are computed when a model is imported and reach no device.

| operator | cpu | webgpu | wasm |
|---|---|---|---|
${rows.join("\n")}
${notes.length > 0 ? `\n${notes.join("\n")}\n` : ""}
The second derivative through a max pool needs the indices that \`MaxPool\` has on cpu and wasm only.
`;
await writeFile(join(ROOT, "docs", "devices.md"), text);
console.log("\nwritten to docs/devices.md");
