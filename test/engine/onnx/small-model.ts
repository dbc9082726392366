import type { GraphProto, ModelProto, ValueInfoProto } from "../../../src/engine/onnx/proto.ts";
import { tensor } from "../../../src/engine/tensor.ts";

const value = (name: string, shape?: (number | string | undefined)[]): ValueInfoProto => ({
  name,
  type: { kind: "tensor", dtype: "float32", shape },
});

const branch = (name: string): GraphProto => ({
  name,
  nodes: [{ opType: "Identity", domain: "", name: "", inputs: ["h"], outputs: [name], attributes: [] }],
  initializers: [],
  inputs: [],
  outputs: [value(name)],
  valueInfo: [],
  sparseInitializers: 0,
});

/** A valid model with every kind of attribute, nested graphs, several dtypes, symbols and unknowns in shapes. */
export function smallModel(): ModelProto {
  return {
    irVersion: 8,
    opsets: [
      { domain: "", version: 17 },
      { domain: "test.kinds", version: 1 },
    ],
    producerName: "filigree",
    producerVersion: "0.1",
    metadata: { note: "Grüße", __proto: "" },
    functions: [],
    graph: {
      name: "small",
      nodes: [
        {
          opType: "Gemm",
          domain: "",
          name: "first",
          inputs: ["x", "w", ""],
          outputs: ["h"],
          attributes: [
            { name: "alpha", type: "float", value: 0.5 },
            { name: "transB", type: "int", value: 1 },
          ],
        },
        {
          opType: "If",
          domain: "",
          name: "choice",
          inputs: ["flag"],
          outputs: ["y"],
          attributes: [
            { name: "then_branch", type: "graph", value: branch("a") },
            { name: "else_branch", type: "graph", value: branch("b") },
          ],
        },
        {
          opType: "Kinds",
          domain: "test.kinds",
          name: "",
          inputs: ["y"],
          outputs: ["z", ""],
          attributes: [
            { name: "text", type: "string", value: "SAME_UPPER" },
            { name: "texts", type: "strings", value: ["", "ü", "\u{1f9f5}"] },
            { name: "ints", type: "ints", value: [0, -1, 2 ** 31, -(2 ** 53) + 1, 2 ** 63, -(2 ** 63)] },
            { name: "floats", type: "floats", value: [0, -1.5, Number.POSITIVE_INFINITY] },
            { name: "value", type: "tensor", value: { name: "", tensor: tensor("int64", [], [-7]) } },
          ],
        },
      ],
      initializers: [
        { name: "w", tensor: tensor("float32", [3, 4], [...Array(12).keys()]) },
        { name: "flag", tensor: tensor("bool", [1], [1]) },
        { name: "nothing", tensor: tensor("uint8", [0, 5], []) },
        {
          name: "shape",
          tensor: { dtype: "int64", shape: [2], data: new BigInt64Array([-1n, 2n ** 63n - 1n]) },
        },
      ],
      inputs: [value("x", ["batch", 4])],
      outputs: [value("z", [undefined, 3])],
      valueInfo: [value("h"), { name: "u", type: { kind: "other", what: "untyped" } }],
      sparseInitializers: 0,
    },
  };
}
