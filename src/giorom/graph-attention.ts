import type { Value } from "../engine/graph.ts";
import {
  add,
  div,
  elu,
  exp,
  leakyRelu,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  tanh,
} from "../engine/operators/index.ts";
import type { Layers } from "../nn/layers.ts";
import { collect, spread } from "./incidence.ts";
import type { Edges, State } from "./interaction.ts";

/** Scores lie smoothly between ±CAP: exponentials then need no maximum taken off first, whose gradient would scatter. */
const CAP = 10;

/** Only keeps rows without any edge, which nobody reads, from being 0/0. */
const TINY = 1e-12;

/**
 * One round of graph attention (Veličković et al. 2018, eq. 3 and 6): x += ELU(mean over heads of Σ α V x_sender), where α is the
 * softmax over a receiver's edges of LeakyReLU(a · V x_receiver + b · V x_sender + c · e); edges stay as they are. Edges of
 * weight 0 are none.
 */
export function graphAttention(
  build: Layers,
  name: string,
  { x, e }: State,
  { senders, receivers, weights }: Edges,
  heads: number,
): State {
  const [points, hidden] = x.shape;
  const edges = e.shape[0];
  const values = build.linear(`${name}.value`, x, heads * hidden, { bias: false });
  const perHead = reshape(values, [points, heads, hidden]);
  const scoreOf = (part: string) =>
    reduceSum(mul(perHead, build.weight(`${name}.${part}`, [heads, hidden], hidden)), [2]);
  const scores = leakyRelu(
    add(
      add(spread(scoreOf("receiver"), receivers), spread(scoreOf("sender"), senders)),
      build.linear(`${name}.edge`, e, heads, { bias: false }),
    ),
    { alpha: 0.2 },
  );
  const shares = mul(exp(mul(tanh(mul(scores, 1 / CAP)), CAP)), weights);
  const heard = collect(
    reshape(
      mul(reshape(shares, [edges, heads, 1]), reshape(spread(values, senders), [edges, heads, hidden])),
      [edges, heads * hidden],
    ),
    receivers,
  );
  const total: Value = add(collect(shares, receivers), TINY);
  const mixed = div(reshape(heard, [points, heads, hidden]), reshape(total, [points, heads, 1]));
  return { x: add(x, elu(reduceMean(mixed, [1]))), e };
}
