import type { Node, Value } from "../graph.ts";
import { mul } from "../operators/arithmetic.ts";
import { apply, findOperator } from "../operators/operator.ts";
import { sameShape } from "../shapes.ts";
import { sizeOf, toNumbers } from "../tensor.ts";
import { maskBeforePooling } from "./blocked-pooling.ts";
import type { Layout } from "./layout.ts";
import { positive, positiveOperand } from "./step-mask.ts";

/** Operators that map each element by itself, whatever the order of the elements in memory. */
const POINTWISE = new Set(
  `Abs Add And Cast Clip Cos Div Elu Equal Erf Exp Greater GreaterOrEqual HardSigmoid HardSwish Identity LeakyRelu Less
  LessOrEqual Log Max Min Mul Neg Not Or Pow Reciprocal Relu Sigmoid Sign Sin Softplus Sqrt Sub Sum Tanh Where Xor`.split(
    /\s+/,
  ),
);

/** Applies a pointwise node to blocked operands where at least one of them exists in blocked form. */
export function pointwiseRule(
  layout: Layout,
  node: Node,
  inputs: (Value | undefined)[],
  plain: () => Value[],
): Value[] | undefined {
  if (!POINTWISE.has(node.op)) return undefined;
  const reference = inputs.find((v) => layout.find(v));
  if (!reference) return undefined;
  const whole = (v: Value | undefined) => v?.shape.join() === reference.shape.join();
  for (const v of inputs) {
    if (!v || sizeOf(v.shape) === 1) continue;
    const reorderable = v.dtype === "float32" || layout.find(v);
    if (!whole(v) || !reorderable) return undefined;
  }
  const channels = reference.shape[1];
  if (layout.padded(channels) !== channels && !keepsZeros(node, inputs)) return undefined;
  const operands = inputs.map((v) => (whole(v) ? layout.blocked(v!) : v));
  const masked =
    node.op === "Where" && whole(inputs[1])
      ? maskedGradient(layout, operands[0]!, operands[1]!, operands[2])
      : undefined;
  const result = masked ?? apply(reference.graph, node.op, operands, node.attributes)[0];
  if (result.dtype === "float32") return [layout.plain(result, channels)];
  // Only floats can be reordered; nobody reads the plain form where all consumers are pointwise too.
  const [y] = plain();
  layout.pair(y, result);
  return [y];
}

function maskedGradient(
  layout: Layout,
  condition: Value,
  dy: Value,
  otherwise: Value | undefined,
): Value | undefined {
  const y = positiveOperand(layout.producer(condition), condition.graph, otherwise);
  if (!y || !sameShape(y.shape, dy.shape)) return undefined;
  return maskBeforePooling(y, dy) ?? mul(dy, positive(y));
}

/** Whether zeros in all arrays give zero, so that padding channels stay zero: tried for both truths and two scalars. */
function keepsZeros(node: Node, inputs: readonly (Value | undefined)[]): boolean {
  const { graph } = inputs.find((v) => v)!;
  return [
    [0, 0.7],
    [1, -1.3],
  ].every(([truth, unknown]) => {
    const numbers = inputs.map((v) => {
      if (!v) return undefined as never;
      const known = graph.constants.get(v.name);
      const value =
        v.dtype === "bool" ? truth : sizeOf(v.shape) > 1 ? 0 : known ? toNumbers(known)[0] : unknown;
      return { shape: [], data: Float64Array.of(value) };
    });
    const type = (v: Value | undefined) => ({ dtype: v?.dtype ?? ("float32" as const), shape: [] });
    const [result] = findOperator(node.op)!.evaluate({
      inputs: numbers,
      inputTypes: inputs.map(type),
      outputTypes: [type(inputs.find((v) => v?.dtype === "float32"))],
      attributes: node.attributes,
    });
    return result.data[0] === 0;
  });
}
