import type { Command } from "commander";
import { formatMany } from "../runs/format.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit, wholeNumber } from "./command.ts";

interface Options extends JsonOption {
  output: string;
  truth?: string;
  points: number;
  stride: number;
}

export function renderCommand(): Command {
  return createCommand("render", {
    summary: "show a rollout or a recording as one page, to play and to scrub",
    examples: [
      "filigree render rollout.npz -o rollout.html",
      "filigree render scene.npz --stride 2 -o scene.html",
    ],
    keys: {
      output: "the page; it needs no other file",
      frames: "frames in the page",
      points: "points in the page",
      panels: "what stands beside each other: truth, prediction, error, or the recording alone",
    },
  })
    .argument("<file>", "an .npz file of filigree rollout or filigree simulate")
    .requiredOption("-o, --output <path>", "the .html file")
    .option("--truth <scene>", "what to compare with; the rollout's own scene if not given")
    .option("--points <n>", "show at most so many", wholeNumber(1), 4000)
    .option("--stride <n>", "show every n-th frame", wholeNumber(1), 1)
    .action(async (file: string, options: Options) => {
      const { renderParticles } = await import("../runs/giorom/render.node.ts");
      const { checkWritable, writeWhole } = await import("../runs/files.node.ts");
      await checkWritable(options.output, file, ...(options.truth ? [options.truth] : []));
      const { html, ...result } = await renderParticles({ file, ...options });
      await writeWhole(options.output, html);
      emit(
        options,
        { output: options.output, ...result },
        `${options.output}: ${formatMany(result.frames, "frame")} of ${formatMany(result.points, "point")}, ${result.panels.join(" | ")}`,
      );
    });
}
