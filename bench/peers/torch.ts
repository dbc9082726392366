import { spawnSync } from "node:child_process";

/** This interpreter where it has PyTorch and NumPy; else undefined, and why is said. */
export function pythonWithTorch(python: string): string | undefined {
  const { status } = spawnSync(python, ["-c", "import torch, numpy"], { stdio: "ignore" });
  if (status === 0) return python;
  console.error(
    `${python} has no PyTorch with NumPy (Debian: python3-torch): only this library is measured.`,
  );
}

/**
 * PyTorch at its best: glibc would give large blocks back to the system at once, and OpenMP's threads would spin for a
 * long time where the cores are shared with others.
 */
export function torchEnvironment(threads: number): Record<string, string> {
  return {
    MALLOC_MMAP_THRESHOLD_: "4000000000",
    MALLOC_TRIM_THRESHOLD_: "8000000000",
    MALLOC_TOP_PAD_: "268435456",
    GOMP_SPINCOUNT: "10000",
    OMP_NUM_THREADS: `${threads}`,
    OPENBLAS_NUM_THREADS: `${threads}`,
  };
}
