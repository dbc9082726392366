import { Problem } from "../../problem.ts";
import { type Random, random } from "../../random.ts";
import type { GroupValues } from "./per-group.ts";
import { selectNth } from "./select.ts";

/** Memory of the root search, reused from call to call; it grows to the largest number of groups seen. */
export interface RootWorkspace {
  /** Groups with a breakpoint inside the bracket, and room for a sample. */
  active: Int32Array;
  sample: Int32Array;
  points: Float64Array;
  /** Breakpoints of groups still in play, summed over the rounds of the latest call. */
  visits: number;
  /** Rounds with random pivots before exact medians take over; by default 2·log₂(2m) + 8. */
  randomRounds?: number;
}

export function rootWorkspace(): RootWorkspace {
  return { active: new Int32Array(0), sample: new Int32Array(0), points: new Float64Array(0), visits: 0 };
}

/** g(ω) = Σ_j c_j·clip(ω·A_j − ρ_j, 0, 1). */
interface Sum {
  slope: Float64Array;
  rho: GroupValues;
  cost: GroupValues;
}

/** An interval (low, high], and the part of g that is linear on all of it. */
interface Bracket {
  low: number;
  high: number;
  /** Σ c of groups with u = 1 throughout. */
  saturated: number;
  /** Σ c·A and Σ c·ρ of groups with 0 ≤ u ≤ 1 throughout. */
  middleSlope: number;
  middleRho: number;
  /** The other groups that are not zero throughout. */
  active: Int32Array;
  count: number;
}

/** At or below this slope a group counts as zero: reciprocals must stay finite, and squares of such norms underflow. */
const ZERO_SLOPE = 1e-200;
/** From so many groups on a sample pays for itself. */
const SAMPLED_FROM = 512;

/**
 * The root ω of g(ω) = Σ_j c_j·clip(ω·A_j − ρ_j, 0, 1) = K (wgsef.md 3.3), in linear time.
 *
 * g is piecewise linear with two breakpoints a group. Each round evaluates g at a random breakpoint inside the bracket and
 * settles the groups whose breakpoints fall outside. With many groups a random sample is solved first, for two levels
 * around K: one pass then settles nearly all groups. Medians as pivots bound the worst case by O(m). Pivots are drawn
 * anew from one seed in every call, so equal input gives equal bits.
 *
 * Settled groups are only ever added to sums of like sign. Running slopes that also subtract (the usual form) lose all
 * digits when norms span more than about eight decades.
 *
 * @param slope A_j ≥ 0, m numbers; groups with A_j = 0 take no part.
 * @param budget K > 0.
 * @returns ω ≥ 0, or Infinity when all live groups fit into the budget. Feed it to `shareAt`.
 * @throws Problem when a slope is not finite.
 */
export function findRoot(
  slope: Float64Array,
  rho: GroupValues,
  cost: GroupValues,
  budget: number,
  ws: RootWorkspace,
): number {
  const m = slope.length;
  reserve(ws, m);
  const sum: Sum = { slope, rho, cost };
  const rng = random(m);
  ws.visits = 0;
  if (m >= SAMPLED_FROM) {
    const [low, high] = sampledBracket(sum, budget, ws, rng);
    const root = rootWithin(low, high, sum, budget, ws, rng);
    if (root !== undefined) return root;
  }
  const root = rootWithin(0, Infinity, sum, budget, ws, rng);
  if (root !== undefined) return root;
  const j = slope.findIndex((a) => !(a >= 0 && a < Infinity));
  throw new Problem(
    `wgsef: group ${j} has norm ${slope[j]}; weights must be finite, lower the learning rate or clip gradients`,
  );
}

/**
 * The share u_j = clip(ω·A_j − ρ_j, 0, 1) of one group. Values within rounding of 0 and 1 become exactly 0 and 1:
 * without that, about one exact case in seventy keeps a group too many (wgsef.md 3.3).
 */
export function shareAt(omega: number, slope: number, rho: number): number {
  if (!(slope > ZERO_SLOPE)) return 0;
  const share = omega * slope - rho;
  const rounding = 16 * Number.EPSILON * (1 + rho);
  return share <= rounding ? 0 : share >= 1 - rounding ? 1 : share;
}

function reserve(ws: RootWorkspace, m: number): void {
  if (ws.active.length >= m) return;
  ws.active = new Int32Array(m);
  ws.sample = new Int32Array(m);
  ws.points = new Float64Array(2 * m);
}

/** Two values that enclose the root with probability above 0.99, from a random sample of m^(2/3) groups. */
function sampledBracket(sum: Sum, budget: number, ws: RootWorkspace, rng: Random): [number, number] {
  const m = sum.slope.length;
  const size = Math.ceil(m ** (2 / 3));
  const { values, mask } = sum.cost;
  let live = 0;
  let squares = 0;
  for (let s = 0; s < size; s++) {
    const j = rng.integer(m);
    const c = values[j & mask];
    ws.sample[s] = j;
    squares += c * c;
    if (sum.slope[j] > ZERO_SLOPE) live += c;
  }
  const level = (budget * size) / m;
  // The variance of a sum of c·u with 0 ≤ u ≤ 1 is at most Σ c²·(mean of u).
  const spread = 3 * Math.sqrt(squares * Math.min(1, level / (live || 1)));
  const solve = (target: number) => {
    ws.active.set(ws.sample.subarray(0, size));
    const bracket = wholeLine(ws.active, size);
    settle(bracket, sum);
    narrow(bracket, sum, target, ws, rng);
    return bracket;
  };
  return [
    level > spread ? solve(level - spread).low : 0,
    level + spread < live ? solve(level + spread).high : Infinity,
  ];
}

/** The root if it lies in (low, high], else undefined. */
function rootWithin(
  low: number,
  high: number,
  sum: Sum,
  budget: number,
  ws: RootWorkspace,
  rng: Random,
): number | undefined {
  const { active } = ws;
  const m = sum.slope.length;
  for (let j = 0; j < m; j++) active[j] = j;
  ws.visits += 2 * m;
  const bracket = { ...wholeLine(active, m), low, high };
  settle(bracket, sum);
  const total = evaluate(bracket, sum, high);
  if (high === Infinity && total <= budget) return Infinity;
  if (!(evaluate(bracket, sum, low) < budget && budget <= total && total < Infinity)) return undefined;
  narrow(bracket, sum, budget, ws, rng);
  const { saturated, middleSlope, middleRho } = bracket;
  if (middleSlope === 0) return bracket.low;
  return Math.min(Math.max((budget - saturated + middleRho) / middleSlope, bracket.low), bracket.high);
}

function wholeLine(active: Int32Array, count: number): Bracket {
  return { low: 0, high: Infinity, saturated: 0, middleSlope: 0, middleRho: 0, active, count };
}

/** Closes the bracket, which holds the root of g = budget, until no breakpoint is left inside. */
function narrow(bracket: Bracket, sum: Sum, budget: number, ws: RootWorkspace, rng: Random): void {
  const randomRounds = ws.randomRounds ?? 2 * Math.log2(2 * bracket.count + 1) + 8;
  for (let round = 0; bracket.count > 0; round++) {
    ws.visits += 2 * bracket.count;
    const pivot =
      round < randomRounds ? randomPoint(bracket, sum, rng) : medianPoint(bracket, sum, ws.points);
    if (evaluate(bracket, sum, pivot) >= budget) bracket.high = pivot;
    else bracket.low = pivot;
    settle(bracket, sum);
  }
}

/** g at a point of the bracket. */
function evaluate(bracket: Bracket, { slope, rho, cost }: Sum, at: number): number {
  const { active, count, saturated, middleSlope, middleRho } = bracket;
  const { values: rhos, mask: rhoMask } = rho;
  const { values: costs, mask: costMask } = cost;
  let total = 0;
  for (let i = 0; i < count; i++) {
    const j = active[i];
    total += costs[j & costMask] * Math.min(1, Math.max(0, at * slope[j] - rhos[j & rhoMask]));
  }
  return saturated + total + (middleSlope === 0 ? 0 : at * middleSlope - middleRho);
}

/** Takes the groups without a breakpoint inside the bracket out of play. */
function settle(bracket: Bracket, { slope, rho, cost }: Sum): void {
  const { low, high, active, count } = bracket;
  const { values: rhos, mask: rhoMask } = rho;
  const { values: costs, mask: costMask } = cost;
  let saturated = 0;
  let middleSlope = 0;
  let middleRho = 0;
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const j = active[i];
    const a = slope[j];
    if (a <= ZERO_SLOPE) continue;
    const r = rhos[j & rhoMask];
    // Products first, they are cheaper; at an end of the bracket, some group's breakpoint, only quotients are exact.
    const atHigh = high * a - r;
    if (atHigh <= 0) continue;
    const c = costs[j & costMask];
    const atLow = low * a - r;
    if (atLow >= 1) saturated += c;
    else if (atLow >= 0 && atHigh <= 1) {
      middleSlope += c * a;
      middleRho += c * r;
    } else {
      const rise = r / a;
      const level = (1 + r) / a;
      if (level <= low) saturated += c;
      else if (rise <= low && level >= high) {
        middleSlope += c * a;
        middleRho += c * r;
      } else if (!(rise >= high)) active[kept++] = j;
    }
  }
  bracket.saturated += saturated;
  bracket.middleSlope += middleSlope;
  bracket.middleRho += middleRho;
  bracket.count = kept;
}

/** A random breakpoint inside the bracket. */
function randomPoint({ low, high, active, count }: Bracket, { slope, rho }: Sum, rng: Random): number {
  const j = active[rng.integer(count)];
  const r = rho.values[j & rho.mask];
  const rise = r / slope[j];
  const level = (1 + r) / slope[j];
  if (rise <= low) return level;
  if (level >= high) return rise;
  return rng.uniform() < 0.5 ? rise : level;
}

/** The median of all breakpoints inside the bracket. */
function medianPoint(
  { low, high, active, count }: Bracket,
  { slope, rho }: Sum,
  points: Float64Array,
): number {
  let n = 0;
  for (let i = 0; i < count; i++) {
    const j = active[i];
    const r = rho.values[j & rho.mask];
    const rise = r / slope[j];
    const level = (1 + r) / slope[j];
    if (rise > low) points[n++] = rise;
    if (level < high) points[n++] = level;
  }
  return selectNth(points, 0, n, n >> 1);
}
