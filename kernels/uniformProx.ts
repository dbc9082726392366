// The WGSEF proximal operator where all groups share one offset ρ and one cost: see src/sparsity/wgsef/root.ts. Group j has
// slope A_j; at ω its share is 1 from the slope (1 + ρ)/ω on, 0 up to ρ/ω, and ω·A_j − ρ between. So two counts and one sum
// tell all about g(ω) = Σ_j clip(ω·A_j − ρ, 0, 1) near ω. Slopes are float64, or the magnitudes of float32 weights.
// AssemblyScript: arrays are byte addresses.

/** At or below this slope a group counts as zero. */
const ZERO_SLOPE: f64 = 1e-200;
/** Shares within so many roundings of 0 are 0. */
const ROUNDING: f64 = 16 * f64.EPSILON;
/** Newton's method needs about six rounds; where it needs more than this, the search for any groups takes over. */
const ROUNDS: i32 = 12;

let rho: f64;
let visits: f64;
let seed: u32;

// At the point where g was evaluated last: groups whose share is 1, those whose share lies between, and their slopes' sum.
let full: f64;
let part: f64;
let partSum: f64;

/** Uniform in [0, 1): mulberry32, as in src/random.ts. */
function uniform(): f64 {
  seed += 0x6d2b79f5;
  let t = seed;
  t = (t ^ (t >>> 15)) * (t | 1);
  t ^= t + (t ^ (t >>> 7)) * (t | 61);
  return <f64>(t ^ (t >>> 14)) / 4294967296;
}

// @ts-ignore: decorator
@inline
function sum(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** Counts are sums of masks: −1 for each. */
// @ts-ignore: decorator
@inline
function count(masks: v128): f64 {
  return -(<f64>(i64x2.extract_lane(masks, 0) + i64x2.extract_lane(masks, 1)));
}

// @ts-ignore: decorator
@inline
function count32(masks: v128): f64 {
  return -(
    <f64>i32x4.extract_lane(masks, 0) +
    <f64>i32x4.extract_lane(masks, 1) +
    <f64>i32x4.extract_lane(masks, 2) +
    <f64>i32x4.extract_lane(masks, 3)
  );
}

/** The sum of four float32, as two float64. */
// @ts-ignore: decorator
@inline
function sumsOf(v: v128): v128 {
  const upper = i32x4.shuffle(v, v, 2, 3, 2, 3);
  return f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(upper));
}

/** The least float32 that is no less than a positive number. */
function roundedUp(x: f64): f32 {
  const near = <f32>x;
  return <f64>near < x ? reinterpret<f32>(reinterpret<i32>(near) + 1) : near;
}

/** The largest float32 that is no more than a positive number. */
function roundedDown(x: f64): f32 {
  const near = <f32>x;
  return <f64>near > x ? reinterpret<f32>(reinterpret<i32>(near) - 1) : near;
}

/** g at a point below infinity. */
function evaluate(slopes: usize, n: i32, at: f64): f64 {
  visits += 2 * <f64>n;
  const fullFrom = (1 + rho) / at;
  const zeroTo = Math.max(rho / at, ZERO_SLOPE);
  const fullsFrom = f64x2.splat(fullFrom);
  const zerosTo = f64x2.splat(zeroTo);
  let fulls = i64x2.splat(0);
  let parts = fulls;
  let sums = f64x2.splat(0);
  const end = slopes + (<usize>n << 3);
  for (; slopes + 16 <= end; slopes += 16) {
    const slope = v128.load(slopes);
    const isFull = f64x2.ge(slope, fullsFrom);
    const isPart = v128.andnot(f64x2.gt(slope, zerosTo), isFull);
    fulls = i64x2.add(fulls, isFull);
    parts = i64x2.add(parts, isPart);
    sums = f64x2.add(sums, v128.and(slope, isPart));
  }
  full = count(fulls);
  part = count(parts);
  partSum = sum(sums);
  if (slopes < end) {
    const slope = load<f64>(slopes);
    if (slope >= fullFrom) full += 1;
    else if (slope > zeroTo) {
      part += 1;
      partSum += slope;
    }
  }
  return full + at * partSum - rho * part;
}

/** The same for weights: comparing them with bounds rounded to float32 is as exact. */
function evaluateWeights(weights: usize, n: i32, at: f64): f64 {
  visits += 2 * <f64>n;
  const fullFrom = roundedUp((1 + rho) / at);
  const zeroTo = roundedDown(rho / at);
  const fullsFrom = f32x4.splat(fullFrom);
  const zerosTo = f32x4.splat(zeroTo);
  let fulls = i32x4.splat(0);
  let parts = fulls;
  let sums = f64x2.splat(0);
  const end = weights + (<usize>n << 2);
  for (; weights + 16 <= end; weights += 16) {
    const slope = f32x4.abs(v128.load(weights));
    const isFull = f32x4.ge(slope, fullsFrom);
    const isPart = v128.andnot(f32x4.gt(slope, zerosTo), isFull);
    fulls = i32x4.add(fulls, isFull);
    parts = i32x4.add(parts, isPart);
    sums = f64x2.add(sums, sumsOf(v128.and(slope, isPart)));
  }
  full = count32(fulls);
  part = count32(parts);
  partSum = sum(sums);
  for (; weights < end; weights += 4) {
    const slope = Mathf.abs(load<f32>(weights));
    if (slope >= fullFrom) full += 1;
    else if (slope > zeroTo) {
      part += 1;
      partSum += <f64>slope;
    }
  }
  return full + at * partSum - rho * part;
}

/** Newton's method from `at` on, kept inside a bracket; NaN where it did not end. */
function newton(slopes: usize, single: bool, n: i32, budget: f64, at: f64): f64 {
  let low: f64 = 0;
  let high = Infinity;
  let fullBefore: f64 = -1;
  let partBefore: f64 = -1;
  for (let round = 0; round < ROUNDS; round++) {
    const g = single ? evaluateWeights(slopes, n, at) : evaluate(slopes, n, at);
    // The same groups between as where this point comes from: it is the root of their line.
    if (full == fullBefore && part == partBefore) return at;
    if (part == 0 && full == budget) return at;
    if (g > budget) high = at;
    else low = at;
    const next = (budget - full + rho * part) / partSum;
    if (Math.abs(next - at) <= 4 * f64.EPSILON * at) return at;
    if (next > low && next < high) {
      at = next;
      fullBefore = full;
      partBefore = part;
    } else {
      at = high == Infinity ? 4 * low : low == 0 ? high / 4 : Math.sqrt(low * high);
      fullBefore = -1;
    }
  }
  return NaN;
}

/** How many slopes are not zero, and their sum. */
let live: f64;
let total: f64;

function survey(slopes: usize, n: i32): void {
  visits += 2 * <f64>n;
  const zeros = f64x2.splat(ZERO_SLOPE);
  let lives = i64x2.splat(0);
  let sums = f64x2.splat(0);
  const end = slopes + (<usize>n << 3);
  for (; slopes + 16 <= end; slopes += 16) {
    const slope = v128.load(slopes);
    lives = i64x2.add(lives, f64x2.gt(slope, zeros));
    sums = f64x2.add(sums, slope);
  }
  live = count(lives);
  total = sum(sums);
  if (slopes < end) {
    const slope = load<f64>(slopes);
    total += slope;
    if (slope > ZERO_SLOPE) live += 1;
  }
}

function surveyWeights(weights: usize, n: i32): void {
  visits += 2 * <f64>n;
  const zeros = f32x4.splat(0);
  let lives = i32x4.splat(0);
  let sums = f64x2.splat(0);
  const end = weights + (<usize>n << 2);
  for (; weights + 16 <= end; weights += 16) {
    const slope = f32x4.abs(v128.load(weights));
    lives = i32x4.add(lives, f32x4.gt(slope, zeros));
    sums = f64x2.add(sums, sumsOf(slope));
  }
  live = count32(lives);
  total = sum(sums);
  for (; weights < end; weights += 4) {
    const slope = Mathf.abs(load<f32>(weights));
    total += <f64>slope;
    if (slope > 0) live += 1;
  }
}

/**
 * The root ω of Σ_j clip(ω·A_j − ρ, 0, 1) = budget, Infinity where all live groups fit; NaN where it was not found, or a
 * slope is not finite.
 *
 * @param single slopes are the magnitudes of float32 weights.
 * @param size of the sample that is solved first, for a point to start from; 0 for none.
 * @param sample 8·size bytes.
 */
export function findRoot(
  slopes: usize,
  single: bool,
  offset: f64,
  m: i32,
  budget: f64,
  sample: usize,
  size: i32,
): f64 {
  rho = offset;
  visits = 0;
  seed = m;
  if (single) surveyWeights(slopes, m);
  else survey(slopes, m);
  if (!(total < Infinity)) return NaN;
  if (live <= budget) return Infinity;
  // The root if no share is cut off at 0 or 1.
  let start = (budget + rho * live) / total;
  if (size) {
    for (let i = 0; i < size; i++) {
      const j = <usize>(uniform() * <f64>m);
      const slope = single ? <f64>Mathf.abs(load<f32>(slopes + (j << 2))) : load<f64>(slopes + (j << 3));
      store<f64>(sample + (<usize>i << 3), slope);
    }
    const near = newton(sample, false, size, (budget * <f64>size) / <f64>m, start);
    if (near < Infinity) start = near;
  }
  return newton(slopes, single, m, budget, start);
}

/** Breakpoints that the latest search has looked at. */
export function visited(): f64 {
  return visits;
}

/**
 * The proximal step after the root was found at `omega`, for groups of one weight: the magnitude a becomes a·u/(u + ρ)·longer,
 * that is (a − ρ/ω)·longer or a·longer/(1 + ρ), whichever is less, or +0. In float32, but ρ/ω is subtracted in two steps,
 * and of a factor near 1 the distance to 1 is taken: within 2·2⁻²³, relatively.
 */
export function shrinkWeights(w: usize, n: i32, omega: f64, longer: f64): void {
  const threshold = rho / omega;
  const whole = longer / (1 + rho);
  // A share within rounding of 0 is 0.
  const zeroTo = f32x4.splat(roundedDown((rho + ROUNDING * (1 + rho)) / omega));
  const high = f32x4.splat(<f32>threshold);
  const low = f32x4.splat(<f32>(threshold - <f64>(<f32>threshold)));
  const longers = f32x4.splat(<f32>longer);
  const near: f64 = whole >= 0.5 ? 1 : 0;
  const nears = f32x4.splat(<f32>near);
  const rests = f32x4.splat(<f32>(whole - near));
  for (; n > 0; n -= 4) {
    const v = v128.load(w);
    const a = f32x4.abs(v);
    const part = f32x4.mul(f32x4.sub(f32x4.sub(a, high), low), longers);
    const full = f32x4.add(f32x4.mul(a, nears), f32x4.mul(a, rests));
    const shrunk = v128.or(f32x4.pmin(part, full), v128.and(v, f32x4.splat(-0.0)));
    const out = v128.and(shrunk, f32x4.gt(a, zeroTo));
    if (n > 3) v128.store(w, out);
    else {
      v128.store32_lane(w, out, 0);
      if (n > 1) v128.store32_lane(w + 4, out, 1);
      if (n > 2) v128.store32_lane(w + 8, out, 2);
    }
    w += 16;
  }
}
