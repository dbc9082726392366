import type { Graph, Node } from "../../engine/graph.ts";
import { initializer } from "../../engine/graph.ts";
import { rebatch } from "../../engine/replay.ts";
import type { Session, SessionOptions } from "../../engine/session.ts";
import { canShareMemory } from "../../kernels/team.ts";
import { Problem } from "../../problem.ts";
import { storePadding } from "../align.ts";
import { layerName } from "../layers.ts";
import type { Chosen, LayerChoice, SparsePlan } from "./choose.ts";
import { choose, densityOf } from "./choose.ts";
import { sparseLayers } from "./pieces.ts";
import { createRunner } from "./runner.ts";

export interface SparseSessionOptions extends Pick<SessionOptions, "threads"> {
  /** Samples in one run. */
  batch: number;
  /**
   * `measure` (default) tries dense and sparse and takes what is faster; `sparse` runs every layer sparse that can be;
   * a plan from an earlier session of the same network repeats its choice without measuring.
   */
  plan?: "measure" | "sparse" | SparsePlan;
}

/** A network whose zeros are skipped. `run` takes and gives row-major tensors of `batch` samples. */
export interface SparseSession extends Pick<Session, "run" | "release"> {
  readonly plan: SparsePlan;
}

/**
 * Prepares a network for inference on a CPU, in Node.js or a browser: layers whose weights are mostly zero run in
 * WebAssembly kernels that skip the zeros, the others in ONNX Runtime. Where every operator has a kernel, ONNX Runtime
 * takes no part at all. Results agree with the dense network's up to rounding. Throws a `Problem` for a plan of another
 * network or batch.
 *
 * @param graph Any inference graph. The session keeps its own copy of sparse weights: later changes are not seen.
 * @param options.threads Threads of ONNX Runtime, and of the kernels where they gain by it and memory can be shared
 *   (`canShareMemory`). However many they are, the kernels give the same bits. Default 1, or the plan's.
 */
export async function createSparseSession(
  graph: Graph,
  { batch, plan = "measure", threads = typeof plan === "object" ? plan.threads : 1 }: SparseSessionOptions,
): Promise<SparseSession> {
  if (!Number.isInteger(batch) || batch < 1)
    throw new Problem(`a batch of ${batch} samples: give a whole number, 1 or more`);
  if (!Number.isInteger(threads) || threads < 1)
    throw new Problem(`${threads} threads: give a whole number, 1 or more`);
  if (plan !== "measure" && plan !== "sparse" && !Array.isArray(plan?.layers))
    throw new Problem(`there is no plan "${plan}"; take measure, sparse or the plan of an earlier session`);
  const sized = storePadding(rebatch(graph, batch));
  const kernelThreads = canShareMemory() ? threads : 1;
  const chosen =
    plan === "measure"
      ? await choose(sized, { threads, kernelThreads })
      : await repeat(sized, plan, batch, threads, kernelThreads);
  return {
    plan: chosen.plan,
    run: (feeds) => chosen.runner.run(feeds),
    release: () => chosen.runner.release(),
  };
}

/** A choice made before, or every layer sparse. */
async function repeat(
  graph: Graph,
  plan: "sparse" | SparsePlan,
  batch: number,
  threads: number,
  mostThreads: number,
): Promise<Chosen> {
  const candidates = sparseLayers(graph);
  const layers =
    plan === "sparse"
      ? candidates.map(
          (node): LayerChoice => ({
            node: node.name,
            layer: layerName(graph, node),
            density: densityOf(initializer(graph, node.inputs[1])!),
            run: "sparse",
            why: "sparse: asked for",
          }),
        )
      : plan.layers;
  if (plan !== "sparse" && plan.batch !== batch)
    throw new Problem(`the plan is for batches of ${plan.batch}, not ${batch}: measure again for this size`);
  const named = new Map(candidates.map((node) => [node.name, node]));
  const sparse = new Set<Node>();
  for (const { node, run } of layers) {
    const found = named.get(node);
    if (!found)
      throw new Problem(`the plan names a layer "${node}" that this network does not have: measure again`);
    if (run === "sparse") sparse.add(found);
  }
  const lanes = plan === "sparse" ? undefined : plan.lanes;
  const kernelThreads = plan === "sparse" ? mostThreads : Math.min(mostThreads, plan.kernelThreads);
  const runner = await createRunner(graph, sparse, { threads, lanes, kernelThreads });
  const why = plan === "sparse" ? "sparse wherever possible: asked for" : plan.why;
  return {
    runner,
    plan: { ...(plan !== "sparse" && plan), batch, threads, kernelThreads, lanes: runner.lanes, layers, why },
  };
}
