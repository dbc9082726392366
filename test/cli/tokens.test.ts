import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { compressCommand } from "../../src/cli/compress.ts";
import { dataCommand } from "../../src/cli/data.ts";
import { evalCommand } from "../../src/cli/eval.ts";
import { truncateCommand } from "../../src/cli/truncate.ts";
import type { SampleTensor, Split } from "../../src/data/dataset.ts";
import { Problem } from "../../src/problem.ts";
import { loadModelFile } from "../../src/runs/load-model.node.ts";
import {
  maskedClassifier,
  paddedSequences,
  recoded,
  sequences,
  textClassifier,
  trained,
  writeSamples,
} from "../runs/token-task.ts";

const folder = mkdtempSync(join(tmpdir(), "filigree-"));
const path = (name: string) => join(folder, name);

beforeAll(async () => {
  writeFileSync(path("text.onnx"), await trained(textClassifier(50), sequences(1500, 1)));
  writeSamples(path("text.npz"), sequences(1500, 1), sequences(300, 2));
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
    ["head,neuron", { q: 2, up: 24 }],
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

  test("kernels that skip zeros say what ONNX Runtime says", { timeout: 60_000 }, async () => {
    const output = path("sparse.onnx");
    const sizes = ["--groups", "unstructured", "--method", "gradual", "--keep", "0.1", "--epochs", "4"];
    const result = await printed(
      compressCommand(),
      ...[path("text.onnx"), "--data", path("text.npz"), ...sizes, "--batch", "50", "-o", output],
      ...["--runs", path("runs"), "--threads", "1"],
    );
    expect(result.nonZeros.after).toBeLessThan(0.5 * result.nonZeros.before);
    const dense = await evaluated("sparse.onnx");
    const skipping = await evaluated("sparse.onnx", "text.npz", "--skip-zeros");
    expect(skipping.accuracy).toBe(dense.accuracy);
    expect(dense.accuracy).toBeGreaterThan(0.6);
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
      "the samples of text are ids or several inputs, which are not scaled; leave out the input scale unit",
    );
  });
});

describe("a classifier of two inputs", () => {
  const names = ["ids", "mask"];
  beforeAll(async () => {
    const [training, testing] = [paddedSequences(1500, 1), paddedSequences(300, 2)];
    writeFileSync(path("masked.onnx"), await trained(maskedClassifier(50), training));
    writeSamples(path("padded.npz"), training, testing, names);
    const whole = (split: Split): Split => ({
      ...split,
      others: [{ ...split.inputs, data: new Int32Array(split.inputs.data.length).fill(1) } as SampleTensor],
    });
    writeSamples(path("unmasked.npz"), whole(training), whole(testing), names);
  }, 60_000);

  test("takes both from arrays that are named like them, whatever their order", async () => {
    expect((await evaluated("masked.onnx", "padded.npz")).accuracy).toBeGreaterThan(0.95);
    expect((await evaluated("masked.onnx", "unmasked.npz")).accuracy).toBeLessThan(0.8);
    const swap = ({ others: [mask] = [], inputs, labels }: Split): Split => ({
      inputs: mask,
      others: [inputs],
      labels,
    });
    const [training, testing] = [paddedSequences(10, 1), paddedSequences(300, 2)].map(swap);
    writeSamples(path("swapped.npz"), training, testing, ["mask", "ids"]);
    expect((await evaluated("masked.onnx", "swapped.npz")).accuracy).toBeGreaterThan(0.95);
  });

  test("is compressed", { timeout: 60_000 }, async () => {
    const sizes = ["--groups", "neuron", "--keep", "0.5", "--epochs", "4", "--batch", "50"];
    const result = await printed(
      compressCommand(),
      ...[path("masked.onnx"), "--data", path("padded.npz"), ...sizes, "--validation", "0.2"],
      ...["-o", path("small.onnx"), "--runs", path("masked-runs"), "--threads", "1"],
    );
    expect(result.kept).toEqual({ up: 16 });
    expect(result.accuracy.after).toBeGreaterThan(0.9);
    expect(result.validation.after).toBeGreaterThan(0.9);
    expect(result.macs.after).toBeLessThan(0.6 * result.macs.before);
    expect((await evaluated("small.onnx", "padded.npz")).accuracy).toBe(result.accuracy.after);
  });

  test.each<[string, () => void, string]>([
    [
      "no array for one",
      () => writeSamples(path("wrong.npz"), sequences(9, 1), sequences(9, 1), ["ids"]),
      "wrong.npz: has no array mask_train; found ids_train, y_train, ids_test, y_test",
    ],
    [
      "one of another shape",
      () => {
        const { inputs, labels } = sequences(9, 1);
        const others = [{ ...inputs, shape: [9, 2, 6] } as SampleTensor];
        writeSamples(path("wrong.npz"), { inputs, others, labels }, { inputs, others, labels }, names);
      },
      'takes inputs of shape [batch, 12] as "mask", but the samples of wrong have shape [2,6]',
    ],
    [
      "one with fewer samples",
      () => {
        const { inputs, labels } = sequences(9, 1);
        const others = [{ ...inputs, shape: [3, 36] } as SampleTensor];
        writeSamples(path("wrong.npz"), { inputs, others, labels }, { inputs, others, labels }, names);
      },
      "wrong: train has 3 inputs but 9 labels",
    ],
    [
      "one that is longer in the test",
      () => {
        const { inputs, others, labels } = paddedSequences(9, 1);
        const longer = [{ ...sequences(18, 1).inputs, shape: [9, 24] } as SampleTensor];
        writeSamples(
          path("wrong.npz"),
          { inputs, others, labels },
          { inputs, others: longer, labels },
          names,
        );
      },
      "wrong: test inputs are [9,24], expected [samples, 12]",
    ],
  ])("is refused data with %s", async (_, write, message) => {
    write();
    await expect(evaluated("masked.onnx", "wrong.npz")).rejects.toThrow(message);
  });
});
