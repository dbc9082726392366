import { Problem } from "../problem.ts";

/** A learning-rate schedule by name, as recipes write it. */
export type ScheduleSpec =
  | { kind: "constant" }
  /** Times `gamma` at each of the `milestones` (shares of the run, 0..1). */
  | { kind: "step"; milestones: readonly number[]; gamma?: number }
  /** Half a cosine from 1 to `floor`, starting after `flat` of the run. */
  | { kind: "cosine"; flat?: number; floor?: number }
  /** Up from `start` to 1 by `peak` of the run, then down to `end`, both along a cosine (Smith and Topin 2018). */
  | { kind: "one-cycle"; peak?: number; start?: number; end?: number }
  /** By 1/√step from the end of the warm-up on ("Noam", Vaswani et al. 2017, with the base rate/√(width·warm-up)). */
  | { kind: "inverse-root" };

/** Factor on the base learning rate at `step` of `total` steps, after a linear warm-up over the first `warmup` steps. */
export type Schedule = (step: number, total: number) => number;

export function createSchedule(spec: ScheduleSpec, warmup = 0): Schedule {
  if (spec.kind === "inverse-root")
    return (step) => Math.min((step + 1) / warmup, Math.sqrt(Math.max(1, warmup) / (step + 1)));
  const shape = shapeOf(spec);
  return (step, total) => (step < warmup ? (step + 1) / warmup : 1) * shape(step / Math.max(1, total));
}

const cosine = (from: number, to: number, share: number) =>
  to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(1, share)))) / 2;

function shapeOf(spec: Exclude<ScheduleSpec, { kind: "inverse-root" }>): (progress: number) => number {
  switch (spec.kind) {
    case "constant":
      return () => 1;
    case "step": {
      const { milestones, gamma = 0.1 } = spec;
      return (p) => gamma ** milestones.filter((m) => p >= m).length;
    }
    case "cosine": {
      const { flat = 0, floor = 0 } = spec;
      return (p) => (p < flat ? 1 : cosine(1, floor, (p - flat) / (1 - flat)));
    }
    case "one-cycle": {
      const { peak = 0.3, start = 0.04, end = 1e-4 } = spec;
      return (p) => (p < peak ? cosine(start, 1, p / peak) : cosine(1, end, (p - peak) / (1 - peak)));
    }
    default:
      throw new Problem(
        `unknown learning-rate schedule "${(spec as { kind: string }).kind}"; known: constant, step, cosine, one-cycle, inverse-root`,
      );
  }
}
