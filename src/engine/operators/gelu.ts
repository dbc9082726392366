import type { Attributes, Value } from "../graph.ts";
import { hardSigmoid } from "./activations.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { apply, defineOperator, findOperator, INTERNAL_DOMAIN } from "./operator.ts";
import { erf, exp, tanh } from "./transcendental.ts";

/** tanh(LINE·(x + CUBE·x³)) is close to erf(x/√2). */
const LINE = Math.sqrt(2 / Math.PI);
const CUBE = 0.044715;

const approximates = (attributes: Attributes) => attributes.approximate === "tanh";

/** 2Φ(x) − 1, Φ the normal distribution function. */
function bell(x: Value, attributes: Attributes): Value {
  return approximates(attributes)
    ? tanh(mul(add(x, mul(mul(mul(x, x), x), CUBE)), LINE))
    : erf(mul(x, Math.SQRT1_2));
}

/** Φ(x). A clipped line is one pass over memory, where a sum and a product are two. */
export function distribution(x: Value, attributes: Attributes): Value {
  return hardSigmoid(bell(x, attributes), { alpha: 0.5, beta: 0.5 });
}

/** x·Φ′(x) */
function weightedDensity(x: Value, attributes: Attributes): Value {
  if (!approximates(attributes)) return mul(mul(x, exp(mul(x, mul(x, -0.5)))), 1 / Math.sqrt(2 * Math.PI));
  const b = bell(x, attributes);
  const inner = add(mul(mul(x, x), 1.5 * CUBE * LINE), 0.5 * LINE);
  return mul(mul(x, inner), sub(1, mul(b, b)));
}

// In the standard since opset 20. In 17 it is spelled out, in the way that runtimes recognise and fuse.
defineOperator({
  name: "Gelu",
  domain: INTERNAL_DOMAIN,
  attributes: { approximate: "string" },
  infer: ({ inputs: [x] }) => [x!],
  gradient: ({ inputs: [x], gradients: [dy], attributes }) => [
    mul(dy!, add(distribution(x, attributes), weightedDensity(x, attributes))),
  ],
  evaluate: ({ inputs: [x], attributes, ...call }) => {
    const values = (op: string, argument: (v: number) => number) => {
      const inputs = [{ shape: x.shape, data: x.data.map(argument) }];
      return findOperator(op)!.evaluate({ ...call, attributes: {}, inputs })[0].data;
    };
    const b = approximates(attributes)
      ? values("Tanh", (v) => LINE * (v + CUBE * v ** 3))
      : values("Erf", (v) => v * Math.SQRT1_2);
    return [{ shape: x.shape, data: x.data.map((v, i) => 0.5 * v * (1 + b[i])) }];
  },
  lower: ({ inputs: [x], attributes }) => [mul(mul(x!, add(bell(x!, attributes), 1)), 0.5)],
});

/** x · Φ(x), Φ the normal distribution function; `tanh` takes the approximation of Hendrycks & Gimpel 2016. */
export function gelu(x: Value, { approximate = "none" }: { approximate?: "none" | "tanh" } = {}): Value {
  return apply(x.graph, "Gelu", [x], { approximate })[0];
}
