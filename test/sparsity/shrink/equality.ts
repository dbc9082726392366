import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { initializer } from "../../../src/engine/graph.ts";
import type { Numeric } from "../../../src/engine/operators/operator.ts";
import { replay } from "../../../src/engine/replay.ts";
import { createSession } from "../../../src/engine/session.ts";
import { forEachIndex } from "../../../src/engine/shapes.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { fromNumbers, sizeOf, toNumbers } from "../../../src/engine/tensor.ts";
import { Problem } from "../../../src/problem.ts";
import type { Random } from "../../../src/random.ts";
import type { ChannelMember, ChannelStream } from "../../../src/sparsity/channels.ts";
import { analyzeChannels } from "../../../src/sparsity/channels.ts";
import { shrink } from "../../../src/sparsity/shrink.ts";

export type Masks = Map<string, boolean[]>;

/**
 * Random masks: each stream that may shrink loses about `share` of its channels, and no value all of them. A stream that
 * crosses one that lost some stays whole with probability ½, so that both cases occur.
 */
export function randomMasks(graph: Graph, random: Random, share = 0.4): Masks {
  const masks: Masks = new Map();
  for (const stream of analyzeChannels(graph).streams) {
    if (stream.blocked !== undefined) continue;
    if (stream.crosses.some((name) => masks.has(name)) && random.uniform() < 0.5) continue;
    for (;;) {
      const mask = Array.from({ length: stream.count }, () => random.uniform() >= share);
      try {
        shrink(graph, new Map([[stream.name, mask]]));
      } catch (error) {
        if (error instanceof Problem && /keep (at least )?one/.test(error.message)) continue;
        throw error;
      }
      masks.set(stream.name, mask);
      break;
    }
  }
  return masks;
}

/** A copy of the graph in which the chosen members of the removed channels are zero; arrays of their own. */
export function masked(
  graph: Graph,
  masks: Masks,
  which: (member: ChannelMember, stream: ChannelStream) => boolean = () => true,
): Graph {
  const copies = new Map<string, Tensor>();
  for (const stream of analyzeChannels(graph).streams) {
    const mask = masks.get(stream.name);
    for (const member of stream.members) {
      const original = initializer(graph, member.name);
      // Constants that layers share are told apart by the analysis, under new names; leave those as they are.
      if (!mask || !original || !which(member, stream)) continue;
      const t = copies.get(member.name) ?? { ...original, data: original.data.slice() as Float32Array };
      copies.set(member.name, t as Tensor);
      const gone = new Set(member.positions.flatMap((list, i) => (mask[i] ? [] : list)));
      forEachIndex(t.shape, (index, flat) => {
        if (gone.has(index[member.axis])) t.data[flat] = 0;
      });
    }
  }
  return replay(graph, { tensor: (name, t) => copies.get(name) ?? t });
}

export function randomFeeds(graph: Graph, random: Random): Record<string, Numeric> {
  return Object.fromEntries(
    graph.inputs.map((name) => {
      const { shape } = graph.types.get(name)!;
      return [
        name,
        { shape, data: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(random.normal())) },
      ];
    }),
  );
}

/** Largest difference of two results, as a share of the largest expected magnitude; infinite for other shapes or NaN. */
export function difference(found: Numeric, expected: Numeric): number {
  if (found.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  const scale = expected.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  let worst = 0;
  for (let i = 0; i < found.data.length; i++) {
    const d = Math.abs(found.data[i] - expected.data[i]);
    worst = d <= worst ? worst : Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
  }
  return worst / (scale || 1);
}

/** How far the outputs of two graphs are apart in double precision. */
export function exactDifference(found: Graph, expected: Graph, feeds: Record<string, Numeric>): number {
  const [a, b] = [evaluate(found, feeds), evaluate(expected, feeds)];
  return Math.max(...expected.outputs.map((name, i) => difference(a[found.outputs[i]], b[name])));
}

/** The same by ONNX Runtime in single precision. */
export async function runtimeDifference(
  found: Graph,
  expected: Graph,
  feeds: Record<string, Numeric>,
): Promise<number> {
  const [a, b] = [await runtimeOutputs(found, feeds), await runtimeOutputs(expected, feeds)];
  return Math.max(...expected.outputs.map((name, i) => difference(a[found.outputs[i]], b[name])));
}

export async function runtimeOutputs(
  graph: Graph,
  feeds: Record<string, Numeric>,
): Promise<Record<string, Numeric>> {
  const session = await createSession(graph, { device: "cpu", threads: 1 });
  try {
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, { shape, data }]) => {
        const { dtype } = graph.types.get(name)!;
        return [name, { dtype, shape, data: fromNumbers(dtype, data) } as Tensor];
      }),
    );
    const results = await session.run(tensors);
    return Object.fromEntries(
      Object.entries(results).map(([name, t]) => [name, { shape: t.shape, data: toNumbers(t) }]),
    );
  } finally {
    await session.release();
  }
}

export function parameterCount(graph: Graph): number {
  return [...graph.parameters.values()].reduce((a, t) => a + t.data.length, 0);
}
