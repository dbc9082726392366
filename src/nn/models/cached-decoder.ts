import type { Graph, Node, Value } from "../../engine/graph.ts";
import { cloneGraph, constant, initializer, input, output, valueNamed } from "../../engine/graph.ts";
import {
  add,
  cast,
  concat,
  gather,
  greaterOrEqual,
  matmul,
  mul,
  softmax,
  split,
  transpose,
} from "../../engine/operators/index.ts";
import { apply, integers, normalizeAxis, numberAttribute } from "../../engine/operators/operator.ts";
import { rebatch, replay } from "../../engine/replay.ts";
import { sameShape } from "../../engine/shapes.ts";
import { removeDeadNodes } from "../../engine/simplify.ts";
import { sizeOf, tensor, toNumbers } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { CausalAttention } from "./causal-attention.ts";
import { causalAttentions } from "./causal-attention.ts";
import { checkMadeWith } from "./check-made-with.ts";
import type { DecoderOptions } from "./decoder.ts";
import { futureMask } from "./future-mask.ts";

/** Operators that take their operands element by element, and repeat those along axes of length 1. */
const ELEMENTWISE = new Set(
  "Add Sub Mul Div Pow Neg Abs Sqrt Reciprocal Exp Erf Tanh Sigmoid Relu Gelu Identity Cast".split(" "),
);
/** Others that leave tokens apart wherever their result has an axis of them. */
const KEEPING = new Set("Gather Reshape Transpose Slice Split ReduceMean".split(" "));

/**
 * A decoder for `count` more tokens of each sequence: logits [batch · count, vocabulary] from its int32 input [batch, count] at the
 * zero-based `position` [count], int32, of each, and the keys and values of all tokens before these, `past.<block>.key` and
 * `past.<block>.value` [batch, heads, context, size], of which the rows from the first position on are not looked at. Its own are
 * the outputs `present.<block>.key` and `present.<block>.value` [batch, heads, count, size]; they belong into those rows of the
 * past of the next token. It is made from the graph of the model, a `decoder` or what pruning and truncation left of one, and
 * shares its parameters. `options` are those that this decoder was made with: then a model that cannot come from them is refused,
 * and a shorter context is taken. Several are fewer than the model's own context. Throws a `Problem` for a graph in which tokens meet
 * elsewhere than in causal attention.
 */
export function cachedDecoder(model: Graph, options?: DecoderOptions, count = 1): Graph {
  const types = [...model.inputs, ...model.outputs].map((name) => model.types.get(name)!);
  if (
    model.inputs.length !== 1 ||
    types.length !== 2 ||
    types[0].dtype !== "int32" ||
    types[0].shape.length !== 2
  )
    throw new Problem(
      `no decoder: from ${typesOf(model, model.inputs)} the model computes ${typesOf(model, model.outputs)}; expected logits from int32 tokens [batch, context]`,
    );
  if (options) checkMadeWith(model, options);
  const whole = rebatch(model, options?.batch ?? 1);
  const [ids] = whole.inputs;
  const [batch, tokens] = whole.types.get(ids)!.shape;
  const context = options?.context ?? tokens;
  const source = cloneGraph(whole);
  if (count > 1 && count >= tokens)
    throw new Problem(`${count} tokens at once are not below the model's context of ${tokens}`);
  source.types.set(ids, { dtype: "int32", shape: [batch, count] });
  input(source, "position", [count], { dtype: "int32", batched: false });
  const attentions = causalAttentions(source);
  const blocks = new Map(attentions.map((a, block) => [a.mixed, { ...a, block }]));
  const queries = new Map(attentions.flatMap(({ query, scores }) => scores.map((node) => [node, query])));

  const presents: Value[] = [];
  let masks: Masks | undefined;
  const graph = replay(source, {
    node: (node, inputs, target, current) => {
      // The queries stand for the scores until these meet the values.
      const query = queries.get(node);
      if (query !== undefined) return [current(query)!];
      const attention = blocks.get(node);
      if (!attention) return fewerTokens(whole, count, node, inputs, target);
      masks ??= { past: pastMask(target, context), own: count > 1 ? futureMask(target, count) : undefined };
      const { result, own } = attend(attention, context, masks, current);
      presents.push(...own);
      return [result];
    },
  });
  graph.name = "cached_decoder";
  for (const present of presents) output(present);
  removeDeadNodes(graph);
  return graph;
}

function typesOf({ types }: Graph, names: readonly string[]): string {
  return names.map((name) => `${types.get(name)!.dtype}[${types.get(name)!.shape}]`).join(", ");
}

/** What hides keys from queries, added to their scores. */
interface Masks {
  past: Value;
  /** Of several tokens, those that come later. */
  own: Value | undefined;
}

/** [context]: 0 before the first position, a large negative number from there on. */
function pastMask(graph: Graph, context: number): Value {
  const rows = Array.from({ length: context }, (_, row) => row);
  const positions = valueNamed(graph, "position");
  const first = positions.shape[0] === 1 ? positions : gather(positions, integers(graph, [0]), 0);
  const unwritten = greaterOrEqual(constant(graph, tensor("int32", [context], rows)), first);
  return mul(cast(unwritten, "float32"), -1e9);
}

/** What queries find in the past and in themselves; their own keys and values leave the graph. */
function attend(
  { block, scores: steps, mask: masking, ...names }: CausalAttention & { block: number },
  context: number,
  masks: Masks,
  current: (name: string) => Value | undefined,
): { result: Value; own: Value[] } {
  const [query, key, value] = [names.query, names.key, names.value].map((name) => current(name)!);
  const { graph } = query;
  const past = (kind: string, { shape: [batch, heads, , size] }: Value) =>
    input(graph, `past.${block}.${kind}`, [batch, heads, context, size]);
  const present = (kind: string, own: Value) =>
    apply(graph, "Identity", [own], {}, { name: `present.${block}.${kind}` })[0];
  const [pastKey, pastValue] = [past("key", key), past("value", value)];
  const scores = (keys: Value, hidden: Value | undefined) =>
    steps.slice(1, -1).reduce(
      (x, { op, inputs, attributes }, i) => {
        if (steps[i + 1] === masking) return hidden ? add(x, hidden) : x;
        const operands = inputs.map((name) => (name === steps[i].outputs[0] ? x : current(name)));
        return apply(graph, op, operands, attributes)[0];
      },
      matmul(query, transpose(keys, [0, 1, 3, 2])),
    );
  // Two products, so that the past is nowhere copied.
  const all = softmax(concat([scores(pastKey, masks.past), scores(key, masks.own)], 3));
  const [before, own] = split(all, [context, key.shape[2]], 3);
  return {
    result: add(matmul(before, pastValue), matmul(own, value)),
    own: [present("key", key), present("value", value)],
  };
}

/** The results of a node of `whole` for `count` tokens in place of all; undefined where it reads no tokens. */
function fewerTokens(
  whole: Graph,
  count: number,
  node: Node,
  inputs: readonly (Value | undefined)[],
  target: Graph,
): Value[] | undefined {
  const { op, attributes } = node;
  const tokens = whole.types.get(whole.inputs[0])!.shape[1];
  const before = (name: string) => whole.types.get(name)!.shape;
  // The axis along which a value has become shorter.
  const axisOf = (name: string, { shape }: Value) => shape.findIndex((d, k) => d !== before(name)[k]);
  const axes = inputs.map((value, i) => (value ? axisOf(node.inputs[i], value) : -1));
  if (axes.every((axis) => axis < 0)) return undefined;
  const refuse = () =>
    new Problem(
      `the decoder's ${op} "${node.name}" does not take each token by itself; only causal attention can be computed token by token`,
    );
  if (mixesTokens(node, inputs, axes)) throw refuse();
  const operands = [...inputs];
  if (op === "Reshape") {
    const shape = reshapeTarget(whole, count, node, axes[0]);
    if (!shape) throw refuse();
    operands[1] = integers(target, shape);
  }
  if (ELEMENTWISE.has(op)) {
    const fromRight = Math.max(...axes.map((axis, i) => (axis < 0 ? 0 : inputs[i]!.shape.length - axis)));
    inputs.forEach((value, i) => {
      const axis = (value?.shape.length ?? 0) - fromRight;
      // Tables of positions.
      if (value && axes[i] < 0 && axis >= 0 && value.shape[axis] === tokens)
        operands[i] = gather(value, valueNamed(target, "position"), axis);
    });
  }
  const results = apply(target, op, operands, attributes, {
    name: node.outputs[0],
    outputCount: node.outputs.length,
  });
  results.forEach((value, i) => {
    const axis = axisOf(node.outputs[i], value);
    const all = value.shape.map((d, k) => (k === axis ? (d / count) * tokens : d));
    if (axis < 0 || !sameShape(all, before(node.outputs[i]))) throw refuse();
  });
  return results;
}

/** Whether a result depends on more than one token, as far as its shape does not tell. */
function mixesTokens(
  { op, attributes }: Node,
  inputs: readonly (Value | undefined)[],
  axes: readonly number[],
): boolean {
  const rank = inputs[0]!.shape.length;
  const along = () => normalizeAxis(numberAttribute(attributes, "axis", -1), rank);
  switch (op) {
    case "Concat":
      return axes.includes(along());
    case "LayerNormalization":
      return axes[0] >= along();
    case "Gemm":
    case "MatMul":
      return axes[0] === rank - 1 || axes[1] >= 0;
    default:
      return !ELEMENTWISE.has(op) && !KEEPING.has(op);
  }
}

/** The target shape of a `Reshape` for `count` tokens, where the tokens along `axis` stay the innermost part of an axis. */
function reshapeTarget(whole: Graph, count: number, node: Node, axis: number): number[] | undefined {
  const [from, to] = [node.inputs[0], node.outputs[0]].map((name) => whole.types.get(name)!.shape);
  const tokens = whole.types.get(whole.inputs[0])!.shape[1];
  const inner = sizeOf(from.slice(axis + 1));
  const own = to.findIndex((d, k) => d % tokens === 0 && sizeOf(to.slice(k + 1)) === inner);
  if (own < 0) return undefined;
  const target = toNumbers(initializer(whole, node.inputs[1])!);
  return Array.from(target, (d, k) => {
    const length = k === own ? (to[k] / tokens) * count : to[k];
    // A copy may be of an axis that has become shorter, or is to.
    return d < 0 || (d === 0 && (k === axis) === (k === own)) ? d : length;
  });
}
