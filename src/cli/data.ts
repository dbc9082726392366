import type { Command } from "commander";
import type { Dataset, Split } from "../data/dataset.ts";
import { isFedAsIs } from "../data/dataset.ts";
import { REMOTE_DATASETS } from "../data/registry.ts";
import { formatBytes, formatCount, significant } from "../runs/format.ts";
import type { JsonOption } from "./command.ts";
import { createCommand, emit } from "./command.ts";
import { downloadProgress } from "./downloads.ts";
import { onInterrupt } from "./interrupt.ts";
import { dataDirOption } from "./options.ts";
import { table } from "./table.ts";

interface DataOptions extends JsonOption {
  dataDir?: string;
}

export function dataCommand(): Command {
  const command = createCommand("data", {
    summary: "list, download and describe data sets",
    examples: ["filigree data list", "filigree data get mnist"],
  });
  return command.addCommand(listCommand()).addCommand(getCommand()).addCommand(infoCommand());
}

function listCommand(): Command {
  return createCommand("list", {
    summary: "list the data sets that are known by name",
    examples: ["filigree data list"],
    keys: { datasets: "list of { name, inputShape, classes, downloadBytes, credit }" },
  }).action((options: JsonOption) => {
    const datasets = [
      ...REMOTE_DATASETS.map(({ name, inputShape, classes, files, credit }) => ({
        name,
        inputShape,
        classes: classes.length,
        downloadBytes: files.reduce((sum, f) => sum + f.bytes, 0),
        credit,
      })),
      { name: "glyphs", inputShape: [1, 16, 16], classes: 10, downloadBytes: 0, credit: "drawn by Filigree" },
    ];
    const text = table(
      [
        { heading: "name" },
        { heading: "sample" },
        { heading: "classes", align: "right" },
        { heading: "download", align: "right" },
        { heading: "source" },
      ],
      datasets.map((d) => [
        d.name,
        d.inputShape.join("×"),
        d.classes,
        d.downloadBytes ? formatBytes(d.downloadBytes) : "none",
        d.credit,
      ]),
    );
    emit(options, { datasets }, text);
  });
}

function getCommand(): Command {
  return createCommand("get", {
    summary:
      "download a data set into the cache (~/.cache/filigree, or filigree in $XDG_CACHE_HOME), or go on with a download",
    examples: ["filigree data get fashion-mnist"],
    keys: { name: "name of the data set", train: "training samples", test: "test samples" },
  })
    .argument("<name>", "a name from filigree data list")
    .action(async (name: string, options: JsonOption) => {
      const { loadDataset } = await import("../data/load.node.ts");
      const interrupt = onInterrupt("stopping");
      const { train, test } = await loadDataset(name, { ...downloadProgress(), signal: interrupt.signal });
      interrupt.dispose();
      const result = { name, train: train.labels.length, test: test.labels.length };
      emit(
        options,
        result,
        `${name}: ${formatCount(result.train)} training and ${formatCount(result.test)} test samples are there`,
      );
    });
}

function infoCommand(): Command {
  return createCommand("info", {
    summary: "describe a data set: shapes, classes, how many samples of each",
    examples: ["filigree data info mnist --data-dir ~/data", "filigree data info my-images/"],
    keys: {
      name: "name of the data set",
      inputShape: "shape of one sample, channels first",
      classes: "names of the classes",
      samples: "{ train, test }: how many there are",
      perClass: "{ train, test }: how many of each class",
      mean: "mean of each channel, of pixels from 0 to 1; null of ids",
      std: "standard deviation of each channel; null of ids",
    },
  })
    .argument("<name>", "a name, an .npz file, or a folder of images")
    .addOption(dataDirOption())
    .action(async (name: string, options: DataOptions) => {
      const { loadDataset } = await import("../data/load.node.ts");
      const data = await loadDataset(name, { ...downloadProgress(), dataDir: options.dataDir });
      const info = describe(data);
      emit(options, info, describeText(info));
    });
}

function describe({ name, inputShape, classes, train, test, scale }: Dataset) {
  const count = ({ labels }: Split) => {
    const counts = new Array<number>(classes.length).fill(0);
    for (const label of labels) counts[label]++;
    return counts;
  };
  return {
    name,
    inputShape,
    classes,
    samples: { train: train.labels.length, test: test.labels.length },
    perClass: { train: count(train), test: count(test) },
    ...(isFedAsIs(train) ? { mean: null, std: null } : scale),
  };
}

function describeText(info: ReturnType<typeof describe>): string {
  const { name, inputShape, samples, classes, perClass, mean, std } = info;
  return [
    `${name}: samples ${inputShape.join("×")}, ${formatCount(samples.train)} to train, ${formatCount(samples.test)} to test`,
    mean
      ? `mean ${mean.map(significant).join(", ")}, standard deviation ${std.map(significant).join(", ")}`
      : "ids, which are fed as they are",
    "",
    table(
      [{ heading: "class" }, { heading: "train", align: "right" }, { heading: "test", align: "right" }],
      classes.map((c, i) => [c, formatCount(perClass.train[i]), formatCount(perClass.test[i])]),
    ),
  ].join("\n");
}
