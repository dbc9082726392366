import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporaryFolder, writeTask } from "../runs/support.ts";
import { build, filigree } from "./support.ts";

beforeAll(build);

test("truncate writes the file that it describes", async () => {
  const folder = temporaryFolder();
  writeTask(folder);
  const rule = ["truncate", "net.onnx", "--keep", "energy=0.5", "--for", "size", "--layers", "conv2.weight"];
  const { code, stdout } = await filigree([...rule, "--data", "data.npz", "--json"], folder);
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ model: "net.onnx", output: "net-thin.onnx", data: "data" });
  expect(result.layers).toMatchObject([{ weight: "conv2.weight", form: "factors", of: 8 }]);
  expect(result.bytes.after).toBe(statSync(join(folder, "net-thin.onnx")).size);
  const text = await filigree([...rule, "-o", "other.onnx"], folder);
  expect(text.stdout).toMatch(/conv2\.weight +8 × 72 +[1-7] of 8 +factors/);
  expect(text.stdout).not.toContain("accuracy");
  const help = await filigree(["truncate", "--help"], folder);
  expect(help.stdout).toMatch(/^Examples:\n {2}filigree truncate/m);
  for (const key of Object.keys(result)) expect(help.stdout).toContain(key);
});

test.each<[string[], RegExp]>([
  [["net.onnx"], /required option '--keep <rule>' not specified/],
  [["net.onnx", "--keep", "0.9"], /expected sum=0.95 or energy=0.9/],
  [["net.onnx", "--keep", "rank=2.5"], /a whole number/],
  [["net.onnx", "--keep", "energy=1.1"], /at most 1/],
  [["net.onnx", "--keep", "rank=2", "--calibrate", "10"], /say which data/],
  [["net.onnx", "--keep", "rank=2", "--input-scale", "unit"], /--input-scale is about samples of --data/],
])("%j is refused", async (args, message) => {
  const { code, stderr } = await filigree(["truncate", ...args], ".");
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test("a weight that is not there is named, and nothing is written", async () => {
  const folder = temporaryFolder();
  writeTask(folder);
  const { code, stderr } = await filigree(
    ["truncate", "net.onnx", "--keep", "rank=2", "--layers", "conv9.weight"],
    folder,
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/no linear map "conv9.weight"; there are conv1.weight, conv2.weight, fc.weight/);
  expect(existsSync(join(folder, "net-thin.onnx"))).toBe(false);
});
