import type { Graph, Node, Value } from "../../engine/graph.ts";
import { parameter } from "../../engine/graph.ts";
import { add, exp, mul, sqrt } from "../../engine/operators/index.ts";
import { apply } from "../../engine/operators/operator.ts";
import { sizeOf, tensor } from "../../engine/tensor.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { Problem } from "../../problem.ts";

/** Added to variances before the root, whose slope at 0 is infinite. */
const VARIANCE_FLOOR = 1e-10;

/** Operators that compute one sum of products of their first two inputs, so that variances pass through squares. */
const PRODUCTS = new Set(["Gemm", "MatMul", "Conv"]);
/** Operators that move numbers about. */
const MOVES = new Set(["Transpose", "Reshape", "Identity"]);

export interface LocalReparameterization
  extends Required<Pick<Sparsifier, "reparameterize" | "replaceNode">> {
  /** σ² of a parameter in a training graph. */
  variance(graph: Graph, parameter: string): Value;
}

export interface LocalReparameterizationOptions {
  /** Parameters that are means of Gaussians. */
  means: ReadonlySet<string>;
  /** ln σ to start from. */
  logSigma: number;
  /** Standard normal numbers like a value. `place` is the node's name, the same in every graph made of the model. */
  noise(like: Value, place: string): Value;
}

/** The name under which ln σ of a parameter trains and is saved. */
export function logSigmaName(parameter: string): string {
  return `${parameter}/logSigma`;
}

/**
 * Gaussian weights inside the training graph (Kingma, Salimans and Welling 2015): a layer's outputs are sampled instead
 * of its weights, mean + √variance·ε with mean = x·μ + bias and variance = x²·σ², fresh noise for every sample and unit.
 * Each parameter of `means` gets a second one, ln σ. Throws a `Problem` where something else than a linear layer or
 * convolution reads such a weight.
 */
export function localReparameterization({
  means,
  logSigma,
  noise,
}: LocalReparameterizationOptions): LocalReparameterization {
  const variances = new WeakMap<Graph, Map<string, Value>>();
  const known = (graph: Graph) => {
    let map = variances.get(graph);
    if (!map) variances.set(graph, (map = new Map()));
    return map;
  };
  return {
    variance: (graph, name) => known(graph).get(name)!,
    reparameterize: (mean) => {
      if (!means.has(mean.name)) return undefined;
      const start = new Float32Array(sizeOf(mean.shape)).fill(logSigma);
      const own = parameter(mean.graph, logSigmaName(mean.name), tensor("float32", mean.shape, start));
      known(mean.graph).set(mean.name, exp(mul(own, 2)));
      return undefined;
    },
    replaceNode: (node, inputs, target) => {
      const map = known(target);
      const at = inputs.findIndex((v) => v && map.has(v.name));
      if (at < 0) return undefined;
      const variance = map.get(inputs[at]!.name)!;
      if (MOVES.has(node.op)) {
        const [moved] = applyTo(node, inputs, target);
        map.set(moved.name, applyTo(node, inputs.with(at, variance), target)[0]);
        return [moved];
      }
      const [x] = inputs;
      if (!PRODUCTS.has(node.op) || at !== 1 || map.has(x!.name))
        throw new Problem(
          `turbo-vbi: ${node.op} "${node.name}" reads the weight "${inputs[at]!.name}", which only linear layers and convolutions can; leave that layer out`,
        );
      const [mean] = applyTo(node, inputs, target);
      const { alpha, beta, ...attributes } = node.attributes;
      const ofVariance = typeof alpha === "number" ? { ...attributes, alpha: alpha * alpha } : attributes;
      const spread = apply(target, node.op, [mul(x!, x!), variance], ofVariance, {
        name: `${node.outputs[0]}/variance`,
      })[0];
      return [add(mean, mul(sqrt(add(spread, VARIANCE_FLOOR)), noise(mean, node.name)))];
    },
  };
}

function applyTo(node: Node, inputs: readonly (Value | undefined)[], target: Graph): Value[] {
  return apply(target, node.op, inputs, node.attributes, { name: node.outputs[0] });
}
