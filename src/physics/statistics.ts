/** Per axis, in units of one frame: what GNS's metadata call vel_mean, vel_std, acc_mean, acc_std. */
export interface MotionStatistics {
  velocityMean: number[];
  velocityStd: number[];
  accelerationMean: number[];
  accelerationStd: number[];
}

export interface StatisticsPool {
  /** The next frame of the trajectory, [points, dim]. */
  frame(positions: Float32Array): void;
  /** The next frame belongs to another trajectory. */
  nextTrajectory(): void;
  result(): MotionStatistics;
}

/**
 * Mean and population standard deviation of v = x_t − x_{t−1} and a = x_{t+1} − 2x_t + x_{t−1} over all frames, points and
 * trajectories together (GIOROM spec 3.3). The mean of the trajectories' own deviations would be another, smaller number.
 *
 * @param expected Another guess of x_{t+1} than 2x_t − x_{t−1}, whose error is pooled as the acceleration.
 */
export function poolStatistics(
  dim: number,
  expected?: (window: readonly Float32Array[]) => ArrayLike<number>,
): StatisticsPool {
  const velocity = Array.from({ length: dim }, createMoments);
  const acceleration = Array.from({ length: dim }, createMoments);
  let previous: Float32Array | undefined;
  let beforeThat: Float32Array | undefined;
  return {
    frame: (positions) => {
      const guess = previous && beforeThat && expected?.([beforeThat, previous]);
      if (previous)
        for (let i = 0; i < positions.length; i++) {
          velocity[i % dim].add(positions[i] - previous[i]);
          if (guess) acceleration[i % dim].add(positions[i] - guess[i]);
          else if (beforeThat) acceleration[i % dim].add(positions[i] - 2 * previous[i] + beforeThat[i]);
        }
      beforeThat = previous;
      previous = positions.slice();
    },
    nextTrajectory: () => {
      previous = beforeThat = undefined;
    },
    result: () => ({
      velocityMean: velocity.map(({ mean }) => mean()),
      velocityStd: velocity.map(({ std }) => std()),
      accelerationMean: acceleration.map(({ mean }) => mean()),
      accelerationStd: acceleration.map(({ std }) => std()),
    }),
  };
}

/** Welford's running mean and sum of squares: no cancellation, however small the spread. */
function createMoments() {
  let count = 0;
  let mean = 0;
  let squares = 0;
  return {
    add: (value: number) => {
      const off = value - mean;
      mean += off / ++count;
      squares += off * (value - mean);
    },
    mean: () => mean,
    std: () => (count > 0 ? Math.sqrt(squares / count) : 0),
  };
}
