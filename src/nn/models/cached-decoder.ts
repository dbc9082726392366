import type { Graph, Value } from "../../engine/graph.ts";
import { constant, createGraph, input, output } from "../../engine/graph.ts";
import {
  add,
  cast,
  concat,
  embedding,
  greaterOrEqual,
  matmul,
  mul,
  softmax,
  split,
} from "../../engine/operators/index.ts";
import { apply } from "../../engine/operators/operator.ts";
import { tensor } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { DecoderOptions, Sequence } from "./decoder.ts";
import { attentionScores, decoderLogits } from "./decoder.ts";

/**
 * `decoder` for one more token of each sequence: logits [batch, vocabulary] from `input` [batch, 1] at the zero-based
 * `position` [1], both int32, and the keys and values of all tokens before it, `past.<block>.key` and `past.<block>.value`
 * [batch, heads, context, width/heads], of which the rows from `position` on are not looked at. Its own are the outputs
 * `present.<block>.key` and `present.<block>.value` [batch, heads, 1, width/heads]; they belong into row `position` of the
 * past of the next token. Parameters are the model's own, which was made with the same options. Throws a `Problem` where its
 * parameters, heads or first position tell that it was made with others.
 */
export function cachedDecoder(model: Graph, options: DecoderOptions): Graph {
  const { layout, context, width, heads, batch = 1, positionOffset = 0 } = options;
  const refuse = (what: string) => new Problem(`the options are of another decoder: they ${what}`);
  const graph = createGraph("cached_decoder");
  const ids = input(graph, "input", [batch, 1], { dtype: "int32" });
  const position = input(graph, "position", [1], { dtype: "int32", batched: false });
  const rows = Array.from({ length: context }, (_, row) => row);
  const unwritten = greaterOrEqual(constant(graph, tensor("int32", [context], rows)), position);
  const mask = mul(cast(unwritten, "float32"), -1e9);
  const presents: Value[] = [];
  const sequence: Sequence = {
    rows: (table, first) => embedding(table, add(position, first)),
    attend: (block, query, key, value) => {
      const past = (kind: string) =>
        input(graph, `past.${block}.${kind}`, [batch, heads, context, width / heads]);
      const present = (kind: string, own: Value) =>
        apply(graph, "Identity", [own], {}, { name: `present.${block}.${kind}` })[0];
      const [pastKey, pastValue] = [past("key"), past("value")];
      presents.push(present("key", key), present("value", value));
      // Two products, so that the past is nowhere copied.
      const scores = [add(attentionScores(query, pastKey), mask), attentionScores(query, key)];
      const [before, own] = split(softmax(concat(scores, 3)), [context, 1], 3);
      return add(matmul(before, pastValue), matmul(own, value));
    },
  };
  output(decoderLogits(ids, options, sequence));
  for (const present of presents) output(present);
  for (const [name, { shape }] of graph.parameters) {
    const own = model.parameters.get(name);
    if (!own || own.shape.join() !== shape.join())
      throw refuse(`want "${name}" of shape [${shape}], the model has ${own ? `[${own.shape}]` : "none"}`);
    graph.parameters.set(name, own);
  }
  for (const name of model.parameters.keys())
    if (PARTS.test(name) && !graph.parameters.has(name))
      throw refuse(`leave out "${name}", which the model has`);
  for (const { op, outputs } of model.nodes) {
    const { shape } = model.types.get(outputs[0])!;
    if (op === "Softmax" && shape.length === 4 && shape[1] !== heads)
      throw refuse(`want ${heads} heads, the model has ${shape[1]}`);
  }
  const cut = model.nodes.find(({ op, inputs }) => op === "Slice" && inputs[0] === "positions.weight");
  const first = Number(model.constants.get(cut?.inputs[1] ?? "")?.data[0] ?? 0);
  if (layout === "opt" && first !== positionOffset)
    throw refuse(`begin at row ${positionOffset} of the positions, the model at ${first}`);
  return graph;
}

/** Parameters that some options leave out. */
const PARTS = /^(layers\.\d+|positions|norm|project_in|project_out|head)\./;
