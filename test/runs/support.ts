import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { onTestFinished } from "vitest";
import { createGraph, input, output } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { flatten, globalAveragePool, relu } from "../../src/engine/operators/index.ts";
import { layers } from "../../src/nn/layers.ts";
import { random } from "../../src/random.ts";
import type { Recipe } from "../../src/runs/recipe.ts";
import { parseRecipe } from "../../src/runs/recipe.ts";

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "filigree-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Bytes of a NumPy array in C order, as its format's description says. */
function npy(descr: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = `${text.padEnd(64 * Math.ceil((11 + text.length) / 64) - 11)}\n`;
  const prefix = new Uint8Array([
    0x93,
    ...Buffer.from("NUMPY"),
    1,
    0,
    header.length % 256,
    header.length >> 8,
  ]);
  return Buffer.concat([prefix, Buffer.from(header), data]);
}

/** Two kinds of 8×8 images, upright or lying stripes, under noise. */
function images(count: number, seed: number): { x: Uint8Array; y: Uint8Array } {
  const rng = random(seed);
  const y = Uint8Array.from({ length: count }, () => rng.integer(2));
  const x = Uint8Array.from({ length: count * 64 }, (_, i) => {
    const along = y[Math.floor(i / 64)] ? i % 8 : Math.floor(i / 8) % 8;
    const bright = along % 4 < 2;
    return Math.floor(rng.uniform() * (bright ? 256 : 170));
  });
  return { x, y };
}

/** Writes a small data set and a small network with batch normalisation; returns the text of a recipe for both. */
export function writeTask(folder: string, { epochs = 4, train = 300 } = {}): string {
  mkdirSync(folder, { recursive: true });
  const arrays = Object.entries({ train: images(train, 1), test: images(60, 2) }).flatMap(
    ([part, { x, y }]) => [
      [`x_${part}.npy`, npy("|u1", [y.length, 8, 8], x)] as const,
      [`y_${part}.npy`, npy("|u1", [y.length], y)] as const,
    ],
  );
  writeFileSync(join(folder, "data.npz"), zipSync(Object.fromEntries(arrays)));

  const graph = createGraph("small");
  const { conv2d, batchNorm, linear } = layers(graph, 7);
  let x = input(graph, "input", [1, 1, 8, 8]);
  for (const i of [1, 2])
    x = relu(batchNorm(`bn${i}`, conv2d(`conv${i}`, x, 8, { padding: 1, bias: false })));
  output(linear("fc", flatten(globalAveragePool(x)), 2));
  writeFileSync(join(folder, "net.onnx"), exportModel(graph));

  return [
    `model: ${join(folder, "net.onnx")}`,
    `data: ${join(folder, "data.npz")}`,
    `epochs: ${epochs}`,
    "batch: 20",
    "learningRate: 0.05",
    "optimizer: { kind: sgd, momentum: 0.9 }",
    "augment: { crop: 1, flip: false }",
    "saveEvery: 4",
    "threads: 1",
    "sparsifier: { method: wgsef, keep: { conv1: 5, conv2: 3 }, lambdaEnd: 10 }",
  ].join("\n");
}

export function recipeOf(text: string, name = "test"): Recipe {
  return parseRecipe(text, `${name}.yaml`, { name, threads: 1 });
}
