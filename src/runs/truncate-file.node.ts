import { batchesOfEpoch } from "../data/batches.ts";
import type { Dataset, Scale } from "../data/dataset.ts";
import type { LoadOptions } from "../data/load.node.ts";
import type { Graph } from "../engine/graph.ts";
import { exportModel } from "../engine/onnx/export.ts";
import { importModel } from "../engine/onnx/import.ts";
import { rebatch } from "../engine/replay.ts";
import type { Device } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { evaluateClassifier } from "../nn/classification.ts";
import { sampleBatch } from "../nn/sample-batch.ts";
import { Problem } from "../problem.ts";
import { accountModel } from "../sparsity/accounting.ts";
import type { SecondMoments } from "../sparsity/spectral/calibrate.ts";
import { inputMoments } from "../sparsity/spectral/calibrate.ts";
import type { TruncationRule } from "../sparsity/spectral/truncate.ts";
import { cutSpectra, hasFewerWeights, withCuts } from "../sparsity/spectral/truncate.ts";
import type { BeforeAfter } from "./compress.node.ts";
import { writeWhole } from "./files.node.ts";
import type { InputScale } from "./input-scale.ts";
import { scaleOfFile } from "./input-scale.ts";
import { measureLatency } from "./latency.ts";
import { loadDataFor } from "./load-data.node.ts";
import { loadModelFile } from "./load-model.node.ts";
import { requireSameOutputs, requireSameResults } from "./same-outputs.ts";
import { sampleInputs } from "./sample-inputs.ts";
import type { TimedLayer, TimingOptions } from "./spectral-forms.ts";
import { fastestCuts } from "./spectral-forms.ts";

export interface TruncateFileOptions extends LoadOptions {
  rule: TruncationRule;
  /** Names of weights; by default every linear map but output layers. */
  layers?: readonly string[];
  /** What two thin products are for: `speed`, where they are measured to be quicker; `size`, where they have fewer weights. */
  aim?: "speed" | "size";
  /** What becomes of layers in which they do not pay: left as they are (default), or cut all the same, as one weight. */
  others?: TimingOptions["others"];
  /** Samples a run that forms are timed at, on one thread. */
  batch: number;
  /** Classified samples: what accuracy is measured on. */
  data?: string;
  inputScale?: InputScale;
  /** Training samples whose way through the network says what each layer can miss; 0: its weights alone do. Needs `data`. */
  calibrate?: number;
  /** Lengths of the file's open dimensions, by name. */
  dimensions?: Readonly<Record<string, number>>;
  threads?: number;
  /** Where layers and networks are timed, and accuracy is measured. Default `cpu`. */
  device?: Device;
  /** Where the result is written. */
  output: string;
  onStage?: (stage: string) => void;
}

/** What was cut off; as JSON it is what `filigree truncate --json` prints. */
export interface TruncateResult {
  model: string;
  layers: TimedLayer[];
  data: string | null;
  /** On the test set; null without data. */
  accuracy: BeforeAfter | null;
  parameters: BeforeAfter;
  /** Sizes of the .onnx files. */
  bytes: BeforeAfter;
  /** Multiply–accumulates a sample. */
  macs: BeforeAfter;
  /** One run at `batch`, on one thread. */
  latencyMs: BeforeAfter;
  batch: number;
  /** Largest difference of an output between the written file and the same network with one weight in place of two factors, relative. */
  outputError: number;
  seconds: number;
  output: string;
}

/**
 * Cuts small singular values off the weights of a model file, and writes what is left (sst.md 3.10). Throws a `Problem`, and
 * writes no model, where the file would compute something else than the truncated weights do.
 */
export async function truncateFile(path: string, options: TruncateFileOptions): Promise<TruncateResult> {
  const start = performance.now();
  const {
    rule,
    layers,
    aim = "speed",
    others = "whole",
    batch,
    output,
    calibrate = 0,
    threads,
    device,
  } = options;
  if (calibrate > 0 && !options.data) throw new Problem("to calibrate takes data; say which");
  const data = options.data === undefined ? undefined : await loadDataFor(path, options.data, options);
  const { dimensions, onStage } = options;
  const { graph: model, metadata } = await loadModelFile(path, { batch, data, dimensions });
  const scale = data && scaleOfFile(metadata, data, options.inputScale);
  let moments: SecondMoments | undefined;
  if (calibrate > 0) {
    onStage?.("measuring what layers are given");
    const feeds = trainingInputs(model, data!, scale!, calibrate);
    moments = await inputMoments(feeds.graph, feeds.samples, { layers, threads });
  }
  onStage?.("decomposing weights");
  const cuts = cutSpectra(model, { rule, layers, moments });
  onStage?.(aim === "speed" ? "timing layers" : "building");
  const { graph, layers: found } =
    aim === "speed"
      ? await fastestCuts(model, cuts, { threads: 1, device, others })
      : withCuts(model, cuts, (layer) => (hasFewerWeights(layer) ? "factors" : others));
  const onnx = exportModel(graph, { metadata: { ...metadata } });
  onStage?.("checking and measuring");
  const written = importModel(onnx, { batch });
  const whole = new Set(found.filter((l) => l.form === "whole").map((l) => l.weight));
  const reference = withCuts(model, cuts, (l) => (whole.has(l.weight) ? "whole" : "merged")).graph;
  const outputError = data
    ? await requireSameOutputs(reference, written, data.test, scale!)
    : await requireSameResults(reference, written, Object.values(sampleInputs(reference)));
  const [before, after] = await measureLatency([model, written], { batch, threads: 1, device });
  const accuracy = async (of: Graph) =>
    (await evaluateClassifier(of, data!.test, scale!, { threads, device })).accuracy;
  const costs = [accountModel(model).total, accountModel(graph).total];
  const both = (pick: (cost: (typeof costs)[0]) => number) => ({
    before: pick(costs[0]),
    after: pick(costs[1]),
  });
  const result: TruncateResult = {
    model: path,
    layers: found,
    data: data?.name ?? null,
    accuracy: data ? { before: await accuracy(model), after: await accuracy(written) } : null,
    parameters: both((c) => c.parameters),
    bytes: { before: exportModel(model, { metadata: { ...metadata } }).length, after: onnx.length },
    macs: both((c) => c.macs),
    latencyMs: { before, after },
    batch,
    outputError,
    seconds: (performance.now() - start) / 1000,
    output,
  };
  await writeWhole(output, onnx);
  return result;
}

/** So many training samples, at random and in equal batches, and the model for their size. */
function trainingInputs(model: Graph, { name, train: split }: Dataset, scale: Scale, wanted: number) {
  const available = split.labels.length;
  if (wanted > available)
    throw new Problem(`cannot calibrate with ${wanted} samples: ${name} has ${available} to train on`);
  let size = Math.min(64, wanted);
  while (wanted % size > 0) size--;
  const steps = wanted / size;
  const graph = rebatch(model, size);
  const { batch, feeds } = sampleBatch(graph, split);
  function* samples(): Generator<Record<string, Tensor>> {
    for (const { step } of batchesOfEpoch(split, { batch, scale, seed: 0, epoch: 0 })) {
      if (step === steps) return;
      yield feeds;
    }
  }
  return { graph, samples: samples() };
}
