import { describe, expect, it } from "vitest";
import { readNpy, writeNpy } from "../../src/data/npy.ts";
import { readNpz, writeNpz } from "../../src/data/npz.ts";
import { DTYPES, fromNumbers, type Tensor } from "../../src/engine/tensor.ts";
import vectors from "../vectors/numpy-files.json" with { type: "json" };
import { expectProblem, fromBase64 } from "./support.ts";

/** A .npy file of version 1 with any header, aligned or not. */
function npy(header: string, body: number[] = []): Uint8Array {
  const text = `\x93NUMPY\x01\x00${String.fromCharCode(header.length & 255, header.length >> 8)}${header}`;
  return Uint8Array.from([...[...text].map((c) => c.charCodeAt(0)), ...body]);
}

const plain = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n";

describe("readNpy", () => {
  it.each(vectors.cases)("reads NumPy's $name", ({ base64, shape, values }) => {
    const read = readNpy(fromBase64(base64));
    expect(read.shape).toEqual(shape);
    expect([...read.data].map((v) => (typeof values[0] === "string" ? `${v}` : v))).toEqual(values);
  });

  it("gives every NumPy type the type of the same name, and float16 as float32", () => {
    const dtypes = new Set(vectors.cases.map(({ base64 }) => readNpy(fromBase64(base64)).dtype));
    expect([...dtypes].sort()).toEqual([...DTYPES].sort());
  });

  it.each([
    ["objects", /'\|O' \(Python objects\)/],
    ["structured", /structured array/],
    ["strings", /'<U2' \(strings\)/],
    ["complex", /'<c8' \(complex/],
    ["dates", /'<M8\[s\]' \(dates\)/],
    ["byte strings", /'\|S1' \(byte strings\)/],
    ["longdouble", /'<f16' is not read/],
  ])("refuses %s by name", (name, message) => {
    const { base64 } = vectors.refused.find((r) => r.name === name)!;
    expectProblem(() => readNpy(fromBase64(base64), "x.npy"), message);
  });

  it("reads the long integers of Python 2 and keys in any order", () => {
    const header = "{'shape': (2L,), \"fortran_order\": False, 'descr': '<i2'}";
    expect([...readNpy(npy(header, [1, 0, 2, 0])).data]).toEqual([1, 2]);
  });

  it("reads from any offset of a Buffer", () => {
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    const bytes = npy(header, [0, 0, 128, 63, 0, 0, 0, 64]);
    for (let offset = 0; offset < 4; offset++) {
      const around = Buffer.alloc(bytes.length + 4);
      around.set(bytes, offset);
      expect([...readNpy(around.subarray(offset, offset + bytes.length)).data]).toEqual([1, 2]);
    }
  });

  it("names what is wrong", () => {
    expect([...readNpy(npy(plain, [1, 0, 2, 0])).data]).toEqual([1, 2]);
    expectProblem(() => readNpy(npy(plain, [1, 0, 2]), "x.npy"), /x\.npy.*\[2\].*takes.*there are 3/);
    expectProblem(() => readNpy(npy(plain, [1, 0, 2, 0, 9])), /takes 4 bytes, but there are 5/);
    expectProblem(() => readNpy(npy(plain.replace("(2,)", "(-2,)"))), /no usable 'shape'/);
    expectProblem(() => readNpy(npy(plain.replace("(2,)", "(2 3,)"))), /not a list of dimensions/);
    expectProblem(() => readNpy(npy(plain.replace("(2,)", "(1e9,)"))), /no usable 'shape'/);
    expectProblem(() => readNpy(npy(plain.replace("(2,)", `(${"9".repeat(40)},)`))), /not a list/);
    expectProblem(() => readNpy(npy(plain.replace("(2,)", "(4000000000,4000000000)"))), /takes more than/);
    expectProblem(() => readNpy(npy(plain.replace("'shape'", "'sharp'"))), /no usable 'shape'/);
    expectProblem(() => readNpy(npy(plain.replace("}", "'more': 1}"))), /more than descr/);
    expectProblem(() => readNpy(npy(plain).subarray(0, 30)), /states a header of 58 bytes, but only 20/);
    expectProblem(() => readNpy(new Uint8Array(100)), /NUMPY/);
    expectProblem(
      () => readNpy(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }", [2])),
      /value 2/,
    );
  });
});

describe("writeNpy", () => {
  const canonical = vectors.cases.filter((c) => !c.fortran && !/>|f2|version/.test(`${c.descr}${c.name}`));

  it.each(canonical)("writes the same bytes as NumPy: $name", ({ base64 }) => {
    const bytes = fromBase64(base64);
    expect(writeNpy(readNpy(bytes))).toEqual(bytes);
  });
});

describe("npz", () => {
  it.each(["stored", "deflated"] as const)("reads NumPy's %s archive", (kind) => {
    const arrays = readNpz(fromBase64(vectors.npz[kind]));
    expect([...arrays.keys()]).toEqual(["a", "b", "zeros"]);
    expect(arrays.get("a")).toEqual({
      dtype: "float32",
      shape: [3, 4],
      data: Float32Array.from({ length: 12 }, (_, i) => i),
    });
    expect([...arrays.get("b")!.data]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(arrays.get("zeros")!.data.length).toBe(300);
  });

  const tensors = new Map<string, Tensor>(
    DTYPES.map((dtype) => [dtype, { dtype, shape: [2, 2], data: fromNumbers(dtype, [0, 1, 1, 0]) }]),
  );

  it.each([true, false])("reads back what it writes, the same bytes every time (compress %s)", (compress) => {
    const bytes = writeNpz(tensors, { compress });
    expect(readNpz(bytes)).toEqual(tensors);
    expect(writeNpz(tensors, { compress })).toEqual(bytes);
  });

  it("reads a stored archive from any offset of a Buffer", () => {
    const bytes = writeNpz(tensors, { compress: false });
    for (let offset = 0; offset < 8; offset++) {
      const around = Buffer.alloc(bytes.length + 8);
      around.set(bytes, offset);
      expect(readNpz(around.subarray(offset, offset + bytes.length))).toEqual(tensors);
    }
  });

  it("names the entry that is damaged", () => {
    const bytes = writeNpz(tensors, { compress: false });
    const damaged = bytes.slice();
    damaged[Buffer.from(bytes).indexOf("int32.npy") + 60] ^= 1;
    expectProblem(() => readNpz(damaged, "x.npz"), /x\.npz: int32\.npy.*CRC-32/);
    expectProblem(() => readNpz(bytes.subarray(0, -30), "x.npz"), /x\.npz.*end is missing/);
  });

  it("refuses entries that share their data, as in archives that unfold without end", () => {
    const bytes = writeNpz(new Map([["a", { dtype: "uint8", shape: [1000], data: new Uint8Array(1000) }]]), {
      compress: false,
    });
    const directory = Buffer.from(bytes).indexOf("PK\x01\x02");
    const end = Buffer.from(bytes).indexOf("PK\x05\x06");
    const entries = ["a", "b"].map((name) => {
      const entry = bytes.slice(directory, end);
      entry[46] = name.charCodeAt(0);
      return entry;
    });
    const archive = (count: number) => {
      const tail = bytes.slice(end);
      new DataView(tail.buffer).setUint16(10, count, true);
      return Buffer.concat([bytes.subarray(0, directory), ...entries.slice(0, count), tail]);
    };
    expect([...readNpz(archive(1)).keys()]).toEqual(["a"]);
    expectProblem(() => readNpz(archive(2)), /entries overlap/);
  });
});
