import { decodeModel } from "../../../src/engine/onnx/proto.ts";
import { SMALLEST, stepper } from "../../../src/giorom/stepper.ts";
import { describeStepper, exportStepper } from "../../../src/giorom/stepper-file.ts";

/** The same simulator with other parameters. */
export function withParameters(
  bytes: Uint8Array,
  change: (name: string, values: Float32Array, shape: readonly number[]) => void,
): Uint8Array {
  const description = describeStepper(bytes);
  const graph = stepper(description.config, SMALLEST);
  for (const { name, tensor } of decodeModel(bytes).graph.initializers) {
    const own = graph.parameters.get(name);
    if (!own) continue;
    const data = (tensor.data as Float32Array).slice();
    change(name, data, own.shape);
    graph.parameters.set(name, { ...own, data });
  }
  return exportStepper(graph, description);
}
