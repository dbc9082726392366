import fc from "fast-check";
import { gunzipSync, gzipSync } from "fflate";
import { expect, test } from "vitest";
import { crc32 } from "../../../src/data/crc32.ts";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { createGraph, input, output, parameter } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { locateFloats } from "../../../src/engine/onnx/float-data.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { conv, flatten, gemm, matmul, relu } from "../../../src/engine/operators/index.ts";
import { createSession } from "../../../src/engine/session.ts";
import { sizeOf, tensor } from "../../../src/engine/tensor.ts";
import { Problem } from "../../../src/problem.ts";
import { random } from "../../../src/random.ts";
import type { PackOptions } from "../../../src/sparsity/encoding/packed-model.ts";
import { isPacked, packModel, unpackModel } from "../../../src/sparsity/encoding/packed-model.ts";
import { createSparseSession } from "../../../src/sparsity/sparse/session.ts";

const rng = random(1);

/** Weights in runs of mean length 5, row-major, or columns of such runs. */
function clustered(rows: number, columns: number, density: number, turned = false): Float32Array {
  const data = new Float32Array(rows * columns);
  const [lines, length] = turned ? [columns, rows] : [rows, columns];
  let on = false;
  for (let line = 0; line < lines; line++)
    for (let i = 0; i < length; i++) {
      on = rng.uniform() < (on ? 0.8 : (0.2 * density) / (1 - density));
      if (on) data[turned ? i * columns + line : line * columns + i] = rng.normal();
    }
  return data;
}

function model(hidden: number): Uint8Array {
  const graph = createGraph("net");
  const x = input(graph, "x", [2, 1, 8, 8]);
  const weights = (name: string, shape: number[], data: Float32Array) =>
    parameter(graph, name, tensor("float32", shape, data));
  const c = relu(conv(x, weights("conv.weight", [8, 1, 3, 3], clustered(8, 9, 0.5)), { pads: 1 }));
  const h = gemm(flatten(c), weights("fc.weight", [hidden, 512], clustered(hidden, 512, 0.1)), {
    transB: true,
    c: weights(
      "fc.bias",
      [hidden],
      Float32Array.from({ length: hidden }, () => rng.normal()),
    ),
  });
  output(matmul(relu(h), weights("out.weight", [hidden, 30], clustered(hidden, 30, 0.2, true))));
  return exportModel(graph, { metadata: { note: "kept" } });
}

const onnx = model(40);

test("a model comes back byte for byte, and its bits are those that the parts report", () => {
  const { bytes, tensors, restBytes } = packModel(onnx);
  expect(unpackModel(bytes)).toEqual(onnx);
  expect(isPacked(bytes)).toBe(true);
  expect(isPacked(onnx)).toBe(false);
  const inFile = tensors.reduce((sum, t) => sum + Math.ceil((t.indexBits + t.valueBits) / 8), 0);
  expect(restBytes + inFile).toBe(bytes.length);
  const named = (name: string) => tensors.find((t) => t.name === name);
  expect(named("out.weight")).toMatchObject({ turned: true, index: "adaptive", values: "floats" });
  expect(named("fc.weight")).toMatchObject({ turned: false, index: "adaptive", error: 0 });
  for (const { index, indexBits, indexBitsBy: by } of tensors)
    if (index === "adaptive") expect(indexBits).toBeLessThan(Math.min(by.runs, by.bitmap));
    else expect([index, indexBits]).toEqual([index, by[index]]);
});

test("bytes in a Buffer, whose slices share memory, make the same file", () => {
  expect(packModel(Buffer.from(onnx)).bytes).toEqual(packModel(onnx).bytes);
});

/** A linear layer with these weights, [inputs, outputs]. */
function linear(inputs: number, weights: Float32Array): Uint8Array {
  const graph = createGraph("linear");
  const x = input(graph, "x", [1, inputs]);
  const shape = [inputs, weights.length / inputs];
  output(matmul(x, parameter(graph, "weight", tensor("float32", shape, weights))));
  return exportModel(graph);
}

test("weights that repeat themselves stay with gzip, and are named, in a small tensor and a large one", () => {
  const line = Float32Array.from({ length: 400 }, () => rng.normal());
  for (const lines of [30, 500]) {
    const repeated = linear(
      lines,
      Float32Array.from({ length: 400 * lines }, (_, i) => line[i % 400]),
    );
    const { bytes, unpacked, tensors } = packModel(repeated);
    expect([unpacked, tensors]).toEqual([["weight"], []]);
    // toEqual would take seconds for so many bytes.
    expect(Buffer.compare(unpackModel(bytes), repeated)).toBe(0);
  }
  expect(packModel(onnx).unpacked).toEqual([]);
});

test("full weights take their fractions, and the entropy of signs and exponents", () => {
  const count = 40_000;
  const weights = Float32Array.from({ length: count }, () => rng.normal());
  const file = linear(200, weights);
  const { bytes, tensors } = packModel(file);
  expect(unpackModel(bytes)).toEqual(file);
  const counts = new Map<number, number>();
  for (const p of new Uint32Array(weights.buffer)) counts.set(p >>> 23, (counts.get(p >>> 23) ?? 0) + 1);
  const entropy = [...counts.values()].reduce((sum, n) => sum - n * Math.log2(n / count), 0);
  expect(tensors[0].valueBits).toBeGreaterThan(23 * count + 0.99 * entropy);
  expect(tensors[0].valueBits).toBeLessThan(23 * count + 1.01 * entropy);
  expect(bytes.length).toBeLessThan(0.92 * gzipSync(file).length);
});

test("quantised weights: as many bits as asked for, biases four times as fine, packed again without loss", () => {
  const { bytes, tensors } = packModel(onnx, { bits: 4 });
  const back = unpackModel(bytes);
  expect(back).toHaveLength(onnx.length);
  const [before, after] = [onnx, back].map((file) => importModel(file));
  for (const { name, valueBits, nonZeros, error } of tensors.filter((t) => t.shape.length > 1)) {
    const was = before.parameters.get(name)!.data;
    expect(valueBits).toBeLessThanOrEqual(4 * was.filter((w) => w !== 0).length);
    const now = after.parameters.get(name)!.data;
    expect(now.filter((w) => w !== 0)).toHaveLength(nonZeros);
    const size = (v: Float32Array) => Math.hypot(...v);
    expect(size(was.map((w, i) => w - now[i])) / size(was)).toBeCloseTo(error, 5);
    expect(error).toBeLessThan(0.2);
  }
  const distinct = [...new Set(after.parameters.get("fc.weight")!.data)].sort((a, b) => a - b);
  const step = Math.min(...distinct.slice(1).map((w, i) => w - distinct[i]));
  const [was, now] = [before, after].map((model) => model.parameters.get("fc.bias")!.data);
  now.forEach((b, i) => {
    expect(Math.abs(b - was[i])).toBeLessThan(step / 8 + 1e-6);
    expect((4 * b) / step).toBeCloseTo(Math.round((4 * b) / step), 3);
  });
  expect(now).not.toEqual(was);
  const again = packModel(back);
  expect(unpackModel(again.bytes)).toEqual(back);
  expect(again.bytes.length).toBeLessThan(packModel(onnx).bytes.length / 2);
});

test("importing a packed model points to what unpacks it", () => {
  const { bytes } = packModel(onnx);
  expect(() => importModel(bytes)).toThrow(
    "a packed model (.flg), not an ONNX model; give importModel what unpackModel",
  );
  expect(importModel(unpackModel(bytes)).parameters.size).toBe(4);
});

test("steps by name, for these weights alone", () => {
  const { bytes, tensors } = packModel(onnx, { steps: new Map([["fc.weight", 0.25]]) });
  expect(tensors.filter((t) => t.error > 0).map((t) => [t.name, t.values])).toEqual([
    ["fc.weight", "multiples"],
    ["fc.bias", "multiples"],
  ]);
  // No float32: what comes back are multiples of what the file holds.
  const tenths = unpackModel(packModel(onnx, { steps: new Map([["fc.weight", 0.1]]) }).bytes);
  const step = Math.fround(0.1);
  for (const w of importModel(tenths).parameters.get("fc.weight")!.data)
    expect(w).toBe(Math.fround(Math.round(w / step) * step));
  const vector = packModel(onnx, { steps: new Map([["fc.bias", 0.5]]) });
  expect(vector.tensors.filter((t) => t.error > 0).map((t) => t.name)).toEqual(["fc.bias"]);
  const { data } = importModel(unpackModel(bytes)).parameters.get("fc.weight")!;
  expect(data.every((w) => Number.isInteger(4 * w))).toBe(true);
});

test.each<[PackOptions, RegExp]>([
  [{ steps: new Map([["fc.weight", -1]]) }, /the step of "fc.weight" is -1; give a number above 0/],
  [{ steps: new Map([["fc.weight", 0]]) }, /the step of "fc.weight" is 0/],
  [{ steps: new Map([["fc.weight", 1e-50]]) }, /the step of "fc.weight" is 1e-50/],
  [{ steps: new Map([["fc.weight", Number.NaN]]) }, /the step of "fc.weight" is NaN/],
  [{ steps: new Map([["fc1.weight", 1]]) }, /"fc1.weight", which is no .*; there are conv.weight, fc.weight/],
  [{ bits: 0 }, /a value of 0 bits/],
  [{ bits: -1 }, /a value of -1 bits/],
  [{ bits: Number.NaN }, /a value of NaN bits/],
])("%j are refused", (options, words) => {
  expect(() => packModel(onnx, options)).toThrow(words);
  expect(() => packModel(onnx, options)).toThrow(Problem);
});

test("what is unpacked runs, in ONNX Runtime and in the sparse kernels", async () => {
  const graph = importModel(unpackModel(packModel(onnx, { bits: 5 }).bytes), { batch: 2 });
  const x = tensor(
    "float32",
    [2, 1, 8, 8],
    Float32Array.from({ length: 128 }, () => rng.normal()),
  );
  const [name] = graph.outputs;
  const expected = evaluate(graph, { x: { shape: x.shape, data: Float64Array.from(x.data) } })[name].data;
  const session = await createSession(graph);
  const sparse = await createSparseSession(graph, { batch: 2, plan: "sparse" });
  for (const found of [await session.run({ x }), await sparse.run({ x })])
    expected.forEach((v, i) => expect(Math.abs(Number(found[name].data[i]) - v)).toBeLessThan(1e-4));
  await session.release();
  await sparse.release();
});

test("any bits of any matrix survive: NaNs, infinities, −0, denormals, few distinct values, none, all", () => {
  const special = [0, 0, 0, 1, 0x80000000, 0x7f800000, 0x7fc00001, 0xffffffff, 0x3f800000];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat(),
      fc.constantFrom("special", "uniform", "zero", "dense"),
      (rows, columns, seed, kind) => {
        const own = random(seed);
        const draw = () =>
          kind === "special"
            ? special[Math.floor(own.uniform() * special.length)]
            : kind === "zero"
              ? 0
              : kind === "uniform" && own.uniform() < 0.8
                ? 0
                : Math.floor(own.uniform() * 2 ** 32);
        const data = new Float32Array(Uint32Array.from({ length: rows * columns }, draw).buffer);
        const graph = createGraph("one");
        output(
          gemm(
            input(graph, "x", [1, columns]),
            parameter(graph, "w", tensor("float32", [rows, columns], data)),
            { transB: true },
          ),
        );
        const file = exportModel(graph);
        const { bytes } = packModel(file);
        expect(unpackModel(bytes)).toEqual(file);
        // Never much longer than the file's gzip: 12 bytes of head and 4 of checksum.
        expect(bytes.length).toBeLessThan(file.length + 100);
      },
    ),
    { numRuns: 150, seed: 1 },
  );
});

test("float data are found where protobuf has them, and weights in other files are refused", () => {
  const found = locateFloats(onnx);
  const graph = importModel(onnx);
  expect(found.map((f) => f.name)).toEqual(["conv.weight", "fc.weight", "fc.bias", "out.weight"]);
  for (const { name, shape, offset } of found)
    expect(new Float32Array(onnx.slice(offset, offset + 4 * sizeOf(shape)).buffer)).toEqual(
      graph.parameters.get(name)!.data,
    );
  // TensorProto { dims: 4, data_type: 1, name: "w", data_location: 1 } in a graph in a model.
  const stored = [8, 4, 16, 1, 66, 1, 119, 112, 1];
  const outside = Uint8Array.of(58, stored.length + 2, 42, stored.length, ...stored);
  expect(() => locateFloats(outside)).toThrow(/"w" lie in another file/);
});

/** With a checksum that is right again, so that damage reaches what lies behind it. */
function signed(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true);
  return bytes;
}

test("10,000 damaged files: one line that says so, soon, or a file that holds no more than it may", () => {
  const small = model(4);
  const seeds = [packModel(small).bytes, packModel(small, { bits: 3 }).bytes];
  const restEnd = (b: Uint8Array) => 12 + new DataView(b.buffer).getUint32(8, true);
  let [refused, slowest] = [0, 0];
  for (let i = 0; i < 10_000; i++) {
    const bytes = seeds[i % 2].slice(
      0,
      rng.uniform() < 0.1 ? 16 + Math.floor(rng.uniform() * seeds[i % 2].length) : undefined,
    );
    // Mostly in the tensors: gzip's own checksum catches the rest.
    const from = rng.uniform() < 0.8 ? Math.min(restEnd(seeds[i % 2]), bytes.length - 1) : 8;
    for (let k = 1 + Math.floor(rng.uniform() * 3); k > 0; k--) {
      const at = from + Math.floor(rng.uniform() ** 2 * (bytes.length - from));
      bytes[at] =
        rng.uniform() < 0.3 ? [0, 1, 127, 128, 255][Math.floor(rng.uniform() * 5)] : rng.uniform() * 256;
    }
    const start = process.cpuUsage();
    try {
      const out = unpackModel(signed(bytes));
      expect(out.length).toBeLessThanOrEqual(1033 * bytes.length);
    } catch (error) {
      expect(error).toBeInstanceOf(Problem);
      expect((error as Problem).message).not.toContain("\n");
      refused++;
    }
    slowest = Math.max(slowest, process.cpuUsage(start).user / 1000);
  }
  expect(refused).toBeGreaterThan(5000);
  expect(slowest, "milliseconds of one file").toBeLessThan(500);
});

test("damage that is not signed again is always noticed, and so are other files", () => {
  const { bytes } = packModel(onnx);
  for (let at = 0; at < bytes.length; at += 37) {
    const damaged = bytes.slice();
    damaged[at] ^= 1 << (at % 8);
    expect(() => unpackModel(damaged)).toThrow(Problem);
  }
  for (const other of [new Uint8Array(0), onnx, bytes.subarray(0, 100)])
    expect(() => unpackModel(other)).toThrow(Problem);
});

test("a file cannot ask for more memory than 1032 times its size", () => {
  const { bytes } = packModel(onnx);
  const end = 12 + new DataView(bytes.buffer).getUint32(8, true);
  expect(gunzipSync(bytes.subarray(12, end)).length).toBeGreaterThan(0);
  // One tensor of 2^20 × 2^10 in one byte.
  const tensorOf = Uint8Array.of(0, 0x80, 0x80, 0x40, 0x80, 8, 0, 1, 0xff);
  const lie = new Uint8Array(end + tensorOf.length + 4);
  lie.set(bytes.subarray(0, end));
  lie.set(tensorOf, end);
  expect(() => unpackModel(signed(lie))).toThrow(/1 bytes cannot hold 1048576 × 1024 weights/);
});
