import type { SampleTensor, Split } from "../data/dataset.ts";
import { evaluate } from "../engine/evaluate.ts";
import type { Graph, Node } from "../engine/graph.ts";
import type { Numeric } from "../engine/operators/operator.ts";
import { numberAttribute } from "../engine/operators/operator.ts";
import { rebatch } from "../engine/replay.ts";
import { sizeOf } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";

/** Samples that are looked at together. */
const BATCH = 256;

/**
 * Throws a `Problem` where a sample has an id for which a table of the model has no row, such as a token beyond its
 * vocabulary. Ids count from 0 here, although ONNX would count negative ones from the end.
 *
 * @param what Names the samples.
 */
export function checkLookups(model: Graph, { inputs, others = [], labels }: Split, what: string): void {
  const samples = labels.length;
  const size = Math.min(BATCH, samples);
  const graph = rebatch(model, size);
  const { lookups, reader } = lookupsOf(graph);
  if (lookups.length === 0) return;
  const given = [inputs, ...others];
  for (let start = 0; start < samples; start += size) {
    // The last ones overlap, so that there is nothing but samples.
    const from = Math.min(start, samples - size);
    const feeds = Object.fromEntries(
      graph.inputs.map((name, i) => [name, rowsOf(given[i], from, from + size)]),
    );
    for (const { inputs: read, attributes } of lookups) {
      const [table, ids] = read;
      const rows = graph.types.get(table)!.shape.at(numberAttribute(attributes, "axis", 0))!;
      const found = evaluate(reader, feeds, [ids])[ids].data;
      const wrong = found.find((id) => id < 0 || id >= rows);
      if (wrong !== undefined)
        throw new Problem(
          `${what} have the id ${wrong}, but "${table}" has ${rows} rows, for the ids 0 to ${rows - 1}; make ids with the vocabulary of the model`,
        );
    }
  }
}

function rowsOf({ shape: [_, ...shape], data }: SampleTensor, from: number, to: number): Numeric {
  const width = sizeOf(shape);
  return { shape: [to - from, ...shape], data: new Float64Array(data.subarray(from * width, to * width)) };
}

/** The nodes that look ids up in a table, and what of the graph computes these ids. */
function lookupsOf(graph: Graph): { lookups: Node[]; reader: Graph } {
  const isInteger = (name: string) => /int|bool/.test(graph.types.get(name)!.dtype);
  const fed = new Set(graph.inputs);
  const computed = new Set(["", ...graph.constants.keys(), ...graph.inputs.filter(isInteger)]);
  const lookups: Node[] = [];
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const [table, ids] = node.inputs;
    if (node.op === "Gather" && !fed.has(table) && fed.has(ids) && computed.has(ids)) lookups.push(node);
    if (node.inputs.some((name) => fed.has(name))) for (const name of node.outputs) fed.add(name);
    if (!node.inputs.every((name) => computed.has(name)) || !node.outputs.every(isInteger)) continue;
    nodes.push(node);
    for (const name of node.outputs) computed.add(name);
  }
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const constants = new Map([...graph.constants].filter(([name]) => read.has(name)));
  return { lookups, reader: { ...graph, nodes, constants, parameters: new Map() } };
}
