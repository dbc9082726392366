import type { SparsePlan } from "../sparsity/sparse/choose.ts";

/** In words, the layers that kernels run which skip zeros, and what was measured. */
export function skippedInWords({ layers, why }: SparsePlan): string {
  const sparse = layers.filter((l) => l.run === "sparse").map((l) => l.layer);
  return `kernels that skip zeros run ${sparse.length ? sparse.join(", ") : "no layer"}: ${why}`;
}
