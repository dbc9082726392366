import type { Graph, Node, Value } from "../graph.ts";
import { apply } from "../operators/operator.ts";
import { dedupe } from "../simplify.ts";
import { convInputGradientRule, convRule, convWeightGradientRule } from "./blocked-convolution.ts";
import { pointwiseRule } from "./blocked-elementwise.ts";
import {
  batchNormRule,
  channelScaleRule,
  channelSumsRule,
  globalAveragePoolRule,
  spreadRule,
} from "./blocked-normalization.ts";
import { maxPoolGradientRule, maxPoolRule } from "./blocked-pooling.ts";
import { fuseBlocked } from "./fuse.ts";
import type { Layout } from "./layout.ts";
import { createLayout } from "./layout.ts";
import { lowerNodes } from "./plain.ts";

/** Whether the graph trains convolutions: what the blocked lowering is for. */
export function trainsConvolutions(graph: Graph): boolean {
  return graph.nodes.some((n) => n.op === "ConvInputGradient" || n.op === "ConvWeightGradient");
}

/**
 * Lowers a training step to the blocked kernels of a processor: values stay in blocked layout from convolution to
 * convolution. Every value keeps its plain form for consumers that know nothing of blocks; reorderings that nobody
 * needs are dropped at the end. An operator without a rule is thus never wrong, only slower.
 */
export function lowerBlocked(graph: Graph, block: number): Graph {
  let layout: Layout | undefined;
  const lowered = lowerNodes(graph, (node, inputs, target) => {
    layout ??= createLayout(target, block);
    const plain = () => apply(target, node.op, inputs, node.attributes, { outputCount: node.outputs.length });
    return blockedRule(layout, node, inputs as (Value | undefined)[], plain);
  });
  dedupe(lowered);
  fuseBlocked(lowered);
  return lowered;
}

function blockedRule(
  layout: Layout,
  node: Node,
  inputs: (Value | undefined)[],
  plain: () => Value[],
): Value[] | undefined {
  switch (node.op) {
    case "Conv":
      return convRule(layout, node, inputs);
    case "ConvInputGradient":
      return convInputGradientRule(layout, node, inputs);
    case "ConvWeightGradient":
      return convWeightGradientRule(layout, node, inputs);
    case "MaxPool":
      return maxPoolRule(layout, node, inputs);
    case "MaxPoolGradient":
      return maxPoolGradientRule(layout, node, inputs);
    case "GlobalAveragePool":
      return globalAveragePoolRule(layout, inputs);
    case "BatchNormalization":
      return batchNormRule(layout, node, inputs);
    case "ReduceSum":
      return channelSumsRule(layout, node, inputs);
    case "Expand":
      return spreadRule(layout, inputs, plain);
    case "Mul":
      return channelScaleRule(layout, inputs) ?? pointwiseRule(layout, node, inputs, plain);
    default:
      return pointwiseRule(layout, node, inputs, plain);
  }
}
