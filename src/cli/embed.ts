import { basename } from "node:path";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Space } from "../geometry/manifold.ts";
import { SPACES } from "../geometry/manifold.ts";
import { checkWritable } from "../runs/files.node.ts";
import { formatMany, formatSeconds, significant } from "../runs/format.ts";
import type { JsonOption } from "./command.ts";
import { choice, createCommand, emit, positiveNumber, wholeNumber } from "./command.ts";
import { onInterrupt } from "./interrupt.ts";
import { note, startProgress } from "./progress.ts";

interface EmbedOptions extends JsonOption {
  space: Space;
  dimension: number;
  epochs: number;
  learningRate: number;
  negatives: number;
  seed: number;
  disk?: string;
  output?: string;
}

export function embedCommand(): Command {
  return createCommand("embed", {
    summary: "place a hierarchy in hyperbolic space, so that distances tell what is above what",
    examples: [
      "filigree embed animals.tsv --disk animals.svg",
      "filigree embed animals.tsv --dimension 5 --space lorentz -o points.tsv",
    ],
    keys: {
      relations: "path of the file",
      "nodes, pairs": "nodes, and pairs of a node and one above it, those that follow from others included",
      "space, dimension": "where the nodes are",
      meanRank:
        "of what is above a node, its rank by distance among what is not, on average; 1 is best (Nickel and Kiela 2017)",
      map: "average precision with which nearness finds what is above a node, mean over nodes; 1 is best",
      "output, disk": "paths of the coordinates and of the picture; disk is null without --disk",
      seconds: "time it took",
    },
  })
    .argument("<relations>", 'a text file with lines "child⇥parent"; what follows from them is added')
    .option(
      "--space <name>",
      "lorentz (the hyperboloid), poincare (the ball), or euclidean to compare",
      choice(SPACES),
      "lorentz",
    )
    .option("--dimension <n>", "dimensions", wholeNumber(1, 1000), 2)
    .option("--epochs <n>", "how often every pair is gone through", wholeNumber(1), 200)
    .option("--learning-rate <r>", "length of a step", positiveNumber, 0.1)
    .option("--negatives <n>", "unrelated nodes that each pair is compared with", wholeNumber(1), 50)
    .option("--seed <n>", "decides the start and every draw", wholeNumber(0, 2 ** 32 - 1), 0)
    .option("--disk <file>", "draw the Poincaré disk as an .svg file; of two hyperbolic dimensions")
    .option("-o, --output <file>", 'lines "name⇥coordinates"; default <relations>-points.tsv')
    .action(async (relations: string, options: EmbedOptions) => {
      const { disk, space, dimension } = options;
      if (disk !== undefined && (space === "euclidean" || dimension !== 2))
        throw new InvalidArgumentError(
          `--disk is of two hyperbolic dimensions; this is ${space} in ${dimension}`,
        );
      const output = options.output ?? `${basename(relations).replace(/\.\w+$/, "")}-points.tsv`;
      await checkWritable(output, relations);
      if (disk !== undefined) await checkWritable(disk, relations, output);
      const { embedFile } = await import("../runs/embed-file.node.ts");
      const interrupt = onInterrupt("stopping after this epoch; nothing will be written");
      const progress = startProgress({ label: basename(relations), total: options.epochs, unit: "epochs" });
      const result = await embedFile(relations, {
        ...options,
        output,
        signal: interrupt.signal,
        onEpoch: (epoch, loss) => progress.update(epoch + 1, `loss ${significant(loss)}`),
      }).finally(() => {
        progress.end();
        interrupt.dispose();
      });
      if (result.space !== "euclidean" && result.map < 0.5)
        note("note: distances tell little of this hierarchy; take more epochs or dimensions");
      emit(
        options,
        result,
        [
          `${formatMany(result.nodes, "node")}, ${formatMany(result.pairs, "pair")} in ${formatSeconds(result.seconds)}: mean rank ${significant(result.meanRank)}, MAP ${significant(result.map)}`,
          output,
          ...(result.disk === null ? [] : [result.disk]),
        ].join("\n"),
      );
    });
}
