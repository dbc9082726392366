import type { Value } from "../engine/graph.ts";
import { add, mul } from "../engine/operators/index.ts";
import type { Layers } from "../nn/layers.ts";
import { encoder } from "./dense.ts";
import type { Incidence } from "./incidence.ts";
import { collect } from "./incidence.ts";

/** The edges of a graph of particles. */
export interface Edges {
  senders: Incidence;
  receivers: Incidence;
  /** Weight of each message in its receiver's sum, [edges, 1]; 0 for spare edges. */
  weights: Value;
}

/** What is known of particles, [particles, hidden], and of edges, [edges, hidden]. */
export interface State {
  x: Value;
  e: Value;
}

/**
 * One round of messages (GIOROM spec 3.6): m = MLP([x_receiver, x_sender, e]), x += MLP([x, Σ weight · m]), e += m. With weights
 * 1/((1 + q) · degree) the sum is a mean, a Monte-Carlo integral that does not depend on how densely particles lie.
 */
export function interaction(build: Layers, name: string, { x, e }: State, edges: Edges): State {
  const { senders, receivers, weights } = edges;
  const hidden = x.shape[1];
  const message = encoder(
    build,
    `${name}.message`,
    [{ rows: x, to: receivers }, { rows: x, to: senders }, e],
    hidden,
  );
  const heard = collect(mul(message, weights), receivers);
  const update = encoder(build, `${name}.update`, [x, heard], hidden);
  return { x: add(x, update), e: add(e, message) };
}
