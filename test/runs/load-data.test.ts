import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { expect, test } from "vitest";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { loadDataFor } from "../../src/runs/load-data.node.ts";
import { temporaryFolder } from "./support.ts";

test("images of a folder are read as the model in a file takes them", async () => {
  const folder = temporaryFolder();
  const images = join(folder, "images");
  for (let i = 0; i < 5; i++) {
    mkdirSync(join(images, "a"), { recursive: true });
    const data = new Uint8Array(24).fill(10 * i);
    writeFileSync(join(images, "a", `${i}.png`), encode({ width: 6, height: 4, channels: 1, data }));
  }
  const model = join(folder, "model.onnx");
  writeFileSync(model, exportModel(smallCnn({ inputShape: [3, 16, 12], classes: 2 })));
  expect((await loadDataFor(model, images, {})).inputShape).toEqual([3, 16, 12]);
  // A built-in model takes what there is.
  expect((await loadDataFor("small-cnn", images, {})).inputShape).toEqual([1, 4, 6]);
});
