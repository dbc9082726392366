import type { Graph, Node } from "../../engine/graph.ts";
import { consumers, initializer, producers } from "../../engine/graph.ts";
import { normalizeAxis, numberAttribute, numbersAttribute } from "../../engine/operators/operator.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { toNumbers } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";

/** softmax(scale·q kᵀ + mask) v in a graph, whose mask lets each token see itself and those before it. */
export interface CausalAttention {
  /** Names of the values [batch, heads, tokens, size]; the size of `value` may be another. */
  query: string;
  key: string;
  value: string;
  /** From the product of queries and keys to the softmax. */
  scores: readonly Node[];
  /** Which of these adds the mask. */
  mask: Node;
  /** The product with the values. */
  mixed: Node;
}

/** Every softmax of a graph as the attention that it is part of. Throws a `Problem` for one of another kind. */
export function causalAttentions(graph: Graph): CausalAttention[] {
  const makers = producers(graph);
  const users = consumers(graph);
  // Blocks share their mask, which is large.
  const hiding = new Map<Tensor | undefined, boolean>();
  const hidesFuture = ({ op, inputs }: Node, length: number) => {
    const mask = inputs.map((name) => initializer(graph, name)).find((t) => t !== undefined);
    if (!hiding.has(mask)) hiding.set(mask, isFutureMask(mask, length));
    return op === "Add" && hiding.get(mask)!;
  };
  return graph.nodes
    .filter(({ op }) => op === "Softmax")
    .map((softmax) => {
      const refuse = (what: string) =>
        new Problem(
          `the softmax "${softmax.name}" is not that of causal attention over [batch, heads, tokens, size]: ${what}; only such decoders go token by token`,
        );
      const scores = [softmax];
      while (scores[0].op !== "MatMul") {
        const computed = scores[0].inputs.filter((name) => !initializer(graph, name));
        const maker = computed.length === 1 ? makers.get(computed[0]) : undefined;
        if (!maker) throw refuse("its scores are no product of queries and keys");
        scores.unshift(maker);
      }
      const [query, turned] = scores[0].inputs;
      const turn = makers.get(turned);
      if (turn?.op !== "Transpose" || numbersAttribute(turn.attributes, "perm")?.join() !== "0,1,3,2")
        throw refuse("its scores are no product of queries and keys");
      const [mixed, ...others] = users.get(softmax.outputs[0]) ?? [];
      if (mixed?.op !== "MatMul" || mixed.inputs[0] !== softmax.outputs[0] || others.length > 0)
        throw refuse("it does not weigh values");
      if (normalizeAxis(numberAttribute(softmax.attributes, "axis", -1), 4) !== 3)
        throw refuse("it is not along the keys");
      const { shape } = graph.types.get(softmax.outputs[0])!;
      const masks = scores.slice(1, -1).filter((node) => !scales(graph, node));
      const [mask] = masks;
      if (masks.length !== 1 || !hidesFuture(mask, shape[3]))
        throw refuse("its mask does not hide the future, and that alone");
      return { query, key: turn.inputs[0], value: mixed.inputs[1], scores, mask, mixed };
    });
}

/** Whether a node combines each score with single numbers alone. */
function scales(graph: Graph, { op, inputs }: Node): boolean {
  return (
    ["Mul", "Div", "Add", "Sub"].includes(op) &&
    inputs.every((name) => (initializer(graph, name)?.data.length ?? 1) === 1)
  );
}

function isFutureMask(mask: Tensor | undefined, length: number): boolean {
  if (mask?.data.length !== length * length) return false;
  return toNumbers(mask).every((v, i) => (i % length > Math.floor(i / length) ? v <= -1e4 : v === 0));
}
