import type { Command } from "commander";
import type { Device } from "../engine/session.ts";
import { formatCount, formatShare, significant } from "../runs/format.ts";
import type { InputScale } from "../runs/input-scale.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit, wholeNumber } from "./command.ts";
import { downloadProgress } from "./downloads.ts";
import { dataDirOption, deviceOption, inputScaleOption, threadsOption } from "./options.ts";

interface EvalOptions extends JsonOption {
  data: string;
  dataDir?: string;
  inputScale?: InputScale;
  batch: number;
  threads?: number;
  device: Device;
}

export function evalCommand(): Command {
  return createCommand("eval", {
    summary: "measure a classifier's accuracy on a test set",
    examples: ["filigree eval model.onnx --data mnist"],
    keys: {
      model: "path of the model",
      data: "name of the data set",
      samples: "test samples",
      accuracy: "share of them that is classified right, 0 to 1",
      loss: "mean negative log-likelihood of the true class, in nats, the model's output taken as logits",
      calibrationError:
        "expected calibration error in 15 bins, 0 to 1: how far the chosen class's probability is from how often it is right",
      msPerSample: "milliseconds a sample, data preparation not counted",
      batch: "samples a run",
    },
  })
    .argument("<model>", "an .onnx or .flg file")
    .requiredOption("--data <name>", "a data set by name, an .npz file, or a folder of images")
    .addOption(dataDirOption())
    .addOption(inputScaleOption())
    .option("--batch <n>", "samples a run", wholeNumber(1), 100)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .action(async (model: string, options: EvalOptions) => {
      const { evaluateFile } = await import("../runs/evaluate-file.node.ts");
      const result = await evaluateFile(model, options.data, { ...options, ...downloadProgress() });
      const { accuracy, loss, calibrationError, samples, data, msPerSample, batch } = result;
      emit(
        options,
        { model, ...result },
        `accuracy ${formatShare(accuracy)}, loss ${significant(loss)}, calibration error ${formatShare(calibrationError)} on ${formatCount(samples)} samples of ${data}; ` +
          `${significant(msPerSample)} ms a sample in batches of ${batch}`,
      );
    });
}
