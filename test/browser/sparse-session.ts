import type { Graph } from "../../src/engine/graph.ts";
import { createGraph, input, output, parameter } from "../../src/engine/graph.ts";
import { conv, flatten, gemm, maxPool, relu, sigmoid, softmax } from "../../src/engine/operators/index.ts";
import { sizeOf, tensor } from "../../src/engine/tensor.ts";
import { random } from "../../src/random.ts";
import { createSparseSession } from "../../src/sparsity/sparse/session.ts";

/** A network with nine of ten weights zero; `hybrid` has an operator in the middle that only ONNX Runtime has. */
function network(hybrid: boolean): Graph {
  const rng = random(9);
  const weights = (name: string, shape: readonly number[]) => {
    const draw = () => (rng.uniform() < 0.1 ? rng.normal() : 0);
    return parameter(
      graph,
      name,
      tensor("float32", shape, Float32Array.from({ length: sizeOf(shape) }, draw)),
    );
  };
  const graph = createGraph("sparse");
  const x = input(graph, "x", [1, 3, 16, 16]);
  graph.batched.add("x");
  const a = relu(conv(x, weights("a", [16, 3, 3, 3]), { pads: 1 }));
  const b = maxPool(conv(a, weights("b", [32, 16, 3, 3]), { pads: 1, strides: 2 }), 2, { strides: 2 });
  const c = hybrid ? sigmoid(b) : relu(b);
  output(softmax(gemm(flatten(c), weights("c", [10, 512]), { transB: true })));
  return graph;
}

/** What a sparse session makes of fixed inputs, with every layer in the kernels. */
export async function sparseOutputs(
  batch: number,
  threads: number,
  hybrid: boolean,
): Promise<{ outputs: number[]; kernelThreads: number }> {
  const session = await createSparseSession(network(hybrid), { batch, threads, plan: "sparse" });
  const rng = random(4);
  const x = tensor(
    "float32",
    [batch, 3, 16, 16],
    Float32Array.from({ length: batch * 768 }, () => rng.normal()),
  );
  // Twice: threads that have worked once must begin anew.
  await session.run({ x });
  const [{ data }] = Object.values(await session.run({ x }));
  const { kernelThreads } = session.plan;
  await session.release();
  return { outputs: Array.from(data as Float32Array), kernelThreads };
}
