import type { Graph, Node } from "../engine/graph.ts";
import { cloneGraph, consumers } from "../engine/graph.ts";
import { numberAttribute, numbersAttribute } from "../engine/operators/operator.ts";
import { sizeOf } from "../engine/tensor.ts";
import type { Contraction } from "./channels/flow.ts";
import { traceFlow } from "./channels/flow.ts";
import { keptWithout } from "./channels/kept.ts";
import { knownNumbers } from "./channels/known.ts";

/** A network that computes the same, with what constant channels add moved into biases. */
export interface FoldedConstants {
  graph: Graph;
  /** Connections from a constant channel to a layer that were folded. */
  folded: number;
}

/**
 * A neuron without inputs gives the same number whatever the network is fed: its bias, behind its activation. Adds what it
 * contributes to the biases of the layers that read it, and sets the weights with which they read it to zero, so that
 * `shrinkZeros` can remove it; and again, until nothing new is constant. Layers without a bias of their own keep what they
 * read, as do padded convolutions, where the constant ends at the border.
 */
export function foldConstants(original: Graph): FoldedConstants {
  const graph = cloneGraph(original);
  for (const [name, t] of graph.parameters) graph.parameters.set(name, { ...t, data: t.data.slice() });
  let folded = 0;
  for (let before = -1; before < folded; ) {
    before = folded;
    const flow = traceFlow(graph);
    const known = knownNumbers(flow, keptWithout(flow, new Set()));
    const readers = consumers(flow.graph);
    const readOnce = (name: string) => readers.get(name)?.length === 1;
    for (const contraction of flow.contractions) {
      const layer = foldable(flow.graph, contraction, readOnce);
      if (!layer) continue;
      const [{ input, axis }] = contraction.factors;
      contraction.ids.forEach((id, index) => {
        const numbers = flow.atoms
          .free(id)
          .map((atom) => known.along(contraction.node.inputs[input], axis, atom));
        const number = numbers.find((n) => n !== undefined && n !== 0);
        if (number !== undefined && moveToBias(layer, index, number)) folded++;
      });
    }
  }
  return { graph, folded };
}

/** Where the weights lie that lead from one channel to one output. */
interface FoldableLayer {
  weights: Float32Array;
  bias: Float32Array;
  /** Elements from one output to the next, from one channel to the next, and of one channel for one output. */
  outputStride: number;
  channelStride: number;
  inner: number;
}

/** A linear layer or convolution whose weights and bias are its own. */
function foldable(
  graph: Graph,
  { node, factors }: Contraction,
  readOnce: (name: string) => boolean,
): FoldableLayer | undefined {
  const [, weightName, biasName] = node.inputs;
  const [weights, bias] = [weightName, biasName].map((name) => graph.parameters.get(name));
  const [data, weight] = factors;
  if (!weights || !bias || !readOnce(weightName) || !readOnce(biasName)) return undefined;
  if (data.input !== 0 || weight?.input !== 1 || !isPlain(node)) return undefined;
  const outputs = weights.shape[1 - weight.axis];
  if (bias.data.length !== outputs) return undefined;
  const inner = sizeOf(weights.shape.slice(2));
  const strides = [weights.shape[1] * inner, inner];
  return {
    weights: weights.data,
    bias: bias.data,
    outputStride: strides[1 - weight.axis],
    channelStride: strides[weight.axis],
    inner,
  };
}

/** Whether every output sums all channels, with nothing in between and nothing at the border. */
function isPlain({ op, attributes }: Node): boolean {
  if (op === "Gemm")
    return numberAttribute(attributes, "alpha", 1) === 1 && numberAttribute(attributes, "beta", 1) === 1;
  return (
    op === "Conv" &&
    numberAttribute(attributes, "group", 1) === 1 &&
    (numbersAttribute(attributes, "pads") ?? []).every((p) => p === 0) &&
    !String(attributes.auto_pad ?? "NOTSET").startsWith("SAME")
  );
}

/** False where the layer does not read the channel. */
function moveToBias(
  { weights, bias, outputStride, channelStride, inner }: FoldableLayer,
  channel: number,
  number: number,
): boolean {
  let read = false;
  for (let output = 0; output < bias.length; output++) {
    const from = output * outputStride + channel * channelStride;
    let sum = 0;
    for (let i = from; i < from + inner; i++) {
      read ||= weights[i] !== 0;
      sum += weights[i];
      weights[i] = 0;
    }
    bias[output] += sum * number;
  }
  return read;
}
