import { keptResult } from "../jobs.ts";
import type { NoiseJob } from "./compress-by-noise.ts";
import type {
  CompressedResult,
  DenseJob,
  DenseResult,
  MagnitudeJob,
  TurboJob,
  TurboResult,
} from "./compress-images.ts";
import { JOBS } from "./compress-images.ts";
import { DENSE, MAGNITUDE, NOISE, POSTERIORS } from "./mnist-settings.ts";

/** A network that a protocol has trained on this machine. */
export interface KeptNetwork {
  method: string;
  /** What it was trained by. */
  job: DenseJob | TurboJob | MagnitudeJob | NoiseJob;
  /** An .onnx file, with zeros in the place of pruned weights. */
  model: Uint8Array;
  /** Posterior standard deviations of the weights in use, by parameter. */
  sigmas?: Record<string, Float32Array>;
}

export const denseJob = (seed: number): DenseJob => ({ kind: "dense", ...DENSE, seed });

/** The jobs of one seed. The order of keys is part of what results are kept under. */
export function jobsOf(seed: number): { turbo: TurboJob[]; magnitude: MagnitudeJob[]; noise: NoiseJob[] } {
  const dense = denseJob(seed);
  return {
    turbo: POSTERIORS.map((row) => ({ kind: "turbo", dense, ...row })),
    magnitude: MAGNITUDE.map((row) => ({ kind: "magnitude", dense, ...row })),
    noise: NOISE.map((row) => ({ kind: "noise", dense, ...row })),
  };
}

function compressionsOf(seed: number) {
  const { turbo, magnitude, noise } = jobsOf(seed);
  return [...turbo, ...magnitude, ...noise];
}

/** What `keptNetworks` may find, in its order. */
export function methodsOf(seed: number): string[] {
  return ["dense", ...compressionsOf(seed).map(({ method }) => method)];
}

/**
 * LeNet-300-100 as `turbo-mnist` and `turbo-baselines` have trained it, the dense network first; those that have not been
 * trained here are left out.
 */
export async function keptNetworks(seed: number): Promise<KeptNetwork[]> {
  const networks: KeptNetwork[] = [];
  const first = await keptResult<DenseResult>(denseJob(seed), JOBS);
  if (first) networks.push({ method: "dense", job: denseJob(seed), model: first.model });
  for (const job of compressionsOf(seed)) {
    const kept = await keptResult<CompressedResult & Partial<TurboResult>>(job, JOBS);
    if (kept) networks.push({ method: job.method, job, model: kept.model, sigmas: kept.sigmas });
  }
  return networks;
}
