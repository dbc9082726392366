// Passes over flat parameter arrays, four float32 at a time: optimisers with PyTorch's formulas, each in one pass.
// AssemblyScript: arrays are byte addresses, lengths are elements. An arena leaves room behind its arrays, so the last
// load may reach beyond an array's end; what it finds there is never stored.
//
// Loops with many factors test at their end: V8 takes what stays the same out of a loop only if it comes before every exit, and would else
// spread the factors anew for every four numbers.

/** Stores the first n elements of v, all four where n is larger. */
// @ts-ignore: decorator
@inline
function store(at: usize, v: v128, n: i32): void {
  if (n >= 4) v128.store(at, v);
  else {
    v128.store32_lane(at, v, 0);
    if (n > 1) v128.store32_lane(at + 4, v, 1);
    if (n > 2) v128.store32_lane(at + 8, v, 2);
  }
}

/** a + b·c */
// @ts-ignore: decorator
@inline
function plus(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(a, f32x4.mul(b, c));
}

/**
 * v with subnormal numbers set to 0. A moment without gradient shrinks until it rounds to itself, at a few times the
 * least subnormal, and arithmetic on subnormals is a hundred times slower on many processors.
 */
// @ts-ignore: decorator
@inline
function normal(v: v128): v128 {
  const exponent = v128.and(v, i32x4.splat(0x7f800000));
  return v128.andnot(v, i32x4.eq(exponent, i32x4.splat(0)));
}

/** w ← w − rate·d with d = g + decay·w. */
export function sgd(w: usize, g: usize, n: i32, decay: f32, rate: f32): void {
  const decays = f32x4.splat(decay);
  const down = f32x4.splat(-rate);
  for (; n > 7; n -= 8) {
    sgdFour(w, g, 4, decays, down);
    sgdFour(w + 16, g + 16, 4, decays, down);
    w += 32;
    g += 32;
  }
  for (; n > 0; n -= 4) {
    sgdFour(w, g, n, decays, down);
    w += 16;
    g += 16;
  }
}

// @ts-ignore: decorator
@inline
function sgdFour(w: usize, g: usize, n: i32, decays: v128, down: v128): void {
  const old = v128.load(w);
  store(w, plus(old, down, plus(v128.load(g), decays, old)), n);
}

/** v ← momentum·v + d, w ← w − rate·v; with Nesterov's look ahead w ← w − rate·(d + momentum·v). */
export function momentum(
  w: usize,
  g: usize,
  v: usize,
  n: i32,
  decay: f32,
  rate: f32,
  momentum: f32,
  nesterov: bool,
): void {
  const decays = f32x4.splat(decay);
  const down = f32x4.splat(-rate);
  const keeps = f32x4.splat(momentum);
  const ahead = f32x4.splat(nesterov ? momentum : 1);
  const mask = i32x4.splat(nesterov ? -1 : 0);
  for (; n > 7; n -= 8) {
    momentumFour(w, g, v, 4, decays, down, keeps, ahead, mask);
    momentumFour(w + 16, g + 16, v + 16, 4, decays, down, keeps, ahead, mask);
    w += 32;
    g += 32;
    v += 32;
  }
  for (; n > 0; n -= 4) {
    momentumFour(w, g, v, n, decays, down, keeps, ahead, mask);
    w += 16;
    g += 16;
    v += 16;
  }
}

// @ts-ignore: decorator
@inline
function momentumFour(
  w: usize,
  g: usize,
  v: usize,
  n: i32,
  decays: v128,
  down: v128,
  keeps: v128,
  ahead: v128,
  mask: v128,
): void {
  const old = v128.load(w);
  const d = plus(v128.load(g), decays, old);
  const velocity = normal(plus(d, keeps, v128.load(v)));
  store(v, velocity, n);
  store(w, plus(old, down, plus(v128.and(d, mask), ahead, velocity)), n);
}

/**
 * s ← alpha·s + (1 − alpha)·d², move = d/(√s + epsilon), w ← w − rate·move; with a velocity array v (else address 0)
 * v ← momentum·v + move, w ← w − rate·v.
 */
export function rmsprop(
  w: usize,
  g: usize,
  s: usize,
  v: usize,
  n: i32,
  decay: f32,
  rate: f32,
  alpha: f32,
  rest: f32,
  epsilon: f32,
  momentum: f32,
): void {
  const decays = f32x4.splat(decay);
  const down = f32x4.splat(-rate);
  const alphas = f32x4.splat(alpha);
  const rests = f32x4.splat(rest);
  const epsilons = f32x4.splat(epsilon);
  const keeps = f32x4.splat(momentum);
  if (n < 1) return;
  do {
    const old = v128.load(w);
    const d = plus(v128.load(g), decays, old);
    const second = normal(plus(f32x4.mul(alphas, v128.load(s)), f32x4.mul(rests, d), d));
    store(s, second, n);
    let move = f32x4.div(d, f32x4.add(f32x4.sqrt(second), epsilons));
    if (v) {
      move = normal(plus(move, keeps, v128.load(v)));
      store(v, move, n);
      v += 16;
    }
    store(w, plus(old, down, move), n);
    w += 16;
    g += 16;
    s += 16;
    n -= 4;
  } while (n > 0);
}

/**
 * m ← beta1·m + rest1·d and s ← beta2·s + rest2·d² with d = g + decay·w, then w ← keep·w − rate·m/(√s·correction +
 * epsilon).
 */
export function adam(
  w: usize,
  g: usize,
  m: usize,
  s: usize,
  n: i32,
  decay: f32,
  keep: f32,
  beta1: f32,
  rest1: f32,
  beta2: f32,
  rest2: f32,
  rate: f32,
  correction: f32,
  epsilon: f32,
): void {
  const decays = f32x4.splat(decay);
  const keeps = f32x4.splat(keep);
  const betas1 = f32x4.splat(beta1);
  const rests1 = f32x4.splat(rest1);
  const betas2 = f32x4.splat(beta2);
  const rests2 = f32x4.splat(rest2);
  const rates = f32x4.splat(rate);
  const corrections = f32x4.splat(correction);
  const epsilons = f32x4.splat(epsilon);
  if (n < 1) return;
  do {
    const old = v128.load(w);
    const d = plus(v128.load(g), decays, old);
    const first = normal(plus(f32x4.mul(betas1, v128.load(m)), rests1, d));
    const second = normal(plus(f32x4.mul(betas2, v128.load(s)), f32x4.mul(rests2, d), d));
    store(m, first, n);
    store(s, second, n);
    const root = plus(epsilons, f32x4.sqrt(second), corrections);
    store(w, f32x4.sub(f32x4.mul(keeps, old), f32x4.div(f32x4.mul(rates, first), root)), n);
    w += 16;
    g += 16;
    m += 16;
    s += 16;
    n -= 4;
  } while (n > 0);
}

/**
 * m ← beta1·m + rest1·d and u ← max(beta2·u, |d| + epsilon) with d = g + decay·w, then w ← w − rate·m/u.
 */
export function adamax(
  w: usize,
  g: usize,
  m: usize,
  u: usize,
  n: i32,
  decay: f32,
  beta1: f32,
  rest1: f32,
  beta2: f32,
  rate: f32,
  epsilon: f32,
): void {
  const decays = f32x4.splat(decay);
  const betas1 = f32x4.splat(beta1);
  const rests1 = f32x4.splat(rest1);
  const betas2 = f32x4.splat(beta2);
  const rates = f32x4.splat(rate);
  const epsilons = f32x4.splat(epsilon);
  if (n < 1) return;
  do {
    const old = v128.load(w);
    const d = plus(v128.load(g), decays, old);
    const first = normal(plus(f32x4.mul(betas1, v128.load(m)), rests1, d));
    const largest = f32x4.max(f32x4.mul(betas2, v128.load(u)), f32x4.add(f32x4.abs(d), epsilons));
    store(m, first, n);
    store(u, largest, n);
    store(w, f32x4.sub(old, f32x4.div(f32x4.mul(rates, first), largest)), n);
    w += 16;
    g += 16;
    m += 16;
    u += 16;
    n -= 4;
  } while (n > 0);
}

/** Σ x², summed in float64. */
export function sumOfSquares(x: usize, length: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const end = x + ((length & ~3) << 2);
  for (; x < end; x += 16) {
    const v = v128.load(x);
    const a = f64x2.promote_low_f32x4(v);
    const b = f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 2, 3));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  low = f64x2.add(low, high);
  let sum = f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
  for (let i = 0; i < (length & 3); i++) {
    const v = <f64>load<f32>(x + (i << 2));
    sum += v * v;
  }
  return sum;
}

/** x ← factor·x */
export function scale(x: usize, n: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (; n > 0; n -= 4) {
    store(x, f32x4.mul(factors, v128.load(x)), n);
    x += 16;
  }
}
