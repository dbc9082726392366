import type { Graph, Value } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { add, flatten, globalAveragePool, relu } from "../../engine/operators/index.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";

export interface ResnetOptions extends ModelOptions {
  /** Channels of each stage; every stage but the first halves height and width. Default 16, 32, 64. */
  widths?: readonly number[];
  /** Basic blocks a stage. Default 3: ResNet20. */
  blocks?: number;
}

/** Residual network of basic blocks for small images (He et al. 2015, section 4.2); ResNet20 by default. */
export function resnet({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  widths = [16, 32, 64],
  blocks = 3,
}: ResnetOptions): Graph {
  const graph = createGraph("resnet");
  const { conv2d, batchNorm, linear } = layers(graph, seed);
  const convNorm = (name: string, x: Value, width: number, kernel: number, stride = 1) =>
    batchNorm(
      `${name}.bn`,
      conv2d(`${name}.conv`, x, width, { kernel, stride, padding: (kernel - 1) / 2, bias: false }),
    );
  let x = input(graph, "input", [batch, ...inputShape]);
  x = relu(convNorm("stem", x, widths[0], 3));
  widths.forEach((width, stage) => {
    for (let block = 0; block < blocks; block++) {
      const name = `stage${stage + 1}.block${block + 1}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const inner = relu(convNorm(`${name}.1`, x, width, 3, stride));
      const branch = convNorm(`${name}.2`, inner, width, 3);
      const shortcut =
        stride !== 1 || x.shape[1] !== width ? convNorm(`${name}.shortcut`, x, width, 1, stride) : x;
      x = relu(add(branch, shortcut));
    }
  });
  output(linear("fc", flatten(globalAveragePool(x)), classes));
  return graph;
}
