import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporaryFolder, writeTask } from "../runs/support.ts";
import { build, filigree } from "./support.ts";

beforeAll(build, 120_000);

test("prune writes the file that it describes", async () => {
  const folder = temporaryFolder();
  writeTask(folder);
  const cut = ["prune", "net.onnx", "--budget", "macs=0.5", "--by", "l1", "--exclude", "conv1"];
  const { code, stdout } = await filigree([...cut, "--json"], folder);
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ model: "net.onnx", output: "net-pruned.onnx", groups: "filter", by: "l1" });
  // conv1 has 4,608 of 41,488, and each of conv2's filters 4,608, with 2 in the last layer.
  expect(result.macs).toEqual({ before: 41_488, after: 4608 + 3 * 4610 });
  expect(result.layers).toEqual([{ name: "conv2", layers: ["conv2"], groups: 8, kept: 3 }]);
  expect(result.bytes.after).toBe(statSync(join(folder, "net-pruned.onnx")).size);
  const text = await filigree([...cut, "-o", "other.onnx"], folder);
  expect(text.stdout).toMatch(/^conv2 +8 +3$/m);
  expect(text.stdout).toMatch(/^outputs on random inputs differ by [\d.e-]+ of the largest/m);
  const help = await filigree(["prune", "--help"], folder);
  for (const key of Object.keys(result)) expect(help.stdout).toContain(key);
}, 120_000);

test("zeros that stay in the file are said to stay there", async () => {
  const folder = temporaryFolder();
  writeTask(folder);
  const cut = ["prune", "net.onnx", "--groups", "unstructured", "--keep", "0.9"];
  const { stdout, stderr } = await filigree(cut, folder);
  expect(stderr).toMatch(/stays in the file as zeros; filigree pack/);
  expect(stdout).toMatch(/^ {2}that are not zero/m);
});

test.each<[string[], RegExp]>([
  [["net.onnx"], /say how small: --keep or --budget/],
  [["net.onnx", "--keep", "0.5", "--budget", "macs=0.5"], /both say how small/],
  [["net.onnx", "--keep", "1.5"], /expected a share above 0 and at most 1/],
  [["net.onnx", "--keep", "0.5", "--by", "l3"], /expected one of l2, l1, random/],
  [["net.onnx", "--keep", "0.5", "--seed", "1"], /what --by random draws from/],
])("%j is refused", async (args, message) => {
  const { code, stderr } = await filigree(["prune", ...args], ".");
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test.each([["prune"], ["compress", "--data", "data.npz"]])(
  "%s: a layer to exclude that is not there is named, and nothing is written",
  async (command, ...options) => {
    const folder = temporaryFolder();
    writeTask(folder);
    const args = [
      command,
      "net.onnx",
      ...options,
      "--keep",
      "0.5",
      "--exclude",
      "fc,conv3",
      "-o",
      "small.onnx",
    ];
    const { code, stderr } = await filigree(args, folder);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /exclude: there is no layer "conv3"; did you mean "conv1"\?; there are conv1, conv2, fc$/m,
    );
    expect(existsSync(join(folder, "small.onnx"))).toBe(false);
  },
);

test("compress leaves an excluded layer whole", async () => {
  const folder = temporaryFolder();
  writeTask(folder);
  const train = ["--data", "data.npz", "--method", "magnitude", "--epochs", "2", "--batch", "50"];
  const cut = ["--keep", "0.5", "--exclude", "conv1"];
  const { code, stdout } = await filigree(["compress", "net.onnx", ...train, ...cut, "--json"], folder);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).kept).toEqual({ conv2: 4 });
}, 120_000);
