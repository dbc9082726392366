/** One evaluation: shares of training and test samples that are right after `step` steps. */
export interface CurvePoint {
  step: number;
  train: number;
  test: number;
}

/** When a network memorised and when it generalised (grokking.md section 3), in steps; undefined: not yet. */
export interface GrokTimes {
  /** First step with training accuracy at the threshold. */
  memorised?: number;
  /** First step with test accuracy at the threshold. */
  generalised?: number;
  /** First step from which test accuracy has stayed there. */
  generalisedForGood?: number;
  /** From the last step at which test accuracy was below a tenth of the threshold before it generalised, to `generalised`. */
  transition?: { from: number; to: number };
  /** τ_grok = generalised / memorised. */
  tau?: number;
}

export interface GrokDetector {
  /** Takes the next evaluation. */
  observe(point: CurvePoint): void;
  times(): GrokTimes;
  /** Whether test accuracy has stayed at the threshold for `holdFor` steps: nothing more is to come. */
  grokked(): boolean;
}

export interface DetectorOptions {
  /** Accuracy that counts. Default .95. */
  threshold?: number;
  /** Steps of grace after which a generalised network is believed. Default 0. */
  holdFor?: number;
}

/** Follows a run while it trains, in constant memory. */
export function createDetector({ threshold = 0.95, holdFor = 0 }: DetectorOptions = {}): GrokDetector {
  let memorised: number | undefined;
  let generalised: number | undefined;
  let forGood: number | undefined;
  let lastLow: number | undefined;
  let step = 0;
  return {
    observe: (point) => {
      step = point.step;
      if (point.train >= threshold) memorised ??= step;
      if (point.test >= threshold) {
        generalised ??= step;
        forGood ??= step;
      } else forGood = undefined;
      if (generalised === undefined && point.test < threshold / 10) lastLow = step;
    },
    times: () => ({
      memorised,
      generalised,
      generalisedForGood: forGood,
      transition: generalised === undefined ? undefined : { from: lastLow ?? 0, to: generalised },
      tau: generalised !== undefined && memorised ? generalised / memorised : undefined,
    }),
    grokked: () => forGood !== undefined && step - forGood >= holdFor,
  };
}

/** The same for a curve that is complete. */
export function grokTimes(curve: readonly CurvePoint[], options?: DetectorOptions): GrokTimes {
  const detector = createDetector(options);
  for (const point of curve) detector.observe(point);
  return detector.times();
}
