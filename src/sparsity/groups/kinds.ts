import type { Graph } from "../../engine/graph.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { Flow } from "../channels/flow.ts";
import { traceFlow } from "../channels/flow.ts";
import type { TracedStream } from "../channels.ts";
import { streamsOf } from "../channels.ts";
import { scaleGroups } from "../groups.ts";
import { branchGroups } from "./branches.ts";
import { filters, heads, inputChannels, neurons, zeroInvariant } from "./channels.ts";
import type { CustomGroups } from "./custom.ts";
import { customGroups } from "./custom.ts";
import type { GroupSet } from "./group-set.ts";
import { nameApart } from "./group-set.ts";
import { blocks, filterShapes, kernels, singleWeights, weightMatrices } from "./weights.ts";

/** What a group can be (wgsef.md 3.9). */
export const GROUP_KINDS = [
  "filter",
  "zero-invariant",
  "channel",
  "neuron",
  "head",
  "layer",
  "filter-shape",
  "kernel",
  "block",
  "unstructured",
] as const;
export type GroupKind = (typeof GROUP_KINDS)[number];

/**
 * A kind by name, `block` with the size of its tiles (`block:8x4`: 8 outputs by 4 columns), several kinds of channels that share no
 * weights (`head,neuron`), or lists made by hand.
 */
export type GroupChoice = GroupKind | `block:${number}x${number}` | `${GroupKind},${string}` | CustomGroups;

const BLOCK = { height: 4, width: 4 };

interface Found {
  graph: Graph;
  flow: () => Flow;
  streams: () => TracedStream[];
}

const finders: Record<GroupKind, (found: Found, block: typeof BLOCK) => GroupSet[]> = {
  filter: ({ flow, streams }) => filters(flow(), streams()),
  "zero-invariant": ({ flow, streams }) => zeroInvariant(flow(), streams()),
  channel: ({ flow, streams }) => inputChannels(flow(), streams()),
  neuron: ({ flow, streams }) => neurons(flow(), streams()),
  head: ({ flow, streams }) => heads(flow(), streams()),
  layer: ({ graph }) => branchGroups(graph),
  "filter-shape": ({ graph }) => weightMatrices(graph).map(filterShapes),
  kernel: ({ graph }) => weightMatrices(graph).flatMap(kernels),
  block: ({ graph }, { height, width }) => weightMatrices(graph).map((m) => blocks(m, height, width)),
  unstructured: ({ graph }) => weightMatrices(graph).map(singleWeights),
};

/** What the absence of a kind means. */
const LACKING: Record<GroupKind, string> = {
  filter: "no channel can be removed",
  "zero-invariant": "no channel can be removed",
  channel: "no channel can be removed",
  neuron: "no hidden neurons between two matrix products",
  head: "no attention with heads that can be removed",
  layer: "no residual sum with the identity beside the branch",
  "filter-shape": "no trainable weights before the last layer",
  kernel: "no trainable convolution with kernels larger than 1×1 before the last layer",
  block: "no trainable weights before the last layer",
  unstructured: "no trainable weights before the last layer",
};

/**
 * All groups of a kind in a graph, set by set, in graph order. Groups of different sets share no weights. What must go
 * together (wgsef.md 3.9, rules 1 to 5) is found from the graph. Throws a `Problem` where there are none, which says what
 * stands in the way, or where lists made by hand are wrong.
 */
export function findGroups(graph: Graph, choice: GroupChoice = "filter"): GroupSet[] {
  const { sets, lacking } = lookForGroups(graph, choice);
  if (sets.length === 0) throw new Problem(`groups: ${lacking}`);
  return sets;
}

/** The same, with the reason where there are none. */
export function lookForGroups(graph: Graph, choice: GroupChoice): { sets: GroupSet[]; lacking: string } {
  if (typeof choice === "object")
    return { sets: customGroups(graph, choice), lacking: "the lists are empty" };
  const kinds = parseKinds(choice);
  let flow: Flow | undefined;
  let streams: TracedStream[] | undefined;
  const found: Found = {
    graph,
    flow: () => (flow ??= traceFlow(graph)),
    streams: () => (streams ??= streamsOf(found.flow())),
  };
  const sets = kinds.map(({ kind, block }) => finders[kind](found, block));
  const absent = kinds.find((_, i) => sets[i].length === 0);
  if (absent) {
    const blocked = (streams ?? []).filter((s) => s.blocked !== undefined && s.layers.length > 0);
    const reasons = blocked.slice(0, 3).map(({ name, blocked: reason }) => `${name}: ${reason}`);
    return { sets: [], lacking: [`${LACKING[absent.kind]} in this graph`, ...reasons].join("; ") };
  }
  if (kinds.length > 1) requireApart(graph, kinds, sets);
  return { sets: nameApart(sets.flat()), lacking: "" };
}

/** Throws a `Problem` where kinds that are asked for together are not all of channels, or share a weight. */
function requireApart(
  graph: Graph,
  kinds: readonly { kind: GroupKind }[],
  sets: readonly (readonly GroupSet[])[],
): void {
  const owners = new Map<string, { of: number; taken: Float32Array }[]>();
  kinds.forEach(({ kind }, i) => {
    for (const { stream, partition } of sets[i]) {
      if (stream === undefined)
        throw new Problem(`groups: "${kind}" takes no channels out of the network; ask for it alone`);
      const names = new Set(partition.parts.map(({ parameter }) => parameter));
      const arrays = Object.fromEntries(
        [...names].map((name) => [name, new Float32Array(sizeOf(graph.parameters.get(name)!.shape)).fill(1)]),
      );
      scaleGroups(partition, arrays, new Float64Array(partition.groups));
      for (const [name, taken] of Object.entries(arrays)) {
        const others = owners.get(name) ?? [];
        owners.set(name, others);
        const other = others.find((o) => o.of !== i && o.taken.some((v, w) => v === 0 && taken[w] === 0));
        if (other)
          throw new Problem(
            `groups: "${kinds[other.of].kind}" and "${kind}" share weights of ${name}; kinds that are asked for together may not, as head,neuron`,
          );
        others.push({ of: i, taken });
      }
    }
  });
}

/** One kind or several, with commas between them; throws a `Problem` for anything else. */
export function parseKinds(text: string): ReturnType<typeof parseKind>[] {
  return text.split(",").map((kind) => parseKind(kind.trim()));
}

/** `filter`, `block`, `block:8x4`, …; throws a `Problem` for anything else. */
function parseKind(text: string): { kind: GroupKind; block: typeof BLOCK } {
  const size = /^block:([1-9]\d*)x([1-9]\d*)$/.exec(text);
  if (size) return { kind: "block", block: { height: Number(size[1]), width: Number(size[2]) } };
  if (GROUP_KINDS.includes(text as GroupKind)) return { kind: text as GroupKind, block: BLOCK };
  throw new Problem(
    `there is no kind of group "${text}"; there are ${GROUP_KINDS.join(", ")}, and block:8x4 for tiles of 8 outputs by 4 columns`,
  );
}
