import type { PriorSpec } from "../../../src/sparsity/turbo-vbi/priors/kinds.ts";
import type { NoiseJob } from "./compress-by-noise.ts";
import type { DenseJob, MagnitudeJob, TurboJob } from "./compress-images.ts";

type Row = Omit<TurboJob, "kind" | "dense">;

const iid = (lambda: number): PriorSpec => ({ kind: "iid", lambda });
const chain = (lambda: number, meanRun: number): PriorSpec => ({ kind: "chain", lambda, meanRun });
/** p10 = .285, p01 = .015. */
const few = [chain(0.05, 1 / 0.285), iid(0.05), iid(0.05)];
/** More weights in use are expected, their neighbours tied to them as strongly: log odds of 5 between equal and different. */
const many = [chain(0.4, 11), iid(0.4), iid(0.4)];

const fullyConnected = (method: string, priors: PriorSpec[], variances: number[]): Row => ({
  method,
  priors,
  variances,
  posteriors: { epochs: 30, learningRate: 2e-3, floor: 0.25, roundEpochs: 3, annealRounds: 3 },
  tune: { epochs: 8, learningRate: 5e-4, floor: 0.05 },
});

/** Of weights in use, by layer. */
const SMALL = [0.005, 0.01, 0.03];
const LARGE = [0.02, 0.04, 0.12];
const LARGER = [0.04, 0.08, 0.24];

export const DENSE: Omit<DenseJob, "kind" | "seed"> = {
  network: "lenet-300-100",
  batch: 256,
  stage: { epochs: 12, learningRate: 1.5e-3, floor: 0.1 },
};

/** Where neighbours are pixels a chain; neurons have no order, and bits that read them are independent. */
export const POSTERIORS: Row[] = [
  fullyConnected("chain", few, LARGE),
  fullyConnected("iid", [iid(0.05), iid(0.05), iid(0.05)], SMALL),
  fullyConnected("chain, λ = 0.4", many, LARGER),
];

const FEWER = [20, 40];
const ONCE = { epochs: 38, learningRate: 1e-3, floor: 0.05 };

/** As many epochs behind the dense network as the others have; cut at once, or while training. */
export const MAGNITUDE: Omit<MagnitudeJob, "kind" | "dense">[] = [
  ...FEWER.map((fewer) => ({ method: `magnitude, 1/${fewer}`, keep: 1 / fewer, tune: ONCE })),
  ...(["gradual", "surgery"] as const).flatMap((way) =>
    FEWER.map((fewer) => ({
      method: `${way}, 1/${fewer}`,
      keep: 1 / fewer,
      while: { way, epochs: 30, learningRate: 1e-3, floor: 0.5 },
      tune: { epochs: 8, learningRate: 5e-4, floor: 0.05 },
    })),
  ),
];

/**
 * Each at several strengths: points of its curve of error against bits, of which none is chosen. Ranges are from
 * short trials on held-out images of small MNIST, where weights begin to go at a few and accuracy begins to suffer above.
 */
const STRENGTHS: Record<NoiseJob["approach"], number[]> = {
  "sparse-vd": [0.3, 1, 3],
  "bc-gnj": [0.3, 1, 3],
  vibnet: [10, 30, 100],
};

export const NOISE: Omit<NoiseJob, "kind" | "dense">[] = (
  Object.keys(STRENGTHS) as NoiseJob["approach"][]
).flatMap((approach) =>
  STRENGTHS[approach].map((strength) => ({
    approach,
    method: `${approach}, strength ${strength}`,
    strength,
    noise: { epochs: 30, learningRate: 2e-3, floor: 0.25, annealEpochs: 9 },
    tune: { epochs: 8, learningRate: 5e-4, floor: 0.05 },
  })),
);
