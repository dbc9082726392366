import { basename } from "node:path";
import { InvalidArgumentError, Option } from "commander";
import { INPUT_SCALES } from "../runs/input-scale.ts";
import { choice, wholeNumber } from "./command.ts";

/** Options that several commands share, each with one meaning everywhere, and how they name what they make. */

/** What files made from a model are called after: its file's name without what says that it is one. */
export const modelName = (path: string): string => basename(path).replace(/\.(onnx|flg)$/, "");

export const dataDirOption = () =>
  new Option(
    "--data-dir <folder>",
    "folder that holds the data set; otherwise $FILIGREE_DATA, the cache, a download",
  );

/** Far more than any machine has cores; ONNX Runtime starts every one it is asked for. */
export const MAX_THREADS = 1024;

export const threadsOption = () =>
  new Option("--threads <n>", "threads of ONNX Runtime; all cores if not given").argParser(
    wholeNumber(1, MAX_THREADS),
  );

export const deviceOption = () =>
  new Option("--device <name>", "cpu, webgpu, or cuda where its libraries are installed")
    .argParser(choice(["cpu", "webgpu", "cuda"]))
    .default("cpu");

export const dimensionOption = () =>
  new Option("--dimension <name=length>", "length of an open dimension; may be repeated").argParser(
    (text: string, before: Record<string, number> = {}): Record<string, number> => {
      const match = /^(.+)=([1-9]\d*)$/.exec(text);
      if (!match) throw new InvalidArgumentError("expected a name and a length, such as sequence=128");
      return { ...before, [match[1]]: Number(match[2]) };
    },
  );

export const inputScaleOption = () =>
  new Option(
    "--input-scale <kind>",
    "what the model takes: standard (normalised), unit (0 to 1) or bytes (0 to 255); " +
      "if not given, what a model of Filigree's says itself, else standard",
  ).argParser(choice(INPUT_SCALES));
