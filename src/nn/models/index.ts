import { densenet } from "./densenet.ts";
import { lenet } from "./lenet.ts";
import { mlp } from "./mlp.ts";
import { mobilenetV1, mobilenetV2 } from "./mobilenet.ts";
import type { ModelBuilder } from "./model.ts";
import { resnet } from "./resnet.ts";
import { smallCnn } from "./small-cnn.ts";
import { vgg, vgg16 } from "./vgg.ts";

const IMAGENET_STAGES = [64, 128, 256, 512];

/** The models that recipes and commands know by name. */
export const MODELS: Readonly<Record<string, ModelBuilder>> = {
  "lenet-300-100": (o) => mlp({ ...o, hidden: [300, 100] }),
  lenet,
  "small-cnn": smallCnn,
  vgg,
  "vgg-bn": (o) => vgg({ ...o, batchNorm: true }),
  vgg16,
  "vgg16-bn": (o) => vgg16({ ...o, batchNorm: true }),
  "vgg16-bn-half": (o) => vgg16({ ...o, batchNorm: true, width: 0.5 }),
  resnet20: resnet,
  resnet18: (o) => resnet({ ...o, widths: IMAGENET_STAGES, blocks: [2, 2, 2, 2] }),
  resnet50: (o) => resnet({ ...o, widths: IMAGENET_STAGES, blocks: [3, 4, 6, 3], block: "bottleneck" }),
  "mobilenet-v1": mobilenetV1,
  "mobilenet-v2": mobilenetV2,
  densenet40: densenet,
};
