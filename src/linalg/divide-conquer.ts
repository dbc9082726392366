import { secularRoots } from "./secular.ts";
import type { Matrix, Workspace } from "./workspace.ts";
import { turned, view } from "./workspace.ts";

/** Up to this size rotations are quicker than a merge. */
const LEAF = 32;

/**
 * Eigenvalues (rising, into `diagonal`) and eigenvectors (rows of `vectors`) of a symmetric tridiagonal matrix, by tearing
 * it in two and mending (Cuppen 1981), with vectors computed for the rank-one change that has exactly the computed roots
 * (Gu and Eisenstat 1995), which keeps them orthogonal. Destroys `beside`.
 */
export function eigenTridiagonal(
  workspace: Workspace,
  diagonal: Float64Array,
  beside: Float64Array,
  vectors: Matrix,
): void {
  const n = diagonal.length;
  const solve = (from: number, to: number): void => {
    if (to - from <= LEAF) {
      rotate(diagonal, beside, vectors, from, to);
      return;
    }
    const middle = (from + to) >> 1;
    const torn = beside[middle - 1];
    diagonal[middle - 1] -= Math.abs(torn);
    diagonal[middle] -= Math.abs(torn);
    solve(from, middle);
    solve(middle, to);
    if (torn === 0) sortRows(workspace, diagonal, vectors, from, to);
    else workspace.temporarily(() => mend(workspace, diagonal, vectors, from, middle, to, torn));
  };
  solve(0, n);
}

/** Implicit QL iteration on rows and columns `from`..`to` (Bowdler, Martin, Reinsch and Wilkinson 1968), sorted. */
function rotate(d: Float64Array, e: Float64Array, { data, columns }: Matrix, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    data.fill(0, i * columns + from, i * columns + to);
    data[i * columns + i] = 1;
  }
  for (let l = from; l < to; l++) {
    for (;;) {
      let m = l;
      for (; m < to - 1; m++)
        if (Math.abs(e[m]) <= Number.EPSILON * (Math.abs(d[m]) + Math.abs(d[m + 1]))) break;
      if (m === l) break;
      let g = (d[l + 1] - d[l]) / (2 * e[l]);
      let r = Math.hypot(g, 1);
      g = d[m] - d[l] + e[l] / (g + (g < 0 ? -r : r));
      let [s, c, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i];
        const b = c * e[i];
        r = Math.hypot(f, g);
        if (i + 1 < m) e[i + 1] = r;
        if (r === 0) {
          d[i + 1] -= p;
          e[m] = m < to - 1 ? 0 : e[m];
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        const low = i * columns;
        const high = low + columns;
        for (let k = from; k < to; k++) {
          const v = data[high + k];
          data[high + k] = s * data[low + k] + c * v;
          data[low + k] = c * data[low + k] - s * v;
        }
      }
      if (r === 0 && i >= l) continue;
      d[l] -= p;
      e[l] = g;
      if (m < to - 1) e[m] = 0;
    }
  }
  for (let i = from; i < to - 1; i++) {
    let least = i;
    for (let j = i + 1; j < to; j++) if (d[j] < d[least]) least = j;
    if (least === i) continue;
    [d[i], d[least]] = [d[least], d[i]];
    for (let k = from; k < to; k++) {
      const v = data[i * columns + k];
      data[i * columns + k] = data[least * columns + k];
      data[least * columns + k] = v;
    }
  }
}

/** Puts rows `from`..`to` into the order of rising eigenvalues. */
function sortRows(
  workspace: Workspace,
  diagonal: Float64Array,
  { data, columns }: Matrix,
  from: number,
  to: number,
): void {
  const order = Array.from({ length: to - from }, (_, i) => from + i).sort(
    (a, b) => diagonal[a] - diagonal[b] || a - b,
  );
  const values = order.map((i) => diagonal[i]);
  diagonal.set(values, from);
  workspace.temporarily(() => {
    const copy = workspace.matrix(to - from, to - from);
    order.forEach((row, i) => {
      copy.data.set(data.subarray(row * columns + from, row * columns + to), i * copy.columns);
    });
    for (let i = 0; i < order.length; i++)
      data.set(copy.data.subarray(i * copy.columns, (i + 1) * copy.columns), (from + i) * columns + from);
  });
}

/** Eigenvectors of both halves, and of diag(d₁, d₂) + |torn|·v vᵀ between them: those of the whole. */
function mend(
  workspace: Workspace,
  diagonal: Float64Array,
  vectors: Matrix,
  from: number,
  middle: number,
  to: number,
  torn: number,
): void {
  const { data, columns } = vectors;
  const size = to - from;
  const row = (i: number) => i * columns;
  // v in the basis of the halves: the last components of the upper vectors, the first ones of the lower.
  const z = new Float64Array(size);
  for (let i = from; i < middle; i++) z[i - from] = data[row(i) + middle - 1] * Math.SQRT1_2;
  for (let i = middle; i < to; i++) z[i - from] = Math.sign(torn) * data[row(i) + middle] * Math.SQRT1_2;
  const rho = 2 * Math.abs(torn);
  const order = Array.from({ length: size }, (_, i) => i).sort(
    (a, b) => diagonal[from + a] - diagonal[from + b] || a - b,
  );
  const largest = Math.max(
    Math.abs(diagonal[from + order[0]]),
    Math.abs(diagonal[from + order[size - 1]]),
    rho,
  );
  const negligible = 8 * Number.EPSILON * largest;
  const kept: number[] = [];
  const done: number[] = [];
  // Whether a vector has parts in the upper and in the lower half.
  const upper = Array.from({ length: size }, (_, i) => i < middle - from);
  const lower = upper.map((u) => !u);
  for (const i of order) {
    if (rho * Math.abs(z[i]) <= negligible) {
      done.push(i);
      continue;
    }
    const before = kept.at(-1);
    if (before !== undefined) {
      // Two equal eigenvalues: a rotation moves all of z into one of them.
      const length = Math.hypot(z[i], z[before]);
      const [c, s] = [z[i] / length, z[before] / length];
      if (Math.abs((diagonal[from + i] - diagonal[from + before]) * c * s) <= negligible) {
        const [a, b] = [row(from + before), row(from + i)];
        for (let k = from; k < to; k++) {
          const [x, y] = [data[a + k], data[b + k]];
          data[a + k] = c * x - s * y;
          data[b + k] = s * x + c * y;
        }
        const [da, db] = [diagonal[from + before], diagonal[from + i]];
        diagonal[from + before] = da * c * c + db * s * s;
        diagonal[from + i] = da * s * s + db * c * c;
        z[i] = length;
        z[before] = 0;
        upper[i] = upper[before] ||= upper[i];
        lower[i] = lower[before] ||= lower[i];
        kept.pop();
        done.push(before);
      }
    }
    kept.push(i);
  }
  const count = kept.length;
  const mixing = workspace.matrix(count, count);
  const d = Float64Array.from(kept, (i) => diagonal[from + i]);
  const weights = Float64Array.from(kept, (i) => z[i]);
  const roots = secularRoots(d, weights, rho, mixing.data);
  mixRows(d, weights, mixing);

  const half = (part: readonly boolean[], left: number, right: number, into: Matrix) =>
    workspace.temporarily(() => {
      const members = kept.flatMap((i, k) => (part[i] ? [{ row: from + i, k }] : []));
      if (members.length === 0) return;
      const rows = workspace.matrix(members.length, right - left);
      const share = workspace.matrix(members.length, count);
      members.forEach((m, j) => {
        rows.data.set(data.subarray(row(m.row) + left, row(m.row) + right), j * rows.columns);
        for (let i = 0; i < count; i++) share.data[j * count + i] = mixing.data[i * count + m.k];
      });
      workspace.addProduct(1, turned(view(share)), view(rows), into, { column: left - from });
    });
  const mended = workspace.matrix(size, size);
  half(upper, from, middle, mended);
  half(lower, middle, to, mended);
  done.forEach((i, k) => {
    mended.data.set(data.subarray(row(from + i) + from, row(from + i) + to), (count + k) * size);
  });
  const values = [...roots, ...done.map((i) => diagonal[from + i])];
  const rising = values.map((_, i) => i).sort((a, b) => values[a] - values[b] || a - b);
  rising.forEach((source, i) => {
    diagonal[from + i] = values[source];
    data.set(mended.data.subarray(source * size, (source + 1) * size), row(from + i) + from);
  });
}

/** Row i of `gaps`, dⱼ − λᵢ, becomes the unit eigenvector of diag(d) + ẑ ẑᵀ for λᵢ. */
function mixRows(d: Float64Array, z: Float64Array, { data: gaps }: Matrix): void {
  const n = d.length;
  const exact = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    let product = -gaps[j * n + j];
    for (let i = 0; i < n; i++) if (i !== j) product *= gaps[i * n + j] / (d[j] - d[i]);
    exact[j] = Math.sign(z[j]) * Math.sqrt(Math.abs(product));
  }
  for (let i = 0; i < n; i++) {
    const row = gaps.subarray(i * n, (i + 1) * n);
    let norm = 0;
    for (let j = 0; j < n; j++) {
      row[j] = exact[j] / row[j];
      norm += row[j] * row[j];
    }
    const scale = 1 / Math.sqrt(norm);
    for (let j = 0; j < n; j++) row[j] *= scale;
  }
}
