// Sparse rows times a few columns: positions of many points from the displacements of few. Displacements are rows of four
// float32 whatever the dimension, so that one load takes a row; the arena leaves room behind the last one. AssemblyScript.

/**
 * out[q] = reference[q] + Σ weights[e] · u[4 · columns[e]…] over the entries starts[q] ≤ e < starts[q + 1] of row q. `u` [sources, 4];
 * `reference` and `out` [rows, dim]; addresses in bytes.
 */
export function decode(
  starts: usize,
  columns: usize,
  weights: usize,
  u: usize,
  reference: usize,
  out: usize,
  rows: i32,
  dim: i32,
): void {
  let at = load<u32>(starts);
  const step = <usize>(dim << 2);
  for (let q = 0; q < rows; q++) {
    starts += 4;
    const end = load<u32>(starts);
    let a = v128.load(reference);
    let b = f32x4.splat(0);
    for (; at + 2 <= end; at += 2) {
      const c = columns + (<usize>at << 2);
      const w = weights + (<usize>at << 2);
      a = f32x4.add(a, f32x4.mul(v128.load32_splat(w), v128.load(u + (<usize>load<u32>(c) << 4))));
      b = f32x4.add(b, f32x4.mul(v128.load32_splat(w + 4), v128.load(u + (<usize>load<u32>(c + 4) << 4))));
    }
    if (at < end) {
      const entry = <usize>at << 2;
      const row = v128.load(u + (<usize>load<u32>(columns + entry) << 4));
      a = f32x4.add(a, f32x4.mul(v128.load32_splat(weights + entry), row));
      at++;
    }
    // What is stored beyond a row's end is overwritten by the next one.
    v128.store(out, f32x4.add(a, b));
    reference += step;
    out += step;
  }
}
