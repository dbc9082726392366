import { expect, test } from "vitest";
import { importModel } from "../../../src/engine/onnx/import.ts";
import type { AttributeProto, NodeProto, TensorProto } from "../../../src/engine/onnx/proto.ts";
import { encodeModel } from "../../../src/engine/onnx/proto.ts";
import { openSession, toRuntime } from "../../../src/engine/runtime.ts";
import { createSession } from "../../../src/engine/session.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { sizeOf, tensor, toNumbers } from "../../../src/engine/tensor.ts";
import { random } from "../../../src/random.ts";
import { lookForGroups } from "../../../src/sparsity/groups/kinds.ts";

/** One operator as some opset spells it, run on an input x. */
interface Spelling {
  op: string;
  opset: number;
  /** Of x. Default [2, 3, 4, 4]. */
  shape?: number[];
  attributes?: AttributeProto[];
  /** Further inputs, stored in the file. */
  stored?: TensorProto[];
  outputs?: number;
}

const int = (name: string, value: number): AttributeProto => ({ name, type: "int", value });
const ints = (name: string, value: number[]): AttributeProto => ({ name, type: "ints", value });
const float = (name: string, value: number): AttributeProto => ({ name, type: "float", value });
const floats = (name: string, value: number[]): AttributeProto => ({ name, type: "floats", value });
const text = (name: string, value: string): AttributeProto => ({ name, type: "string", value });
const int64 = (name: string, values: number[]): TensorProto => ({
  name,
  tensor: tensor("int64", [values.length], values),
});
const real = (name: string, values: number[]): TensorProto => ({
  name,
  tensor: tensor("float32", [values.length], values),
});

const SHAPE = [2, 3, 4, 4];

function modelOf({
  op,
  opset,
  shape = SHAPE,
  attributes = [],
  stored = [],
  outputs = 1,
}: Spelling): Uint8Array {
  const names = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const node: NodeProto = {
    opType: op,
    domain: "",
    name: "it",
    inputs: ["x", ...stored.map((t) => t.name)],
    outputs: names,
    attributes,
  };
  return fileOf({ nodes: [node], opset, shape, stored, outputs: names });
}

interface File {
  nodes: NodeProto[];
  opset: number;
  /** Of the input x. */
  shape: number[];
  stored: TensorProto[];
  outputs: string[];
}

function fileOf({ nodes, opset, shape, stored, outputs }: File): Uint8Array {
  const dims = (shape: number[]) => ({ kind: "tensor" as const, dtype: "float32" as const, shape });
  return encodeModel({
    irVersion: opset < 9 ? 3 : 8,
    opsets: [{ domain: "", version: opset }],
    producerName: "test",
    producerVersion: "",
    metadata: {},
    functions: [],
    graph: {
      name: "g",
      nodes,
      initializers: stored,
      inputs: [
        { name: "x", type: dims(shape) },
        // Before IR version 4 every initialiser is an input as well.
        ...(opset < 9
          ? stored.map((t) => ({
              name: t.name,
              type: { kind: "tensor" as const, dtype: t.tensor.dtype, shape: [...t.tensor.shape] },
            }))
          : []),
      ],
      outputs: outputs.map((name) => ({
        name,
        type: {
          kind: "tensor" as const,
          dtype: nodes[0].opType === "TopK" && name === "y1" ? ("int64" as const) : ("float32" as const),
        },
      })),
      valueInfo: [],
      sparseInitializers: 0,
    },
  });
}

const drawn = (shape: number[], ...names: string[]): TensorProto[] =>
  names.map((name, n) => {
    const rng = random(10 + n);
    return {
      name,
      tensor: tensor(
        "float32",
        shape,
        Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()),
      ),
    };
  });
/** For x as queries: five of each, three heads of four numbers. */
const keysAndValues = drawn([2, 3, 5, 4], "k", "v");
/** As [batch, length, heads · size]: two heads of three numbers. */
const flatKeysAndValues = drawn([2, 5, 6], "k", "v");
/** Which keys each query may look at. */
const MASK = [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1];

const spellings: Spelling[] = [
  { op: "Unsqueeze", opset: 11, attributes: [ints("axes", [0, 3])] },
  { op: "ReduceSum", opset: 11, attributes: [ints("axes", [1, -1]), int("keepdims", 0)] },
  { op: "ReduceMean", opset: 18, stored: [int64("axes", [2, 3])] },
  { op: "ReduceMax", opset: 18, attributes: [int("noop_with_empty_axes", 1)] },
  { op: "ReduceL2", opset: 18, stored: [int64("axes", [1])], attributes: [int("keepdims", 0)] },
  { op: "Clip", opset: 7, attributes: [float("min", -0.3), float("max", 0.4)] },
  { op: "Clip", opset: 7 },
  {
    op: "Pad",
    opset: 7,
    attributes: [ints("pads", [0, 0, 1, 2, 0, 1, 0, 3]), float("value", 0.5), text("mode", "constant")],
  },
  { op: "Pad", opset: 7, attributes: [ints("pads", [0, 0, 1, 2, 0, 0, 2, 1]), text("mode", "reflect")] },
  {
    op: "Pad",
    opset: 18,
    stored: [int64("pads", [1, 0, 2, 1]), real("value", [0.25]), int64("axes", [-1, 1])],
  },
  {
    op: "Slice",
    opset: 9,
    attributes: [ints("starts", [1, -3]), ints("ends", [2 ** 63, -1]), ints("axes", [1, 3])],
  },
  { op: "Split", opset: 11, attributes: [int("axis", 3), ints("split", [1, 3])], outputs: 2 },
  { op: "Split", opset: 11, attributes: [int("axis", 2)], outputs: 2 },
  { op: "Split", opset: 18, attributes: [int("axis", 1), int("num_outputs", 2)], outputs: 2 },
  { op: "TopK", opset: 9, attributes: [int("axis", 3), int("k", 2)], outputs: 2 },
  { op: "Softmax", opset: 7 },
  { op: "Softmax", opset: 11, attributes: [int("axis", 2)] },
  { op: "LogSoftmax", opset: 11, attributes: [int("axis", -1)] },
  { op: "Softmax", opset: 13, attributes: [int("axis", 1)] },
  { op: "Dropout", opset: 7, attributes: [float("ratio", 0.5)], outputs: 1 },
  { op: "Upsample", opset: 9, stored: [real("scales", [1, 1, 2, 2])], attributes: [text("mode", "nearest")] },
  { op: "Upsample", opset: 7, attributes: [floats("scales", [1, 1, 2, 3])] },
  { op: "Resize", opset: 10, stored: [real("scales", [1, 1, 2, 2])] },
  {
    op: "BatchNormalization",
    opset: 7,
    stored: ["s", "b", "m", "v"].map((n, i) => real(n, [0.5 + i, 1 + i, 1.5 + i])),
    attributes: [float("epsilon", 0.01), float("momentum", 0.8)],
  },
  {
    op: "MaxPool",
    opset: 8,
    attributes: [ints("kernel_shape", [2, 2]), ints("strides", [2, 2]), int("storage_order", 0)],
  },
  { op: "AveragePool", opset: 7, attributes: [ints("kernel_shape", [3, 3]), ints("pads", [0, 0, 1, 1])] },
  { op: "Reshape", opset: 7, stored: [int64("shape", [0, -1])] },
  { op: "Flatten", opset: 7 },
  { op: "HardSigmoid", opset: 7 },
  {
    op: "PRelu",
    opset: 7,
    stored: [{ name: "slope", tensor: tensor("float32", [3, 1, 1], [0.1, 0.2, 0.3]) }],
  },
  {
    op: "GroupNormalization",
    opset: 21,
    stored: [real("scale", [0.5, -2, 3]), real("bias", [1, 0.2, -0.3])],
    attributes: [int("num_groups", 1), float("epsilon", 0.01)],
  },
  {
    op: "GroupNormalization",
    opset: 21,
    stored: [real("scale", [0.5, -2, 3]), real("bias", [1, 0.2, -0.3])],
    attributes: [int("num_groups", 3)],
  },
  {
    op: "GroupNormalization",
    opset: 18,
    stored: [real("scale", [-2]), real("bias", [0.2])],
    attributes: [int("num_groups", 1)],
  },
  {
    op: "RMSNormalization",
    opset: 23,
    stored: [real("scale", [0.5, -2, 3, 1])],
    attributes: [float("epsilon", 0.01)],
  },
  { op: "Mish", opset: 18 },
  { op: "Gelu", opset: 20, attributes: [text("approximate", "tanh")] },
  { op: "HardSwish", opset: 14 },
  { op: "Swish", opset: 24, attributes: [float("alpha", 1.5)] },
  { op: "Attention", opset: 23, stored: keysAndValues },
  {
    op: "Attention",
    opset: 23,
    stored: keysAndValues,
    attributes: [float("scale", 0.3), int("is_causal", 1)],
  },
  {
    op: "Attention",
    opset: 23,
    stored: [
      ...keysAndValues,
      {
        name: "mask",
        tensor: tensor(
          "float32",
          [4, 5],
          MASK.map((m) => 2 * m - 1),
        ),
      },
    ],
  },
  {
    op: "Attention",
    opset: 23,
    stored: [...keysAndValues, { name: "mask", tensor: tensor("bool", [4, 5], MASK) }],
  },
  {
    op: "Attention",
    opset: 23,
    shape: [2, 4, 12],
    stored: flatKeysAndValues,
    attributes: [int("q_num_heads", 4), int("kv_num_heads", 2)],
  },
];

test.each(
  spellings.map(
    (s) => [`${s.op}-${s.opset} ${JSON.stringify(s.attributes?.map((a) => a.name) ?? [])}`, s] as const,
  ),
)("%s means the same after import", async (_, spelling) => {
  const bytes = modelOf(spelling);
  const rng = random(5);
  const x: Tensor = {
    dtype: "float32",
    shape: spelling.shape ?? SHAPE,
    data: Float32Array.from({ length: sizeOf(spelling.shape ?? SHAPE) }, () => rng.normal()),
  };
  const original = await openSession(bytes, { threads: 1 });
  const expected = await original.run({ x: toRuntime(x) });
  const graph = importModel(bytes, { batch: 2 });
  const session = await createSession(graph, { threads: 1 });
  const found = await session.run({ x });
  graph.outputs.forEach((name, i) => {
    const want = expected[`y${i}`];
    expect(found[name].shape).toEqual(want.dims);
    const numbers = toNumbers(found[name]);
    const difference = Array.from(numbers, (v, j) => Math.abs(v - Number((want.data as Float32Array)[j])));
    expect(Math.max(...difference)).toBeLessThan(1e-5);
    expect(difference).toHaveLength(sizeOf(want.dims));
  });
  await session.release();
  await original.release();
});

test.each([
  [{ op: "Attention", opset: 23, stored: keysAndValues, attributes: [float("softcap", 2)] }, /soft cap/],
  [{ op: "Attention", opset: 23, stored: keysAndValues, outputs: 3 }, /keeps keys and values for later/],
  [
    { op: "Attention", opset: 23, shape: [2, 4, 12], stored: flatKeysAndValues },
    /the attribute q_num_heads is missing/,
  ],
  [
    {
      op: "RMSNormalization",
      opset: 23,
      stored: [real("scale", [1, 1, 1, 1])],
      attributes: [int("axis", 1)],
    },
    /normalises from axis 1 on/,
  ],
  [
    { op: "GroupNormalization", opset: 21, stored: [real("s", [1, 1, 1]), real("b", [1, 1, 1])] },
    /the attribute num_groups is missing/,
  ],
] satisfies [Spelling, RegExp][])("what cannot be read of %j is said", (spelling, message) => {
  expect(() => importModel(modelOf(spelling), { batch: 2 })).toThrow(message);
});

test("scales and biases of a newer normalisation are parameters", () => {
  const stored = [real("scale", [0.5, -2, 3]), real("bias", [1, 0.2, -0.3])];
  const group = { op: "GroupNormalization", opset: 21, stored, attributes: [int("num_groups", 3)] };
  expect([...importModel(modelOf(group)).parameters.keys()]).toEqual(["scale", "bias"]);
  const rms = { op: "RMSNormalization", opset: 23, stored: [real("scale", [1, 2, 3, 4])] };
  expect([...importModel(modelOf(rms)).parameters.keys()]).toEqual(["scale"]);
});

test("heads of a newer file's attention are groups like any others", () => {
  const weights = ["wq", "wk", "wv", "wo"].map((name) => ({
    name,
    tensor: tensor(
      "float32",
      [12, 12],
      Float32Array.from({ length: 144 }, (_, i) => 1 + i),
    ),
  }));
  const product = (x: string, w: string, y: string): NodeProto => ({
    opType: "MatMul",
    domain: "",
    name: y,
    inputs: [x, w],
    outputs: [y],
    attributes: [],
  });
  const attention = {
    ...product("q", "k", "a"),
    opType: "Attention",
    inputs: ["q", "k", "v"],
    attributes: [int("q_num_heads", 3), int("kv_num_heads", 3)],
  };
  const nodes = [
    ...["q", "k", "v"].map((n) => product("x", `w${n}`, n)),
    attention,
    product("a", "wo", "y0"),
  ];
  const file = fileOf({ nodes, opset: 23, shape: [2, 5, 12], stored: weights, outputs: ["y0"] });
  const graph = importModel(file, { batch: 2 });
  expect(lookForGroups(graph, "head").sets.map((s) => s.partition.groups)).toEqual([3]);
});

test("an unknown operator is refused with its name, node and position, and with what is known", () => {
  expect(() => importModel(modelOf({ op: "Bernoulli", opset: 15 }))).toThrow(
    /Bernoulli \(node 1, "it"\).*Known: Abs, /,
  );
});

test("an opset before 7 is refused", () => {
  expect(() => importModel(modelOf({ op: "Relu", opset: 6 }))).toThrow(
    /opset 6; Filigree reads opset 7 and later/,
  );
});

test.each([
  ["MaxPool", "kernel_shape"],
  ["AveragePool", "kernel_shape"],
  ["Cast", "to"],
  ["DepthToSpace", "blocksize"],
])("%s without %s is refused with what it lacks", (op, attribute) => {
  expect(() => importModel(modelOf({ op, opset: 13 }), { batch: 2 })).toThrow(
    new RegExp(`cannot import node 1 of 1 \\("it", ${op}\\).* the attribute ${attribute} is missing; it is `),
  );
});

test("a node whose shapes do not fit is named", () => {
  const broken = modelOf({
    op: "MatMul",
    opset: 13,
    stored: [{ name: "w", tensor: tensor("float32", [5, 2], new Array<number>(10).fill(0)) }],
  });
  expect(() => importModel(broken, { batch: 2 })).toThrow(
    /cannot import node 1 of 1 \("it", MatMul\).*inner dimensions.*4 and 5/,
  );
});
