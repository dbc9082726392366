import { describe, expect, it } from "vitest";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import type { AttributeProto, ModelProto, NodeProto } from "../../../src/engine/onnx/proto.ts";
import { encodeModel } from "../../../src/engine/onnx/proto.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { MODELS } from "../../../src/nn/models/index.ts";
import { Problem } from "../../../src/problem.ts";
import { random } from "../../../src/random.ts";
import { mutator } from "./mutate.ts";

type Verdict = "imported" | "refused" | "crashed" | "garbled" | "greedy" | "slow";

/** How an engine speaks of a fault in the program that runs on it: no user can make anything of it. */
const GARBLED =
  /"undefined"|as undefined|is not (a function|iterable)|Cannot (read|convert|mix)|Invalid (array|typed|string)|stack size/;

/** What import may take beyond 1 KiB for each byte of the file: its folding (256 MiB) and one result in double precision (128 MiB). */
const FLOOR = 2 ** 28 + 2 ** 27;
const FACTOR = 1024;

/**
 * Imports and judges. A collection in between makes memory look smaller, never larger, so "greedy" is never a false
 * alarm.
 */
function judge(bytes: Uint8Array, read: (bytes: Uint8Array) => unknown = importModel) {
  const before = process.memoryUsage();
  const start = process.cpuUsage();
  let verdict: Verdict = "imported";
  let message = "";
  try {
    read(bytes);
  } catch (error) {
    message = (error as Error).message;
    verdict = !(error instanceof Problem) ? "crashed" : GARBLED.test(message) ? "garbled" : "refused";
  }
  // The processor's time, not the clock's: other work on the machine is no fault of the importer.
  const { user, system } = process.cpuUsage(start);
  const after = process.memoryUsage();
  const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
  if (grown > FLOOR + FACTOR * bytes.length) verdict = "greedy";
  if (user + system > 2e6) verdict = "slow";
  return { verdict, message };
}

function campaign(file: Uint8Array, runs: number, seed: number, read?: (bytes: Uint8Array) => unknown) {
  const mutate = mutator(file, random(seed));
  const tally: Record<Verdict, number> = {
    imported: 0,
    refused: 0,
    crashed: 0,
    garbled: 0,
    greedy: 0,
    slow: 0,
  };
  const faults = new Set<string>();
  for (let i = 0; i < runs; i++) {
    const { verdict, message } = judge(mutate(), read);
    tally[verdict]++;
    if (verdict !== "imported" && verdict !== "refused") faults.add(`${verdict}: ${message}`);
  }
  return { tally, faults: [...faults] };
}

const node = (
  opType: string,
  inputs: string[],
  outputs: string[],
  attributes: AttributeProto[] = [],
): NodeProto => ({ opType, domain: "", name: "", inputs, outputs, attributes });

function model(nodes: NodeProto[], constants: Record<string, Tensor>, output: string): ModelProto {
  return {
    irVersion: 8,
    opsets: [{ domain: "", version: 17 }],
    producerName: "",
    producerVersion: "",
    metadata: {},
    functions: [],
    graph: {
      name: "g",
      nodes,
      initializers: Object.entries(constants).map(([name, t]) => ({ name, tensor: t })),
      inputs: [{ name: "x", type: { kind: "tensor", dtype: "float32", shape: [1, 4] } }],
      outputs: [{ name: output, type: { kind: "tensor", dtype: "float32", shape: undefined } }],
      valueInfo: [],
      sparseInitializers: 0,
    },
  };
}

const shape = (...dims: number[]) => tensor("int64", [dims.length], dims);
const ints = (name: string, ...value: number[]): AttributeProto => ({ name, type: "ints", value });

/** Computes much from constants: every operator here makes or reads more than the file says in bytes. */
function foldingModel(): Uint8Array {
  const nodes = [
    node("ConstantOfShape", ["s"], ["ones"]),
    node("Expand", ["one", "s"], ["wide"]),
    node("Tile", ["w", "s"], ["tiled"]),
    node("Range", ["zero", "limit", "step"], ["range"]),
    node("Pad", ["w", "pads"], ["padded"]),
    node("Reshape", ["x", "s"], ["reshaped"]),
    node("Conv", ["image", "kernel"], ["conv"], [ints("pads", 1, 1, 1, 1)]),
    node("MaxPool", ["image"], ["pooled"], [ints("kernel_shape", 2, 2)]),
    node("Resize", ["image", "", "scales"], ["resized"]),
    node("MatMul", ["w", "w"], ["product"]),
    node("Gather", ["w", "index"], ["gathered"]),
    node("Slice", ["w", "index", "s"], ["sliced"]),
    node("Transpose", ["w"], ["turned"], [ints("perm", 1, 0)]),
    node("Concat", ["w", "product"], ["joined"], [{ name: "axis", type: "int", value: 0 }]),
    node("Mul", ["ones", "reshaped"], ["y"]),
  ];
  const constants = {
    s: shape(2, 2),
    one: tensor("float32", [1], [1]),
    w: tensor("float32", [2, 2], [1, 2, 3, 4]),
    zero: tensor("int64", [], [0]),
    limit: tensor("int64", [], [9]),
    step: tensor("int64", [], [2]),
    pads: shape(0, 1, 1, 0),
    image: tensor("float32", [1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    kernel: tensor("float32", [1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    scales: tensor("float32", [4], [1, 1, 2, 2]),
    index: shape(0, 1),
  };
  return encodeModel(model(nodes, constants, "y"));
}

const SOUND = { crashed: 0, garbled: 0, greedy: 0, slow: 0 };

describe("damaged files", () => {
  const network = exportModel(MODELS["small-cnn"]({ inputShape: [1, 8, 8], classes: 2, batch: 1, seed: 0 }));
  it.each([
    ["that computes its constants", foldingModel(), 8000],
    ["of a network", network, 2500],
  ])("%s are imported or refused by a Problem, in bounded time and memory", (_, file, runs) => {
    expect(judge(file)).toEqual({ verdict: "imported", message: "" });
    const { tally, faults } = campaign(file, runs, 1);
    expect(faults).toEqual([]);
    expect(tally).toMatchObject(SOUND);
    // Else the damage would be too light or too heavy to say anything.
    expect(Math.min(tally.imported, tally.refused)).toBeGreaterThan(runs / 20);
  });
});

describe("files that ask for more than they hold", () => {
  const huge = 2 ** 20;
  const scalar = (v: number) => tensor("int64", [], [v]);
  const image = tensor("float32", [1, 1, 64, 64], new Array(4096).fill(1));
  it.each<[string, NodeProto[], Record<string, Tensor>]>([
    ["ConstantOfShape", [node("ConstantOfShape", ["s"], ["y"])], { s: shape(huge, huge) }],
    ["Expand", [node("Expand", ["c", "s"], ["y"])], { s: shape(huge, 1024), c: tensor("float32", [1], [1]) }],
    ["Tile", [node("Tile", ["c", "s"], ["y"])], { s: shape(huge * huge), c: tensor("float32", [1], [1]) }],
    ["Range", [node("Range", ["a", "b", "c"], ["y"])], { a: scalar(0), b: scalar(2 ** 40), c: scalar(1) }],
    ["Pad", [node("Pad", ["i", "p"], ["y"])], { i: image, p: shape(0, 0, huge, 0, 0, 0, huge, huge) }],
    [
      "Resize",
      [node("Resize", ["i", "", "r"], ["y"])],
      { i: image, r: tensor("float32", [4], [1, 1, 1e5, 1e5]) },
    ],
    ["Conv", [node("Conv", ["i", "i"], ["y"], [ints("pads", 2000, 2000, 2000, 2000)])], { i: image }],
    [
      "MaxPool",
      [
        node(
          "MaxPool",
          ["i"],
          ["y"],
          [ints("kernel_shape", 3000, 3000), ints("pads", 2990, 2990, 2990, 2990)],
        ),
      ],
      { i: image },
    ],
    [
      "a chain of Expands",
      Array.from({ length: 200 }, (_, i) => node("Expand", ["c", "s"], [i === 199 ? "y" : `e${i}`])),
      { s: shape(1024, 1024), c: tensor("float32", [1], [1]) },
    ],
    [
      "a chain of sums over one large constant",
      [
        node("Expand", ["c", "s"], ["e"]),
        ...Array.from({ length: 500 }, (_, i) => node("ReduceSum", ["e"], [i === 499 ? "y" : `r${i}`])),
      ],
      { s: shape(1024, 1024), c: tensor("float32", [1], [1]) },
    ],
  ])("%s", (_, nodes, constants) => {
    const { verdict, message } = judge(encodeModel(model(nodes, constants, "y")));
    expect(["imported", "refused"], `${verdict}: ${message}`).toContain(verdict);
  });
});

describe("the judge (controls)", () => {
  it("finds an importer that believes a shape to be greedy, and one that trips to be garbled or to crash", () => {
    const keep: unknown[] = [];
    const file = foldingModel();
    const believe = () => keep.push(new Float32Array(2 ** 27));
    expect(judge(file, believe).verdict).toBe("greedy");
    const trip = () => (undefined as unknown as { shape: number[] }).shape;
    expect(judge(file, trip).verdict).toBe("crashed");
    const wrap = () => {
      try {
        trip();
      } catch (error) {
        throw new Problem(`cannot import: ${(error as Error).message}`);
      }
    };
    expect(judge(file, wrap).verdict).toBe("garbled");
    const wait = () => {
      const begin = process.cpuUsage();
      for (let spent = 0; spent < 2.1e6; ) {
        const { user, system } = process.cpuUsage(begin);
        spent = user + system;
      }
    };
    expect(judge(file, wait).verdict).toBe("slow");
    keep.length = 0;
    const { tally } = campaign(file, 200, 1, (bytes) => {
      importModel(bytes);
      trip();
    });
    expect(tally.crashed).toBeGreaterThan(20);
  });
});
