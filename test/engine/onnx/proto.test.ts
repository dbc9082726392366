import { PbfWriter } from "pbf";
import { describe, expect, it } from "vitest";
import { decodeModel, decodeTensor, encodeModel, encodeTensor } from "../../../src/engine/onnx/proto.ts";
import { tensor } from "../../../src/engine/tensor.ts";
import { Problem } from "../../../src/problem.ts";
import { smallModel } from "./small-model.ts";

/** The bytes of a message, written by hand. */
function message(write: (pbf: PbfWriter) => void): Uint8Array {
  const pbf = new PbfWriter();
  write(pbf);
  return pbf.finish().slice();
}
function tensorBytes(dims: number[], code: number, write: (pbf: PbfWriter) => void): Uint8Array {
  return message((pbf) => {
    for (const dim of dims) pbf.writeVarintField(1, dim);
    pbf.writeVarintField(2, code);
    write(pbf);
  });
}
function modelBytes(writeGraph: (pbf: PbfWriter) => void): Uint8Array {
  return message((pbf) => {
    pbf.writeVarintField(1, 8);
    pbf.writeMessage(7, (_, p) => writeGraph(p), undefined);
  });
}
function nodeBytes(writeAttribute: (pbf: PbfWriter) => void): Uint8Array {
  return modelBytes((graph) =>
    graph.writeMessage(
      1,
      (_, node) => {
        node.writeStringField(4, "Slice");
        node.writeMessage(5, (_, p) => writeAttribute(p), undefined);
      },
      undefined,
    ),
  );
}
const attribute = (write: (pbf: PbfWriter) => void) =>
  decodeModel(nodeBytes(write)).graph.nodes[0].attributes[0];
const hex = (text: string) => new Uint8Array(text.split(" ").map((byte) => Number.parseInt(byte, 16)));
const dataOf = (bytes: Uint8Array) => decodeTensor(bytes).tensor.data;

describe("tensors", () => {
  it("are written as protobuf's encoding rules say, byte by byte", () => {
    const bytes = encodeTensor({ name: "ab", tensor: tensor("int16", [2, 1], [1, -2]) });
    // dims = 2, 1 (field 1), data_type = INT16 (field 2), name (field 8), raw_data (field 9)
    expect(bytes).toEqual(hex("08 02 08 01 10 05 42 02 61 62 4a 04 01 00 fe ff"));
  });

  it("are read from each typed field, packed or not", () => {
    const bits = [0x3c00, 0x0001, 0xfc00, 0x7bff, 0x8000];
    const floats = tensorBytes([3], 1, (p) => p.writePackedFloat(4, [1.5, -2, 0.25]));
    expect(dataOf(floats)).toEqual(new Float32Array([1.5, -2, 0.25]));
    const apart = tensorBytes([3], 1, (p) => {
      p.writeFloatField(4, 1.5);
      p.writePackedFloat(4, [-2, 0.25]);
    });
    expect(dataOf(apart)).toEqual(new Float32Array([1.5, -2, 0.25]));
    const doubles = tensorBytes([2], 11, (p) => p.writePackedDouble(10, [Math.PI, -0]));
    expect(dataOf(doubles)).toEqual(new Float64Array([Math.PI, -0]));
    const int32 = tensorBytes([2], 6, (p) => p.writePackedVarint(5, [-5, 2 ** 31 - 1]));
    expect(dataOf(int32)).toEqual(new Int32Array([-5, 2 ** 31 - 1]));
    const uint32 = tensorBytes([1], 12, (p) => p.writeVarintField(11, 2 ** 32 - 1));
    expect(dataOf(uint32)).toEqual(new Uint32Array([2 ** 32 - 1]));
    const bool = tensorBytes([2], 9, (p) => p.writePackedVarint(5, [1, 0]));
    expect(dataOf(bool)).toEqual(new Uint8Array([1, 0]));
    // IEEE 754: 1, the smallest subnormal, −∞, the largest finite number, −0
    const half = tensorBytes([5], 10, (p) => p.writePackedVarint(5, bits));
    expect(dataOf(half)).toEqual(new Float32Array([1, 2 ** -24, Number.NEGATIVE_INFINITY, 65504, -0]));
    const brain = tensorBytes([2], 16, (p) => p.writeBytesField(9, hex("80 3f 49 c0")));
    expect(dataOf(brain)).toEqual(new Float32Array([1, -3.140625]));
  });

  it("keep all 64 bits of an integer", () => {
    const least = "80 80 80 80 80 80 80 80 80 01";
    const most = "ff ff ff ff ff ff ff ff 7f";
    const all = "ff ff ff ff ff ff ff ff ff 01";
    const odd = "81 80 80 80 80 80 80 10"; // 2^53 + 1, which no JavaScript number is
    const signed = dataOf(hex(`08 04 10 07 3a 25 ${least} ${most} ${all} ${odd}`));
    expect(signed).toEqual(new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n, -1n, 2n ** 53n + 1n]));
    expect(dataOf(hex(`10 0d 5a 0a ${all}`))).toEqual(new BigUint64Array([2n ** 64n - 1n]));
  });

  it("view the file where alignment permits and copy elsewhere, from a Buffer too", () => {
    const bytes = encodeTensor({ name: "", tensor: tensor("float32", [2], [1, 2]) });
    const offset = bytes.length - 8;
    for (const shift of [0, 1, 2, 3]) {
      const room = Buffer.from(new ArrayBuffer(64));
      room.set(bytes, shift);
      const { data } = decodeTensor(room.subarray(shift, shift + bytes.length)).tensor;
      expect(data).toEqual(new Float32Array([1, 2]));
      expect(data.buffer === room.buffer).toBe((offset + shift) % 4 === 0);
    }
  });

  it.each([
    [
      "too few elements",
      tensorBytes([3], 1, (p) => p.writePackedFloat(4, [1])),
      /float_data.*takes 3 elements.* 1$/,
    ],
    ["no data at all", tensorBytes([2 ** 40], 1, () => {}), /takes 1099511627776 elements/],
    [
      "raw data of another size",
      tensorBytes([2], 1, (p) => p.writeBytesField(9, hex("0 0"))),
      /8 bytes, found 2/,
    ],
    ["a negative dimension", tensorBytes([-1, 0], 1, () => {}), /dims.*dimension of -1/],
    ["too many elements to count", tensorBytes([2 ** 40, 2 ** 40, 0], 1, () => {}), /more than 2\^53/],
    [
      "data twice",
      tensorBytes([1], 1, (p) => {
        p.writeFloatField(4, 1);
        p.writeBytesField(9, hex("0 0 0 0"));
      }),
      /twice/,
    ],
    ["a value out of range", tensorBytes([1], 2, (p) => p.writeVarintField(5, 256)), /256 is no uint8/],
    ["a raw bool of 2", tensorBytes([1], 9, (p) => p.writeBytesField(9, hex("2"))), /bool/],
    ["text", tensorBytes([1], 8, (p) => p.writeStringField(6, "a")), /type STRING/],
    ["complex numbers", tensorBytes([0], 14, () => {}), /type COMPLEX64/],
    ["float8", tensorBytes([0], 17, () => {}), /type FLOAT8E4M3FN,/],
    ["int4", tensorBytes([0], 22, () => {}), /type INT4/],
    ["an unknown type", tensorBytes([0], 99, () => {}), /data type 99/],
    ["an empty file", hex("08 00"), /type UNDEFINED/],
    [
      "an integer of 11 bytes",
      hex("08 ff ff ff ff ff ff ff ff ff ff 01"),
      /dims \(byte 0\): an integer of more than 10/,
    ],
    ["an integer that is cut off", hex("08 ff ff"), /dims.*cut off/],
    ["a length beyond the end", hex("10 01 4a 05 00"), /raw_data \(byte 2\): needs 5 bytes.* ends after 1$/],
    ["a length of 2^64 − 1", hex("4a ff ff ff ff ff ff ff ff ff 01"), /raw_data.*length/],
    ["the wrong layout", hex("0d 00 00 00 00"), /dims/],
    ["half a float", hex("22 03 00 00 00"), /float_data.*3 bytes/],
    ["a group", hex("0b 0c"), /unknown layout|dims/],
  ])("with %s are a Problem", (_, bytes, text) => {
    expect(() => decodeTensor(bytes)).toThrow(Problem);
    expect(() => decodeTensor(bytes)).toThrow(text);
  });

  describe("in other files", () => {
    const outside = (entries: Record<string, string>) =>
      tensorBytes([2], 6, (p) => {
        p.writeVarintField(14, 1);
        for (const entry of Object.entries(entries))
          p.writeMessage(
            13,
            ([key, value], q) => {
              q.writeStringField(1, key);
              q.writeStringField(2, value);
            },
            entry,
          );
      });

    it("are fetched through the callback", () => {
      const bytes = outside({ location: "weights/a.bin", offset: "16", length: "8" });
      const asked: unknown[] = [];
      const external = (...request: unknown[]) => {
        asked.push(request);
        return Buffer.from(hex("0 7 0 0 0 9 0 0 0").buffer, 1);
      };
      expect(decodeTensor(bytes, { external }).tensor.data).toEqual(new Int32Array([7, 9]));
      expect(asked).toEqual([["weights/a.bin", 16, 8]]);
      expect(() => decodeTensor(bytes)).toThrow(/"weights\/a.bin".*one file/);
      expect(() => decodeTensor(bytes, { external: () => new Uint8Array(7) })).toThrow(/8 bytes, found 7/);
    });

    it.each(["/etc/passwd", "../a", "a/../../b", "a\\..\\b", "C:\\a", ""])(
      "are not sought at %j",
      (location) => {
        const external = () => new Uint8Array(8);
        expect(() => decodeTensor(outside({ location }), { external })).toThrow(/below the model's folder/);
        expect(decodeTensor(outside({ location: "a..b/c" }), { external }).tensor.shape).toEqual([2]);
      },
    );

    it("need numbers that fit the shape", () => {
      const external = () => new Uint8Array(8);
      for (const [key, value] of [
        ["offset", "-1"],
        ["offset", "x"],
        ["length", "9"],
        ["length", "1e99"],
      ])
        expect(() => decodeTensor(outside({ location: "a", [key]: value }), { external })).toThrow(Problem);
    });
  });
});

describe("models", () => {
  it("come back from encoding as they were, in the same bytes", () => {
    const bytes = encodeModel(smallModel());
    expect(decodeModel(bytes)).toEqual(smallModel());
    expect(encodeModel(decodeModel(bytes))).toEqual(bytes);
  });

  it("keep names that JavaScript objects are touchy about, and byte order marks", () => {
    const model = smallModel();
    model.metadata = Object.fromEntries([
      ["__proto__", "a"],
      ["constructor", "\ufeffb with a mark"],
    ]);
    expect(Object.entries(decodeModel(encodeModel(model)).metadata)).toEqual(Object.entries(model.metadata));
  });

  it("may nest graphs, but not without end", () => {
    const nested = (depth: number) => {
      const model = smallModel();
      const { graph } = model;
      for (let i = 0; i < depth; i++) {
        const inner = { ...graph, nodes: [...graph.nodes] };
        graph.nodes = [
          {
            opType: "If",
            domain: "",
            name: "",
            inputs: [],
            outputs: [],
            attributes: [{ name: "g", type: "graph", value: inner }],
          },
        ];
      }
      return encodeModel(model);
    };
    expect(decodeModel(nested(30)).graph.nodes).toHaveLength(1);
    expect(() => decodeModel(nested(40))).toThrow(/nested more than 32 deep/);
  });

  it("without a graph, or of another kind, are said to be no ONNX model", () => {
    const png = hex("89 50 4e 47 0d 0a 1a 0a 00 00 00 0d 49 48 44 52 00 00 00 01 00 00 00 01 08 06 00 00 00");
    const text = new TextEncoder().encode('{"this": "is a JSON file and not a model"}');
    const untold = message((p) => p.writeVarintField(1, 8));
    for (const bytes of [png, text, untold, new Uint8Array(0), new TextEncoder().encode("PK\x03\x04zip")])
      expect(() => decodeModel(bytes)).toThrow(/^not an ONNX model/);
    expect(decodeModel(modelBytes(() => {})).graph.nodes).toEqual([]);
    expect(() => decodeModel(message((p) => p.writeMessage(7, () => {}, 0)))).toThrow(/ir_version/);
  });

  it("say where they are damaged", () => {
    const bytes = encodeModel(smallModel());
    const at = new TextDecoder("latin1").decode(bytes).indexOf("transB") - 1;
    const damaged = bytes.slice();
    damaged[at] = 0x7f;
    const tag = at - 1;
    expect(() => decodeModel(damaged)).toThrow(
      `graph.node[0].attribute[1].name (byte ${tag}): needs 127 bytes`,
    );
    expect(decodeModel(bytes).graph.name).toBe("small");
  });

  it("with what was not read cannot be written", () => {
    const model = smallModel();
    const { graph } = model;
    const odd: [Partial<typeof model>, RegExp][] = [
      [{ functions: [{ name: "f", domain: "d" }] }, /function "f"/],
      [{ graph: { ...graph, sparseInitializers: 1 } }, /sparse/],
      [
        { graph: { ...graph, inputs: [{ name: "s", type: { kind: "other", what: "sequence" } }] } },
        /"s".*sequence/,
      ],
      [
        {
          graph: {
            ...graph,
            nodes: [{ ...graph.nodes[0], attributes: [{ name: "t", type: "unsupported", kind: 13 }] }],
          },
        },
        /"first" \(Gemm\).*"t"/,
      ],
      [
        {
          graph: {
            ...graph,
            inputs: [{ name: "s", type: { kind: "tensor", dtype: { unsupported: "data type 99" } } }],
          },
        },
        /data type 99/,
      ],
    ];
    for (const [change, text] of odd) expect(() => encodeModel({ ...model, ...change })).toThrow(text);
    const half = { name: "s", type: { kind: "tensor", dtype: { unsupported: "FLOAT16" } } } as const;
    const kept = decodeModel(encodeModel({ ...model, graph: { ...graph, inputs: [half] } }));
    expect(kept.graph.inputs).toEqual([half]);
  });
});

describe("attributes", () => {
  it("default to zero or nothing where the value is missing, as writers of proto3 leave it", () => {
    const bare = (type: number) =>
      attribute((p) => {
        p.writeStringField(1, "a");
        p.writeVarintField(20, type);
      });
    expect(bare(1)).toEqual({ name: "a", type: "float", value: 0 });
    expect(bare(2)).toEqual({ name: "a", type: "int", value: 0 });
    expect(bare(3)).toEqual({ name: "a", type: "string", value: "" });
    expect(bare(7)).toEqual({ name: "a", type: "ints", value: [] });
    expect(() => bare(4)).toThrow(/attribute "a" is empty/);
  });

  it("without a type are of the type of their only value (IR version 1)", () => {
    expect(attribute((p) => p.writePackedVarint(8, [3, -4]))).toEqual({
      name: "",
      type: "ints",
      value: [3, -4],
    });
    expect(attribute((p) => p.writeStringField(4, "VALID"))).toEqual({
      name: "",
      type: "string",
      value: "VALID",
    });
  });

  it("with two values, or a value of another type, are a Problem", () => {
    const two = () =>
      attribute((p) => {
        p.writeFloatField(2, 1);
        p.writeVarintField(3, 1);
        p.writeVarintField(20, 1);
      });
    expect(two).toThrow(/of type 1 has a value in field 3/);
  });

  it("that cannot be read are unsupported, each by its kind", () => {
    const bytes = attribute((p) => {
      p.writeBytesField(4, hex("ff fe"));
      p.writeVarintField(20, 3);
    });
    expect(bytes).toEqual({ name: "", type: "unsupported", kind: 3 });
    const type = attribute((p) => {
      p.writeBytesField(14, hex("0a 00"));
      p.writeVarintField(20, 13);
    });
    expect(type).toEqual({ name: "", type: "unsupported", kind: 13 });
    const reference = attribute((p) => {
      p.writeVarintField(20, 2);
      p.writeStringField(21, "outer");
    });
    expect(reference).toEqual({ name: "", type: "unsupported", kind: 2 });
  });

  it("hold integers up to 2^53, and the largest and smallest int64 for Slice", () => {
    const ints = (bytes: string) =>
      attribute((p) => {
        p.writeBytesField(8, hex(bytes));
        p.writeVarintField(20, 7);
      });
    const least = "80 80 80 80 80 80 80 80 80 01";
    const most = "ff ff ff ff ff ff ff ff 7f";
    expect(ints(`${most} ${least} ff ff ff ff ff ff ff 0f`)).toMatchObject({
      value: [2 ** 63, -(2 ** 63), Number.MAX_SAFE_INTEGER],
    });
    for (const near of [
      "fe ff ff ff ff ff ff ff 7f",
      "81 80 80 80 80 80 80 80 80 01",
      "80 80 80 80 80 80 80 10",
    ])
      expect(() => ints(near)).toThrow(/53 bits/);
    const model = smallModel();
    model.graph.nodes[0].attributes = [{ name: "ends", type: "ints", value: [2 ** 63] }];
    const written = encodeModel(model);
    const at = new TextDecoder("latin1").decode(written).indexOf("ends") + 4;
    expect(written.slice(at, at + 10)).toEqual(hex(`40 ${most}`));
  });
});
