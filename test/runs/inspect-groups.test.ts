import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { smallCnn } from "../../src/nn/models/small-cnn.ts";
import { inspectGroups } from "../../src/runs/inspect-file.node.ts";
import { temporaryFolder } from "./support.ts";

test("the groups of a file, and what one of them costs", async () => {
  const path = join(temporaryFolder(), "net.onnx");
  writeFileSync(path, exportModel(smallCnn({ inputShape: [1, 16, 16], classes: 10 })));
  const [conv1, conv2, fc1] = await inspectGroups(path, "filter");
  // 3×3 on 16² and 8², then 32·16 to 64 to 10.
  expect(conv1).toMatchObject({ name: "conv1", groups: 16, weights: [10, 10], removable: true });
  expect(conv1.parameters).toEqual([10 + 9 * 32, 10 + 9 * 32]);
  expect(conv1.macs).toEqual([9 * 256 + 9 * 32 * 64, 9 * 256 + 9 * 32 * 64]);
  expect(conv2.macs).toEqual([9 * 16 * 64 + 16 * 64, 9 * 16 * 64 + 16 * 64]);
  expect(fc1.parameters).toEqual([512 + 1 + 10, 512 + 1 + 10]);
  const [kernels] = await inspectGroups(path, "kernel");
  expect(kernels).toMatchObject({ groups: 16, macs: [9 * 256, 9 * 256], removable: false });
  await expect(inspectGroups(path, "head")).rejects.toThrow(/no attention with heads/);
});
