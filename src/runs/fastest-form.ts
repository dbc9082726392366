import type { Scale, Split } from "../data/dataset.ts";
import type { Graph } from "../engine/graph.ts";
import type { Cost } from "../sparsity/accounting.ts";
import { accountModel } from "../sparsity/accounting.ts";
import { peakActivationBytes } from "../sparsity/activations.ts";
import { ALIGNMENT, alignChannels, storePadding } from "../sparsity/align.ts";
import type { ColumnChoice } from "../sparsity/fewer-columns.ts";
import { fewerColumns } from "../sparsity/fewer-columns.ts";
import { usedMacs } from "../sparsity/pattern-report.ts";
import { createSparseSession } from "../sparsity/sparse/session.ts";
import type { LatencyModel } from "./latency.ts";
import { measureLatency } from "./latency.ts";
import { requireSameOutputs } from "./same-outputs.ts";

/** Milliseconds at batch 1 and 64. */
export interface Latency {
  b1: number;
  b64: number;
}

const BATCHES = { b1: 1, b64: 64 } as const;

/** A network at one batch size by `createSparseSession`. */
export interface SkippingZeros {
  ms: number;
  /** Whether some layer skips its zeros; else all of it was faster dense. */
  skipped: boolean;
  /** What was measured. */
  why: string;
}

/** How a network that was made smaller is written, and what that was measured to be. */
export interface FastestForm {
  final: Graph;
  /** Of `final`, without zeros that only fill up widths. */
  cost: Cost;
  /** Of `cost.macs`, those by weights that are not zero. */
  usedMacs: number;
  /** The most memory that values of one sample take at once, in bytes; `after` of the network without filled-up widths. */
  activationBytes: { before: number; after: number };
  /** Of interleaved runs on one thread, at batch 1 and 64, see `measureLatency`. `masked` is the network with its zeros left in place. */
  latencyMs: { before: Latency; after: Latency; masked: Latency };
  /** The same network run by `createSparseSession`, which skips the zeros that stay in it; null where too few weights are zero to try. */
  skippingZeros: Record<keyof Latency, SkippingZeros> | null;
  /** Layers with columns that are zero in all their rows, and how the file has them. */
  columns: ColumnChoice[];
  /** Widths of convolutions are rounded up to this, when the file is loaded or in it, because that was measured to be faster; 1: they are not. */
  alignedTo: number;
  /** Largest difference of an output between the shrunk and the masked network, relative to the largest output. */
  outputError: number;
}

/**
 * The fastest at batch 64 of the ways to write the shrunk network: with columns that are zero or without, with widths as they
 * are or rounded up. With `sameNames` only those whose file has the weights under their names, with zeros at the end at most. Throws a `Problem` where one of them gives other outputs than the masked network.
 */
export async function fastestForm(
  { before, masked, shrunk }: { before: Graph; masked: Graph; shrunk: Graph },
  data: Split,
  scale: Scale,
  { sameNames = false } = {},
): Promise<FastestForm> {
  const fewer = sameNames
    ? { graph: shrunk, layers: [] }
    : await fewerColumns(shrunk, BATCHES.b64, (forms) =>
        measureLatency(forms, { batch: BATCHES.b64, threads: 1, runs: 15, atLeast: 30 }),
      );
  const bases = fewer.graph === shrunk ? [shrunk] : [shrunk, fewer.graph];
  const aligned = (base: Graph) => {
    const wide = alignChannels(base, ALIGNMENT);
    return sameNames && wide !== base ? storePadding(wide) : wide;
  };
  const forms = bases.flatMap((base) =>
    [...new Set([base, aligned(base)])].map((graph) => ({ graph, base })),
  );
  let outputError = 0;
  for (const { graph } of forms)
    outputError = Math.max(outputError, await requireSameOutputs(masked, graph, data, scale));
  const models = [before, masked, ...forms.map((f) => f.graph)];
  const latencies: Record<keyof Latency, number[]> = { b1: [], b64: [] };
  const skipping: Partial<Record<keyof Latency, SkippingZeros>> = {};
  for (const [name, batch] of Object.entries(BATCHES) as [keyof Latency, number][]) {
    const all: LatencyModel[] = [...models];
    const session = hasManyZeros(shrunk) ? await createSparseSession(shrunk, { batch }) : undefined;
    if (session) all.push({ graph: shrunk, open: async () => session });
    latencies[name] = await measureLatency(all, { batch, threads: 1 });
    if (session) {
      const { layers, why } = session.plan;
      const skipped = layers.some(({ run }) => run === "sparse");
      skipping[name] = { ms: latencies[name][models.length], skipped, why };
    }
  }
  const times = latencies.b64.slice(0, models.length);
  const best = times.indexOf(Math.min(...times.slice(2)), 2);
  const { graph: final, base } = forms[best - 2];
  const { b1, b64 } = skipping;
  const latencyOf = (i: number): Latency => ({ b1: latencies.b1[i], b64: latencies.b64[i] });
  return {
    final,
    cost: accountModel(base).total,
    usedMacs: usedMacs(base),
    activationBytes: { before: peakActivationBytes(before), after: peakActivationBytes(base) },
    latencyMs: { before: latencyOf(0), masked: latencyOf(1), after: latencyOf(best) },
    skippingZeros: b1 && b64 ? { b1, b64 } : null,
    columns: base === fewer.graph ? fewer.layers : fewer.layers.map(whole),
    alignedTo: final === base ? 1 : ALIGNMENT,
    outputError,
  };
}

/** A choice for a layer that was not kept. */
function whole(layer: ColumnChoice): ColumnChoice {
  if (layer.form === "whole") return layer;
  return { ...layer, form: "whole", why: `${layer.why}; whole all the same: so the network is fastest` };
}

/** Whether a layer has so few weights in use that skipping the others may be faster than multiplying by them. */
function hasManyZeros(graph: Graph): boolean {
  return accountModel(graph).layers.some((l) => l.parameters > 0 && l.nonZeros < 0.6 * l.parameters);
}
