import { foldNode } from "../engine/fold.ts";
import type { Graph, Value } from "../engine/graph.ts";
import { cloneGraph, consumers, initializer, valueNamed } from "../engine/graph.ts";
import { pad } from "../engine/operators/index.ts";
import { replay } from "../engine/replay.ts";
import { removeDeadNodes } from "../engine/simplify.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { ChannelMember, ChannelStream } from "./channels.ts";
import { analyzeChannels } from "./channels.ts";

/** Channels in a block of ONNX Runtime's fast convolution kernels (AVX2). */
export const ALIGNMENT = 8;

/** Zeros to add at the end of each axis of an initialiser. */
type Padding = Map<string, number[]>;

/**
 * Rounds the width of convolutions up to a multiple, by zeros that the file does not store: weights go through `Pad`
 * nodes, which a runtime folds when it loads the model. The function stays the same. ONNX Runtime's fast convolution
 * kernels work on blocks of 8 channels and are left out for widths such as 6 or 10, so that a network with fewer
 * channels can be slower than with a few more.
 *
 * Streams that it cannot round (concatenated or grouped channels, shapes written out in the graph) stay as they are.
 */
export function alignChannels(graph: Graph, multiple = ALIGNMENT): Graph {
  const padding: Padding = new Map();
  const grouped = new Set(
    graph.nodes.filter((n) => ((n.attributes.group as number | undefined) ?? 1) > 1).flatMap((n) => n.inputs),
  );
  for (const stream of analyzeChannels(graph).streams) {
    const extra = (multiple - (stream.count % multiple)) % multiple;
    if (extra === 0 || !canAlign(graph, stream, grouped)) continue;
    for (const member of stream.members) {
      const { shape } = initializer(graph, member.name)!;
      const amounts = padding.get(member.name) ?? shape.map(() => 0);
      padding.set(member.name, amounts);
      amounts[member.axis] = extra * (shape[member.axis] / stream.count);
    }
  }
  return padding.size ? padded(graph, padding) : graph;
}

/**
 * The same network with the zeros of `alignChannels` among its stored weights, which keep their names: for what goes by
 * these, such as a posterior, or kernels of our own.
 */
export function storePadding(graph: Graph): Graph {
  const own = cloneGraph(graph);
  const budget = { work: Number.POSITIVE_INFINITY, largest: Number.POSITIVE_INFINITY };
  const readers = consumers(graph);
  const stored = new Map<string, string>();
  own.nodes = own.nodes.filter((node) => {
    const [name] = node.inputs;
    const weights = node.op === "Pad" ? own.parameters.get(name) : undefined;
    if (!weights || readers.get(name)!.length > 1) return true;
    // Folding takes constants alone.
    own.constants.set(name, weights);
    foldNode(own, node, budget);
    const [made] = node.outputs;
    const padded = own.constants.get(made) as Tensor<"float32">;
    for (const old of [name, made]) own.constants.delete(old);
    own.parameters.set(name, padded);
    own.types.set(name, { dtype: "float32", shape: padded.shape });
    own.types.delete(made);
    stored.set(made, name);
    return false;
  });
  for (const node of own.nodes) node.inputs = node.inputs.map((name) => stored.get(name) ?? name);
  removeDeadNodes(own);
  return own;
}

function canAlign(
  graph: Graph,
  { blocked, crosses, members, count }: ChannelStream,
  grouped: ReadonlySet<string>,
): boolean {
  // The analysis takes constants apart that are read in several places: the graph has not all of its members.
  const filters = members.some((m) => m.role === "writer" && initializer(graph, m.name)?.shape.length === 4);
  return (
    blocked === undefined &&
    crosses.length === 0 &&
    filters &&
    members.every((m) => !grouped.has(m.name) && isWholeAxis(graph, m, count))
  );
}

/** Whether the channels cover the axis in their order, each with a run of the same length. */
function isWholeAxis(graph: Graph, { name, axis, positions }: ChannelMember, count: number): boolean {
  const run = (initializer(graph, name)?.shape[axis] ?? Number.NaN) / count;
  return (
    Number.isInteger(run) &&
    positions.every((list, channel) => list.length === run && list.every((p, i) => p === channel * run + i))
  );
}

function padded(graph: Graph, padding: Padding): Graph {
  const extended = new Map<string, Value>();
  const withZeros = (target: Graph, value: Value | undefined) => {
    const amounts = value && padding.get(value.name);
    if (!amounts) return value;
    let result = extended.get(value.name);
    if (!result) {
      result = pad(
        valueNamed(target, value.name),
        amounts.map(() => 0),
        amounts,
      );
      extended.set(value.name, result);
    }
    return result;
  };
  try {
    return replay(graph, { input: withZeros });
  } catch {
    // Some node has the width written out, e.g. the shape of a reshape: the network stays as it is.
    return graph;
  }
}
