// Evidence of the cells of an associative memory, from weights of one bit each (src/memory). AssemblyScript: arrays are
// byte addresses. Sums, counts and evidences are float64 with room up to a multiple of 32 cells.

/** Adds eight counters, bytes, to float64 sums. */
// @ts-ignore: decorator
@inline
function flush(counts: v128, out: usize): void {
  const low = i32x4.extend_low_i16x8_u(counts);
  const high = i32x4.extend_high_i16x8_u(counts);
  v128.store(out, f64x2.add(v128.load(out), f64x2.convert_low_i32x4_s(low)));
  v128.store(out + 16, f64x2.add(v128.load(out + 16), f64x2.convert_low_i32x4_s(swapHalves(low))));
  v128.store(out + 32, f64x2.add(v128.load(out + 32), f64x2.convert_low_i32x4_s(high)));
  v128.store(out + 48, f64x2.add(v128.load(out + 48), f64x2.convert_low_i32x4_s(swapHalves(high))));
}

// @ts-ignore: decorator
@inline
function swapHalves(v: v128): v128 {
  return i64x2.shuffle(v, v, 1, 0);
}

// @ts-ignore: decorator
@inline
function flushBytes(counts: v128, out: usize): void {
  flush(i16x8.extend_low_i8x16_u(counts), out);
  flush(i16x8.extend_high_i8x16_u(counts), out + 64);
}

/** Each of 16 bytes has the bit that its column has in two repeated bytes. */
// @ts-ignore: decorator
@inline
function columnBits(): v128 {
  return i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
}

/** Rows that the six bit planes of `sums128` count. */
const PLANES_HOLD: i32 = 63;

/**
 * out[i] += number of the given rows in which bit i is 1. Four words of a row are counted at a time, the rest one by
 * one; a few rows at a time through all their columns, so that they are read from front to back.
 */
export function sums(words: usize, stride: i32, rows: usize, count: i32, out: usize): void {
  const even = stride & ~3;
  for (; count > 0; count -= PLANES_HOLD, rows += PLANES_HOLD << 2) {
    const some = min(count, PLANES_HOLD);
    for (let w = 0; w < even; w += 4)
      sums128(words + ((<usize>w) << 2), stride, rows, some, out + ((<usize>w) << 8));
    for (let w = even; w < stride; w++)
      sums32(words + ((<usize>w) << 2), stride, rows, some, out + ((<usize>w) << 8));
  }
}

/** A word of 32 bits becomes 32 bytes of 0 or −1, which byte counters subtract. */
function sums32(column: usize, stride: i32, rows: usize, count: i32, out: usize): void {
  const bits = columnBits();
  let low = i8x16.splat(0);
  let high = i8x16.splat(0);
  for (let r = 0; r < count; r++) {
    const row = <usize>load<u32>(rows + ((<usize>r) << 2)) * stride;
    const word = v128.load32_splat(column + (row << 2));
    const first = v128.and(i8x16.shuffle(word, word, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), bits);
    const second = v128.and(i8x16.shuffle(word, word, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3), bits);
    low = i8x16.sub(low, i8x16.eq(first, bits));
    high = i8x16.sub(high, i8x16.eq(second, bits));
  }
  flushBytes(low, out);
  flushBytes(high, out + 128);
}

// @ts-ignore: decorator
@inline
function majority(a: v128, b: v128, c: v128): v128 {
  return v128.or(v128.and(a, b), v128.and(c, v128.xor(a, b)));
}

// @ts-ignore: decorator
@inline
function rowAt(column: usize, stride: i32, rows: usize, r: i32): v128 {
  return v128.load(column + ((<usize>load<u32>(rows + ((<usize>r) << 2)) * stride) << 2));
}

/**
 * 128 columns: bit i of the planes p0 to p5 is the count of column i as a binary number. Four rows go in by three full
 * adders and a ripple of carries.
 */
function sums128(column: usize, stride: i32, rows: usize, count: i32, out: usize): void {
  let p0 = i8x16.splat(0);
  let p1 = p0;
  let p2 = p0;
  let p3 = p0;
  let p4 = p0;
  let p5 = p0;
  let r = 0;
  for (; r + 4 <= count; r += 4) {
    const a = rowAt(column, stride, rows, r);
    const b = rowAt(column, stride, rows, r + 1);
    const c = rowAt(column, stride, rows, r + 2);
    const d = rowAt(column, stride, rows, r + 3);
    const ab = majority(a, b, p0);
    p0 = v128.xor(p0, v128.xor(a, b));
    const cd = majority(c, d, p0);
    p0 = v128.xor(p0, v128.xor(c, d));
    let carry = majority(ab, cd, p1);
    p1 = v128.xor(p1, v128.xor(ab, cd));
    let next = v128.and(carry, p2);
    p2 = v128.xor(p2, carry);
    carry = v128.and(next, p3);
    p3 = v128.xor(p3, next);
    next = v128.and(carry, p4);
    p4 = v128.xor(p4, carry);
    p5 = v128.xor(p5, next);
  }
  for (; r < count; r++) {
    const a = rowAt(column, stride, rows, r);
    let carry = v128.and(a, p0);
    p0 = v128.xor(p0, a);
    let next = v128.and(carry, p1);
    p1 = v128.xor(p1, carry);
    carry = v128.and(next, p2);
    p2 = v128.xor(p2, next);
    next = v128.and(carry, p3);
    p3 = v128.xor(p3, carry);
    carry = v128.and(next, p4);
    p4 = v128.xor(p4, next);
    p5 = v128.xor(p5, carry);
  }
  // The shuffles of 16 columns need constants, so that the eight parts are brought to the front one after the other.
  for (let part: usize = 0; part < 8; part++) {
    let counts = ones(p0, 1);
    counts = v128.or(counts, ones(p1, 2));
    if (count > 3) counts = v128.or(counts, v128.or(ones(p2, 4), ones(p3, 8)));
    if (count > 15) counts = v128.or(counts, v128.or(ones(p4, 16), ones(p5, 32)));
    flushBytes(counts, out + (part << 7));
    p0 = nextColumns(p0);
    p1 = nextColumns(p1);
    p2 = nextColumns(p2);
    p3 = nextColumns(p3);
    p4 = nextColumns(p4);
    p5 = nextColumns(p5);
  }
}

/** Bytes of `value` for the first 16 columns that have a bit in the plane, of 0 for the others. */
// @ts-ignore: decorator
@inline
function ones(plane: v128, value: i8): v128 {
  const bits = columnBits();
  const spread = i8x16.shuffle(plane, plane, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return v128.and(i8x16.eq(v128.and(spread, bits), bits), i8x16.splat(value));
}

// @ts-ignore: decorator
@inline
function nextColumns(plane: v128): v128 {
  return i8x16.shuffle(plane, plane, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1);
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
