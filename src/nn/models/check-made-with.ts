import type { Graph } from "../../engine/graph.ts";
import { Problem } from "../../problem.ts";
import { unfilled } from "../initializers.ts";
import { causalAttentions } from "./causal-attention.ts";
import type { DecoderOptions } from "./decoder.ts";
import { decoder } from "./decoder.ts";

/**
 * Throws a `Problem` where the sizes, heads or first position of a model tell that it is no `decoder` of these options, nor
 * what is left of one without some heads and neurons, or with factors in place of its matrices.
 */
export function checkMadeWith(model: Graph, options: DecoderOptions): void {
  const { layout, context, width, heads, positions = context, positionOffset = 0 } = options;
  const refuse = (what: string) => new Problem(`the options are of another decoder: they ${what}`);
  const [, tokens] = model.types.get(model.inputs[0])!.shape;
  if (context > tokens) throw refuse(`want a context of ${context}, the model has ${tokens}`);
  const cut = model.nodes.find(({ op, inputs }) => op === "Slice" && inputs[0] === "positions.weight");
  const first = Number(model.constants.get(cut?.inputs[1] ?? "")?.data[0] ?? 0);
  // A table that has lost the rows that nothing reads begins elsewhere.
  if (
    layout === "opt" &&
    model.parameters.get("positions.weight")?.shape[0] === positions &&
    first !== positionOffset
  )
    throw refuse(`begin at row ${positionOffset} of the positions, the model at ${first}`);
  const wanted = decoder({
    ...options,
    batch: 1,
    initializer: unfilled,
    tableInitializer: unfilled,
  }).parameters;
  const names = [...model.parameters.keys()];
  for (const [name, { shape }] of wanted) {
    const own = model.parameters.get(name)?.shape;
    // What stands in place of a weight has names that begin with its own.
    if (
      own
        ? own.length !== shape.length || own.some((d, i) => d > shape[i])
        : !names.some((n) => n.startsWith(`${name}/`))
    )
      throw refuse(`want "${name}" of shape [${shape}], the model has ${own ? `[${own}]` : "none"}`);
  }
  for (const name of names)
    if (PARTS.test(name) && !wanted.has(name.split("/")[0]))
      throw refuse(`leave out "${name}", which the model has`);
  for (const { query } of causalAttentions(model)) {
    const [, count, , size] = model.types.get(query)!.shape;
    if (count > heads || size > width / heads) throw refuse(`want ${heads} heads, the model has ${count}`);
  }
}

/** Parameters that some options leave out. */
const PARTS = /^(layers\.\d+|positions|norm|project_in|project_out|head)\./;
