import { expect, test } from "vitest";
import { MODELS } from "../../../src/nn/models/index.ts";
import { accountModel } from "../../../src/sparsity/accounting.ts";

const CIFAR = { inputShape: [3, 32, 32], classes: 10 };
const IMAGENET = { inputShape: [3, 224, 224], classes: 1000 };

/**
 * Parameters and millions of multiply–accumulates. Small images: spec wgsef.md, section 4, counted there with PyTorch
 * layers. Large images: as torchvision's model pages give them (MobileNet: its paper's 4.2 million parameters and 569
 * million multiply–accumulates, table 8).
 */
const PUBLISHED: [string, typeof CIFAR, number, number][] = [
  ["vgg16", CIFAR, 15_245_130, 313.7],
  ["vgg16-bn", CIFAR, 15_253_578, 313.7],
  ["resnet18", CIFAR, 11_173_962, 555.4],
  ["mobilenet-v1", CIFAR, 3_217_226, 46.4],
  ["densenet40", CIFAR, 1_019_722, 264.8],
  ["vgg16", IMAGENET, 138_357_544, 15_470],
  ["resnet18", IMAGENET, 11_689_512, 1_814],
  ["resnet50", IMAGENET, 25_557_032, 4_089],
  ["mobilenet-v1", IMAGENET, 4_231_976, 569],
  ["mobilenet-v2", IMAGENET, 3_504_872, 301],
];

test.each(PUBLISHED)(
  "%s for %o has %i parameters and %f million multiply–accumulates",
  (name, options, parameters, millions) => {
    const { total } = accountModel(MODELS[name](options));
    expect(total.parameters).toBe(parameters);
    // The published figures are rounded to the digits given.
    expect(Math.abs(total.macs / 1e6 / millions - 1)).toBeLessThan(2e-3);
  },
);
