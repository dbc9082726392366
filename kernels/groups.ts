// Row loops over groups of weights. An array is read as [outer, channels, inner]; `w` is the address of the first group's
// first element, `stride` the distance of two outer rows in elements, and `groups` neighbouring channels take part.
// Sums and factors of groups are float64. An arena leaves room behind its arrays, so a load may reach beyond an array's end.
// AssemblyScript.

/** Two float32 as float64. */
// @ts-ignore: decorator
@inline
function pair(at: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(at));
}

// @ts-ignore: decorator
@inline
function term(v: v128, square: bool): v128 {
  return square ? f64x2.mul(v, v) : v;
}

// @ts-ignore: decorator
@inline
function single(at: usize, square: bool): f64 {
  const v = <f64>load<f32>(at);
  return square ? v * v : v;
}

// @ts-ignore: decorator
@inline
function square(at: usize): v128 {
  return term(pair(at), true);
}

// @ts-ignore: decorator
@inline
function sumOfRun(w: usize, inner: i32, square: bool): f64 {
  let a = f64x2.splat(0);
  let b = a;
  let c = a;
  let d = a;
  const end = w + (inner << 2);
  const blocks = w + ((inner & ~7) << 2);
  for (; w < blocks; w += 32) {
    a = f64x2.add(a, term(pair(w), square));
    b = f64x2.add(b, term(pair(w + 8), square));
    c = f64x2.add(c, term(pair(w + 16), square));
    d = f64x2.add(d, term(pair(w + 24), square));
  }
  for (; w + 8 <= end; w += 8) a = f64x2.add(a, term(pair(w), square));
  const sums = f64x2.add(f64x2.add(a, b), f64x2.add(c, d));
  const sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  return w < end ? sum + single(w, square) : sum;
}

/** Rows of single elements, four at a time: neighbours in a row belong to neighbouring groups. */
// @ts-ignore: decorator
@inline
function addRows(w: usize, outer: i32, stride: usize, groups: i32, sums: usize, square: bool): void {
  const lastPair = groups & ~1;
  for (; outer >= 4; outer -= 4) {
    const w1 = w + stride;
    const w2 = w1 + stride;
    const w3 = w2 + stride;
    for (let j = 0; j < lastPair; j += 2) {
      const at = <usize>j << 2;
      const sum = f64x2.add(
        f64x2.add(term(pair(w + at), square), term(pair(w1 + at), square)),
        f64x2.add(term(pair(w2 + at), square), term(pair(w3 + at), square)),
      );
      const target = sums + (<usize>j << 3);
      v128.store(target, f64x2.add(v128.load(target), sum));
    }
    if (groups & 1) {
      const at = <usize>lastPair << 2;
      const target = sums + (<usize>lastPair << 3);
      const sum =
        single(w + at, square) + single(w1 + at, square) + (single(w2 + at, square) + single(w3 + at, square));
      store<f64>(target, load<f64>(target) + sum);
    }
    w = w3 + stride;
  }
  for (; outer > 0; outer--) {
    for (let j = 0; j < lastPair; j += 2) {
      const target = sums + (<usize>j << 3);
      v128.store(target, f64x2.add(v128.load(target), term(pair(w + (<usize>j << 2)), square)));
    }
    if (groups & 1) {
      const target = sums + (<usize>lastPair << 3);
      store<f64>(target, load<f64>(target) + single(w + (<usize>lastPair << 2), square));
    }
    w += stride;
  }
}

// @ts-ignore: decorator
@inline
function add(w: usize, outer: i32, stride: i32, groups: i32, inner: i32, sums: usize, square: bool): void {
  const row = <usize>stride << 2;
  if (inner == 1) {
    addRows(w, outer, row, groups, sums, square);
    return;
  }
  const run = <usize>inner << 2;
  for (; outer > 0; outer--) {
    let at = w;
    let target = sums;
    for (let j = 0; j < groups; j++) {
      store<f64>(target, load<f64>(target) + sumOfRun(at, inner, square));
      at += run;
      target += 8;
    }
    w += row;
  }
}

/** norms[j] ← √Σ x² over group j, where groups are runs behind one another: two at a time. */
export function runNorms(w: usize, groups: i32, inner: i32, norms: usize): void {
  const run = <usize>inner << 2;
  const blocks = <usize>(inner & ~3) << 2;
  const rest = inner & 3;
  const first = i64x2(-1, rest > 1 ? -1 : 0);
  const second = i64x2(rest > 2 ? -1 : 0, 0);
  for (; groups > 0; groups -= 2) {
    // The last of an odd number is its own neighbour.
    const next = groups > 1 ? run : 0;
    let a = f64x2.splat(0);
    let b = a;
    let c = a;
    let d = a;
    const end = w + blocks;
    for (; w < end; w += 16) {
      a = f64x2.add(a, square(w));
      b = f64x2.add(b, square(w + 8));
      c = f64x2.add(c, square(w + next));
      d = f64x2.add(d, square(w + next + 8));
    }
    if (rest) {
      a = f64x2.add(a, v128.and(square(w), first));
      b = f64x2.add(b, v128.and(square(w + 8), second));
      c = f64x2.add(c, v128.and(square(w + next), first));
      d = f64x2.add(d, v128.and(square(w + next + 8), second));
      w += <usize>rest << 2;
    }
    w += next;
    a = f64x2.add(a, b);
    c = f64x2.add(c, d);
    const sums = f64x2.add(v128.shuffle<f64>(a, c, 0, 2), v128.shuffle<f64>(a, c, 1, 3));
    const roots = f64x2.sqrt(sums);
    if (next) v128.store(norms, roots);
    else v128.store64_lane(norms, roots, 0);
    norms += 16;
  }
}

/** sums[j] += Σ x² over group j. */
export function addSquares(w: usize, outer: i32, stride: i32, groups: i32, inner: i32, sums: usize): void {
  add(w, outer, stride, groups, inner, sums, true);
}

/** sums[j] += Σ x over group j. */
export function addValues(w: usize, outer: i32, stride: i32, groups: i32, inner: i32, sums: usize): void {
  add(w, outer, stride, groups, inner, sums, false);
}

/** x[j] ← √x[j] */
export function squareRoots(x: usize, length: i32): void {
  for (; length > 1; length -= 2) {
    v128.store(x, f64x2.sqrt(v128.load(x)));
    x += 16;
  }
  if (length) store<f64>(x, Math.sqrt(load<f64>(x)));
}

/** f·w in float64, rounded once; +0 where f is 0. */
// @ts-ignore: decorator
@inline
function scaledPair(w: usize, factors: v128): v128 {
  const product = v128.and(f64x2.mul(pair(w), factors), f64x2.ne(factors, f64x2.splat(0)));
  return f32x4.demote_f64x2_zero(product);
}

/** Multiplies group j by factors[j]. A factor of 0 writes exact +0, a factor of 1 touches nothing. */
export function scale(w: usize, outer: i32, stride: i32, groups: i32, inner: i32, factors: usize): void {
  const row = <usize>stride << 2;
  const run = <usize>inner << 2;
  for (; outer > 0; outer--) {
    let at = w;
    let factor = factors;
    if (inner == 1) {
      for (let j = groups; j > 1; j -= 2) {
        v128.store64_lane(at, scaledPair(at, v128.load(factor)), 0);
        at += 8;
        factor += 16;
      }
      if (groups & 1) v128.store32_lane(at, scaledPair(at, v128.load64_splat(factor)), 0);
    } else
      for (let j = groups; j > 0; j--) {
        const f = load<f64>(factor);
        if (f != 1) scaleRun(at, inner, f);
        at += run;
        factor += 8;
      }
    w += row;
  }
}

// @ts-ignore: decorator
@inline
function scaledFour(w: usize, near: v128, rests: v128, kept: v128): v128 {
  const v = v128.load(w);
  return v128.and(f32x4.add(v128.and(v, near), f32x4.mul(v, rests)), kept);
}

/**
 * In float32, twice as fast as in float64, and nearly as exact: a factor near 1 would lose its digits in float32, so w
 * gets f − 1 of itself added. The result is within 1.5·2⁻²³ of f·w, relatively.
 */
// @ts-ignore: decorator
@inline
function scaleRun(w: usize, n: i32, f: f64): void {
  // Masks, not branches, which would often be mispredicted.
  const factors = f64x2.splat(f);
  const near = f64x2.ge(factors, f64x2.splat(0.5));
  const kept = f64x2.ne(factors, f64x2.splat(0));
  const rest = f32x4.demote_f64x2_zero(f64x2.sub(factors, v128.and(near, f64x2.splat(1))));
  const rests = i32x4.shuffle(rest, rest, 0, 0, 0, 0);
  for (; n > 15; n -= 16) {
    v128.store(w, scaledFour(w, near, rests, kept));
    v128.store(w + 16, scaledFour(w + 16, near, rests, kept));
    v128.store(w + 32, scaledFour(w + 32, near, rests, kept));
    v128.store(w + 48, scaledFour(w + 48, near, rests, kept));
    w += 64;
  }
  for (; n > 3; n -= 4) {
    v128.store(w, scaledFour(w, near, rests, kept));
    w += 16;
  }
  if (n == 0) return;
  const scaled = scaledFour(w, near, rests, kept);
  v128.store32_lane(w, scaled, 0);
  if (n > 1) v128.store32_lane(w + 4, scaled, 1);
  if (n > 2) v128.store32_lane(w + 8, scaled, 2);
}

/** w ← from + factors[j]·m in group j, in float64. */
export function move(
  w: usize,
  from: usize,
  m: usize,
  outer: i32,
  stride: i32,
  groups: i32,
  inner: i32,
  factors: usize,
): void {
  const row = <usize>stride << 2;
  for (; outer > 0; outer--) {
    let at: usize = 0;
    for (let j = 0; j < groups; j++) {
      const f = load<f64>(factors + (<usize>j << 3));
      const fs = f64x2.splat(f);
      let i = inner;
      for (; i > 1; i -= 2) {
        const moved = f64x2.add(pair(from + at), f64x2.mul(fs, pair(m + at)));
        v128.store64_lane(w + at, f32x4.demote_f64x2_zero(moved), 0);
        at += 8;
      }
      if (i) {
        store<f32>(w + at, <f32>(<f64>load<f32>(from + at) + f * <f64>load<f32>(m + at)));
        at += 4;
      }
    }
    w += row;
    from += row;
    m += row;
  }
}
