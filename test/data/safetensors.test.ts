import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSafetensors, writeSafetensors } from "../../src/data/safetensors.ts";
import { DTYPES, fromNumbers, type Tensor } from "../../src/engine/tensor.ts";
import vectors from "../vectors/safetensors-file.json" with { type: "json" };
import { expectProblem, fromBase64, hasSharedData, SHARED_DATA } from "./support.ts";

/** A safetensors file with any header and `size` zero bytes of data. */
function file(header: unknown, size: number, stated?: number): Uint8Array {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(stated ?? text.length));
  return new Uint8Array(Buffer.concat([length, text, Buffer.alloc(size)]));
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

const all = new Map<string, Tensor>(
  DTYPES.map((dtype) => [dtype, { dtype, shape: [1, 3], data: fromNumbers(dtype, [0, 1, 1]) }]),
);

describe("readSafetensors", () => {
  it("reads the file of the reference implementation", () => {
    const { tensors, metadata } = readSafetensors(fromBase64(vectors.base64));
    expect(metadata).toEqual({ format: "np", note: 'ä "quoted"' });
    const values = (name: string) => [...tensors.get(name)!.data];
    expect(tensors.get("f32")).toEqual({
      dtype: "float32",
      shape: [2, 3],
      data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25),
    });
    expect(values("f64")).toEqual([1 / 3]);
    expect(values("half")).toEqual([...vectors.half, Number.POSITIVE_INFINITY]);
    expect(values("i64")).toEqual([-(2n ** 63n), 5n]);
    expect(values("u64")).toEqual([2n ** 64n - 1n]);
    expect(["i32", "i16", "i8", "u8", "u16", "u32", "flag"].map(values)).toEqual([
      [7],
      [-3],
      [-1, 2, 3],
      [255],
      [65535],
      [2 ** 32 - 1],
      [1, 0],
    ]);
    expect(tensors.get("flag")!.dtype).toBe("bool");
    expect(tensors.get("scalar")).toEqual({ dtype: "float32", shape: [], data: Float32Array.of(2.5) });
    expect(tensors.get("empty")!.shape).toEqual([0, 3]);
  });

  it("reads from any offset of a Buffer", () => {
    const bytes = writeSafetensors(all);
    for (let offset = 0; offset < 8; offset++) {
      const around = Buffer.alloc(bytes.length + 8);
      around.set(bytes, offset);
      const read = readSafetensors(around.subarray(offset, offset + bytes.length)).tensors;
      expect(Object.fromEntries(read)).toEqual(Object.fromEntries(all));
    }
  });

  it("widens bfloat16: the upper half of a float32", () => {
    const bytes = file({ x: { dtype: "BF16", shape: [3], data_offsets: [0, 6] } }, 6);
    // 1.0 = 0x3f800000, −2.5 = 0xc0200000, 3.140625 = 0x40490000
    bytes.set([0x80, 0x3f, 0x20, 0xc0, 0x49, 0x40], bytes.length - 6);
    expect([...readSafetensors(bytes).tensors.get("x")!.data]).toEqual([1, -2.5, 3.140625]);
  });

  it("keeps names that mean something to JavaScript", () => {
    const { tensors } = readSafetensors(
      file('{"__proto__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', 2),
    );
    expect([...tensors.keys()]).toEqual(["__proto__"]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["a hole", file({ a: f32(0, 4), b: f32(8, 12) }, 12), /"b" begins at byte 8.*ends at 4/],
    ["a hole at the start", file({ a: f32(4, 8) }, 8), /"a" begins at byte 4/],
    ["an overlap", file({ a: f32(0, 8), b: f32(4, 12) }, 12), /"b" begins at byte 4.*ends at 8/],
    ["data beyond the file", file({ a: f32(0, 400) }, 12), /"a" ends at byte 400.*12 bytes/],
    ["an end before its begin", file({ a: f32(0, 4), b: f32(4, 0, []) }, 4), /"b" ends at byte 0/],
    ["bytes of no tensor", file({ a: f32(0, 4) }, 12), /8 bytes after the last tensor/],
    [
      "a name given twice",
      file(`{"a":${JSON.stringify(f32(0, 4))},"a":${JSON.stringify(f32(4, 8))}}`, 8),
      /byte 4/,
    ],
    ["a shape that needs more", file({ a: f32(0, 8, [3]) }, 8), /"a".*\[3\].*takes.*there are 8/],
    ["huge dimensions", file({ a: f32(0, 8, [2 ** 40, 2 ** 40]) }, 8), /takes more than 8/],
    ["an unknown type", file({ a: { ...f32(0, 4), dtype: "F8_E4M3" } }, 4), /"a" has the type F8_E4M3/],
    ["a negative offset", file({ a: f32(-4, 0) }, 0), /non-negative/],
    ["a fractional dimension", file({ a: f32(0, 4, [0.5]) }, 4), /no shape/],
    ["no dtype", file({ a: { shape: [], data_offsets: [0, 4] } }, 4), /no dtype/],
    ["a tensor that is a number", file({ a: 3 }, 0), /no description/],
    ["metadata that are not strings", file({ __metadata__: { a: 1 } }, 0), /__metadata__/],
    ["a header that is a list", file([], 0), /not a JSON object/],
    ["a header that is no JSON", file("{", 0), /not JSON/],
    ["deep nesting", file("[".repeat(100_000), 0), /not JSON/],
    [
      "a boolean of 7",
      file({ a: { dtype: "BOOL", shape: [1], data_offsets: [0, 1] } }, 1).fill(7, -1),
      /value 7/,
    ],
    ["a header longer than the file", file({}, 4, 1000), /header of 1000 bytes, but 6 follow/],
    ["a header of 2^63 bytes", new Uint8Array(16).fill(0x80, 7, 8), /states a header of 9223372036854775808/],
    ["seven bytes", new Uint8Array(7), /too few/],
  ])("refuses %s", (_, bytes, message) => {
    expectProblem(() => readSafetensors(bytes, "m.safetensors"), message);
    expectProblem(() => readSafetensors(bytes, "m.safetensors"), /^m\.safetensors: /);
  });

  it.runIf(hasSharedData)("reads trained networks of other tools", () => {
    const read = (name: string) =>
      readSafetensors(readFileSync(join(SHARED_DATA, "models/safetensors", name)), name).tensors;
    expect(read("mnist_mlp.safetensors").get("0.0.weight")!.shape).toEqual([512, 784]);
    const types = new Set([...read("mnist_cnn.safetensors").values()].map((t) => t.dtype));
    expect([...types].sort()).toEqual(["float32", "int64"]);
  });
});

describe("writeSafetensors", () => {
  it("is read back unchanged, metadata too", () => {
    const metadata = { step: "12", é: '"\n' };
    const read = readSafetensors(writeSafetensors(all, metadata));
    expect(read.metadata).toEqual(metadata);
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...all].sort()));
  });

  it("gives the same bytes whatever the order of tensors and metadata", () => {
    const bytes = writeSafetensors(all, { a: "1", b: "2" });
    expect(writeSafetensors(new Map([...all].reverse()), { b: "2", a: "1" })).toEqual(bytes);
    expect(writeSafetensors(all, { a: "1", b: "3" })).not.toEqual(bytes);
  });

  it("aligns every tensor to its elements, so that reading copies nothing", () => {
    const bytes = writeSafetensors(all);
    for (const { data } of readSafetensors(bytes).tensors.values()) expect(data.buffer).toBe(bytes.buffer);
  });

  it("writes nothing as an empty header", () => {
    expect(readSafetensors(writeSafetensors(new Map()))).toEqual({ tensors: new Map(), metadata: {} });
  });
});
