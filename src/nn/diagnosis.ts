import type { Graph } from "../engine/graph.ts";
import { valueNamed } from "../engine/graph.ts";
import { replay } from "../engine/replay.ts";
import { createSession } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Objective } from "./training-step.ts";

/** The first place in the forward pass, parameters and fed data included, that holds a NaN or an infinity, and what to do. */
export async function firstNonFinite(
  model: Graph,
  objective: Objective,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<string> {
  const bad = (t: Tensor) =>
    t.dtype.startsWith("float") && (t.data as Float32Array).some((v) => !Number.isFinite(v));
  const smaller = "lower the learning rate or clip the gradient";
  for (const [name, t] of Object.entries(feeds))
    if (bad(t))
      return `the data fed as "${name}"; look at the samples, and at the mean and deviation that scale them`;
  for (const [name, t] of model.parameters)
    if (bad(t)) return `parameter "${name}", so the step before was already too large; ${smaller}`;
  const graph = replay(model);
  objective(
    graph.outputs.map((name) => valueNamed(graph, name)),
    graph,
  );
  const exposed = graph.nodes
    .flatMap((n) => n.outputs)
    .filter((name) => graph.types.get(name)!.dtype === "float32");
  graph.outputs = exposed;
  const session = await createSession(graph, { threads: 1 });
  const results = await session.run(feeds);
  await session.release();
  const first = exposed.find((name) => bad(results[name]));
  return `${first ? `layer "${first}"` : "the backward pass"}; ${smaller}`;
}
