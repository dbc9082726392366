// Quadratic B-splines in cells: weights of the three nodes beside a particle that lies f cells behind the first (GIOROM
// spec 3.1), of one particle or of two at once.

// @ts-ignore: decorator
@inline
export function near(f: f64): f64 {
  return 0.5 * (1.5 - f) * (1.5 - f);
}

// @ts-ignore: decorator
@inline
export function middle(f: f64): f64 {
  return 0.75 - (f - 1) * (f - 1);
}

// @ts-ignore: decorator
@inline
export function far(f: f64): f64 {
  return 0.5 * (f - 0.5) * (f - 0.5);
}

// @ts-ignore: decorator
@inline
export function nears(f: v128): v128 {
  const d = f64x2.sub(f64x2.splat(1.5), f);
  return f64x2.mul(f64x2.mul(f64x2.splat(0.5), d), d);
}

// @ts-ignore: decorator
@inline
export function middles(f: v128): v128 {
  const d = f64x2.sub(f, f64x2.splat(1));
  return f64x2.sub(f64x2.splat(0.75), f64x2.mul(d, d));
}

// @ts-ignore: decorator
@inline
export function fars(f: v128): v128 {
  const d = f64x2.sub(f, f64x2.splat(0.5));
  return f64x2.mul(f64x2.mul(f64x2.splat(0.5), d), d);
}

// @ts-ignore: decorator
@inline
export function weight(o: i32, f: f64): f64 {
  return o == 0 ? near(f) : o == 1 ? middle(f) : far(f);
}
