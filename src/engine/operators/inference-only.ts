/** Operators of older nets that are run but not trained here. */
import type { Value } from "../graph.ts";
import { sizeOf } from "../tensor.ts";
import { apply, defineOperator, numberAttribute } from "./operator.ts";

defineOperator({
  name: "LRN",
  attributes: { alpha: "float", beta: "float", bias: "float", size: "int" },
  infer: ({ inputs: [x], attributes }) => {
    if (x!.shape.length < 3) throw new Error(`input [${x!.shape}] has no spatial axes`);
    if (numberAttribute(attributes, "size", 0) < 1)
      throw new Error("size, the channels it looks at, is missing");
    return [x!];
  },
  evaluate: ({ inputs: [x], attributes }) => {
    const size = numberAttribute(attributes, "size", 1);
    const alpha = numberAttribute(attributes, "alpha", 1e-4);
    const beta = numberAttribute(attributes, "beta", 0.75);
    const bias = numberAttribute(attributes, "bias", 1);
    const cells = sizeOf(x.shape.slice(2));
    const channels = x.shape[1];
    const data = x.data.map((v, i) => {
      const channel = Math.floor(i / cells) % channels;
      const first = Math.max(0, channel - Math.floor((size - 1) / 2));
      const last = Math.min(channels - 1, channel + Math.ceil((size - 1) / 2));
      let squares = 0;
      for (let c = first; c <= last; c++) squares += x.data[i + (c - channel) * cells] ** 2;
      return v / (bias + (alpha / size) * squares) ** beta;
    });
    return [{ shape: x.shape, data }];
  },
});

export interface LocalResponseNormOptions {
  alpha?: number;
  beta?: number;
  bias?: number;
}

/** x / (bias + alpha/size · Σ x² over `size` channels around it)^beta, the normalisation of AlexNet (Krizhevsky 2012). */
export function localResponseNorm(x: Value, size: number, options: LocalResponseNormOptions = {}): Value {
  return apply(x.graph, "LRN", [x], { size, ...options })[0];
}

// What inference does with it: nothing. Training draws masks outside the graph, so that a step can be repeated.
defineOperator({
  name: "Dropout",
  attributes: { seed: "int" },
  infer: ({ inputs: [x, , training], constant }) => {
    if (training && constant(2)?.[0] !== 0)
      throw new Error("training_mode must be false: random masks inside a graph are not supported");
    return [x!, { dtype: "bool", shape: x!.shape }];
  },
  gradient: ({ gradients: [dy] }) => [dy],
  evaluate: ({ inputs: [x] }) => [x, { shape: x.shape, data: x.data.map(() => 1) }],
});
