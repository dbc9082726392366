/**
 * Networks that others trained, compressed to half their MACs: mnist_8/model.onnx of the ONNX model zoo, and the network
 * of mnist_cnn.safetensors. Options: --models <folder that holds onnx/ and safetensors/>, --epochs n, --seeds 0,1,2, --only mnist_8.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exportModel } from "../src/engine/onnx/export.ts";
import type { CompressResult } from "../src/runs/compress.node.ts";
import { compress } from "../src/runs/compress.node.ts";
import { mnistCnn } from "./support/mnist-cnn.ts";
import { DATA_DIR, ROOT, summarize, writeResults } from "./support/results.ts";

const { values } = parseArgs({
  options: {
    models: { type: "string" },
    epochs: { type: "string", default: "6" },
    seeds: { type: "string", default: "0,1,2" },
    rate: { type: "string", default: "0.001" },
    only: { type: "string" },
  },
});
if (!values.models) {
  console.error(
    "give --models, the folder that holds onnx/mnist_8/model.onnx and safetensors/mnist_cnn.safetensors",
  );
  process.exit(2);
}
const work = join(ROOT, "runs", "imported");
await mkdir(work, { recursive: true });
const cnn = join(work, "mnist_cnn.onnx");
await writeFile(cnn, exportModel(await mnistCnn(join(values.models, "safetensors/mnist_cnn.safetensors"))));
const networks = { mnist_8: join(values.models, "onnx/mnist_8/model.onnx"), mnist_cnn: cnn };

const rows: Record<string, object> = {};
for (const [name, model] of Object.entries(networks)) {
  if (values.only && values.only !== name) continue;
  const results: CompressResult[] = [];
  for (const seed of values.seeds.split(",").map(Number)) {
    const directory = join(work, `${name}-${seed}-${Date.now()}`);
    const done = await compress(
      {
        model,
        data: "mnist",
        inputScale: "bytes",
        method: "wgsef",
        budget: { within: "macs=0.5" },
        epochs: Number(values.epochs),
        seed,
        batch: 128,
        threads: 2,
        optimizer: "adam",
        learningRate: Number(values.rate),
        directory,
      },
      {
        dataDir: DATA_DIR,
        output: "",
        onEpoch: ({ epoch, metrics }) =>
          console.log(`  epoch ${epoch + 1}: ${((metrics.accuracy ?? 0) * 100).toFixed(2)} %`),
      },
    );
    const { model: _, output: __, ...result } = done!.result;
    console.log(name, "seed", seed, JSON.stringify(result));
    results.push(done!.result);
  }
  const [first] = results;
  rows[name] = {
    original: first.accuracy.before,
    compressed: summarize(results.map((r) => r.accuracy.after)),
    macs: first.macs,
    parameters: first.parameters,
    bytes: first.bytes,
    kept: results.map((r) => r.kept),
    natural: results.map((r) => r.natural),
    latencyMs: results.map((r) => r.latencyMs),
    outputError: Math.max(...results.map((r) => r.outputError)),
  };
}
console.log(JSON.stringify(rows, undefined, 1));
await writeResults("imported", `npm run protocol -- imported --models <folder> --epochs ${values.epochs}`, {
  settings: { ...values, models: "<folder>" },
  networks: rows,
});
