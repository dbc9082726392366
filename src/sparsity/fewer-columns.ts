import type { Graph } from "../engine/graph.ts";
import { consumers } from "../engine/graph.ts";
import { rebatch } from "../engine/replay.ts";
import type { ColumnForm, LayerForm } from "./column-forms.ts";
import { columnForms, withForms } from "./column-forms.ts";
import { layerName } from "./layers.ts";
import { pieceGraph } from "./sparse/pieces.ts";

export interface ColumnChoice {
  layer: string;
  /** Columns of its matrix [outputs, input channels × window], and those that are not zero. */
  columns: number;
  used: number;
  form: ColumnForm;
  /** The measurements that decided, in words. */
  why: string;
}

/**
 * Filter shapes that are zero (wgsef.md 3.9), as fewer columns of the product: every convolution and linear layer with such
 * columns is measured in the ways of `ColumnForm`, at this batch, and written in the fastest. The result is made of
 * ordinary operators and computes the same up to rounding.
 *
 * @param measure Milliseconds of one run of each graph.
 */
export async function fewerColumns(
  graph: Graph,
  batch: number,
  measure: (forms: readonly Graph[]) => Promise<number[]>,
): Promise<{ graph: Graph; layers: ColumnChoice[] }> {
  const sized = rebatch(graph, batch);
  const readers = consumers(graph);
  const chosen = new Map<string, LayerForm>();
  const layers: ColumnChoice[] = [];
  for (const [i, node] of graph.nodes.entries()) {
    const found = columnForms(graph, node, readers);
    if (!found) continue;
    const { forms, columns, used } = found;
    const own = sized.nodes[i];
    const alone = pieceGraph(sized, {
      kind: "dense",
      nodes: [own],
      inputs: [own.inputs[0]],
      outputs: [...own.outputs],
    });
    const ms = await measure([alone, ...forms.map((form) => withForms(alone, new Map([[own.name, form]])))]);
    const ways = [{ form: "whole" as const }, ...forms].map((form, j) => ({ form, ms: ms[j] }));
    ways.sort((a, b) => a.ms - b.ms);
    const [{ form: best }] = ways;
    if ("build" in best) chosen.set(node.name, best);
    layers.push({
      layer: layerName(graph, node),
      columns,
      used,
      form: best.form,
      why: ways.map(({ form, ms }) => `${form.form} ${Number(ms.toPrecision(2))} ms`).join(" against "),
    });
  }
  return { graph: chosen.size > 0 ? withForms(graph, chosen) : graph, layers };
}
