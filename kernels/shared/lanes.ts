// Pairs of float64. AssemblyScript: arrays are byte addresses.

// @ts-ignore: decorator
@inline
export function lanes(a: f64, b: f64): v128 {
  return f64x2.replace_lane(f64x2.splat(a), 1, b);
}

/** target += w·v, two at a time */
// @ts-ignore: decorator
@inline
export function add(target: usize, w: v128, v: v128): void {
  v128.store(target, f64x2.add(v128.load(target), f64x2.mul(w, v)));
}
