import { lenet } from "./lenet.ts";
import { mlp } from "./mlp.ts";
import type { ModelBuilder } from "./model.ts";
import { resnet } from "./resnet.ts";
import { smallCnn } from "./small-cnn.ts";
import { vgg } from "./vgg.ts";

/** The models that recipes and commands know by name. */
export const MODELS: Readonly<Record<string, ModelBuilder>> = {
  "lenet-300-100": (o) => mlp({ ...o, hidden: [300, 100] }),
  lenet,
  "small-cnn": smallCnn,
  vgg,
  "vgg-bn": (o) => vgg({ ...o, batchNorm: true }),
  resnet20: resnet,
};
