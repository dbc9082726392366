import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Device } from "../engine/session.ts";
import type { Predictive } from "../nn/predictive.ts";
import { formatCount, formatMany, formatShare, significant } from "../runs/format.ts";
import type { InputScale } from "../runs/input-scale.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit, wholeNumber } from "./command.ts";
import { downloadProgress } from "./downloads.ts";
import { dataDirOption, deviceOption, inputScaleOption, threadsOption } from "./options.ts";
import { skippedInWords } from "./skipped.ts";

interface EvalOptions extends JsonOption {
  data: string;
  dataDir?: string;
  inputScale?: InputScale;
  batch: number;
  threads?: number;
  device: Device;
  samples?: number;
  seed: number;
  skipZeros?: boolean;
}

export function evalCommand(): Command {
  return createCommand("eval", {
    summary: "measure a classifier's accuracy on a test set",
    examples: [
      "filigree eval model.onnx --data mnist",
      "filigree eval runs/turbo/model.onnx --data mnist --samples 30",
    ],
    keys: {
      model: "path of the model",
      data: "name of the data set",
      samples: "test samples",
      accuracy: "share of them that is classified right, 0 to 1",
      top5Accuracy:
        "share of them whose true class is among the five that the model thinks likeliest; null where there are no more classes",
      loss: "mean negative log-likelihood of the true class, in nats, the model's output taken as logits",
      calibrationError:
        "expected calibration error in 15 bins, 0 to 1: how far the chosen class's probability is from how often it is right",
      msPerSample: "milliseconds a sample, data preparation not counted",
      batch: "samples a run",
      predictive:
        "with --samples, of the mean over networks drawn: { draws, accuracy, loss, calibrationError, confidence, spread }, else null",
      "…confidence": "mean probability of the chosen class; above the accuracy the network is over-confident",
      "…spread":
        "{ right, wrong }: standard deviation of that probability over the draws, where it is right and where not",
      skippingZeros:
        "with --skip-zeros, { outputError, plan }: largest difference of an output from ONNX Runtime's, relative, and what runs where, else null",
    },
  })
    .argument("<model>", "an .onnx or .flg file")
    .requiredOption("--data <name>", "a data set by name, an .npz file, or a folder of images")
    .addOption(dataDirOption())
    .addOption(inputScaleOption())
    .option("--batch <n>", "samples a run", wholeNumber(1), 100)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .option(
      "--samples <n>",
      "draw so many networks from the posterior beside the model, and average what they say",
      wholeNumber(1),
    )
    .option("--seed <n>", "seed of the draws", wholeNumber(0), 0)
    .option("--skip-zeros", "run the model by kernels that skip zeros where that is faster")
    .action(async (model: string, options: EvalOptions) => {
      if (options.skipZeros && options.device !== "cpu")
        throw new InvalidArgumentError("--skip-zeros is for the CPU; leave out --device");
      const { evaluateFile } = await import("../runs/evaluate-file.node.ts");
      const result = await evaluateFile(model, options.data, {
        ...options,
        draws: options.samples,
        ...downloadProgress(),
      });
      const { accuracy, top5Accuracy, loss, calibrationError, samples, data } = result;
      const { msPerSample, batch, predictive, skippingZeros } = result;
      emit(
        options,
        { model, ...result },
        `accuracy ${formatShare(accuracy)}${top5Accuracy === null ? "" : `, top-5 accuracy ${formatShare(top5Accuracy)}`}, loss ${significant(loss)}, calibration error ${formatShare(calibrationError)} on ${formatCount(samples)} samples of ${data}; ` +
          `${significant(msPerSample)} ms a sample in batches of ${batch}${skippingZeros ? `\n${skippedInWords(skippingZeros.plan)}` : ""}${predictive ? `\n${describe(predictive, samples)}` : ""}`,
      );
    });
}

function describe(predictive: Predictive, samples: number): string {
  const { draws, accuracy, loss, calibrationError, confidence, spread } = predictive;
  return [
    `mean of ${formatMany(draws, "network")} drawn: accuracy ${formatShare(accuracy)}, loss ${significant(loss)}, calibration error ${formatShare(calibrationError)}`,
    `  probability of the chosen class differs between them by ${formatShare(spread.right)} where it is right, ${formatShare(spread.wrong)} where it is wrong`,
    `  ${certainty(confidence, accuracy, samples)}`,
  ].join("\n");
}

/** Whether a classifier is surer than it is right, by more than its test set leaves open. */
function certainty(confidence: number, accuracy: number, samples: number): string {
  const surplus = confidence - accuracy;
  const noise = 2 * Math.sqrt((accuracy * (1 - accuracy)) / samples);
  const verdict =
    surplus > noise ? "over-confident" : surplus < -noise ? "under-confident" : "as sure as it is right";
  return `${verdict}: ${formatShare(confidence)} sure of its choice on average, right in ${formatShare(accuracy)}`;
}
