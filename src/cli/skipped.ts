import type { SparsePlan } from "../sparsity/sparse/choose.ts";

/** In words, the layers whose zeros are skipped, and what was measured. */
export function skippedInWords({ layers, why }: SparsePlan): string {
  const sparse = layers.filter((l) => l.run === "sparse").map((l) => l.layer);
  return `zeros skipped in ${sparse.length ? sparse.join(", ") : "no layer"}: ${why}`;
}
