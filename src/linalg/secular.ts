/**
 * Roots of 1 + rho Σⱼ zⱼ²/(dⱼ − λ), one above each dⱼ: the eigenvalues of diag(d) + rho·z zᵀ. `d` rises strictly, no zⱼ
 * is 0, rho > 0. Row i of `gaps` [n, n] becomes dⱼ − λᵢ, each to full relative accuracy: differences, not λ, decide how
 * orthogonal the vectors come out.
 *
 * Between two poles both halves of the sum are replaced by one pole and a constant that agree in value and slope
 * (Bunch, Nielsen and Sorensen 1978); steps that leave the bracket are halved instead.
 */
export function secularRoots(
  d: Float64Array,
  z: Float64Array,
  rho: number,
  gaps: Float64Array,
): Float64Array {
  const n = d.length;
  const squares = z.map((v) => rho * v * v);
  const total = squares.reduce((a, b) => a + b, 0);
  const roots = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const gap = gaps.subarray(i * n, (i + 1) * n);
    const last = i === n - 1;
    const width = last ? total : d[i + 1] - d[i];
    // The origin is the nearer pole, so that the root's distance from it is not a difference of large numbers.
    const middle = 0.5 * width;
    let f = 1;
    for (let j = 0; j < n; j++) f += squares[j] / (d[j] - d[i] - middle);
    const right = f < 0 && !last;
    const origin = right ? i + 1 : i;
    let [low, high] = right ? [-middle, 0] : f < 0 ? [middle, width] : [0, middle];
    for (let j = 0; j < n; j++) gap[j] = d[j] - d[origin];
    let x = f < 0 && last ? middle : 0.5 * (low + high);
    for (let iteration = 0; iteration < 80; iteration++) {
      let [below, belowSlope, above, aboveSlope] = [0, 0, 0, 0];
      for (let j = 0; j <= i; j++) {
        const inverse = 1 / (gap[j] - x);
        const term = squares[j] * inverse;
        below += term;
        belowSlope += term * inverse;
      }
      for (let j = i + 1; j < n; j++) {
        const inverse = 1 / (gap[j] - x);
        const term = squares[j] * inverse;
        above += term;
        aboveSlope += term * inverse;
      }
      const value = 1 + below + above;
      if (value > 0) high = x;
      else low = x;
      if (Math.abs(value) <= 4 * Number.EPSILON * (1 - below + above)) break;
      const next = last
        ? nextOfOne(gap[i], x, 1 + below, belowSlope)
        : nextOfTwo(gap[i], gap[i + 1], x, [below, belowSlope], [above, aboveSlope]);
      const moved = next > low && next < high ? next : 0.5 * (low + high);
      if (moved === x || moved <= low || moved >= high) break;
      x = moved;
    }
    roots[i] = d[origin] + x;
    for (let j = 0; j < n; j++) gap[j] -= x;
  }
  return roots;
}

/** Where constant + s/(pole − y) is 0, for the constant and s that fit `value` and `slope` at x. */
function nextOfOne(pole: number, x: number, value: number, slope: number): number {
  const distance = pole - x;
  const s = slope * distance * distance;
  return pole + s / (value - slope * distance);
}

/** Where c + s/(p − y) + t/(q − y) is 0 between its poles p and q. */
function nextOfTwo(
  p: number,
  q: number,
  x: number,
  [below, belowSlope]: readonly [number, number],
  [above, aboveSlope]: readonly [number, number],
): number {
  const [dp, dq] = [p - x, q - x];
  const s = belowSlope * dp * dp;
  const t = aboveSlope * dq * dq;
  const c = 1 + below - belowSlope * dp + above - aboveSlope * dq;
  // With y = x + h: c·(dp − h)(dq − h) + s·(dq − h) + t·(dp − h) = 0.
  const b = c * (dp + dq) + s + t;
  const free = c * dp * dq + s * dq + t * dp;
  const root = Math.sqrt(Math.max(0, b * b - 4 * c * free));
  const h = b > 0 ? (2 * free) / (b + root) : c === 0 ? free / b : (b - root) / (2 * c);
  return x + h;
}
