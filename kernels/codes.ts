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

/**
 * out[i] += number of the given rows in which bit i is 1. A word of 32 bits becomes 32 bytes of 0 or −1, which byte
 * counters subtract; they hold 255 rows.
 */
export function sums(words: usize, stride: i32, rows: usize, count: i32, out: usize): void {
  const bits = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  for (let from = 0; from < count; from += 255) {
    const to = min(from + 255, count);
    for (let w = 0; w < stride; w++) {
      const column = words + ((<usize>w) << 2);
      const at = out + ((<usize>w) << 8);
      let low = i8x16.splat(0);
      let high = i8x16.splat(0);
      for (let r = from; r < to; r++) {
        const row = <usize>load<u32>(rows + ((<usize>r) << 2)) * stride;
        const word = v128.load32_splat(column + (row << 2));
        const first = v128.and(i8x16.shuffle(word, word, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), bits);
        const second = v128.and(i8x16.shuffle(word, word, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3), bits);
        low = i8x16.sub(low, i8x16.eq(first, bits));
        high = i8x16.sub(high, i8x16.eq(second, bits));
      }
      flush(i16x8.extend_low_i8x16_u(low), at);
      flush(i16x8.extend_high_i8x16_u(low), at + 64);
      flush(i16x8.extend_low_i8x16_u(high), at + 128);
      flush(i16x8.extend_high_i8x16_u(high), at + 192);
    }
  }
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
    const share = f64x2.min(one, f64x2.mul(v128.load(sums + at), f64x2.splat(scale)));
    const known = f64x2.convert_low_i32x4_s(v128.load64_zero(fanIn + (at >> 1)));
    const b = f64x2.add(
      f64x2.mul(f64x2.splat(seen), v128.load(weighted + at)),
      f64x2.mul(f64x2.splat(prior), known),
    );
    const u = f64x2.max(f64x2.splat(0), f64x2.div(f64x2.sub(share, b), f64x2.sub(one, b)));
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
