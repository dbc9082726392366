// Passes over flat parameter arrays, 128 bits at a time. AssemblyScript: arguments are byte addresses and element counts.

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
