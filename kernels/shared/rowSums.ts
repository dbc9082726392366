// Sums of rows of bits, column by column: what the cells of src/memory are told by those that are active. AssemblyScript.

/** Rows that the six bit planes of `sums128` count. */
const FEW: i32 = 63;

/** Rows that twelve planes count, a multiple of 16, and bytes of a row that `sumsOfMany` goes through at once. */
const MANY: i32 = 4080;
const TILE: usize = 1024;
/** Bytes of the planes of 128 columns. */
const PLANES: usize = 192;

/**
 * out[i] += number of some rows in which bit i is 1, of the columns that lie from one byte of a row to another, both
 * multiples of 16 or the row's end. Four words of a row are counted at a time, the rest one by one.
 *
 * @param rows Addresses of `count` rows.
 * @param planes Room for twelve rows, or for 12 KiB where these are longer than 1 KiB.
 */
export function sums(rows: usize, count: i32, from: usize, to: usize, out: usize, planes: usize): void {
  const end = rows + ((<usize>count) << 2);
  const even = to & ~15;
  for (let at = max(even, from); at < to; at += 4)
    for (let some = rows; some < end; some += FEW << 2)
      sums32(some, min(<i32>((end - some) >> 2), FEW), at, out + (at << 6));
  if (even <= from) return;
  while (count > FEW) {
    const some = min(count & ~15, MANY);
    sumsOfMany(rows, some, from, even, out, planes);
    count -= some;
    rows += (<usize>some) << 2;
  }
  if (count > 0)
    for (let at = from; at < even; at += 16) sums128(rows, count, at, out + (at << 6), planes);
}

/** `sums` anew, with its arguments read from six words of memory, so that another thread can be told them there. */
export function sumsAt(task: usize): void {
  const from = <usize>load<u32>(task + 8);
  const to = <usize>load<u32>(task + 12);
  const out = <usize>load<u32>(task + 16);
  memory.fill(out + (from << 6), 0, (to - from) << 6);
  sums(load<u32>(task), load<i32>(task + 4), from, to, out, load<u32>(task + 20));
}

/** A word of 32 bits becomes 32 bytes of 0 or −1, which byte counters subtract. */
function sums32(rows: usize, count: i32, at: usize, out: usize): void {
  const bits = columnBits();
  let low = i8x16.splat(0);
  let high = i8x16.splat(0);
  for (let r = 0; r < count; r++) {
    const word = v128.load32_splat(<usize>load<u32>(rows + ((<usize>r) << 2)) + at);
    const first = v128.and(i8x16.shuffle(word, word, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), bits);
    const second = v128.and(i8x16.shuffle(word, word, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3), bits);
    low = i8x16.sub(low, i8x16.eq(first, bits));
    high = i8x16.sub(high, i8x16.eq(second, bits));
  }
  flush(i16x8.extend_low_i8x16_u(low), out);
  flush(i16x8.extend_high_i8x16_u(low), out + 64);
  flush(i16x8.extend_low_i8x16_u(high), out + 128);
  flush(i16x8.extend_high_i8x16_u(high), out + 192);
}

/** Each of 16 bytes has the bit that its column has in two repeated bytes. */
// @ts-ignore: decorator
@inline
function columnBits(): v128 {
  return i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
}

/** Adds eight counters, of 16 bits, to float64 sums. */
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
function majority(a: v128, b: v128, c: v128): v128 {
  return v128.or(v128.and(a, b), v128.and(c, v128.xor(a, b)));
}

// @ts-ignore: decorator
@inline
function sum3(a: v128, b: v128, c: v128): v128 {
  return v128.xor(v128.xor(a, b), c);
}

// @ts-ignore: decorator
@inline
function rowAt(rows: usize, r: i32, at: usize): v128 {
  return v128.load(<usize>load<u32>(rows + ((<usize>r) << 2)) + at);
}

/**
 * 128 columns of at most 63 rows: bit i of the planes p0 to p5 is the count of column i as a binary number. Four rows go
 * in by three full adders and a ripple of carries.
 */
function sums128(rows: usize, count: i32, at: usize, out: usize, planes: usize): void {
  let p0 = i8x16.splat(0);
  let p1 = p0;
  let p2 = p0;
  let p3 = p0;
  let p4 = p0;
  let p5 = p0;
  let r = 0;
  for (; r + 4 <= count; r += 4) {
    const a = rowAt(rows, r, at);
    const b = rowAt(rows, r + 1, at);
    const c = rowAt(rows, r + 2, at);
    const d = rowAt(rows, r + 3, at);
    const ab = majority(a, b, p0);
    p0 = sum3(a, b, p0);
    const cd = majority(c, d, p0);
    p0 = sum3(c, d, p0);
    let carry = majority(ab, cd, p1);
    p1 = sum3(ab, cd, p1);
    let next = v128.and(carry, p2);
    p2 = v128.xor(p2, carry);
    carry = v128.and(next, p3);
    p3 = v128.xor(p3, next);
    next = v128.and(carry, p4);
    p4 = v128.xor(p4, carry);
    p5 = v128.xor(p5, next);
  }
  for (; r < count; r++) {
    const a = rowAt(rows, r, at);
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
  v128.store(planes, p0);
  v128.store(planes + 16, p1);
  v128.store(planes + 32, p2);
  v128.store(planes + 48, p3);
  v128.store(planes + 64, p4);
  v128.store(planes + 80, p5);
  flushPlanes(planes, count, out);
}

/** Adds to 128 float64 sums what the bit planes have counted of `count` rows. */
function flushPlanes(planes: usize, count: i32, out: usize): void {
  const digits = 32 - clz(count);
  const bits = columnBits();
  let columns = i8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  for (const end = out + 1024; out < end; out += 128) {
    const low = digitsOf(planes, min(digits, 8), columns, bits);
    let first = i16x8.extend_low_i8x16_u(low);
    let second = i16x8.extend_high_i8x16_u(low);
    if (digits > 8) {
      const high = digitsOf(planes + 128, digits - 8, columns, bits);
      first = v128.or(first, i16x8.shl(i16x8.extend_low_i8x16_u(high), 8));
      second = v128.or(second, i16x8.shl(i16x8.extend_high_i8x16_u(high), 8));
    }
    flush(first, out);
    flush(second, out + 64);
    columns = i8x16.add(columns, i8x16.splat(2));
  }
}

/** Of 16 columns the number that their bits in at most eight planes make. */
// @ts-ignore: decorator
@inline
function digitsOf(planes: usize, digits: i32, columns: v128, bits: v128): v128 {
  let counts = v128.or(digit(planes, columns, bits, 1), digit(planes + 16, columns, bits, 2));
  if (digits > 2)
    counts = v128.or(
      counts,
      v128.or(digit(planes + 32, columns, bits, 4), digit(planes + 48, columns, bits, 8)),
    );
  if (digits > 4)
    counts = v128.or(
      counts,
      v128.or(digit(planes + 64, columns, bits, 16), digit(planes + 80, columns, bits, 32)),
    );
  if (digits > 6)
    counts = v128.or(
      counts,
      v128.or(digit(planes + 96, columns, bits, 64), digit(planes + 112, columns, bits, -128)),
    );
  return counts;
}

/** `value` for those of 16 columns that have a bit in the plane, 0 for the others. */
// @ts-ignore: decorator
@inline
function digit(plane: usize, columns: v128, bits: v128, value: i8): v128 {
  const spread = i8x16.swizzle(v128.load(plane), columns);
  return v128.and(i8x16.eq(v128.and(spread, bits), bits), i8x16.splat(value));
}

/**
 * A multiple of 16 rows. So many are read side by side from front to back: a cache line is fetched once, and their
 * fetching overlaps. What they add up to goes through full adders to the planes, which wait in memory.
 */
function sumsOfMany(rows: usize, count: i32, from: usize, to: usize, out: usize, planes: usize): void {
  for (let tile = from; tile < to; tile += TILE) {
    const end = min(tile + TILE, to);
    memory.fill(planes, 0, ((end - tile) >> 4) * PLANES);
    for (let r = 0; r < count; r += 16) addRows(rows + ((<usize>r) << 2), tile, end, planes, count);
    for (let at = tile, counted = planes; at < end; at += 16, counted += PLANES)
      flushPlanes(counted, count, out + (at << 6));
  }
}

/** 16 rows, from one place to another, of `count` in all. */
function addRows(rows: usize, from: usize, to: usize, planes: usize, count: i32): void {
  for (let at = from; at < to; at += 16, planes += PLANES) {
    const eights = v128.load(planes + 48);
    const a = addEight(rows, at, planes);
    const b = addEight(rows + 32, at, planes);
    v128.store(planes + 48, sum3(eights, a, b));
    let carry = majority(eights, a, b);
    carry = ripple(planes + 64, carry);
    carry = ripple(planes + 80, carry);
    carry = ripple(planes + 96, carry);
    carry = ripple(planes + 112, carry);
    if (count > 255) {
      carry = ripple(planes + 128, carry);
      carry = ripple(planes + 144, carry);
      carry = ripple(planes + 160, carry);
      ripple(planes + 176, carry);
    }
  }
}

// @ts-ignore: decorator
@inline
function ripple(plane: usize, carry: v128): v128 {
  const digit = v128.load(plane);
  v128.store(plane, v128.xor(digit, carry));
  return v128.and(digit, carry);
}

/** Adds eight rows to the first three planes; returns the carries. */
// @ts-ignore: decorator
@inline
function addEight(rows: usize, at: usize, planes: usize): v128 {
  let ones = v128.load(planes);
  let twos = v128.load(planes + 16);
  const fours = v128.load(planes + 32);
  let a = rowAt(rows, 0, at);
  let b = rowAt(rows, 1, at);
  let two = majority(ones, a, b);
  ones = sum3(ones, a, b);
  a = rowAt(rows, 2, at);
  b = rowAt(rows, 3, at);
  let other = majority(ones, a, b);
  ones = sum3(ones, a, b);
  const four = majority(twos, two, other);
  twos = sum3(twos, two, other);
  a = rowAt(rows, 4, at);
  b = rowAt(rows, 5, at);
  two = majority(ones, a, b);
  ones = sum3(ones, a, b);
  a = rowAt(rows, 6, at);
  b = rowAt(rows, 7, at);
  other = majority(ones, a, b);
  v128.store(planes, sum3(ones, a, b));
  const next = majority(twos, two, other);
  v128.store(planes + 16, sum3(twos, two, other));
  v128.store(planes + 32, sum3(fours, four, next));
  return majority(fours, four, next);
}
