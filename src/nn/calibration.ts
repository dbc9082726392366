/** Bins of equal width, as most of the literature has them. */
const BINS = 15;

/** Compares how sure a classifier is with how often it is right. */
export interface Calibration {
  /** Of one sample: the probability of the class that was chosen, and whether it is the true one. */
  add(confidence: number, right: boolean): void;
  /**
   * Expected calibration error, 0 to 1: |accuracy − mean confidence| in bins of the confidence, weighted by their samples
   * (Guo et al., On Calibration of Modern Neural Networks, 2017, eq. 3). 0 without samples.
   */
  error(): number;
}

export function createCalibration(): Calibration {
  const surplus = new Float64Array(BINS);
  let samples = 0;
  return {
    add: (confidence, right) => {
      surplus[Math.min(BINS - 1, Math.floor(BINS * confidence))] += Number(right) - confidence;
      samples++;
    },
    error: () => (samples === 0 ? 0 : surplus.reduce((sum, s) => sum + Math.abs(s), 0) / samples),
  };
}
