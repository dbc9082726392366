/**
 * Does ONNX's own checker (onnx.checker, full check) accept what Filigree exports? Every built-in model, what compression
 * makes of one, transformers, a whole training step, and every operator alone; and, as a control, a file with a fault, which
 * it must refuse. Writes docs/results/onnx-checker.json; fails where a file is refused.
 *
 * usage: onnx-checker.js [--python /usr/bin/python3], a Python with the package onnx
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Graph } from "../src/engine/graph.ts";
import { exportModel } from "../src/engine/onnx/export.ts";
import { decodeModel, encodeModel } from "../src/engine/onnx/proto.ts";
import { operatorNames } from "../src/engine/operators/operator.ts";
import { classification } from "../src/nn/classification.ts";
import { decoder } from "../src/nn/models/decoder.ts";
import { MODELS } from "../src/nn/models/index.ts";
import { transformer } from "../src/nn/models/transformer.ts";
import { trainingGraph } from "../src/nn/training-step.ts";
import { alignChannels } from "../src/sparsity/align.ts";
import { shrinkZeros } from "../src/sparsity/shrink-zeros.ts";
import { exampleOf } from "./support/operator-examples.ts";
import { writeResults } from "./support/results.ts";

const { values: options } = parseArgs({
  options: { python: { type: "string", default: "/usr/bin/python3" } },
});

/** Prints the version of onnx, then for each file a line with its name and what is wrong with it. */
const CHECK = `
import sys, onnx, onnx.checker
print(onnx.__version__)
for path in sys.stdin.read().split("\\n"):
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        print(path, "")
    except Exception as error:
        print(path, str(error).replace("\\n", " "))
`;

const build = (name: string, inputShape = [3, 32, 32]): Graph =>
  MODELS[name]({ inputShape, classes: 10, batch: 1, seed: 0 });

/** The demo's network with zero filters, of which 5 and 11 stay. */
function shrunk(): Graph {
  const graph = build("small-cnn", [1, 16, 16]);
  for (const [layer, keep] of Object.entries({ conv1: 5, conv2: 11 }))
    for (const part of ["weight", "bias"]) {
      const { shape, data } = graph.parameters.get(`${layer}.${part}`)!;
      (data as Float32Array).fill(0, (keep * data.length) / shape[0]);
    }
  return shrinkZeros(graph).graph;
}

/** Forward, loss and backward in one graph, parameters fed, as it is compiled for training. */
function trainingStep(model: Graph): Uint8Array {
  const { graph, loss, gradients } = trainingGraph(model, classification());
  graph.outputs = [loss, ...gradients].map((value) => value.name);
  return exportModel(graph, { parametersAsInputs: true });
}

function files(): Record<string, Uint8Array> {
  const models = Object.keys(MODELS).map((name) => [name, exportModel(build(name))]);
  const sizes = { vocabulary: 20, context: 8, width: 16, heads: 2, mlpWidth: 32, blocks: 2 };
  const operators = operatorNames().flatMap((name) => {
    const example = exampleOf(name);
    return example ? [[`operator ${name}`, exportModel(example.graph)]] : [];
  });
  return Object.fromEntries([
    ...models,
    ["small-cnn, shrunk", exportModel(shrunk())],
    ["small-cnn, shrunk, widths rounded up", exportModel(alignChannels(shrunk()))],
    ["transformer", exportModel(transformer({ ...sizes, batch: 2, seed: 0 }))],
    ["decoder (opt)", exportModel(decoder({ ...sizes, layout: "opt", batch: 2, seed: 0 }))],
    ["decoder (llama)", exportModel(decoder({ ...sizes, layout: "llama", batch: 2, seed: 0 }))],
    ["training step of vgg-bn", trainingStep(build("vgg-bn"))],
    ...operators,
  ]);
}

/** A file in which a node reads what nothing writes. */
function faulty(): Uint8Array {
  const model = decodeModel(exportModel(build("lenet", [1, 28, 28])));
  model.graph.nodes[1].inputs = ["nothing"];
  return encodeModel(model);
}

const folder = mkdtempSync(join(tmpdir(), "filigree-checker-"));
try {
  const all = { ...files(), "control: a faulty file": faulty() };
  const names = Object.keys(all);
  const paths = names.map((_, i) => join(folder, `${i}.onnx`));
  Object.values(all).forEach((bytes, i) => writeFileSync(paths[i], bytes));
  const { stdout, stderr, error } = spawnSync(options.python, ["-c", CHECK], {
    input: paths.join("\n"),
    encoding: "utf8",
  });
  const [version, ...lines] = (stdout ?? "").trimEnd().split("\n");
  if (lines.length !== names.length)
    throw new Error(
      `${options.python} checks nothing: ${error?.message ?? stderr.trim().split("\n").at(-1)}; name a Python with the package onnx by --python`,
    );
  const verdicts = names.map((name, i) => ({ name, refusal: lines[i].slice(paths[i].length).trim() }));
  const [control] = verdicts.splice(-1);
  const refused = verdicts.filter(({ refusal }) => refusal !== "");
  console.log(`onnx ${version}: ${verdicts.length - refused.length} of ${verdicts.length} files accepted`);
  for (const { name, refusal } of refused) console.log(`  ${name}: ${refusal}`);
  console.log(
    `control: ${control.refusal ? `refused (${control.refusal})` : "accepted, so the check shows nothing"}`,
  );
  await writeResults("onnx-checker", "npm run protocol -- onnx-checker", {
    onnx: version,
    files: names.slice(0, -1),
    refused,
    control: control.refusal,
  });
  if (refused.length > 0 || !control.refusal) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
