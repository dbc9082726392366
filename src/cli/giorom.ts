import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { DECODER_NETWORKS, type DecoderNetwork } from "../giorom/decoders/decoder-file.ts";
import type { StepProgress } from "../nn/trainer.ts";
import { formatCount, formatMany, formatSeconds } from "../runs/format.ts";
import { NETWORKS, type NetworkName } from "../runs/giorom/train.node.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, positiveNumber, wholeNumber } from "./command.ts";
import { INTERRUPTED, onInterrupt } from "./interrupt.ts";
import { note, startProgress } from "./progress.ts";
import { table } from "./table.ts";

const DECODER_NAMES = Object.keys(DECODER_NETWORKS) as DecoderNetwork[];

interface Options extends JsonOption {
  output: string;
  network: NetworkName;
  hidden?: number;
  layers?: number;
  ratio: number;
  samples: number;
  steps: number;
  batch: number;
  mirror?: boolean;
  noise?: number;
  radius?: number;
  gravity?: number;
  positionLoss?: number;
  decoder?: string;
  decoderNetwork?: DecoderNetwork;
  seed: number;
  threads?: number;
  resume?: boolean;
}

export function gioromCommand(): Command {
  return createCommand("giorom", {
    summary: "train a simulator of sparse particles on a set of trajectories",
    examples: [
      "filigree simulate --material sand --scene column --trajectories 24 --test 6 -o sand-column",
      "filigree giorom sand-column -o sand.onnx --decoder decoder.onnx",
    ],
    words: { heading: "Networks:", meanings: NETWORKS },
    keys: {
      output: "the .onnx file: the network with the lowest validation error so far",
      decoder: "the decoder's .onnx file; null without --decoder",
      finished: "false where Ctrl-C stopped it; go on with --resume",
      parameters: "numbers that were trained",
      setting: "radii, walls, scales and noise, as the file's metadata have them",
      test: "[{ frames, network, constantVelocity, static }]: rollout errors on the test trajectories",
      seconds: "time this call has taken",
    },
  })
    .argument("<set>", "a folder of filigree simulate --trajectories")
    .requiredOption("-o, --output <path>", "the .onnx file; checkpoints lie beside it")
    .option("--network <name>", "one of those below", choice(Object.keys(NETWORKS) as NetworkName[]), "lite")
    .option("--hidden <n>", "width; 32 if not given; fixed in those of the paper", wholeNumber(4, 1024))
    .option(
      "--layers <n>",
      "rounds of messages, before and after the grid; 2, 10 in gns; not for grid, waves, images and those of the paper",
      wholeNumber(1, 50),
    )
    .option("--ratio <r>", "share of the particles that the network carries", share, 0.2)
    .option("--samples <n>", "samples of each trajectory", wholeNumber(1, 1000), 2)
    .option("--steps <n>", "training steps", wholeNumber(1), 3000)
    .option("--batch <n>", "windows in a step", wholeNumber(1, 256), 2)
    .option(
      "--noise <sigma>",
      "deviation of the last velocity's noise; a quarter of the accelerations' if not given",
      positiveNumber,
    )
    .option("--radius <r>", "of the graph; about ten neighbours if not given", positiveNumber)
    .option(
      "--gravity <g>",
      "known, down y in box lengths/s²: applied first, the network learns the rest; 9.8 in sets of filigree simulate",
      positiveNumber,
    )
    .option(
      "--position-loss <weight>",
      "of the next position's squared error, beside the accelerations'; none if not given",
      positiveNumber,
    )
    .option(
      "--mirror",
      "learn from mirror images too; right where all but gravity down y is alike on all sides",
    )
    .option("--decoder <path>", "train a decoder of all particles too, into this .onnx file")
    .option(
      "--decoder-network <name>",
      `which of ${DECODER_NAMES.join(", ")}; kernel if not given`,
      choice(DECODER_NAMES),
    )
    .option("--seed <n>", "of weights, samples and noise", wholeNumber(0), 0)
    .option("--threads <n>", "threads of the network", wholeNumber(1, 256))
    .option("--resume", "go on from the newest checkpoint")
    .action(run);
}

async function run(folder: string, options: Options): Promise<void> {
  const { output, decoder, decoderNetwork = "kernel" } = options;
  if (options.decoderNetwork && !decoder)
    throw new InvalidArgumentError("--decoder-network needs --decoder, the .onnx file that it goes to");
  const { checkDecoder, trainDecoder, trainSimulator } = await import("../runs/giorom/train.node.ts");
  const { checkWritable, writeWhole } = await import("../runs/files.node.ts");
  await checkWritable(output);
  if (decoder) {
    await checkWritable(decoder, output);
    await checkDecoder(folder, decoderNetwork);
  }
  const interrupt = onInterrupt("stopping after this step; go on with --resume");
  const { signal } = interrupt;
  const started = performance.now();
  // From the first step on: a set that is refused should leave one line.
  let progress: ReturnType<typeof startProgress> | undefined;
  const show = (label: string) => (at: StepProgress) => {
    progress ??= startProgress({ label, total: at.steps, unit: "steps", from: at.step - 1 });
    progress.update(at.step, `loss ${at.loss.toPrecision(3)}`);
  };
  const endProgress = () => {
    progress?.end();
    progress = undefined;
  };
  try {
    const result = await trainSimulator({
      ...options,
      positionLossWeight: options.positionLoss,
      folder,
      signal,
      warn: note,
      onStep: show("training"),
      onEpoch: ({ step, loss, metrics }) =>
        note(
          `step ${step}  loss ${loss.toPrecision(3)}${metrics.rolloutError === undefined ? "" : `  validation ${metrics.rolloutError.toExponential(2)}`}`,
        ),
    });
    endProgress();
    let decodes: Uint8Array | undefined;
    if (decoder && result.finished)
      decodes = await trainDecoder(folder, decoderNetwork, {
        ...options,
        signal,
        onStep: show("training the decoder"),
      });
    endProgress();
    if (decoder && decodes) await writeWhole(decoder, decodes);
    const finished = result.finished && (!decoder || decodes !== undefined);
    const seconds = (performance.now() - started) / 1000;
    emit(
      options,
      { output, ...result, decoder: decodes ? decoder : null, finished, seconds },
      [
        `${output}: ${formatCount(result.parameters)} parameters in ${formatSeconds(seconds)}`,
        ...(result.test.length > 0 ? ["", testTable(result.test)] : []),
      ].join("\n"),
    );
    if (finished) return;
    note("stopped; go on by repeating the command with --resume");
    process.exitCode = INTERRUPTED;
  } finally {
    progress?.end();
    interrupt.dispose();
  }
}

function testTable(
  rows: { frames: number; network: number; constantVelocity: number; static: number }[],
): string {
  const right = (heading: string) => ({ heading, align: "right" as const });
  return table(
    [
      { heading: "mean squared error of test rollouts" },
      right("network"),
      right("constant velocity"),
      right("static"),
    ],
    rows.map((r) => [
      `over ${formatMany(r.frames, "frame")}`,
      r.network.toExponential(2),
      r.constantVelocity.toExponential(2),
      r.static.toExponential(2),
    ]),
  );
}

function share(text: string): number {
  const value = positiveNumber(text);
  if (value > 1) throw new InvalidArgumentError("expected a share, above 0 and at most 1");
  return value;
}
