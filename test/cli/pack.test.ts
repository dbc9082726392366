import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { exportModel } from "../../src/engine/onnx/export.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { flatten, gemm } from "../../src/engine/operators/index.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { random } from "../../src/random.ts";
import { packFile } from "../../src/runs/pack.node.ts";
import { savePosterior } from "../../src/runs/posterior-file.node.ts";
import { expectProblemLater } from "../data/support.ts";
import { temporaryFolder } from "../runs/support.ts";
import { build, filigree } from "./support.ts";

beforeAll(build);

/** A classifier of glyphs' shape with runs of weights. */
function writeModel(folder: string, scale = 1): Buffer {
  const rng = random(1);
  const graph = createGraph("net");
  const x = input(graph, "x", [1, 1, 16, 16]);
  let on = false;
  const w = Float32Array.from({ length: 10 * 256 }, () => {
    on = rng.uniform() < (on ? 0.8 : 0.05);
    return on ? scale * rng.normal() : 0;
  });
  output(gemm(flatten(x), parameter(graph, "fc.weight", tensor("float32", [10, 256], w)), { transB: true }));
  writeFileSync(join(folder, "model.onnx"), exportModel(graph));
  return readFileSync(join(folder, "model.onnx"));
}

test("pack, inspect, eval, bench and unpack; bytes are those on the disk", async () => {
  const folder = temporaryFolder();
  const onnx = writeModel(folder);
  const packed = await filigree(["pack", "model.onnx", "--json"], folder);
  expect(packed.stderr).toBe("");
  const report = JSON.parse(packed.stdout) as {
    output: string;
    bytes: number;
    onnxBytes: number;
    gzipBytes: number;
  };
  expect(report).toMatchObject({ output: "model.flg", onnxBytes: onnx.length });
  expect(report.bytes).toBe(statSync(join(folder, "model.flg")).size);
  expect(report.bytes).toBeLessThan(report.gzipBytes);
  const inspected = JSON.parse((await filigree(["inspect", "model.flg", "--json"], folder)).stdout) as Record<
    string,
    unknown
  >;
  expect(inspected).toMatchObject({ fileBytes: report.bytes, total: { parameters: 2560 } });
  const accuracy = async (model: string) => {
    const { stdout, code } = await filigree(["eval", model, "--data", "glyphs", "--json"], folder);
    expect(code).toBe(0);
    const { accuracy, loss } = JSON.parse(stdout) as { accuracy: number; loss: number };
    return { accuracy, loss };
  };
  expect(await accuracy("model.flg")).toEqual(await accuracy("model.onnx"));
  const bench = await filigree(["bench", "model.onnx", "model.flg", "--runs", "2", "--batch", "1"], folder);
  expect(bench.code).toBe(0);
  const text = (await filigree(["pack", "model.onnx", "-o", "small/q.flg", "--bits", "3"], folder)).stdout;
  expect(text).toMatch(/^fc\.weight +2,560 /m);
  expect(statSync(join(folder, "small/q.flg")).size).toBeLessThan(report.bytes / 2);
  expect(await filigree(["unpack", "model.flg", "-o", "back.onnx"], folder)).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect(readFileSync(join(folder, "back.onnx")).equals(onnx)).toBe(true);
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("steps by the posterior: every weight is a multiple of one, by the median deviation of those in use", async () => {
  const folder = temporaryFolder();
  writeModel(folder);
  const weights = (model: string) =>
    importModel(readFileSync(join(folder, model))).parameters.get("fc.weight")!.data;
  const before = weights("model.onnx");
  // Of the weights in use all but one are known to 0.1, and zeros exactly.
  let seen = 0;
  const sigmas = before.map((w) => (w === 0 ? 0 : seen++ === 0 ? 5 : 0.1));
  await savePosterior(
    join(folder, "model.onnx"),
    new Map([["fc.weight", tensor("float32", [10, 256], sigmas)]]),
  );
  const packed = await filigree(["pack", "model.onnx", "--deviations", "0.35"], folder);
  expect(packed).toMatchObject({ code: 0, stderr: "" });
  await filigree(["unpack", "model.flg", "-o", "back.onnx"], folder);
  // Rounding to multiples of a step has a standard deviation of step / √12.
  const step = 0.35 * 0.1 * Math.sqrt(12);
  weights("back.onnx").forEach((w, i) => {
    expect(Math.abs(w / step - Math.round(w / step))).toBeLessThan(1e-4);
    expect(Math.abs(w - before[i])).toBeLessThan(step * 0.50001);
  });
});

test("quantised weights train on, and what is reported is what the file says", async () => {
  const folder = temporaryFolder();
  writeModel(folder, 0.1);
  const report = async (...args: string[]) => {
    const { stdout } = await filigree(
      ["pack", "model.onnx", "--bits", "4", "--data", "glyphs", ...args, "--json"],
      folder,
    );
    return JSON.parse(stdout) as {
      accuracy: { before: number; after: number };
      tensors: { nonZeros: number; error: number }[];
    };
  };
  const once = await report();
  const trained = await report("--epochs", "2", "--learning-rate", "0.01");
  const { stdout } = await filigree(["eval", "model.flg", "--data", "glyphs", "--json"], folder);
  expect(trained.accuracy.after).toBe((JSON.parse(stdout) as { accuracy: number }).accuracy);
  expect(trained.accuracy.before).toBe(once.accuracy.before);
  // The model is a random one, of which training makes a classifier; a standard deviation is below .01.
  expect(trained.accuracy.after).toBeGreaterThan(once.accuracy.after + 0.05);
  // Nothing is quantised any more when the file is written, and zeros are still zero.
  expect(trained.tensors[0].error).toBe(0);
  expect(once.tensors[0].error).toBeGreaterThan(0.01);
  await filigree(["unpack", "model.flg", "-o", "back.onnx"], folder);
  const weights = (model: string) =>
    importModel(readFileSync(join(folder, model))).parameters.get("fc.weight")!.data as Float32Array;
  const before = weights("model.onnx");
  const after = weights("back.onnx");
  expect(after.every((w, i) => before[i] !== 0 || w === 0)).toBe(true);
  expect(new Set(after).size).toBeLessThan(64);
});

test("programs that ask for training without data, or with nothing to quantise by, are refused", async () => {
  const folder = temporaryFolder();
  writeModel(folder);
  const [from, to] = ["model.onnx", "model.flg"].map((name) => join(folder, name));
  await expectProblemLater(packFile(from, to, { bits: 3, epochs: 1 }), /epochs train on data; say which/);
  await expectProblemLater(
    packFile(from, to, { data: "glyphs", epochs: 1 }),
    /epochs train quantised weights; give bits or deviations/,
  );
  expect(readdirSync(folder)).toEqual(["model.onnx"]);
});

test.each([
  [["pack", "model.onnx", "--epochs", "2", "--bits", "3"], /--epochs trains on --data; say which data/, 2],
  [
    ["pack", "model.onnx", "--epochs", "2", "--data", "glyphs"],
    /--epochs trains quantised weights; give --bits or --deviations/,
    2,
  ],
  [["pack", "model.onnx", "--batch", "5"], /--batch is for training; say how long with --epochs/, 2],
  [
    ["pack", "model.onnx", "--deviations", "0.35"],
    /^filigree: model\.onnx has no posterior: there is no model\.posterior/,
    1,
  ],
  [["pack", "model.onnx", "--deviations", "0"], /expected a number above 0 and at most 2/, 2],
  [
    ["pack", "model.onnx", "--deviations", "1", "--bits", "4"],
    /--bits and --deviations both say how to quantise/,
    2,
  ],
  [["pack", "no.onnx"], /^filigree: cannot read no\.onnx: no such file/, 1],
  [["pack", "text.onnx"], /^filigree: text\.onnx: not an ONNX model/, 1],
  [["pack", "model.onnx", "--bits", "40"], /expected a number from 1 to 16/, 2],
  [["pack", "empty.onnx"], /^filigree: empty\.onnx: not an ONNX model, or a damaged one: .*has no graph/, 1],
  [
    ["pack", "model.onnx", "-o", "packed.onnx"],
    /packed\.onnx would be no \.onnx file; give a packed model/,
    2,
  ],
  [["pack", "broken.flg"], /broken\.flg is named twice; what is written needs a file of its own/, 1],
  [["unpack", "broken.flg", "-o", "./broken.flg"], /broken\.flg is named twice/, 1],
  [["unpack", "model.onnx"], /model\.onnx: not a packed model; filigree pack makes them/, 1],
  [["inspect", "broken.flg"], /^filigree: broken\.flg: a damaged packed model/, 1],
  [["unpack", "broken.flg"], /^filigree: broken\.flg: a damaged packed model/, 1],
])("%j says what is wrong, in one line", async (args, message, code) => {
  const folder = temporaryFolder();
  writeModel(folder);
  await filigree(["pack", "model.onnx", "-o", "broken.flg"], folder);
  const bytes = readFileSync(join(folder, "broken.flg"));
  bytes[bytes.length - 9] ^= 1;
  writeFileSync(join(folder, "broken.flg"), bytes);
  writeFileSync(join(folder, "text.onnx"), "once upon a time");
  writeFileSync(join(folder, "empty.onnx"), "");
  const outcome = await filigree(args, folder);
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr).toMatch(/^filigree: .*\n$/);
  expect(outcome.code).toBe(code);
});
