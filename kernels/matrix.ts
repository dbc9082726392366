// Dense float64 matrices for factorisations: a packed product and the passes of Householder reduction. AssemblyScript:
// matrices are byte addresses with distances between neighbours down (rows) and across (columns), in elements.
// No fused multiply-add: results are the same on every machine.

/** Rows that share one packed block of A: MC·KC float64 stay in the second-level cache. */
const MC: i32 = 64;
const KC: i32 = 256;

/** Bytes of scratch that `product` needs for a right side with `columns` columns. */
export function productScratch(columns: i32): i32 {
  return ((MC * KC + ((columns + 3) & ~3) * KC) << 3) + 64;
}

/** Interleaves four rows (or columns) so that the kernel reads neighbours: out[p·4 + i] = x[i·along + p·across], 0 beyond `count`. */
// @ts-ignore: decorator
@inline
function pack(out: usize, x: usize, count: i32, length: i32, along: i32, across: i32): void {
  if (count >= 4) {
    const s1 = <usize>along << 3;
    const step = <usize>across << 3;
    for (let p = 0; p < length; p++) {
      store<f64>(out, load<f64>(x));
      store<f64>(out, load<f64>(x + s1), 8);
      store<f64>(out, load<f64>(x + 2 * s1), 16);
      store<f64>(out, load<f64>(x + 3 * s1), 24);
      x += step;
      out += 32;
    }
  } else
    for (let p = 0; p < length; p++)
      for (let i = 0; i < 4; i++) {
        store<f64>(out, i < count ? load<f64>(x + (<usize>(i * along + p * across) << 3)) : 0);
        out += 8;
      }
}

/** C[4, 4] += alpha · A[4, length] · B[length, 4] of packed operands; stores `rows` × `columns` of it. */
// @ts-ignore: decorator
@inline
function block(
  a: usize,
  b: usize,
  c: usize,
  length: i32,
  pitch: usize,
  rows: i32,
  columns: i32,
  alpha: v128,
): void {
  let c00 = f64x2.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  for (let p = 0; p < length; p++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load64_splat(a);
    c00 = f64x2.add(c00, f64x2.mul(a0, b0));
    c01 = f64x2.add(c01, f64x2.mul(a0, b1));
    const a1 = v128.load64_splat(a, 8);
    c10 = f64x2.add(c10, f64x2.mul(a1, b0));
    c11 = f64x2.add(c11, f64x2.mul(a1, b1));
    const a2 = v128.load64_splat(a, 16);
    c20 = f64x2.add(c20, f64x2.mul(a2, b0));
    c21 = f64x2.add(c21, f64x2.mul(a2, b1));
    const a3 = v128.load64_splat(a, 24);
    c30 = f64x2.add(c30, f64x2.mul(a3, b0));
    c31 = f64x2.add(c31, f64x2.mul(a3, b1));
    a += 32;
    b += 32;
  }
  addRow(c, c00, c01, columns, alpha);
  if (rows > 1) addRow(c + pitch, c10, c11, columns, alpha);
  if (rows > 2) addRow(c + 2 * pitch, c20, c21, columns, alpha);
  if (rows > 3) addRow(c + 3 * pitch, c30, c31, columns, alpha);
}

// @ts-ignore: decorator
@inline
function addRow(c: usize, low: v128, high: v128, columns: i32, alpha: v128): void {
  low = f64x2.mul(low, alpha);
  high = f64x2.mul(high, alpha);
  if (columns >= 4) {
    v128.store(c, f64x2.add(v128.load(c), low));
    v128.store(c, f64x2.add(v128.load(c, 16), high), 16);
    return;
  }
  store<f64>(c, load<f64>(c) + f64x2.extract_lane(low, 0));
  if (columns > 1) store<f64>(c, load<f64>(c, 8) + f64x2.extract_lane(low, 1), 8);
  if (columns > 2) store<f64>(c, load<f64>(c, 16) + f64x2.extract_lane(high, 0), 16);
}

/**
 * C[m, n] += alpha · A[m, k] · B[k, n]. A and B may be read transposed through their distances; C has rows of `pitch`
 * elements. `upper`: leaves out blocks of C that lie wholly below its diagonal.
 */
export function product(
  m: i32,
  n: i32,
  k: i32,
  alpha: f64,
  a: usize,
  aDown: i32,
  aAcross: i32,
  b: usize,
  bDown: i32,
  bAcross: i32,
  c: usize,
  pitch: i32,
  upper: bool,
  scratch: usize,
): void {
  const packedA = scratch;
  const packedB = scratch + (<usize>(MC * KC) << 3);
  const factor = f64x2.splat(alpha);
  const rowBytes = <usize>pitch << 3;
  for (let k0 = 0; k0 < k; k0 += KC) {
    const length = min(KC, k - k0);
    const panel = <usize>length << 5;
    for (let j = 0; j < n; j += 4)
      pack(
        packedB + <usize>(j >> 2) * panel,
        b + (<usize>(k0 * bDown + j * bAcross) << 3),
        n - j,
        length,
        bAcross,
        bDown,
      );
    for (let i0 = 0; i0 < m; i0 += MC) {
      const rows = min(MC, m - i0);
      for (let i = 0; i < rows; i += 4)
        pack(
          packedA + <usize>(i >> 2) * panel,
          a + (<usize>((i0 + i) * aDown + k0 * aAcross) << 3),
          rows - i,
          length,
          aDown,
          aAcross,
        );
      for (let j = upper ? i0 & ~3 : 0; j < n; j += 4)
        for (let i = 0; i < rows; i += 4)
          block(
            packedA + <usize>(i >> 2) * panel,
            packedB + <usize>(j >> 2) * panel,
            c + <usize>(i0 + i) * rowBytes + (<usize>j << 3),
            length,
            rowBytes,
            rows - i,
            n - j,
            factor,
          );
    }
  }
}

// @ts-ignore: decorator
@inline
function sumOf(a: v128, b: v128): f64 {
  const s = f64x2.add(a, b);
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

/** Σ xᵢ yᵢ */
export function dot(x: usize, y: usize, n: i32): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  for (; n > 3; n -= 4) {
    s0 = f64x2.add(s0, f64x2.mul(v128.load(x), v128.load(y)));
    s1 = f64x2.add(s1, f64x2.mul(v128.load(x, 16), v128.load(y, 16)));
    x += 32;
    y += 32;
  }
  let sum = sumOf(s0, s1);
  for (; n > 0; n--) {
    sum += load<f64>(x) * load<f64>(y);
    x += 8;
    y += 8;
  }
  return sum;
}

/** y[m] ← A[m, n] · x for rows of `pitch` elements. */
export function timesVector(a: usize, pitch: i32, m: i32, n: i32, x: usize, y: usize): void {
  const rowBytes = <usize>pitch << 3;
  for (; m > 3; m -= 4) {
    let s0 = f64x2.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let at = a;
    let v = x;
    const end = x + (<usize>(n & ~1) << 3);
    for (; v < end; v += 16) {
      const w = v128.load(v);
      s0 = f64x2.add(s0, f64x2.mul(v128.load(at), w));
      s1 = f64x2.add(s1, f64x2.mul(v128.load(at + rowBytes), w));
      s2 = f64x2.add(s2, f64x2.mul(v128.load(at + 2 * rowBytes), w));
      s3 = f64x2.add(s3, f64x2.mul(v128.load(at + 3 * rowBytes), w));
      at += 16;
    }
    const last = n & 1 ? load<f64>(v) : 0;
    store<f64>(y, f64x2.extract_lane(s0, 0) + f64x2.extract_lane(s0, 1) + (n & 1 ? load<f64>(at) * last : 0));
    store<f64>(
      y,
      f64x2.extract_lane(s1, 0) + f64x2.extract_lane(s1, 1) + (n & 1 ? load<f64>(at + rowBytes) * last : 0),
      8,
    );
    store<f64>(
      y,
      f64x2.extract_lane(s2, 0) + f64x2.extract_lane(s2, 1) + (n & 1 ? load<f64>(at + 2 * rowBytes) * last : 0),
      16,
    );
    store<f64>(
      y,
      f64x2.extract_lane(s3, 0) + f64x2.extract_lane(s3, 1) + (n & 1 ? load<f64>(at + 3 * rowBytes) * last : 0),
      24,
    );
    y += 32;
    a += 4 * rowBytes;
  }
  for (; m > 0; m--) {
    store<f64>(y, dot(a, x, n));
    y += 8;
    a += rowBytes;
  }
}
