import type { Graph, Node } from "../engine/graph.ts";
import { constant, consumers, createGraph, input, output, parameter } from "../engine/graph.ts";
import { apply } from "../engine/operators/operator.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Cut, TruncatedLayer, TruncateOptions } from "../sparsity/spectral/truncate.ts";
import { cutSpectra, hasFewerWeights, withCuts } from "../sparsity/spectral/truncate.ts";
import { measureLatency } from "./latency.ts";

export interface TimedLayer extends TruncatedLayer {
  /** Time of the layer alone, in milliseconds, as one weight and as two factors; absent where these have no fewer weights. */
  latencyMs?: { merged: number; factors: number };
}

/**
 * Truncates spectra (see `truncateSpectra`) and gives every layer the form that is quicker here: two thin products only
 * where they are measured to beat one, at the model's own batch size. The others are left `whole`, since to cut them would
 * cost accuracy and save nothing; or, for comparisons, are `merged`.
 */
export async function truncateByLatency(
  model: Graph,
  options: Omit<TruncateOptions, "form">,
  timing: TimingOptions = {},
): Promise<{ graph: Graph; layers: TimedLayer[] }> {
  return await fastestCuts(model, cutSpectra(model, options), timing);
}

export interface TimingOptions extends Pick<SessionOptions, "device" | "threads"> {
  /** What becomes of layers in which two products do not pay. Default `whole`. */
  others?: "whole" | "merged";
}

/** The same for what is left of each layer. */
export async function fastestCuts(
  model: Graph,
  cuts: readonly Cut[],
  { others = "whole", ...session }: TimingOptions = {},
): Promise<{ graph: Graph; layers: TimedLayer[] }> {
  const times = new Map<string, { merged: number; factors: number }>();
  for (const cut of cuts) {
    if (!hasFewerWeights(cut.layer)) continue;
    const { weight } = cut.layer;
    const alone = layerAlone(model, weight);
    const factored = withCuts(alone, [cut], () => "factors").graph;
    const batch = alone.types.get("x")!.shape[0];
    const [merged, factors] = await measureLatency([alone, factored], {
      ...session,
      batch,
      runs: 20,
      atLeast: 30,
    });
    times.set(weight, { merged, factors });
  }
  const { graph, layers } = withCuts(model, cuts, ({ weight }) => {
    const found = times.get(weight);
    return found && found.factors < found.merged ? "factors" : others;
  });
  return { graph, layers: layers.map((l) => ({ ...l, latencyMs: times.get(l.weight) })) };
}

/** The node that reads a weight, as a graph of its own over input `x`. */
function layerAlone(model: Graph, weight: string): Graph {
  const readers = consumers(model);
  const graph = createGraph(weight);
  const own = (name: string) => parameter(graph, name, model.parameters.get(name)!);
  let value = own(weight);
  let name = weight;
  let node: Node = readers.get(weight)![0];
  if (node.op === "Transpose") {
    value = apply(graph, node.op, [value], node.attributes)[0];
    name = node.outputs[0];
    node = readers.get(name)![0];
  }
  const x = input(graph, "x", model.types.get(node.inputs[0])!.shape);
  // A bias may be computed: then it is fed.
  const rest = node.inputs.slice(2).map((n) => {
    if (n === "") return undefined;
    if (model.parameters.has(n)) return own(n);
    const known = model.constants.get(n);
    const { dtype, shape } = model.types.get(n)!;
    return known ? constant(graph, known, n) : input(graph, n, shape, { dtype, batched: false });
  });
  output(apply(graph, node.op, [x, value, ...rest], node.attributes)[0]);
  return graph;
}
