import type { Value } from "../../engine/graph.ts";
import { constant, input } from "../../engine/graph.ts";
import {
  add,
  cast,
  div,
  exp,
  gatherElements,
  log,
  mul,
  neg,
  reduceMax,
  reduceMean,
  reduceSum,
  reshape,
  scatterElements,
  sub,
} from "../../engine/operators/index.ts";
import { tensor } from "../../engine/tensor.ts";
import type { Objective } from "../../nn/training-step.ts";

/** In place of a logit that takes no part: its exponential is 0. */
const NEVER = -1e30;

/**
 * Mean of −log softmax(logits / temperature)[label], with int32 labels fed as `labels`. Exact to single precision
 * however sure the network is.
 *
 * A network that has learnt its data has softmax 1 − 1e-9 at the label, which single precision rounds to 1: the usual
 * formula then sees no gradient at the label but still one at the other classes, and training jumps (grokking.md
 * section 6). Here nothing is subtracted from 1: the loss is log(1 + s), s = Σ_{j≠label} e^{z_j − z_label}, whose gradient
 * at the label is the sum of the others'.
 */
export function exactCrossEntropy({ temperature = 1 }: { temperature?: number } = {}): Objective {
  return ([scores], graph) => {
    const logits = temperature === 1 ? scores : div(scores, temperature);
    const [batch] = logits.shape;
    const labels = reshape(input(graph, "labels", [batch], { dtype: "int32" }), [batch, 1]);
    const never = constant(graph, tensor("float32", [batch, 1], new Float32Array(batch).fill(NEVER)));
    const own = reshape(gatherElements(logits, labels, 1), [batch]);
    const top = whole(reduceMax(logits, [1], { keepDims: true }));
    // One axis less where there is one number for each sample: ONNX Runtime adds scalars to [batch, 1] element by element.
    const others = reduceSum(exp(sub(scatterElements(logits, labels, never, { axis: 1 }), top)), [1]);
    // By how much the label is behind, which keeps e^… small; 0 where it is first.
    const lead = sub(reshape(top, [batch]), own);
    const shift = whole(lead);
    const s = add(mul(others, exp(sub(lead, shift))), sub(exp(neg(shift)), 1));
    return { loss: reduceMean(add(shift, logOnePlus(s))) };
  };
}

/** The whole part. It carries no gradient: integers don't. */
function whole(x: Value): Value {
  return cast(cast(x, "int32"), x.dtype);
}

/** log(1 + s) for s > −1: the second term is what rounding took from 1 + s. */
function logOnePlus(s: Value): Value {
  const u = add(s, 1);
  return add(log(u), div(sub(s, sub(u, 1)), u));
}
