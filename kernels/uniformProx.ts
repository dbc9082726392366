// The WGSEF proximal operator where all groups share one offset ρ and one cost: see src/sparsity/wgsef/root.ts. Group j has
// slope A_j; at ω its share is 1 from the slope (1 + ρ)/ω on, 0 up to ρ/ω, and ω·A_j − ρ between. So two counts and one sum
// tell all about g(ω) = Σ_j clip(ω·A_j − ρ, 0, 1) near ω. Slopes are of type T: float64, or the magnitudes of float32
// weights; I is the integer of the same size. AssemblyScript: arrays are byte addresses.

import { startUniform, uniform } from "./shared/uniform";

/** At or below this slope a group counts as zero. */
const ZERO_SLOPE: f64 = 1e-200;
/** Shares within so many roundings of 0 are 0. */
const ROUNDING: f64 = 16 * f64.EPSILON;
/** Newton's method needs about six rounds; where it needs more than this, another search takes over. */
const ROUNDS: i32 = 12;
/** The root is looked for within so many standard deviations of the sample's. */
const DEVIATIONS: f64 = 3;
/** Groups that may then stay open, per group of the sample: usually three to five. */
const MOST_OPEN: i32 = 8;
/** Groups that are sifted before those that stay open move together. */
const BLOCK: i32 = 1024;

let rho: f64;
let visits: f64;

// Groups whose share is 1, groups whose share lies between, and their slopes' sum: those settled by `sift`, and all at the
// point where they were counted last.
let settledFull: f64;
let settledPart: f64;
let settledSum: f64;
let full: f64;
let part: f64;
let partSum: f64;

// @ts-ignore: decorator
@inline
function sum(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** Counts are sums of masks: −1 for each. */
// @ts-ignore: decorator
@inline
function count<I>(masks: v128): f64 {
  if (sizeof<I>() == 8) return -(<f64>(i64x2.extract_lane(masks, 0) + i64x2.extract_lane(masks, 1)));
  return -(
    <f64>i32x4.extract_lane(masks, 0) +
    <f64>i32x4.extract_lane(masks, 1) +
    <f64>i32x4.extract_lane(masks, 2) +
    <f64>i32x4.extract_lane(masks, 3)
  );
}

/** The sum of the numbers in v, as two float64. */
// @ts-ignore: decorator
@inline
function sumsOf<T>(v: v128): v128 {
  if (sizeof<T>() == 8) return v;
  const upper = i32x4.shuffle(v, v, 2, 3, 2, 3);
  return f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(upper));
}

/** As many slopes from `at` on as fit into a vector. */
// @ts-ignore: decorator
@inline
function slopesAt<T>(at: usize): v128 {
  const v = v128.load(at);
  return sizeof<T>() == 4 ? v128.and(v, i32x4.splat(0x7fffffff)) : v;
}

// @ts-ignore: decorator
@inline
function slopeAt<T>(at: usize): T {
  const v = load<T>(at);
  return sizeof<T>() == 4 ? <T>Mathf.abs(<f32>v) : v;
}

/** The least T that is no less than a positive number: slopes compare with it as with the number. */
// @ts-ignore: decorator
@inline
function roundedUp<T>(x: f64): T {
  const near = <T>x;
  if (sizeof<T>() == 8 || !(<f64>near < x)) return near;
  return <T>reinterpret<f32>(reinterpret<i32>(<f32>near) + 1);
}

/** The largest T that is no more than a positive number. */
// @ts-ignore: decorator
@inline
function roundedDown<T>(x: f64): T {
  const near = <T>x;
  if (sizeof<T>() == 8 || !(<f64>near > x)) return near;
  return <T>reinterpret<f32>(reinterpret<i32>(<f32>near) - 1);
}

/** Counts the groups above `zeroTo` and those from `fullFrom` on. */
function tally<T, I>(slopes: usize, n: i32, zeroTo: f64, fullFrom: f64): void {
  visits += 2 * <f64>n;
  const zerosTo = v128.splat<T>(roundedDown<T>(zeroTo));
  const fullsFrom = v128.splat<T>(roundedUp<T>(fullFrom));
  let fulls = v128.splat<I>(0);
  let parts = fulls;
  let sums = f64x2.splat(0);
  const end = slopes + <usize>n * sizeof<T>();
  // Tested at the end: what all rounds share is then computed before the first.
  do {
    let slope = slopesAt<T>(slopes);
    if (slopes + 16 > end)
      slope = v128.and(slope, i32x4.gt_s(i32x4.splat(<i32>(end - slopes)), i32x4(0, 4, 8, 12)));
    const isFull = v128.ge<T>(slope, fullsFrom);
    // Not (≤), so that NaN shows in the sum.
    const isPart = v128.not(v128.or(v128.le<T>(slope, zerosTo), isFull));
    fulls = v128.add<I>(fulls, isFull);
    parts = v128.add<I>(parts, isPart);
    sums = f64x2.add(sums, sumsOf<T>(v128.and(slope, isPart)));
    slopes += 16;
  } while (slopes < end);
  full = settledFull + count<I>(fulls);
  part = settledPart + count<I>(parts);
  partSum = settledSum + sum(sums);
}

/**
 * The root of g = budget in (low, high), by Newton's method. Infinity where all live groups fit and `high` is Infinity; NaN
 * where it was not found, or a slope is not finite.
 */
function search<T, I>(slopes: usize, n: i32, budget: f64, low: f64, high: f64): f64 {
  // Nothing is full from NaN on: an infinite slope shows in the sum.
  tally<T, I>(slopes, n, ZERO_SLOPE, NaN);
  if (!(partSum < Infinity)) return NaN;
  if (high == Infinity && full + part <= budget) return Infinity;
  let at: f64 = -1;
  for (let round = 0; round < ROUNDS; round++) {
    let fullBefore = full;
    const partBefore = part;
    // The root of the line that g is on; of the first, if no share is cut off at 0 or 1.
    let next = (budget - full + rho * part) / partSum;
    if (Math.abs(next - at) <= 4 * f64.EPSILON * at) return at;
    if (!(next > low && next < high)) {
      next = high == Infinity ? 4 * low : low == 0 ? high / 4 : Math.sqrt(low * high);
      fullBefore = -1;
    }
    at = next;
    tally<T, I>(slopes, n, Math.max(rho / at, ZERO_SLOPE), (1 + rho) / at);
    // The same groups between as where this point comes from: it is the root of their line.
    if (full == fullBefore && part == partBefore) return at;
    if (part == 0 && full == budget) return at;
    if (full + at * partSum - rho * part > budget) high = at;
    else low = at;
  }
  return NaN;
}

function unsettle(): void {
  settledFull = 0;
  settledPart = 0;
  settledSum = 0;
}

/**
 * Settles the groups that are on one line all over (low, high), and gathers the slopes of the others.
 *
 * @param room for `most` slopes, a block and a vector.
 * @returns how many were gathered; −1 where there are more than `most`, or a slope is infinite.
 */
function sift<T, I>(slopes: usize, n: i32, low: f64, high: f64, room: usize, most: i32): i32 {
  visits += 2 * <f64>n;
  const zerosTo = v128.splat<T>(roundedDown<T>(Math.max(rho / high, ZERO_SLOPE)));
  const partsFrom = v128.splat<T>(roundedDown<T>(Math.max(rho / low, ZERO_SLOPE)));
  const partsTo = v128.splat<T>(roundedUp<T>((1 + rho) / high));
  const fullsFrom = v128.splat<T>(roundedUp<T>((1 + rho) / low));
  const all = (1 << (16 / sizeof<T>())) - 1;
  let fulls = v128.splat<I>(0);
  let parts = fulls;
  let sums = f64x2.splat(0);
  let largest = sums;
  let free = room;
  const end = slopes + <usize>n * sizeof<T>();
  const whole = end - ((end - slopes) & 15);
  while (slopes < whole) {
    if (free > room + <usize>most * sizeof<T>()) return -1;
    const to = min(whole, slopes + <usize>BLOCK * sizeof<T>());
    const first = free;
    do {
      const slope = slopesAt<T>(slopes);
      const isFull = v128.ge<T>(slope, fullsFrom);
      const isPart = v128.and(v128.gt<T>(slope, partsFrom), v128.lt<T>(slope, partsTo));
      largest = v128.pmax<T>(largest, slope);
      fulls = v128.add<I>(fulls, isFull);
      parts = v128.add<I>(parts, isPart);
      sums = f64x2.add(sums, sumsOf<T>(v128.and(slope, isPart)));
      const settled = v128.or(v128.or(v128.le<T>(slope, zerosTo), isFull), isPart);
      // Always stored, kept if one of them is not settled: a branch would be mispredicted too often.
      v128.store(free, v128.andnot(slope, settled));
      free += <usize>(v128.bitmask<I>(settled) != all) << 4;
      slopes += 16;
    } while (slopes < to);
    const last = free;
    free = first;
    for (let at = first; at < last; at += sizeof<T>()) {
      const bits = load<I>(at);
      store<I>(free, bits);
      free += <usize>(bits != 0) * sizeof<T>();
    }
  }
  for (; slopes < end; slopes += sizeof<T>()) {
    store<T>(free, slopeAt<T>(slopes));
    free += sizeof<T>();
  }
  if (v128.any_true(v128.ge<T>(largest, v128.splat<T>(<T>Infinity)))) return -1;
  settledFull = count<I>(fulls);
  settledPart = count<I>(parts);
  settledSum = sum(sums);
  return <i32>((free - room) / sizeof<T>());
}

/** The root, by way of a sample; NaN where the sample misled. */
function searchBySample<T, I>(slopes: usize, m: i32, budget: f64, room: usize, size: i32): f64 {
  // One of every stretch: weights may differ by place.
  const stretch = <f64>m / <f64>size;
  for (let i = 0; i < size; i++) {
    const j = <usize>((<f64>i + uniform()) * stretch);
    store<T>(room + <usize>i * sizeof<T>(), slopeAt<T>(slopes + j * sizeof<T>()));
  }
  // Shares lie between 0 and 1, so their sum varies no more than that of coins with the same mean.
  const level = budget / stretch;
  const spread = DEVIATIONS * Math.sqrt(level * Math.max(0, 1 - level / <f64>size));
  const low = search<T, I>(room, size, level / (1 + spread / level), 0, Infinity);
  if (!(low < Infinity)) return NaN;
  const high = search<T, I>(room, size, level + spread, low, Infinity);
  if (!(low < high)) return NaN;
  const open = sift<T, I>(slopes, m, low, high, room, MOST_OPEN * size);
  return open < 0 ? NaN : search<T, I>(room, open, budget, low, high);
}

function find<T, I>(slopes: usize, m: i32, budget: f64, room: usize, size: i32): f64 {
  unsettle();
  const root = size ? searchBySample<T, I>(slopes, m, budget, room, size) : NaN;
  if (!isNaN(root)) return root;
  unsettle();
  return search<T, I>(slopes, m, budget, 0, Infinity);
}

/**
 * The root ω of Σ_j clip(ω·A_j − ρ, 0, 1) = budget, Infinity where all live groups fit; NaN where it was not found, or a
 * slope is not finite.
 *
 * @param single slopes are the magnitudes of float32 weights.
 * @param room for MOST_OPEN·size + BLOCK + 4 slopes, where there is a sample.
 * @param size of the sample that is solved first, for two points that enclose the root with probability > .99; 0 for none.
 */
export function findRoot(
  slopes: usize,
  single: bool,
  offset: f64,
  m: i32,
  budget: f64,
  room: usize,
  size: i32,
): f64 {
  rho = offset;
  visits = 0;
  startUniform(m);
  return single
    ? find<f32, i32>(slopes, m, budget, room, size)
    : find<f64, i64>(slopes, m, budget, room, size);
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
  const zeroTo = f32x4.splat(roundedDown<f32>((rho + ROUNDING * (1 + rho)) / omega));
  const high = f32x4.splat(<f32>threshold);
  const low = f32x4.splat(<f32>(threshold - <f64>(<f32>threshold)));
  const longers = f32x4.splat(<f32>longer);
  const near: f64 = whole >= 0.5 ? 1 : 0;
  const nears = f32x4.splat(<f32>near);
  const rests = f32x4.splat(<f32>(whole - near));
  const end = w + (<usize>n << 2);
  for (; w + 16 <= end; w += 16)
    v128.store(w, shrunk(v128.load(w), zeroTo, high, low, longers, nears, rests));
  const last = shrunk(v128.load(w), zeroTo, high, low, longers, nears, rests);
  if (n & 2) {
    v128.store64_lane(w, last, 0);
    if (n & 1) v128.store32_lane(w + 8, last, 2);
  } else if (n & 1) v128.store32_lane(w, last, 0);
}

// @ts-ignore: decorator
@inline
function shrunk(v: v128, zeroTo: v128, high: v128, low: v128, longers: v128, nears: v128, rests: v128): v128 {
  const a = v128.and(v, i32x4.splat(0x7fffffff));
  const part = f32x4.mul(f32x4.sub(f32x4.sub(a, high), low), longers);
  const full = f32x4.add(f32x4.mul(a, nears), f32x4.mul(a, rests));
  const sign = v128.and(v, f32x4.splat(-0.0));
  return v128.and(v128.or(f32x4.pmin(part, full), sign), f32x4.gt(a, zeroTo));
}
