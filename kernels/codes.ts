// Evidence of the cells of an associative memory, from weights of one bit each (src/memory). AssemblyScript: arrays are
// byte addresses. Sums, counts and evidences are float64 with room up to a multiple of 32 cells.

export { sums, sumsAt } from "./shared/rowSums";

/** Both much faster than what JavaScript does in memory that threads share. */
export function clear(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes);
}

export function copy(from: usize, to: usize, bytes: usize): void {
  memory.copy(to, from, bytes);
}

/** to[i] += from[i]. */
export function add(from: usize, to: usize, cells: i32): void {
  for (const end = from + ((<usize>cells) << 3); from < end; from += 16, to += 16)
    v128.store(to, f64x2.add(v128.load(to), v128.load(from)));
}

/**
 * U = max(0, (share − b)/(1 − b)) with share = min(1, scale·sum) and b = seen·weighted + prior·fanIn; 0 where b is 1.
 * Two cells at a time.
 */
export function corrected(
  sums: usize,
  weighted: usize,
  fanIn: usize,
  out: usize,
  cells: i32,
  scale: f64,
  seen: f64,
  prior: f64,
): void {
  const one = f64x2.splat(1);
  const certain = f64x2.splat(1 - 1e-9);
  for (let i = 0; i < cells; i += 2) {
    const at = (<usize>i) << 3;
    const share = f64x2.pmin(one, f64x2.mul(v128.load(sums + at), f64x2.splat(scale)));
    const known = f64x2.convert_low_i32x4_s(v128.load64_zero(fanIn + (at >> 1)));
    const b = f64x2.add(
      f64x2.mul(f64x2.splat(seen), v128.load(weighted + at)),
      f64x2.mul(f64x2.splat(prior), known),
    );
    const u = f64x2.pmax(f64x2.splat(0), f64x2.div(f64x2.sub(share, b), f64x2.sub(one, b)));
    v128.store(out + at, v128.and(u, f64x2.lt(b, certain)));
  }
}

/** best[q] = largest of its k supports, at least 0; returns the sum of the best. */
export function largest(support: usize, q: i32, k: i32, best: usize): f64 {
  let sum: f64 = 0;
  for (let m = 0; m < q; m++) {
    const end = support + ((<usize>k) << 3);
    let pair = f64x2.splat(0);
    for (; support + 16 <= end; support += 16) pair = f64x2.pmax(pair, v128.load(support));
    let top = max(f64x2.extract_lane(pair, 0), f64x2.extract_lane(pair, 1));
    if (support < end) {
      top = max(top, load<f64>(support));
      support += 8;
    }
    store<f64>(best + ((<usize>m) << 3), top);
    sum += top;
  }
  return sum;
}

/** Entries of at least `least` among the first `count`. */
export function countFrom(values: usize, count: i32, least: f64): i32 {
  const end = values + ((<usize>count) << 3);
  let found = i64x2.splat(0);
  for (; values + 16 <= end; values += 16)
    found = i64x2.sub(found, f64x2.ge(v128.load(values), f64x2.splat(least)));
  return (
    <i32>(i64x2.extract_lane(found, 0) + i64x2.extract_lane(found, 1)) +
    i32(values < end && load<f64>(values) >= least)
  );
}

/** ψ = 1 + most/(1 + exp(y)) of a pair: src/memory/logistic.ts says how; operation by operation the same. */
// @ts-ignore: decorator
@inline
function psi(y: v128, most: v128): v128 {
  y = f64x2.pmax(f64x2.splat(-700), f64x2.pmin(f64x2.splat(700), y));
  const shift = f64x2.splat(6755399441055744);
  // The low bits of the sum are n.
  const shifted = f64x2.add(f64x2.mul(y, f64x2.splat(1.4426950408889634)), shift);
  const n = f64x2.sub(shifted, shift);
  const coarse = f64x2.sub(y, f64x2.mul(n, f64x2.splat(0.6931471803691238)));
  const r = f64x2.sub(coarse, f64x2.mul(n, f64x2.splat(1.9082149292705877e-10)));
  const t = f64x2.mul(r, r);
  let sum = f64x2.splat(-691 / 653837184000);
  sum = f64x2.add(f64x2.mul(sum, t), f64x2.splat(1 / 23950080));
  sum = f64x2.add(f64x2.mul(sum, t), f64x2.splat(-1 / 604800));
  sum = f64x2.add(f64x2.mul(sum, t), f64x2.splat(1 / 15120));
  sum = f64x2.add(f64x2.mul(sum, t), f64x2.splat(-1 / 360));
  sum = f64x2.add(f64x2.mul(sum, t), f64x2.splat(1 / 6));
  sum = f64x2.add(f64x2.mul(sum, t), f64x2.splat(2));
  const power = i64x2.shl(i64x2.add(shifted, i64x2.splat(1023)), 52);
  const low = f64x2.sub(sum, r);
  const s = f64x2.div(low, f64x2.add(low, f64x2.mul(f64x2.add(sum, r), power)));
  return f64x2.add(f64x2.splat(1), f64x2.mul(most, s));
}

/** Bit i: whether value i is not 0, of the first `count` ≤ 64. */
// @ts-ignore: decorator
@inline
function supported(values: usize, count: i32): u64 {
  let mask: u64 = 0;
  let i = 0;
  for (; i + 2 <= count; i += 2)
    mask |= (<u64>i64x2.bitmask(f64x2.ne(v128.load(values + ((<usize>i) << 3)), f64x2.splat(0)))) << i;
  if (i < count) mask |= (<u64>(load<f64>(values + ((<usize>i) << 3)) != 0)) << i;
  return mask;
}

/**
 * ψ = 1 + most/(1 + exp(steepness·(center − V))) of the k cells of a module into `out`; returns their sum. Most cells
 * have no support at all: the others are picked out of 64 at a time and worked on in pairs.
 */
export function winWeights(support: usize, k: i32, most: f64, steepness: f64, center: f64, out: usize): f64 {
  const slope = f64x2.splat(steepness);
  const middle = f64x2.splat(center);
  const height = f64x2.splat(most);
  const none = f64x2.extract_lane(psi(f64x2.mul(slope, middle), height), 0);
  let sum = f64x2.splat(0);
  let without = 0;
  for (let from = 0; from < k; from += 64) {
    const count = min(64, k - from);
    const values = support + ((<usize>from) << 3);
    const weights = out + ((<usize>from) << 3);
    for (let i = 0; i < count; i++) store<f64>(weights + ((<usize>i) << 3), none);
    let mask = supported(values, count);
    without += count - <i32>popcnt(mask);
    for (; mask != 0; mask &= mask - 1) {
      const first = <usize>ctz(mask) << 3;
      mask &= mask - 1;
      const second = mask != 0 ? <usize>ctz(mask) << 3 : first;
      const v = v128.load64_lane(values + second, v128.load64_zero(values + first), 1);
      let pair = psi(f64x2.mul(slope, f64x2.sub(middle, v)), height);
      v128.store64_lane(weights + first, pair, 0);
      v128.store64_lane(weights + second, pair, 1);
      if (mask == 0) {
        sum = f64x2.add(sum, f64x2.replace_lane(pair, 1, 0));
        break;
      }
      sum = f64x2.add(sum, pair);
    }
  }
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1) + none * <f64>without;
}
