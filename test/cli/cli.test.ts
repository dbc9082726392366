import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { loadDataset } from "../../src/data/load.node.ts";
import { importModel } from "../../src/engine/onnx/import.ts";
import { evaluateClassifier } from "../../src/nn/classification.ts";
import { METHOD_NAMES, METHODS } from "../../src/runs/methods.ts";
import { temporaryFolder, writeTask } from "../runs/support.ts";
import type { Outcome } from "./support.ts";
import { build, filigree, start } from "./support.ts";

beforeAll(build);

const VERSION = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }
).version;

/** The one object on stdout. */
function json({ stdout }: Outcome): Record<string, unknown> {
  expect(stdout.endsWith("}\n")).toBe(true);
  expect(stdout.trim().split("\n")).toHaveLength(1);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Holds the keys of the object to those that the command's help explains. */
async function expectDocumented(command: string, result: object): Promise<void> {
  const { stdout } = await filigree([...command.split(" "), "--help"], ".");
  const [, keys] = stdout.split("Keys of --json:\n");
  const known = keys.split("\n").flatMap((line) => line.trim().split(/ {2,}/)[0].split(", "));
  for (const key of Object.keys(result)) expect(known, command).toContain(key);
}

function expectFailure(outcome: Outcome, code: number, message: RegExp): void {
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr).toMatch(/^filigree: .*\n$/);
  expect(outcome.stdout).toBe("");
  expect(outcome.code).toBe(code);
}

function taskFolder(options?: { epochs: number }): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "task.yaml"), writeTask(folder, options));
  return folder;
}

describe("help", () => {
  const commandsOf = (help: string) =>
    Array.from(
      help
        .split("\nCommands:\n")[1]
        .split("\n\n")[0]
        .matchAll(/^ {2}(\w+)/gm),
      ([, name]) => name,
    ).filter((name) => name !== "help");

  test("lists all commands", async () => {
    const { code, stdout } = await filigree(["--help"], ".");
    expect(code).toBe(0);
    expect(commandsOf(stdout)).toEqual(expect.arrayContaining(["demo", "compress", "run", "data"]));
    expect((await filigree(["--version"], ".")).stdout).toBe(`${VERSION}\n`);
  });

  test("of every command, and of those inside it, has an example and --json", async () => {
    const within = async (path: string[]): Promise<string[][]> => {
      const { code, stdout, stderr } = await filigree([...path, "--help"], ".");
      expect(code, `${path}`).toBe(0);
      expect(stderr).toBe("");
      const [, examples] = stdout.split(/^Examples?:$/m);
      expect(examples.split("\n\n")[0]).toContain(["\n  filigree", ...path].join(" "));
      if (!stdout.includes("\nCommands:\n")) {
        expect(stdout).toMatch(/^ {2}--json /m);
        expect(stdout).toContain("Keys of --json:");
        return [path];
      }
      const inner: string[][] = [];
      for (const name of commandsOf(stdout)) inner.push(...(await within([...path, name])));
      return inner;
    };
    expect((await within([])).length).toBeGreaterThan(20);
  });
});

test("compress --help says what each method does, in one line each", async () => {
  const { stdout } = await filigree(["compress", "--help"], ".");
  const lines = stdout.split("\n").map((line) => line.trim().split(/ {2,}/).join(": "));
  for (const name of METHOD_NAMES) expect(lines).toContain(`${name}: ${METHODS[name].summary}`);
});

describe("wrong usage", () => {
  test.each<[string, string[], RegExp]>([
    ["an unknown command", ["evla"], /unknown command 'evla'.*Did you mean eval.*; see filigree --help$/m],
    [
      "an unknown option",
      ["run", "x.yaml", "--resum"],
      /unknown option '--resum'.*Did you mean --resume.*; see filigree run --help$/m,
    ],
    ["a missing argument", ["inspect"], /missing required argument 'model'/],
    ["a missing option", ["eval", "x.onnx"], /required option '--data <name>' not specified/],
    ["a bad number", ["eval", "x.onnx", "--data", "glyphs", "--batch", "0"], /a whole number of at least 1/],
    ["a bad word", ["eval", "x.onnx", "--data", "glyphs", "--input-scale", "byte"], /did you mean "bytes"/],
    [
      "a layer twice",
      ["compress", "lenet", "--data", "glyphs", "--keep", "conv1=3,conv1=4"],
      /"conv1" is there twice/,
    ],
    [
      "an unknown method",
      ["compress", "lenet", "--data", "glyphs", "--keep", "0.5", "--method", "slimmin"],
      /did you mean "slimming"\?/,
    ],
    [
      "a fixed λ of nothing",
      ["compress", "lenet", "--data", "glyphs", "--keep", "0.5", "--fixed", "0"],
      /a number above 0/,
    ],
    ["more than all", ["compress", "lenet", "--data", "glyphs", "--keep", "1.5"], /above 0 and at most 1/],
    [
      "a count for posteriors",
      ["compress", "lenet", "--data", "glyphs", "--keep", "0.5", "--method", "turbo-vbi"],
      /--keep is about groups, and turbo-vbi leaves as many weights as the data need; --slab moves that/,
    ],
    [
      "a dial of another method",
      ["compress", "lenet", "--data", "glyphs", "--slab", "3", "--method", "vibnet"],
      /--strength is what moves vibnet/,
    ],
    [
      "a slab for groups",
      ["compress", "lenet", "--data", "glyphs", "--keep", "0.5", "--slab", "3"],
      /--slab and --strength go with turbo-vbi, vbi, sparse-vd/,
    ],
    ["no size", ["compress", "lenet", "--data", "glyphs"], /say how small: --keep or --budget/],
    [
      "two sizes",
      ["compress", "lenet", "--data", "glyphs", "--keep", "0.5", "--budget", "macs=0.5"],
      /give one of them/,
    ],
    [
      "none of a layer",
      ["compress", "lenet", "--data", "glyphs", "--keep", "conv1=0"],
      /a count of at least 1/,
    ],
    [
      "more threads than any machine has",
      ["eval", "x.onnx", "--data", "glyphs", "--threads", "9999"],
      /at most 1024/,
    ],
    ["a bad pair", ["inspect", "x.onnx", "--dimension", "a"], /such as sequence=128/],
    [
      "energy of groups",
      ["inspect", "x.onnx", "--groups", "--energy", "mac=4,byte=1"],
      /--energy is about the whole model and --groups about its groups/,
    ],
    [
      "zeros skipped elsewhere than on the CPU",
      ["bench", "x.onnx", "--skip-zeros", "--device", "webgpu"],
      /--skip-zeros is for the CPU/,
    ],
    [
      "zeros skipped elsewhere in an evaluation",
      ["eval", "x.onnx", "--data", "glyphs", "--skip-zeros", "--device", "webgpu"],
      /--skip-zeros is for the CPU/,
    ],
    ["an unknown device", ["bench", "x.onnx", "--device", "gpu"], /expected one of cpu, webgpu, cuda/],
    [
      "latency of groups",
      ["inspect", "x.onnx", "--groups", "--latency", "8"],
      /--latency is about the whole model/,
    ],
    ["half of the costs of energy", ["inspect", "x.onnx", "--energy", "mac=4"], /such as mac=4.6,byte=160/],
  ])("%s ends with code 2 and one line", async (_, args, message) => {
    expectFailure(await filigree(args, "."), 2, message);
  });

  test("no command at all shows the help", async () => {
    const { code, stderr } = await filigree([], ".");
    expect(code).toBe(2);
    expect(stderr).toContain("Commands:");
  });
});

describe("bad input ends with code 1 and one line", () => {
  test.each<[string, string[], RegExp]>([
    [
      "an unknown data set",
      ["data", "info", "mnits"],
      /mnits: no such data set, folder or file; known names are mnist/,
    ],
    [
      "a kind of group without a name",
      ["inspect", "net.onnx", "--groups", ""],
      /there is no kind of group ""/,
    ],
    ["a missing model", ["inspect", "no.onnx"], /cannot read no\.onnx: no such file/],
    ["a built-in name where a file must be", ["inspect", "lenet"], /"lenet" is a built-in model/],
    ["a network without weights", ["eval", "lenet", "--data", "glyphs"], /"lenet".* nothing has trained/],
    ["a truncated model", ["inspect", "cut.onnx"], /^filigree: cut\.onnx: /],
    ["a model that is none", ["inspect", "text.onnx"], /^filigree: text\.onnx: /],
    ["a folder for a model", ["inspect", "folder.onnx"], /folder\.onnx.*this is a folder/],
    [
      "data of another shape",
      ["eval", "net.onnx", "--data", "glyphs"],
      /takes inputs of shape \[batch, 1,8,8\].*; give data of that shape/,
    ],
    [
      "a layer that is not there",
      ["compress", "small-cnn", "--data", "glyphs", "--keep", "fc9=3"],
      /no layer "fc9" that can shrink; did you mean "fc1"/,
    ],
    [
      "more groups than a layer has",
      ["compress", "small-cnn", "--data", "glyphs", "--keep", "conv1=17"],
      /"conv1" has 16 groups; cannot keep 17/,
    ],
    [
      "a budget below one group a layer",
      ["compress", "small-cnn", "--data", "glyphs", "--budget", "macs=0.0001"],
      /a budget of 37 macs cannot be met: with one group a layer 2,906 are left, 0\.796 % of 365,184/,
    ],
    [
      "an output that is a folder",
      ["compress", "small-cnn", "--data", "glyphs", "--keep", "0.3", "-o", "folder.onnx"],
      /folder\.onnx: this is a folder/,
    ],
    [
      "an output below a file",
      ["compress", "small-cnn", "--data", "glyphs", "--keep", "0.3", "-o", "net.onnx/x.onnx"],
      /net\.onnx\/x\.onnx: a part of this path is a file/,
    ],
    [
      "a device that is not there",
      ["compress", "net.onnx", "--data", "data.npz", "--keep", "0.5", "--device", "cuda"],
      /device "cuda" is not available here: .*--device cpu$/m,
    ],
    ["a directory that holds no run", ["report", "."], /is not the directory of a run/],
    [
      "a dimension that is not open",
      ["bench", "net.onnx", "--dimension", "width=3"],
      /net\.onnx: no input has an open dimension "width"; all lengths but the batch are fixed/,
    ],
    [
      "a directory to go on with that holds no run",
      ["run", "."],
      /\. is not the directory of a run: it has no/,
    ],
    ["a missing recipe", ["run", "no.yaml"], /cannot read no\.yaml: no such file/],
    ["a model as a recipe", ["run", "net.onnx"], /a recipe is a \.yaml file/],
    ["a wrong recipe", ["run", "wrong.yaml"], /wrong\.yaml:2: epohcs: unknown key; did you mean "epochs"/],
  ])("%s", async (_, args, message) => {
    const folder = taskFolder();
    const bytes = readFileSync(join(folder, "net.onnx"));
    writeFileSync(join(folder, "cut.onnx"), bytes.subarray(0, bytes.length - 100));
    writeFileSync(join(folder, "text.onnx"), "this is not a model");
    writeFileSync(join(folder, "wrong.yaml"), "model: lenet\nepohcs: 3\n");
    mkdirSync(join(folder, "folder.onnx"));
    const before = readdirSync(folder);
    expectFailure(await filigree(args, folder), 1, message);
    expect(readdirSync(folder)).toEqual(before);
  });

  test("a batch beyond memory", async () => {
    const { code, stderr } = await filigree(["bench", "net.onnx", "--batch", "100000000"], taskFolder());
    expect(code).toBe(1);
    expect(stderr).toMatch(/^filigree: an input of shape .* choose a smaller batch\n$/m);
  });

  test.each([
    ["bench", "net.onnx"],
    ["truncate", "net.onnx", "--keep", "rank=2"],
  ])("a device that is not there: %s", async (...args) => {
    const { code, stderr } = await filigree([...args, "--device", "cuda"], taskFolder());
    expect(code).toBe(1);
    expect(stderr).toMatch(/(^|\n)filigree: device "cuda" is not available here: .*--device cpu\n$/);
  });

  test("and one JSON object with --json", async () => {
    const outcome = await filigree(["inspect", "no.onnx", "--json"], ".");
    expect(outcome.code).toBe(1);
    expect(json(outcome)).toEqual({ error: "cannot read no.onnx: no such file or folder" });
  });

  test("an unexpected error says how to see its stack", async () => {
    const folder = taskFolder();
    const line = { epoch: 0, step: 1, loss: 1, learningRate: 1, metrics: {}, seconds: 1 };
    writeFileSync(join(folder, "recipe.yaml"), "model: lenet\ndata: mnist\n");
    writeFileSync(join(folder, "metrics.jsonl"), `${JSON.stringify(line)}\n`);
    writeFileSync(join(folder, "result.json"), '{"sparsity":{"layers":[null]}}');
    expectFailure(await filigree(["report", "."], folder), 1, /set FILIGREE_DEBUG=1 for the stack trace/);
    const { stderr } = await filigree(["report", "."], folder, { FILIGREE_DEBUG: "1" });
    expect(stderr).toMatch(/\n {4}at /);
  });
});

describe("a run from end to end", () => {
  test("run, eval, inspect and report agree", async () => {
    const folder = taskFolder();
    const run = await filigree(["run", "task.yaml", "--json"], folder);
    expect(run.code, run.stderr).toBe(0);
    const result = json(run) as { metrics: { accuracy: number }; directory: string; finished: boolean };
    expect(result).toMatchObject({
      name: "task",
      finished: true,
      epochs: 4,
      steps: 60,
      directory: "runs/task",
    });
    // Not a terminal: plain lines, no control characters.
    expect(run.stderr.match(/^epoch \d\/4 {2}loss \S+ {2}accuracy \S+ %/gm)).toHaveLength(4);
    expect(run.stderr).not.toContain("\r");

    const model = join("runs", "task", "model.onnx");
    const evaluated = json(await filigree(["eval", model, "--data", "data.npz", "--json"], folder));
    await expectDocumented("run", result);
    await expectDocumented("eval", evaluated);
    const skipped = ["eval", model, "--data", "data.npz", "--threads", "1", "--skip-zeros"];
    const bySkipping = json(await filigree([...skipped, "--json"], folder));
    expect(bySkipping.accuracy).toBe(evaluated.accuracy);
    expect(bySkipping.skippingZeros).toMatchObject({
      outputError: expect.any(Number),
      plan: { batch: 60 },
    });
    expect((await filigree(skipped, folder)).stdout).toMatch(/\nkernels that skip zeros run .*: .*dense \d/);
    expectFailure(
      await filigree(["eval", model, "--data", "data.npz", "--samples", "5"], folder),
      1,
      /model\.onnx has no posterior: there is no .*model\.posterior\.safetensors/,
    );
    const data = await loadDataset(join(folder, "data.npz"));
    const graph = importModel(readFileSync(join(folder, model)));
    const { accuracy, loss } = await evaluateClassifier(graph, data.test, data.scale);
    expect(evaluated.accuracy).toBe(accuracy);
    expect(evaluated.accuracy).toBe(result.metrics.accuracy);
    expect(evaluated.loss).toBeCloseTo(loss, 5);

    const inspected = json(await filigree(["inspect", model, "--json"], folder));
    await expectDocumented("inspect", inspected);
    const { layers, total, fileBytes } = inspected as {
      layers: Record<string, unknown>[];
      total: Record<string, number>;
      fileBytes: number;
    };
    // 5 and 3 filters are left of 8 and 8: 3×3 kernels on 8×8 positions, then a linear layer to 2 classes.
    const named = Object.fromEntries(layers.map((l) => [`${l.name} ${l.op}`, l]));
    expect(named["conv1 Conv"]).toMatchObject({ parameters: 5 * 9, macs: 5 * 9 * 64, groups: 5 });
    expect(named["conv2 Conv"]).toMatchObject({ parameters: 3 * 5 * 9, macs: 3 * 5 * 9 * 64, groups: 3 });
    expect(named["fc Gemm"]).toMatchObject({ parameters: 8, macs: 6, groups: null });
    expect(total).toMatchObject({ parameters: 45 + 10 + 135 + 6 + 8, macs: 2880 + 8640 + 6, sparsity: 0 });
    expect(fileBytes).toBe(readFileSync(join(folder, model)).length);

    writeFileSync(join(folder, "lists.json"), '{"mine": [{"conv1.weight": [0, 1]}, {"conv1.weight": [2]}]}');
    const lists = await filigree(["inspect", model, "--groups", "lists.json", "--json"], folder);
    expect(json(lists).sets).toMatchObject([{ name: "mine", groups: 2, weights: [1, 2], macs: [64, 128] }]);
    const timed = ["inspect", model, "--latency", "4"];
    const { layers: timedLayers } = json(await filigree([...timed, "--json"], folder)) as typeof inspected;
    expect(inspected.layers).toMatchObject(layers.map(() => ({ latencyMs: null })));
    expect(timedLayers).toMatchObject(layers.map(() => ({ latencyMs: expect.any(Number) })));
    expect((await filigree(timed, folder)).stdout).toMatch(
      /bytes +alone +groups\n[\s\S]*conv1 +Conv .* B +[\d.]+ ms +5\n/,
    );
    const estimate = ["inspect", model, "--energy", "mac=2,byte=100"];
    expect(json(await filigree([...estimate, "--json"], folder)).energy).toBe(
      2 * total.macs + 100 * total.bytes,
    );
    expect((await filigree(estimate, folder)).stdout).toMatch(/µJ a sample: an estimate$/m);

    const zeros = json(
      await filigree(["inspect", "runs/task/trained.onnx", "--json"], folder),
    ) as typeof named & {
      layers: Record<string, unknown>[];
    };
    expect(zeros.layers[0]).toMatchObject({ name: "conv1", sparsity: 3 / 8 });

    expect(json(await filigree(["report", "runs/task", "--json"], folder))).toEqual({
      report: "runs/task/report.html",
      epochs: 4,
    });
    const page = readFileSync(join(folder, "runs", "task", "report.html"), "utf8");
    expect(page).toContain("</html>");
    expect(page).not.toMatch(/(src|href)=|@import|url\(|<script/);
  });

  test("Ctrl-C saves, says how to go on, and going on gives the same bytes", async () => {
    const folder = taskFolder({ epochs: 30 });
    const child = start(["run", "task.yaml", "--data-dir", "my data", "--json"], folder);
    while (!child.stderr().includes("epoch  3/30")) await new Promise((r) => setTimeout(r, 5));
    child.kill("SIGINT");
    const stopped = await child.done;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/stopping after this step/);
    expect(stopped.stderr).toMatch(
      /stopped at step (\d+); go on with: filigree run runs\/task --data-dir 'my data' --resume\n$/,
    );
    const { finished, steps } = json(stopped);
    expect(finished).toBe(false);
    const checkpoints = readdirSync(join(folder, "runs", "task", "checkpoints"));
    expect(checkpoints).toContain(`step-${String(steps).padStart(8, "0")}.safetensors`);
    expect(existsSync(join(folder, "runs", "task", "model.onnx"))).toBe(false);

    const resumed = await filigree(["run", "runs/task", "--resume", "--json"], folder);
    expect(json(resumed)).toMatchObject({ finished: true, epochs: 30, directory: "runs/task" });
    await filigree(["run", "task.yaml", "--runs", "whole"], folder);
    const bytes = (runs: string) => readFileSync(join(folder, runs, "task", "model.onnx"));
    expect(bytes("runs").equals(bytes("whole"))).toBe(true);
  });

  test("compress, eval and bench agree about what is smaller", async () => {
    const folder = taskFolder();
    const args = [
      "compress",
      "net.onnx",
      "--data",
      "data.npz",
      "--keep",
      "conv1=5,conv2=3",
      "-o",
      "out/small.onnx",
    ];
    const settings = ["--epochs", "4", "--batch", "20", "--optimizer", "sgd", "--threads", "1"];
    const outcome = await filigree([...args, ...settings, "--json"], folder);
    expect(outcome.code, outcome.stderr).toBe(0);
    const result = json(outcome) as Record<string, { before: number; after: number }>;
    await expectDocumented("compress", result);
    const pair = { before: expect.any(Number), after: expect.any(Number) };
    const times = { b1: expect.any(Number), b64: expect.any(Number) };
    expect(result).toMatchObject({
      method: "wgsef",
      groups: "filter",
      requested: { conv1: 5, conv2: 3 },
      kept: { conv1: 5, conv2: 3 },
      natural: { conv1: expect.any(Number), conv2: expect.any(Number) },
      accuracy: pair,
      parameters: { before: 72 + 16 + 576 + 16 + 18, after: 45 + 10 + 135 + 6 + 8 },
      bytes: pair,
      macs: { before: 8 * 9 * 64 + 64 * 9 * 64 + 16, after: 2880 + 8640 + 6 },
      latencyMs: { before: times, after: times },
      output: "out/small.onnx",
    });
    const small = join(folder, "out", "small.onnx");
    expect(result.bytes.after).toBe(readFileSync(small).length);
    expect(readFileSync(join(folder, "runs", "compress-net-data.npz", "report.html"), "utf8")).toContain(
      "</html>",
    );
    const { accuracy } = json(await filigree(["eval", small, "--data", "data.npz", "--json"], folder));
    expect(accuracy).toBe(result.accuracy.after);

    const timed = json(
      await filigree(["bench", "net.onnx", small, "--batch", "1", "--runs", "3", "--json"], folder),
    );
    await expectDocumented("bench", timed);
    const [before, after] = timed.models as { macs: number; ratio: Record<string, number> }[];
    expect(before).toMatchObject({ macs: result.macs.before, ratio: { 1: 1 } });
    expect(after.ratio[1]).toBeGreaterThan(0);
    expect(after).toMatchObject({ skippingZeros: null });
    const skipping = json(
      await filigree(["bench", "net.onnx", "--batch", "4", "--runs", "3", "--skip-zeros", "--json"], folder),
    );
    const [{ skippingZeros }] = skipping.models as { skippingZeros: Record<string, unknown> }[];
    expect(skippingZeros).toMatchObject({
      4: { latencyMs: expect.any(Number), ratio: expect.any(Number), plan: { batch: 4, threads: 1 } },
    });

    // For people: a table, and where the files are.
    const text = await filigree([...args, ...settings, "--resume"], folder);
    expect(text.stdout).toMatch(/^conv1 +5 +\d+ +5$/m);
    expect(text.stdout).toMatch(/\nmodel {2}out\/small\.onnx\nreport .*report\.html\n$/);
  });

  test("Ctrl-C in a compression says how to go on, to people and programs", async () => {
    const folder = temporaryFolder();
    const args = ["small-cnn", "--data", "glyphs", "--keep", "0.5", "-o", "klein & fein.onnx", "--json"];
    const child = start(["compress", ...args], folder);
    while (!child.stderr().includes("epoch  1/12")) await new Promise((r) => setTimeout(r, 5));
    child.kill("SIGINT");
    const stopped = await child.done;
    expect(stopped.code).toBe(130);
    const { error } = json(stopped);
    expect(error).toMatch(
      /^stopped; go on with: filigree compress small-cnn .* 'klein & fein\.onnx' .*--resume$/,
    );
    expect(stopped.stderr.endsWith(`${error}\n`)).toBe(true);
    expect(readdirSync(folder)).toEqual(["runs"]);
    const report = ["report", "runs/compress-small-cnn-glyphs", "--json"];
    expect(json(await filigree(report, folder))).toMatchObject({ epochs: expect.any(Number) });
  });

  test("what cuts nothing need not be told how small", async () => {
    const args = [
      "compress",
      "small-cnn",
      "--data",
      "glyphs",
      "--method",
      "dense",
      "--epochs",
      "2",
      "--json",
    ];
    const { macs } = json(await filigree(args, temporaryFolder())) as { macs: Record<string, number> };
    expect(macs.after).toBe(macs.before);
  });

  test.each([
    ["compress", "model.flg", "--data", "glyphs", "--keep", "0.5", "-o", "./model.flg"],
    ["prune", "model.onnx", "--keep", "0.5", "-o", "./model.onnx"],
    ["truncate", "model.onnx", "--keep", "energy=0.9", "-o", "./model.onnx"],
  ])("%s: the new model does not take the place of the one it is made from", async (...args) => {
    const folder = temporaryFolder();
    expectFailure(await filigree(args, folder), 1, /model\.\w+ is named twice/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a full disk or a forbidden place leaves no file", async () => {
    const folder = taskFolder();
    await filigree(["run", "task.yaml"], folder);
    expectFailure(
      await filigree(["report", "runs/task", "-o", "task.yaml/report.html"], folder),
      1,
      /cannot write task\.yaml\/report\.html: a part of this path is a file/,
    );
    if (!existsSync("/dev/full")) return;
    symlinkSync("/dev/full", join(folder, "out.html.tmp"));
    expectFailure(
      await filigree(["report", "runs/task", "-o", "out.html"], folder),
      1,
      /out\.html: the disk is full/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith("out"))).toEqual([]);
  });
});

describe("data", () => {
  test("Ctrl-C in a download keeps what has arrived and says how to go on", async () => {
    const folder = temporaryFolder();
    // A server that accepts the request and then says nothing.
    const silent = `globalThis.fetch = (_, { signal }) => {
      process.stderr.write("waiting\\n");
      const awake = setInterval(() => {}, 1000);
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => (clearInterval(awake), reject(signal.reason))));
    };`;
    const env = {
      XDG_CACHE_HOME: folder,
      FILIGREE_DATA: "",
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(silent)}`,
    };
    const child = start(["data", "get", "mnist"], folder, env);
    while (!child.stderr().includes("waiting")) await new Promise((r) => setTimeout(r, 5));
    child.kill("SIGINT");
    const { code, stderr } = await child.done;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^filigree: train-images.*: stopped; .*the same command goes on from there$/m);
  });

  test("list and info give one object each", async () => {
    const { datasets } = json(await filigree(["data", "list", "--json"], ".")) as {
      datasets: { name: string }[];
    };
    expect(datasets.map((d) => d.name)).toEqual(["mnist", "fashion-mnist", "cifar10", "glyphs"]);
    const info = json(await filigree(["data", "info", "glyphs", "--json"], "."));
    expect(info).toMatchObject({ inputShape: [1, 16, 16], samples: { train: 3000, test: 2000 } });
    expect((info.perClass as { test: number[] }).test).toEqual(new Array(10).fill(200));
  });

  test("info of a named set looks where --data-dir says", async () => {
    const folder = temporaryFolder();
    expectFailure(
      await filigree(["data", "info", "mnist", "--data-dir", "."], folder),
      1,
      /mnist: not in the data directory \./,
    );
  });
});
