// The root search of the WGSEF proximal operator: see src/sparsity/wgsef/root.ts. Group j has slope A_j, offset ρ_j and
// cost c_j, all float64. A quantity that all groups share is stored twice in a row and read with mask 0, else with mask −1.
// AssemblyScript: arrays are byte addresses.

import { startUniform, uniform } from "./shared/uniform";

/** At or below this slope a group counts as zero: reciprocals must stay finite, and squares of such norms underflow. */
const ZERO_SLOPE: f64 = 1e-200;
/** Shares within so many roundings of 0 and 1 are 0 and 1. */
const ROUNDING: f64 = 16 * f64.EPSILON;

// The groups in play, always read from `slopes`, `rhos` and `costs`; settled ones leave by compaction into `active…`.
let slopes: usize;
let rhos: usize;
let costs: usize;
let rhoMask: usize;
let costMask: usize;
let count: i32;
let activeSlopes: usize;
let activeRhos: usize;
let activeCosts: usize;

// The bracket (low, high], and the part of g that is linear on all of it.
let low: f64;
let high: f64;
/** Σ c of groups with u = 1 throughout. */
let saturated: f64;
/** Σ c·A and Σ c·ρ of groups with 0 ≤ u ≤ 1 throughout. */
let middleSlope: f64;
let middleRho: f64;
/** The slope of g where it was evaluated last. */
let steepness: f64;

let points: usize;
let randomRounds: i32;
let visits: f64;

// @ts-ignore: decorator
@inline
function slopeAt(j: i32): f64 {
  return load<f64>(slopes + (<usize>j << 3));
}

// @ts-ignore: decorator
@inline
function rhoAt(j: i32): f64 {
  return load<f64>(rhos + ((<usize>j << 3) & rhoMask));
}

// @ts-ignore: decorator
@inline
function costAt(j: i32): f64 {
  return load<f64>(costs + ((<usize>j << 3) & costMask));
}

// @ts-ignore: decorator
@inline
function sum(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

function begin(from: f64, to: f64): void {
  low = from;
  high = to;
  saturated = 0;
  middleSlope = 0;
  middleRho = 0;
}

/**
 * Takes the groups without a breakpoint inside the bracket out of play; the rest moves to the active arrays. A share
 * within rounding of 0 or 1 counts as there, so that the breakpoint that became an end of the bracket is settled.
 */
function settle(): void {
  const lows = f64x2.splat(low);
  const highs = f64x2.splat(high);
  const ones = f64x2.splat(1);
  const roundings = f64x2.splat(ROUNDING);
  const zeros = f64x2.splat(ZERO_SLOPE);
  let saturatedSum = f64x2.splat(0);
  let slopeSum = saturatedSum;
  let rhoSum = saturatedSum;
  let kept: usize = 0;
  const end = <usize>count << 3;
  for (let at: usize = 0; at < end; at += 16) {
    const slope = v128.load(slopes + at);
    const rho = v128.load(rhos + (at & rhoMask));
    const cost = v128.load(costs + (at & costMask));
    const level = f64x2.add(ones, rho);
    const rounding = f64x2.mul(roundings, level);
    const atLow = f64x2.mul(lows, slope);
    const atHigh = f64x2.mul(highs, slope);
    // Not (≤), so that NaN stays in play.
    const zero = v128.or(f64x2.le(slope, zeros), f64x2.le(atHigh, f64x2.add(rho, rounding)));
    let live = v128.not(zero);
    if (at + 8 == end) live = v128.and(live, i64x2(-1, 0));
    const full = f64x2.ge(atLow, f64x2.sub(level, rounding));
    const rising = v128.and(
      f64x2.ge(atLow, f64x2.sub(rho, rounding)),
      f64x2.le(atHigh, f64x2.add(level, rounding)),
    );
    const middle = v128.and(v128.andnot(live, full), rising);
    saturatedSum = f64x2.add(saturatedSum, v128.and(cost, v128.and(live, full)));
    slopeSum = f64x2.add(slopeSum, v128.and(f64x2.mul(cost, slope), middle));
    rhoSum = f64x2.add(rhoSum, v128.and(f64x2.mul(cost, rho), middle));
    const active = i64x2.bitmask(v128.andnot(live, v128.or(full, rising)));
    // Always stored, kept if active: a branch would be mispredicted too often.
    v128.store64_lane(activeSlopes + kept, slope, 0);
    v128.store64_lane(activeRhos + (kept & rhoMask), rho, 0);
    v128.store64_lane(activeCosts + (kept & costMask), cost, 0);
    kept += (active & 1) << 3;
    v128.store64_lane(activeSlopes + kept, slope, 1);
    v128.store64_lane(activeRhos + (kept & rhoMask), rho, 1);
    v128.store64_lane(activeCosts + (kept & costMask), cost, 1);
    kept += (active & 2) << 2;
  }
  saturated += sum(saturatedSum);
  middleSlope += sum(slopeSum);
  middleRho += sum(rhoSum);
  play(activeSlopes, rhoMask ? activeRhos : rhos, costMask ? activeCosts : costs, <i32>(kept >> 3));
}

function play(s: usize, r: usize, c: usize, n: i32): void {
  slopes = s;
  rhos = r;
  costs = c;
  count = n;
}

/** g at a point of the bracket, and its slope there. */
function evaluate(at: f64): f64 {
  const ats = f64x2.splat(at);
  const zeros = f64x2.splat(0);
  const ones = f64x2.splat(1);
  let shareSum = zeros;
  let slopeSum = zeros;
  const end = <usize>count << 3;
  for (let j: usize = 0; j < end; j += 16) {
    const cost = v128.load(costs + (j & costMask));
    let slope = v128.load(slopes + j);
    let share = f64x2.sub(f64x2.mul(ats, slope), v128.load(rhos + (j & rhoMask)));
    if (j + 8 == end) {
      slope = v128.and(slope, i64x2(-1, 0));
      share = v128.and(share, i64x2(-1, 0));
    }
    const clipped = f64x2.min(ones, f64x2.max(zeros, share));
    shareSum = f64x2.add(shareSum, f64x2.mul(clipped, cost));
    slopeSum = f64x2.add(slopeSum, v128.and(f64x2.mul(cost, slope), f64x2.eq(clipped, share)));
  }
  steepness = middleSlope + sum(slopeSum);
  return saturated + sum(shareSum) + (middleSlope == 0 ? 0 : at * middleSlope - middleRho);
}

/**
 * Closes the bracket, which holds the root of g = budget, until no breakpoint is left inside. Newton's method goes a
 * tenth too far on purpose: its points then fall on both sides of the root in turn. Where it leaves the bracket, or
 * settles less than half of the groups, a random breakpoint follows, and the median when there were too many rounds.
 */
function narrow(budget: f64, start: f64): void {
  let pivot = start > low && start < high ? start : randomPoint();
  for (let round = 1; count > 0; round++) {
    const before = count;
    visits += 2 * <f64>before;
    const g = evaluate(pivot);
    if (g >= budget) high = pivot;
    else low = pivot;
    settle();
    if (count == 0) return;
    pivot += (1.1 * (budget - g)) / steepness;
    if (round >= randomRounds) pivot = medianPoint();
    else if (2 * count > before || !(pivot > low && pivot < high)) pivot = randomPoint();
  }
}

/** A random breakpoint inside the bracket. */
function randomPoint(): f64 {
  const j = <i32>(uniform() * <f64>count);
  const rise = rhoAt(j) / slopeAt(j);
  const level = (1 + rhoAt(j)) / slopeAt(j);
  if (rise <= low) return level;
  if (level >= high) return rise;
  return uniform() < 0.5 ? rise : level;
}

/** The median of all breakpoints inside the bracket. */
function medianPoint(): f64 {
  let n = 0;
  for (let j = 0; j < count; j++) {
    const rise = rhoAt(j) / slopeAt(j);
    const level = (1 + rhoAt(j)) / slopeAt(j);
    if (rise > low) setPoint(n++, rise);
    if (level < high) setPoint(n++, level);
  }
  return selectNth(0, n, n >> 1);
}

// @ts-ignore: decorator
@inline
function point(i: i32): f64 {
  return load<f64>(points + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline
function setPoint(i: i32, value: f64): void {
  store<f64>(points + (<usize>i << 3), value);
}

/**
 * The point that would stand at index `rank` if points from .. to − 1 were sorted. Reorders them; linear time in the worst
 * case, by medians of medians of five (Blum, Floyd, Pratt, Rivest, Tarjan 1973).
 */
function selectNth(from: i32, to: i32, rank: i32): f64 {
  while (to - from > 5) {
    let medians = from;
    for (let i = from; i + 5 <= to; i += 5) {
      sort(i, i + 5);
      swap(medians++, i + 2);
    }
    const pivot = selectNth(from, medians, (from + medians) >> 1);
    let less = from;
    let greater = to;
    for (let i = from; i < greater; ) {
      const v = point(i);
      if (v < pivot) swap(less++, i++);
      else if (v > pivot) swap(--greater, i);
      else i++;
    }
    if (rank < less) to = less;
    else if (rank >= greater) from = greater;
    else return pivot;
  }
  sort(from, to);
  return point(rank);
}

function swap(i: i32, j: i32): void {
  const v = point(i);
  setPoint(i, point(j));
  setPoint(j, v);
}

/** By insertion. */
function sort(from: i32, to: i32): void {
  for (let i = from + 1; i < to; i++) {
    const v = point(i);
    let j = i;
    for (; j > from && point(j - 1) > v; j--) setPoint(j, point(j - 1));
    setPoint(j, v);
  }
}

/** The root if it lies in (from, to], else NaN. */
function rootWithin(from: f64, to: f64, budget: f64): f64 {
  visits += 2 * <f64>count;
  begin(from, to);
  settle();
  const total = evaluate(to);
  if (to == Infinity && total <= budget) return Infinity;
  const least = evaluate(from);
  if (!(least < budget && budget <= total && total < Infinity)) return NaN;
  narrow(budget, from + ((to - from) * (budget - least)) / (total - least));
  if (middleSlope == 0) return low;
  return Math.min(Math.max((budget - saturated + middleRho) / middleSlope, low), high);
}

/**
 * The root ω of Σ_j c_j·clip(ω·A_j − ρ_j, 0, 1) = budget, Infinity where all live groups fit, NaN where a slope is not
 * finite.
 *
 * @param room 8·(8m + 6) bytes.
 * @param size of the sample that is solved first; 0 for none.
 * @param rounds with random pivots before medians take over.
 */
export function findRoot(
  slope: usize,
  rho: usize,
  cost: usize,
  perGroupRho: bool,
  perGroupCost: bool,
  m: i32,
  budget: f64,
  room: usize,
  size: i32,
  rounds: i32,
): f64 {
  const length = <usize>m << 3;
  rhoMask = perGroupRho ? -1 : 0;
  costMask = perGroupCost ? -1 : 0;
  activeSlopes = room;
  activeRhos = room + length + 8;
  activeCosts = activeRhos + length + 8;
  const sample = activeCosts + length + 8;
  points = sample + 3 * (length + 8);
  randomRounds = rounds;
  visits = 0;
  startUniform(m);

  if (size) {
    // Two levels around the budget, solved on the sample, enclose the root with probability > .99.
    const sampleRhos = sample + length + 8;
    const sampleCosts = sampleRhos + length + 8;
    play(slope, rho, cost, m);
    let live: f64 = 0;
    let squares: f64 = 0;
    for (let i = 0; i < size; i++) {
      const j = <i32>(uniform() * <f64>m);
      const at = <usize>i << 3;
      const c = costAt(j);
      squares += c * c;
      if (slopeAt(j) > ZERO_SLOPE) live += c;
      store<f64>(sample + at, slopeAt(j));
      if (perGroupRho) store<f64>(sampleRhos + at, rhoAt(j));
      if (perGroupCost) store<f64>(sampleCosts + at, c);
    }
    const r = perGroupRho ? sampleRhos : rho;
    const c = perGroupCost ? sampleCosts : cost;
    const level = (budget * <f64>size) / <f64>m;
    // The variance of a sum of c·u with 0 ≤ u ≤ 1 is at most Σ c²·(mean of u).
    const spread = 3 * Math.sqrt(squares * Math.min(1, level / (live || 1)));
    let from: f64 = 0;
    let to = Infinity;
    if (level > spread) {
      play(sample, r, c, size);
      begin(0, Infinity);
      settle();
      narrow(level - spread, 0);
      from = low;
    }
    if (level + spread < live) {
      play(sample, r, c, size);
      begin(0, Infinity);
      settle();
      narrow(level + spread, 0);
      to = high;
    }
    play(slope, rho, cost, m);
    const root = rootWithin(from, to, budget);
    if (!isNaN(root)) return root;
  }
  play(slope, rho, cost, m);
  return rootWithin(0, Infinity, budget);
}

/** Breakpoints of groups still in play, summed over the rounds of the latest search. */
export function visited(): f64 {
  return visits;
}

/** u_j = clip(ω·A_j − ρ_j, 0, 1), within rounding of 0 and 1 exactly there, and factors u_j/(u_j + ρ_j), 1 where ρ_j is 0. */
export function shares(
  slope: usize,
  rho: usize,
  perGroupRho: bool,
  m: i32,
  omega: f64,
  u: usize,
  factors: usize,
): void {
  if (m == 0) return;
  if (perGroupRho) sharesAt(slope, rho, true, m, omega, u, factors);
  else sharesAt(slope, rho, false, m, omega, u, factors);
}

// @ts-ignore: decorator
@inline
function sharesAt(
  slope: usize,
  rho: usize,
  perGroupRho: bool,
  m: i32,
  omega: f64,
  u: usize,
  factors: usize,
): void {
  const omegas = f64x2.splat(omega);
  const ones = f64x2.splat(1);
  const none = f64x2.splat(0);
  const zeros = f64x2.splat(ZERO_SLOPE);
  const roundings = f64x2.splat(ROUNDING);
  const shared = v128.load(rho);
  const end = <usize>m << 3;
  let at: usize = 0;
  // Tested at the end, so that what all rounds share is computed before the first.
  do {
    const a = v128.load(slope + at);
    const r = perGroupRho ? v128.load(rho + at) : shared;
    const linear = f64x2.sub(f64x2.mul(omegas, a), r);
    const rounding = f64x2.mul(roundings, f64x2.add(ones, r));
    const positive = v128.and(f64x2.gt(linear, rounding), f64x2.gt(a, zeros));
    const full = f64x2.ge(linear, f64x2.sub(ones, rounding));
    const share = v128.and(v128.bitselect(ones, linear, full), positive);
    v128.store(u + at, share);
    const factor = f64x2.div(share, f64x2.add(share, r));
    v128.store(factors + at, v128.bitselect(factor, ones, f64x2.ne(r, none)));
    at += 16;
  } while (at < end);
}
