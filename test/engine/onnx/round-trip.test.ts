import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type AttributeProto,
  decodeModel,
  encodeModel,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "../../../src/engine/onnx/proto.ts";
import { allocate, bytesPerElement, DTYPES, sizeOf, viewAs } from "../../../src/engine/tensor.ts";

const text = fc.string({ unit: "binary", maxLength: 20 });
const name = fc.string({ unit: "binary", minLength: 1, maxLength: 200 });
const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 4 });
// −0 is no int64; 2^63 and −2^63 are the two values beyond 53 bits that are allowed.
const int = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -1, 127, 128, 2 ** 63, -(2 ** 63)));
const float = fc.float();

const tensor: fc.Arbitrary<TensorProto> = fc
  .record({
    name: text,
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
    seed: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  })
  .map(({ name, dtype, shape, seed }) => {
    const bytes = new Uint8Array(sizeOf(shape) * bytesPerElement(dtype));
    // One bit for bool; any bits elsewhere, NaNs among them.
    for (let i = 0; i < bytes.length; i++) bytes[i] = (seed[i % 16] + i) & (dtype === "bool" ? 1 : 255);
    const data = bytes.length ? viewAs(dtype, bytes) : allocate(dtype, 0);
    return { name, tensor: { dtype, shape, data } };
  });

const valueInfo: fc.Arbitrary<ValueInfoProto> = fc.record({
  name: text,
  type: fc.oneof(
    fc.constant({ kind: "other", what: "untyped" } as const),
    fc.record(
      {
        kind: fc.constant("tensor" as const),
        dtype: fc.oneof(
          fc.constantFrom(...DTYPES),
          fc.constantFrom("FLOAT16", "STRING", "FLOAT8E5M2", "INT4").map((unsupported) => ({ unsupported })),
        ),
        shape: list(fc.oneof(fc.maxSafeNat(), name, fc.constant(undefined))),
      },
      { requiredKeys: ["kind", "dtype"] },
    ),
  ),
});

const { graph } = fc.letrec<{ graph: GraphProto; node: NodeProto; attribute: AttributeProto }>((tie) => {
  const of = <T extends string, V>(type: T, value: fc.Arbitrary<V>) =>
    fc.record({ name: text, type: fc.constant(type), value });
  return {
    attribute: fc.oneof(
      { maxDepth: 2 },
      of("int", int),
      of("float", float),
      of("string", text),
      of("ints", list(int)),
      of("floats", list(float)),
      of("strings", list(text)),
      of("tensor", tensor),
      of("graph", tie("graph")),
    ),
    node: fc.record({
      opType: name,
      domain: text,
      name: text,
      inputs: list(text),
      outputs: list(text),
      attributes: list(tie("attribute")),
    }),
    graph: fc.record({
      name: text,
      nodes: list(tie("node")),
      initializers: list(tensor),
      inputs: list(valueInfo),
      outputs: list(valueInfo),
      valueInfo: list(valueInfo),
      sparseInitializers: fc.constant(0),
    }),
  };
});

const model: fc.Arbitrary<ModelProto> = fc.record({
  irVersion: fc.integer({ min: 1, max: 99 }),
  opsets: list(fc.record({ domain: text, version: fc.maxSafeNat() })),
  producerName: text,
  producerVersion: text,
  metadata: fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true }),
  functions: fc.constant([]),
  graph,
});

/** The same model with other bytes behind the tensors: Node compares float arrays by value, where NaNs are alike. */
function bits(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (Array.isArray(value)) return value.map(bits);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .map(([k, v]) => [k, bits(v)]),
  );
}

const survives = (m: ModelProto, encode = encodeModel) =>
  isDeepStrictEqual(bits(decodeModel(encode(m))), bits(m));

it("any model comes back from encoding bit by bit", () => {
  fc.assert(
    fc.property(model, (m) => survives(m)),
    { seed: 1, numRuns: 1000 },
  );
});

it("and an encoder that drops one output of nodes with several is noticed (control)", () => {
  const forgetful = (m: ModelProto) => {
    const nodes = m.graph.nodes.map((n) => ({ ...n, outputs: n.outputs.slice(0, 2) }));
    return encodeModel({ ...m, graph: { ...m.graph, nodes } });
  };
  const property = fc.property(model, (m) => survives(m, forgetful));
  expect(fc.check(property, { seed: 1, numRuns: 1000 }).failed).toBe(true);
});
