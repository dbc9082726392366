import type { Command } from "commander";
import { formatBytes } from "../runs/format.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit } from "./command.ts";

interface UnpackOptions extends JsonOption {
  output?: string;
}

export function unpackCommand(): Command {
  return createCommand("unpack", {
    summary: "write the .onnx file of a packed model",
    examples: ["filigree unpack model.flg -o model.onnx"],
    keys: { "model, output": "paths of the two files", bytes: "size of the .onnx file" },
  })
    .argument("<model>", "a .flg file")
    .option("-o, --output <file>", "the .onnx file; the packed one's name with .onnx if not given")
    .action(async (model: string, options: UnpackOptions) => {
      const { unpackFile } = await import("../runs/pack.node.ts");
      const output = options.output ?? `${model.replace(/\.flg$/, "")}.onnx`;
      const { checkWritable } = await import("../runs/files.node.ts");
      await checkWritable(output, model);
      const bytes = await unpackFile(model, output);
      emit(options, { model, output, bytes }, `${output}: ${formatBytes(bytes)}`);
    });
}
