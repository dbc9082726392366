import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { formatMany, formatSeconds } from "../runs/format.ts";
import { DECODERS, type RolloutFileOptions } from "../runs/giorom/rollout.node.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit, wholeNumber } from "./command.ts";
import { INTERRUPTED, onInterrupt } from "./interrupt.ts";
import { note, startProgress } from "./progress.ts";

interface Options extends JsonOption {
  output: string;
  points?: number;
  decoder: string;
  affine: boolean;
  rebase?: number;
  frames?: number;
  start: number;
  threads?: number;
}

export function rolloutCommand(): Command {
  return createCommand("rollout", {
    summary: "let a trained simulator go on with a scene, and compare it with what happened",
    examples: [
      "filigree rollout sand.onnx scene.npz -o rollout.npz",
      "filigree rollout sand.onnx scene.npz --points 200 --decoder decoder.onnx --rebase 20 -o rollout.npz",
    ],
    words: { heading: "Decoders:", meanings: DECODERS },
    keys: {
      output: "the file: positions of every point in every frame, and which points the network carried",
      finished: "false where Ctrl-C stopped it",
      frames: "frames in the file, the true ones at the start included",
      points: "points in the file",
      sparse: "points that the network carried",
      sparseError:
        "mean squared distance of these to the scene's over the predicted frames; null without any",
      error: "the same of all points",
      relativeL2:
        "of all points: length of the error in units of the positions' length, mean over the frames",
      chamfer:
        "of all points: mean squared distance to the nearest of the other cloud, both ways added, mean over the frames",
      millisecondsPerStep: "of the network, neighbours included",
      millisecondsPerDecode: "of decoding all points",
    },
  })
    .argument("<model>", "a simulator's .onnx file, from filigree giorom")
    .argument("<scene>", "an .npz file of filigree simulate, or of that layout")
    .requiredOption("-o, --output <path>", "the .npz file to write")
    .option("--points <n>", "particles that the network carries; a fifth if not given", wholeNumber(2))
    .option(
      "--decoder <name>",
      "how all other points follow: nearest, idw, mls, or a decoder's .onnx file",
      "mls",
    )
    .option("--no-affine", "with a kernel decoder's file: its bare means, under which a turn is not exact")
    .option("--rebase <n>", "decode from the cloud of n frames ago on, not from the first", wholeNumber(1))
    .option("--frames <n>", "frames to predict; as many as the scene has left if not given", wholeNumber(1))
    .option("--start <n>", "the first of the farthest points", wholeNumber(0), 0)
    .option("--threads <n>", "threads of the network", wholeNumber(1, 256))
    .action(async (model: string, scene: string, options: Options) => {
      if (!options.affine && Object.hasOwn(DECODERS, options.decoder))
        throw new InvalidArgumentError(
          `--no-affine is for a decoder's .onnx file, and ${options.decoder} is none`,
        );
      const { rolloutFile } = await import("../runs/giorom/rollout.node.ts");
      const { archiveOf, openParticles } = await import("../runs/particle-file.node.ts");
      const { checkWritable } = await import("../runs/files.node.ts");
      await checkWritable(options.output, model, archiveOf(scene), options.decoder);
      const file = await openParticles(scene);
      const points = options.points ?? Math.max(2, Math.round((file.points - file.tracers) / 5));
      await file.close();
      const interrupt = onInterrupt("stopping after this frame");
      let progress: ReturnType<typeof startProgress> | undefined;
      const started = performance.now();
      try {
        const request: RolloutFileOptions = {
          ...options,
          model,
          scene,
          points,
          rebaseEvery: options.rebase,
          signal: interrupt.signal,
          warn: note,
          onFrame: (done, total) => {
            progress ??= startProgress({ label: "rolling out", total, unit: "frames" });
            progress.update(done);
          },
        };
        const result = await rolloutFile(request);
        progress?.end();
        const finished = !interrupt.signal.aborted;
        const { sparse, error, millisecondsPerStep: step, millisecondsPerDecode: decode } = result;
        emit(
          options,
          { output: options.output, finished, ...result },
          [
            `${options.output}: ${formatMany(result.frames, "frame")} of ${formatMany(result.points, "point")} in ${formatSeconds((performance.now() - started) / 1000)}`,
            `${formatMany(sparse, "particle")} through the network, ${step.toFixed(1)} ms a step; decoded to all in ${decode.toFixed(2)} ms`,
            ...(error === null
              ? []
              : [
                  `root mean square distance to the scene: ${Math.sqrt(error).toPrecision(3)}`,
                  `relative L2 ${result.relativeL2!.toPrecision(3)}, Chamfer distance ${result.chamfer!.toExponential(2)}`,
                ]),
          ].join("\n"),
        );
        if (!finished) process.exitCode = INTERRUPTED;
      } finally {
        progress?.end();
        interrupt.dispose();
      }
    });
}
