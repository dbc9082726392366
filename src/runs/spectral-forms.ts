import type { Graph, Node } from "../engine/graph.ts";
import { consumers, createGraph, input, output, parameter } from "../engine/graph.ts";
import { apply } from "../engine/operators/operator.ts";
import type { TruncatedLayer, TruncateOptions } from "../sparsity/spectral/truncate.ts";
import { cutSpectra, withCuts } from "../sparsity/spectral/truncate.ts";
import { measureLatency } from "./latency.ts";

export interface TimedLayer extends TruncatedLayer {
  /** Time of the layer alone, in milliseconds, as one weight and as two factors; absent where no factors are smaller. */
  latencyMs?: { merged: number; factors: number };
}

/**
 * Truncates spectra (see `truncateSpectra`) and gives every layer the form that is quicker here: two thin products only
 * where they are measured to beat one, at the model's own batch size.
 */
export async function truncateByLatency(
  model: Graph,
  options: Omit<TruncateOptions, "form">,
  { threads }: { threads?: number } = {},
): Promise<{ graph: Graph; layers: TimedLayer[] }> {
  const times = new Map<string, { merged: number; factors: number }>();
  const cuts = cutSpectra(model, options);
  const smaller = withCuts(model, cuts).layers.filter((l) => l.form === "factors");
  for (const { weight } of smaller) {
    const alone = layerAlone(model, weight);
    const own = cuts.filter((c) => c.map.weight === weight);
    const factored = withCuts(alone, own, () => "factors").graph;
    const batch = alone.types.get("x")!.shape[0];
    const [merged, factors] = await measureLatency([alone, factored], {
      batch,
      threads,
      runs: 20,
      atLeast: 30,
    });
    times.set(weight, { merged, factors });
  }
  const { graph, layers } = withCuts(model, cuts, ({ weight }) => {
    const found = times.get(weight);
    return found && found.factors < found.merged ? "factors" : "merged";
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
  const rest = node.inputs.slice(2).map((n) => (n === "" ? undefined : own(n)));
  output(apply(graph, node.op, [x, value, ...rest], node.attributes)[0]);
  return graph;
}
