import type { Value } from "../graph.ts";
import { constant } from "../graph.ts";
import { add, expand, matmul, mul, reshape, softmax, transpose, where } from "../operators/index.ts";
import { tensor } from "../tensor.ts";
import type { ForeignNode } from "./upgrade.ts";

/** Added where nothing may be looked at: its exponential is 0, and sums with it stay finite. */
const NOWHERE = -1e30;

/**
 * `Attention` of opset 23, spelled out: softmax(QKᵀ·scale + mask)·V, with as many or fewer heads of keys and values than of queries, all of
 * them [batch, heads, length, size] or [batch, length, heads · size]. Caches and soft caps are refused.
 */
export function attention(node: ForeignNode): Value[] {
  const [q, k, v, mask, ...past] = node.inputs as [Value, Value, Value, ...(Value | undefined)[]];
  const number = (name: string) => node.attributes[name] as number | undefined;
  if (past.some((p) => p !== undefined) || node.outputCount > 1)
    throw new Error("it keeps keys and values for later; export the model without a cache");
  if (number("softcap")) throw new Error("its scores have a soft cap, which Filigree does not read");
  const flat = q.shape.length === 3;
  const split = (x: Value, name: "q_num_heads" | "kv_num_heads") => {
    if (!flat) return x;
    const heads = number(name);
    if (heads === undefined) throw new Error(`the attribute ${name} is missing`);
    const [batch, length, width] = x.shape;
    return transpose(reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
  };
  const queries = split(q, "q_num_heads");
  const heads = queries.shape[1];
  const [keys, values] = [k, v].map((x) => repeated(split(x, "kv_num_heads"), heads));
  const scale = number("scale") ?? 1 / Math.sqrt(queries.shape[3]);
  let scores = mul(matmul(queries, transpose(keys, [0, 1, 3, 2])), scale);
  if (mask) scores = add(scores, mask.dtype === "bool" ? where(mask, 0, NOWHERE, scores) : mask);
  if (number("is_causal")) scores = add(scores, causal(scores));
  const found = matmul(softmax(scores), values);
  if (!flat) return [found];
  const [batch, , length, size] = found.shape;
  return [reshape(transpose(found, [0, 2, 1, 3]), [batch, length, heads * size])];
}

/** Each head as often as it takes to have so many. */
function repeated(x: Value, heads: number): Value {
  const [batch, own, length, size] = x.shape;
  if (own === heads) return x;
  const each = expand(reshape(x, [batch, own, 1, length, size]), [batch, own, heads / own, length, size]);
  return reshape(each, [batch, heads, length, size]);
}

/** 0 for what comes before a query or with it, counted from the first of each. */
function causal({ graph, shape }: Value): Value {
  const [rows, columns] = shape.slice(-2);
  const data = Float32Array.from({ length: rows * columns }, (_, i) =>
    i % columns <= Math.floor(i / columns) ? 0 : NOWHERE,
  );
  return constant(graph, tensor("float32", [rows, columns], data));
}
