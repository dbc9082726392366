import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { compressCommand } from "../../src/cli/compress.ts";
import { dataCommand } from "../../src/cli/data.ts";
import { evalCommand } from "../../src/cli/eval.ts";
import { truncateCommand } from "../../src/cli/truncate.ts";
import { Problem } from "../../src/problem.ts";
import { loadModelFile } from "../../src/runs/load-model.node.ts";
import { recoded, sequences, trainedClassifier, writeSamples, writeTokenTask } from "../runs/token-task.ts";

const folder = mkdtempSync(join(tmpdir(), "filigree-"));
const path = (name: string) => join(folder, name);

beforeAll(async () => {
  writeTokenTask(folder, await trainedClassifier());
  writeSamples(path("recoded.npz"), recoded(sequences(1500, 1)), recoded(sequences(300, 2)));
  const strange = sequences(300, 3);
  strange.inputs.data[1234] = 40;
  writeSamples(path("strange.npz"), sequences(300, 4), strange);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a command prints with --json. */
async function printed(command: Command, ...args: string[]) {
  let text = "";
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((part) => {
    text += part;
    return true;
  });
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  try {
    await command.parseAsync([...args, "--json"], { from: "user" });
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
  return JSON.parse(text);
}

const evaluated = (model: string, data = "text.npz", ...more: string[]) =>
  printed(evalCommand(), path(model), "--data", path(data), "--threads", "1", ...more);

describe("a classifier of tokens, from a file that takes int64", () => {
  test("is evaluated; what is in another code it cannot tell apart (control)", async () => {
    const { accuracy, samples } = await evaluated("text.onnx");
    expect(samples).toBe(300);
    expect(accuracy).toBeGreaterThan(0.95);
    expect((await evaluated("text.onnx", "recoded.npz")).accuracy).toBeLessThan(0.5);
  });

  test.each([
    ["head", { q: 2 }],
    ["neuron", { up: 24 }],
  ])("compress --groups %s leaves half of them", { timeout: 60_000 }, async (groups, kept) => {
    const output = path(`${groups}.onnx`);
    const sizes = ["--groups", groups, "--keep", "0.5", "--epochs", "4", "--batch", "50"];
    const result = await printed(
      compressCommand(),
      ...[path("text.onnx"), "--data", path("text.npz"), ...sizes, "-o", output, "--runs", path("runs")],
      ...["--threads", "1"],
    );
    expect(result.kept).toEqual(kept);
    expect(result.accuracy.before).toBeGreaterThan(0.95);
    expect(result.accuracy.after).toBeGreaterThan(0.9);
    for (const figure of ["parameters", "macs"])
      expect(result[figure].after).toBeLessThan(0.9 * result[figure].before);
    expect((await evaluated(`${groups}.onnx`)).accuracy).toBe(result.accuracy.after);
    expect((await evaluated(`${groups}.onnx`, "recoded.npz")).accuracy).toBeLessThan(0.5);
    const { graph } = await loadModelFile(output);
    expect(graph.types.get("ids")).toEqual({ dtype: "int64", shape: [1, 12] });
  });

  test("truncate measures and calibrates with its samples", async () => {
    const rule = ["--keep", "energy=0.9", "--for", "size", "--calibrate", "200"];
    const result = await printed(
      truncateCommand(),
      ...[path("text.onnx"), "--data", path("text.npz"), ...rule, "-o", path("thin.onnx")],
    );
    expect(result.accuracy.before).toBeGreaterThan(0.95);
    expect(result.accuracy.after).toBeGreaterThan(0.9);
    for (const figure of ["parameters", "macs"])
      expect(result[figure].after).toBeLessThan(result[figure].before);
  });

  test("an id beyond its vocabulary is named before anything is computed or written", async () => {
    const message = `${path("text.onnx")}: the test samples of strange have the id 40, but "tokens.weight" has 40 rows, for the ids 0 to 39; make ids with the vocabulary of the model`;
    const before = readdirSync(folder);
    await expect(evaluated("text.onnx", "strange.npz")).rejects.toThrow(new Problem(message));
    await expect(
      printed(
        compressCommand(),
        ...[path("text.onnx"), "--data", path("strange.npz"), "--keep", "0.5", "--groups", "head"],
        ...["-o", path("strange.onnx"), "--runs", path("strange-runs")],
      ),
    ).rejects.toThrow(new Problem(message));
    expect(readdirSync(folder)).toEqual(before);
    expect(existsSync(path("strange.onnx"))).toBe(false);
  });

  test("ids are not scaled", async () => {
    const info = await printed(dataCommand(), "info", path("text.npz"));
    expect(info).toMatchObject({ inputShape: [12], samples: { train: 1500 }, mean: null, std: null });
    await expect(evaluated("text.onnx", "text.npz", "--input-scale", "unit")).rejects.toThrow(
      "the samples of text are ids, which are not scaled; leave out the input scale unit",
    );
  });
});
