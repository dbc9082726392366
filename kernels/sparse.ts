// Sparse weights times dense activations, 128 bits at a time. AssemblyScript: pointers are byte addresses, steps are bytes.
//
// A row of `starts` names a run of entries; an entry is a byte offset into the input and the weights found there. What
// a run reads at its offset, it reads at the next columns too: `columns` neighbouring numbers (4 or more) make one strip
// of a row of output. The last tile of a strip is moved back so that it ends with the strip.
//
// V8 loads everything that a loop's body reads before it computes with it: more vectors in a tile than these would be
// spilled, and that costs more than wider tiles save.

let lowest: f32 = 0;
let highest: f32 = 0;

/** What every later product is limited to. */
export function limit(low: f32, high: f32): void {
  lowest = low;
  highest = high;
}

/** a · b + c; in one instruction, rounded once, where relaxed SIMD is to be had. */
// @ts-ignore: decorator
@inline
function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(c, f32x4.mul(a, b));
}

/** The pseudo-minimum and -maximum are one instruction each, and in this order they let a NaN through. */
// @ts-ignore: decorator
@inline
function limited(a: v128): v128 {
  return f32x4.pmin(f32x4.pmax(a, f32x4.splat(lowest)), f32x4.splat(highest));
}

/**
 * Rows of single weights: entries are [offset, weight], an even number in each run. What `accumulate` adds to is what y
 * holds instead of the bias; it needs whole tiles of 16.
 */
export function rowProduct(
  y: usize, x: usize, bias: usize, starts: usize, entries: usize, rows: i32, accumulate: bool,
  strips: i32, yStrip: usize, xStrip: usize, columns: i32, yRow: usize,
): void {
  const width = columns >= 16 ? 16 : columns >= 8 ? 8 : 4;
  for (let strip = 0; strip < strips; strip++, y += yStrip, x += xStrip)
    for (let column = 0; column < columns; column += width) {
      const at = <usize>min(column, columns - width) << 2;
      const tile = x + at;
      let out = y + at;
      for (let row = 0; row < rows; row++, out += yRow) {
        const p = starts + (<usize>row << 2);
        const from = entries + <usize>load<u32>(p);
        const to = entries + <usize>load<u32>(p, 4);
        const b = bias + (<usize>row << 2);
        if (width == 16) row16(out, tile, b, from, to, accumulate);
        else if (width == 8) row8(out, tile, b, from, to);
        else row4(out, tile, b, from, to);
      }
    }
}

function row16(y: usize, x: usize, bias: usize, p: usize, end: usize, accumulate: bool): void {
  let a = v128.load32_splat(bias);
  let b = a;
  let c = a;
  let d = a;
  if (accumulate) {
    a = v128.load(y);
    b = v128.load(y, 16);
    c = v128.load(y, 32);
    d = v128.load(y, 48);
  }
  for (; p < end; p += 16) {
    const i = x + <usize>load<u32>(p);
    const v = v128.load32_splat(p, 4);
    const j = x + <usize>load<u32>(p, 8);
    const w = v128.load32_splat(p, 12);
    a = multiplyAdd(w, v128.load(j), multiplyAdd(v, v128.load(i), a));
    b = multiplyAdd(w, v128.load(j, 16), multiplyAdd(v, v128.load(i, 16), b));
    c = multiplyAdd(w, v128.load(j, 32), multiplyAdd(v, v128.load(i, 32), c));
    d = multiplyAdd(w, v128.load(j, 48), multiplyAdd(v, v128.load(i, 48), d));
  }
  v128.store(y, limited(a));
  v128.store(y, limited(b), 16);
  v128.store(y, limited(c), 32);
  v128.store(y, limited(d), 48);
}

function row8(y: usize, x: usize, bias: usize, p: usize, end: usize): void {
  let a = v128.load32_splat(bias);
  let b = a;
  for (; p < end; p += 8) {
    const i = x + <usize>load<u32>(p);
    const w = v128.load32_splat(p, 4);
    a = multiplyAdd(w, v128.load(i), a);
    b = multiplyAdd(w, v128.load(i, 16), b);
  }
  v128.store(y, limited(a));
  v128.store(y, limited(b), 16);
}

function row4(y: usize, x: usize, bias: usize, p: usize, end: usize): void {
  let a = v128.load32_splat(bias);
  for (; p < end; p += 8)
    a = multiplyAdd(v128.load32_splat(p, 4), v128.load(x + <usize>load<u32>(p)), a);
  v128.store(y, limited(a));
}

/**
 * Four rows at a time that share their columns: entries are [offset, four weights], `starts` has one run for each four
 * rows. A weight that one of the rows lacks is 0.
 */
export function blockProduct(
  y: usize, x: usize, bias: usize, starts: usize, entries: usize, blocks: i32, accumulate: bool,
  strips: i32, yStrip: usize, xStrip: usize, columns: i32, yRow: usize,
): void {
  const width = columns >= 8 ? 8 : 4;
  for (let strip = 0; strip < strips; strip++, y += yStrip, x += xStrip)
    for (let column = 0; column < columns; column += width) {
      const at = <usize>min(column, columns - width) << 2;
      const tile = x + at;
      let out = y + at;
      for (let block = 0; block < blocks; block++, out += yRow << 2) {
        const p = starts + (<usize>block << 2);
        const from = entries + <usize>load<u32>(p);
        const to = entries + <usize>load<u32>(p, 4);
        const b = bias + (<usize>block << 4);
        if (width == 8) block8(out, yRow, tile, b, from, to, accumulate);
        else block4(out, yRow, tile, b, from, to);
      }
    }
}

function block8(y: usize, yRow: usize, x: usize, bias: usize, p: usize, end: usize, accumulate: bool): void {
  let a0 = v128.load32_splat(bias);
  let b0 = v128.load32_splat(bias, 4);
  let c0 = v128.load32_splat(bias, 8);
  let d0 = v128.load32_splat(bias, 12);
  let a1 = a0;
  let b1 = b0;
  let c1 = c0;
  let d1 = d0;
  if (accumulate) {
    a0 = v128.load(y);
    a1 = v128.load(y, 16);
    b0 = v128.load(y + yRow);
    b1 = v128.load(y + yRow, 16);
    c0 = v128.load(y + 2 * yRow);
    c1 = v128.load(y + 2 * yRow, 16);
    d0 = v128.load(y + 3 * yRow);
    d1 = v128.load(y + 3 * yRow, 16);
  }
  for (; p < end; p += 20) {
    const i = x + <usize>load<u32>(p);
    const x0 = v128.load(i);
    const x1 = v128.load(i, 16);
    const a = v128.load32_splat(p, 4);
    a0 = multiplyAdd(a, x0, a0);
    a1 = multiplyAdd(a, x1, a1);
    const b = v128.load32_splat(p, 8);
    b0 = multiplyAdd(b, x0, b0);
    b1 = multiplyAdd(b, x1, b1);
    const c = v128.load32_splat(p, 12);
    c0 = multiplyAdd(c, x0, c0);
    c1 = multiplyAdd(c, x1, c1);
    const d = v128.load32_splat(p, 16);
    d0 = multiplyAdd(d, x0, d0);
    d1 = multiplyAdd(d, x1, d1);
  }
  v128.store(y, limited(a0));
  v128.store(y, limited(a1), 16);
  y += yRow;
  v128.store(y, limited(b0));
  v128.store(y, limited(b1), 16);
  y += yRow;
  v128.store(y, limited(c0));
  v128.store(y, limited(c1), 16);
  y += yRow;
  v128.store(y, limited(d0));
  v128.store(y, limited(d1), 16);
}

function block4(y: usize, yRow: usize, x: usize, bias: usize, p: usize, end: usize): void {
  let a = v128.load32_splat(bias);
  let b = v128.load32_splat(bias, 4);
  let c = v128.load32_splat(bias, 8);
  let d = v128.load32_splat(bias, 12);
  for (; p < end; p += 20) {
    const v = v128.load(x + <usize>load<u32>(p));
    a = multiplyAdd(v128.load32_splat(p, 4), v, a);
    b = multiplyAdd(v128.load32_splat(p, 8), v, b);
    c = multiplyAdd(v128.load32_splat(p, 12), v, c);
    d = multiplyAdd(v128.load32_splat(p, 16), v, d);
  }
  v128.store(y, limited(a));
  v128.store(y + yRow, limited(b));
  v128.store(y + 2 * yRow, limited(c));
  v128.store(y + 3 * yRow, limited(d));
}

/** One column: a vector's product with single weights. y is [rows]. */
export function rowVector(y: usize, x: usize, bias: usize, starts: usize, entries: usize, rows: i32): void {
  for (let row = 0; row < rows; row++) {
    const s = starts + (<usize>row << 2);
    let p = entries + <usize>load<u32>(s);
    const end = entries + <usize>load<u32>(s, 4);
    let a: f32 = 0;
    let b: f32 = 0;
    // Two sums: one would wait for each of its additions.
    for (; p + 8 < end; p += 16) {
      a += load<f32>(p, 4) * load<f32>(x + <usize>load<u32>(p));
      b += load<f32>(p, 12) * load<f32>(x + <usize>load<u32>(p, 8));
    }
    if (p < end) a += load<f32>(p, 4) * load<f32>(x + <usize>load<u32>(p));
    const at = <usize>row << 2;
    store<f32>(y + at, min(max(a + b + load<f32>(bias + at), lowest), highest));
  }
}

/** One column: a vector's product with blocks of four rows. y is [4 · blocks]. */
export function blockVector(y: usize, x: usize, bias: usize, starts: usize, entries: usize, blocks: i32): void {
  for (let block = 0; block < blocks; block++) {
    const s = starts + (<usize>block << 2);
    let p = entries + <usize>load<u32>(s);
    const end = entries + <usize>load<u32>(s, 4);
    const at = <usize>block << 4;
    let a = v128.load(bias + at);
    let b = f32x4.splat(0);
    for (; p + 20 < end; p += 40) {
      a = multiplyAdd(v128.load(p, 4), v128.load32_splat(x + <usize>load<u32>(p)), a);
      b = multiplyAdd(v128.load(p, 24), v128.load32_splat(x + <usize>load<u32>(p, 20)), b);
    }
    if (p < end) a = multiplyAdd(v128.load(p, 4), v128.load32_splat(x + <usize>load<u32>(p)), a);
    v128.store(y + at, limited(f32x4.add(a, b)));
  }
}

/**
 * One column: a vector's product with rows of runs. A row has three bounds in `starts`, the last shared with the next row:
 * of [offset, four weights], whose inputs lie side by side, then of single weights [offset, weight], an even number.
 */
export function runVector(y: usize, x: usize, bias: usize, starts: usize, entries: usize, rows: i32): void {
  for (let row = 0; row < rows; row++) {
    const s = starts + (<usize>row << 3);
    let p = entries + <usize>load<u32>(s);
    const singles = entries + <usize>load<u32>(s, 4);
    const end = entries + <usize>load<u32>(s, 8);
    let a = f32x4.splat(0);
    let b = a;
    for (; p + 20 < singles; p += 40) {
      a = multiplyAdd(v128.load(p, 4), v128.load(x + <usize>load<u32>(p)), a);
      b = multiplyAdd(v128.load(p, 24), v128.load(x + <usize>load<u32>(p, 20)), b);
    }
    if (p < singles) {
      a = multiplyAdd(v128.load(p, 4), v128.load(x + <usize>load<u32>(p)), a);
      p += 20;
    }
    let c: f32 = 0;
    let d: f32 = 0;
    for (; p < end; p += 16) {
      c += load<f32>(p, 4) * load<f32>(x + <usize>load<u32>(p));
      d += load<f32>(p, 12) * load<f32>(x + <usize>load<u32>(p, 8));
    }
    a = f32x4.add(a, b);
    const four =
      f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1) + (f32x4.extract_lane(a, 2) + f32x4.extract_lane(a, 3));
    const at = <usize>row << 2;
    store<f32>(y + at, min(max(four + (c + d) + load<f32>(bias + at), lowest), highest));
  }
}
