import type { Value } from "../../engine/graph.ts";
import { input } from "../../engine/graph.ts";
import {
  add,
  cast,
  div,
  exp,
  log,
  mul,
  neg,
  oneHot,
  reduceMax,
  reduceMean,
  reduceSum,
  sub,
} from "../../engine/operators/index.ts";
import type { Objective } from "../../nn/training-step.ts";

/**
 * Mean of −log softmax(logits / temperature)[label], with int32 labels fed as `labels`. Exact to single precision
 * however sure the network is.
 *
 * A network that has learnt its data has softmax 1 − 1e-9 at the label, which single precision rounds to 1: the usual
 * formula then sees no gradient at the label but still one at the other classes, and training jumps (grokking.md
 * section 6). Here nothing is subtracted from 1: with m_j = z_j − z_label the loss is log(1 + s), s = Σ_{j≠label} e^{m_j},
 * whose gradient at the label is the sum of the others'.
 */
export function exactCrossEntropy({ temperature = 1 }: { temperature?: number } = {}): Objective {
  return ([scores], graph) => {
    const logits = temperature === 1 ? scores : div(scores, temperature);
    const [batch, classes] = logits.shape;
    const labels = input(graph, "labels", [batch], { dtype: "int32" });
    const own = oneHot(cast(labels, "int64"), classes, { dtype: logits.dtype });
    const margins = sub(logits, reduceSum(mul(logits, own), [1], { keepDims: true }));
    // A whole number, because it keeps e^m small where a sample is wrong and must not carry a gradient: integers don't.
    const shift = cast(cast(reduceMax(margins, [1], { keepDims: true }), "int32"), logits.dtype);
    const others = mul(exp(sub(margins, shift)), sub(1, own));
    const s = add(sub(exp(neg(shift)), 1), reduceSum(others, [1], { keepDims: true }));
    return { loss: reduceMean(add(shift, logOnePlus(s))) };
  };
}

/** log(1 + s) for s > −1: the second term is what rounding took from 1 + s. */
function logOnePlus(s: Value): Value {
  const u = add(s, 1);
  return add(log(u), div(sub(s, sub(u, 1)), u));
}
