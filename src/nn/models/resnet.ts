import type { Graph, Value } from "../../engine/graph.ts";
import { createGraph, input, output } from "../../engine/graph.ts";
import { add, flatten, globalAveragePool, maxPool, relu } from "../../engine/operators/index.ts";
import { layers } from "../layers.ts";
import type { ModelOptions } from "./model.ts";
import { isLargeImage } from "./model.ts";

export interface ResnetOptions extends ModelOptions {
  /** Channels of each stage; every stage but the first halves height and width. Default 16, 32, 64. */
  widths?: readonly number[];
  /** Blocks of each stage. Default 3, 3, 3: ResNet20. */
  blocks?: readonly number[];
  /**
   * `basic`: two 3×3 convolutions; `bottleneck`: 1×1, 3×3 with the stride, 1×1 to four times the stage's channels.
   * Default `basic`.
   */
  block?: "basic" | "bottleneck";
}

/**
 * Residual network (He et al. 2015). Shortcuts that change shape are 1×1 convolutions. Small images start with a 3×3
 * convolution, large ones with 7×7 of stride 2 and max pooling.
 */
export function resnet({
  inputShape,
  classes,
  batch = 1,
  seed = 0,
  widths = [16, 32, 64],
  blocks = [3, 3, 3],
  block = "basic",
}: ResnetOptions): Graph {
  const graph = createGraph("resnet");
  const { conv2d, batchNorm, linear } = layers(graph, seed);
  const convNorm = (name: string, x: Value, width: number, kernel: number, stride = 1) =>
    batchNorm(
      `${name}.bn`,
      conv2d(`${name}.conv`, x, width, { kernel, stride, padding: (kernel - 1) / 2, bias: false }),
    );
  const branches = {
    basic: (name: string, x: Value, width: number, stride: number) =>
      convNorm(`${name}.2`, relu(convNorm(`${name}.1`, x, width, 3, stride)), width, 3),
    bottleneck: (name: string, x: Value, width: number, stride: number) => {
      const narrow = relu(convNorm(`${name}.1`, x, width, 1));
      return convNorm(`${name}.3`, relu(convNorm(`${name}.2`, narrow, width, 3, stride)), 4 * width, 1);
    },
  };
  let x = input(graph, "input", [batch, ...inputShape]);
  x = isLargeImage(inputShape)
    ? maxPool(relu(convNorm("stem", x, widths[0], 7, 2)), 3, { strides: 2, pads: 1 })
    : relu(convNorm("stem", x, widths[0], 3));
  widths.forEach((width, stage) => {
    for (let b = 0; b < blocks[stage]; b++) {
      const name = `stage${stage + 1}.block${b + 1}`;
      const stride = stage > 0 && b === 0 ? 2 : 1;
      const branch = branches[block](name, x, width, stride);
      const channels = branch.shape[1];
      const shortcut =
        stride !== 1 || x.shape[1] !== channels ? convNorm(`${name}.shortcut`, x, channels, 1, stride) : x;
      x = relu(add(branch, shortcut));
    }
  });
  output(linear("fc", flatten(globalAveragePool(x)), classes));
  return graph;
}
