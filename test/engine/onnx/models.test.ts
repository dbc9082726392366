import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { decodeModel, decodeTensor, encodeModel, encodeTensor } from "../../../src/engine/onnx/proto.ts";
import { toNumbers } from "../../../src/engine/tensor.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const folder = join(process.env.FILIGREE_SHARED ?? join(repository, "../shared"), "data/models/onnx");
const read = (file: string) => new Uint8Array(readFileSync(join(folder, file)));

// By the Python package onnx 1.12, for each file f:
//   m = onnx.load(f); g = m.graph
//   [m.ir_version, m.opset_import[0].version, len(g.node), len(g.initializer), len(g.input), len(g.output),
//    len(g.value_info), sum(len(n.attribute) for n in g.node),
//    sum(float(onnx.numpy_helper.to_array(t).astype("float64").sum()) for t in g.initializer)]
const expected: Record<string, number[]> = {
  "light/light_inception_v1.onnx": [3, 9, 237, 118, 119, 1, 0, 325, 40511.685061291675],
  "light/light_resnet50.onnx": [3, 9, 415, 269, 270, 1, 0, 453, 161029.68016384836],
  "light/light_squeezenet.onnx": [3, 9, 105, 52, 53, 1, 0, 135, 10617.637289540005],
  "light/light_vgg19.onnx": [3, 9, 82, 39, 40, 1, 0, 104, 92756.65013484843],
  "mnist_8/model.onnx": [3, 8, 12, 8, 9, 1, 11, 18, 416.75912789030735],
  "mnist_pytorch.onnx": [6, 9, 9, 7, 1, 1, 0, 8, 97.71220711290098],
};

// Likewise: t = onnx.TensorProto(); t.ParseFromString(open(f, "rb").read()); list(t.dims), to_array(t) summed.
const tensors: Record<string, [number[], number]> = {
  "light/light_inception_v1_output_0.pb": [[1, 1000], 1.0000000474974513],
  "light/light_squeezenet_output_0.pb": [[1, 1000, 1, 1], 1.0000000474974513],
  "mnist_8/test_data_set_0/input_0.pb": [[1, 1, 28, 28], 40028],
  "mnist_8/test_data_set_0/output_0.pb": [[1, 10], 779.6186447143555],
  "mnist_8/test_data_set_2/output_0.pb": [[1, 10], -2129.787757873535],
};

const sum = (values: Iterable<number>) => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

describe.skipIf(!existsSync(folder))(`models of other tools (skipped unless ${folder} exists)`, () => {
  it.each(Object.entries(expected))("%s holds what the Python package onnx finds in it", (file, facts) => {
    const model = decodeModel(read(file));
    const { graph } = model;
    const found = [
      model.irVersion,
      model.opsets[0].version,
      graph.nodes.length,
      graph.initializers.length,
      graph.inputs.length,
      graph.outputs.length,
      graph.valueInfo.length,
      sum(graph.nodes.map((node) => node.attributes.length)),
    ];
    expect(found).toEqual(facts.slice(0, -1));
    const total = sum(graph.initializers.map((t) => sum(toNumbers(t.tensor))));
    // Sums in another order of up to 1e6 float64 values: 1e-11 relative is generous to rounding alone.
    expect(Math.abs(total / facts.at(-1)! - 1)).toBeLessThan(1e-11);
  });

  it.each(Object.keys(expected))("%s comes back from encoding as it was", (file) => {
    const model = decodeModel(read(file));
    const bytes = encodeModel(model);
    const again = decodeModel(bytes);
    expect(isDeepStrictEqual(again, model)).toBe(true);
    expect(isDeepStrictEqual(encodeModel(again), bytes)).toBe(true);
    again.graph.nodes[0].opType += "_";
    expect(isDeepStrictEqual(again, model)).toBe(false);
  });

  it.each(Object.entries(tensors))("%s is the tensor that onnx reads", (file, [shape, total]) => {
    const t = decodeTensor(read(file));
    expect(t.tensor.shape).toEqual(shape);
    expect(sum(toNumbers(t.tensor))).toBeCloseTo(total, 9);
    expect(decodeTensor(encodeTensor(t))).toEqual(t);
  });

  it.each([0, 1, 2])(
    "mnist_8, encoded by us and run by ONNX Runtime, gives the recorded output %i",
    async (set) => {
      const input = decodeTensor(read(`mnist_8/test_data_set_${set}/input_0.pb`)).tensor;
      const wanted = decodeTensor(read(`mnist_8/test_data_set_${set}/output_0.pb`)).tensor;
      const session = await ort.InferenceSession.create(encodeModel(decodeModel(read("mnist_8/model.onnx"))));
      const feed = new ort.Tensor("float32", input.data as Float32Array, input.shape);
      const output = await session.run({ Input3: feed });
      const got = output.Plus214_Output_0.data as Float32Array;
      // Float32 sums of about 1e3 products of a size up to 1e3, in another order than the recording tool's.
      for (let i = 0; i < 10; i++) expect(Math.abs(got[i] - Number(wanted.data[i]))).toBeLessThan(1e-2);
    },
  );
});
