import type { Matrix, Workspace } from "./workspace.ts";
import { turned, view } from "./workspace.ts";

/** Reflectors that are applied together. */
const PANEL = 32;

/** A = Q T Qᵀ with T tridiagonal. Q is a product of reflectors Hᵢ = I − τᵢ vᵢ vᵢᵀ. */
export interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Next to the diagonal, one fewer. */
  readonly beside: Float64Array;
  /** Row i holds vᵢ, which is 0 up to column i and 1 at column i + 1. */
  readonly reflectors: Matrix;
  readonly factors: Float64Array;
}

/**
 * Householder reduction of a symmetric matrix, by panels: within one, the matrix stays as it is and is only multiplied by
 * a vector a column; then it takes the whole panel's change as two products (Dongarra, Sorensen and Hammarling 1989).
 * Destroys `a`, whose rows become the reflectors.
 */
export function tridiagonalize(workspace: Workspace, a: Matrix): Tridiagonal {
  const n = a.rows;
  const { data } = a;
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(Math.max(0, n - 1));
  const factors = new Float64Array(n);
  workspace.temporarily(() => {
    // Row p of each belongs to the panel's p-th reflector.
    const vs = workspace.matrix(PANEL, n);
    const ws = workspace.matrix(PANEL, n);
    const [vDots, wDots] = [workspace.vector(PANEL), workspace.vector(PANEL)];
    for (let start = 0; start < n; start += PANEL) {
      const end = Math.min(n, start + PANEL);
      vs.data.fill(0);
      ws.data.fill(0);
      for (let i = start; i < end; i++) {
        const row = data.subarray(i * n, (i + 1) * n);
        for (let p = 0; p < i - start; p++) {
          const v = vs.data.subarray(p * n, (p + 1) * n);
          const w = ws.data.subarray(p * n, (p + 1) * n);
          const [vi, wi] = [v[i], w[i]];
          for (let j = i; j < n; j++) row[j] -= vi * w[j] + wi * v[j];
        }
        diagonal[i] = row[i];
        if (i === n - 1) continue;
        const tau = reflect(row, i + 1, n);
        beside[i] = tau.beside;
        factors[i] = tau.factor;
        row.fill(0, 0, i + 1);
        const p = i - start;
        const v = vs.data.subarray(p * n, (p + 1) * n);
        const w = ws.data.subarray(p * n, (p + 1) * n);
        v.set(row);
        const from = i + 1;
        const size = n - from;
        const inner = v.subarray(from);
        workspace.timesVector(data.subarray(from * n + from), n, size, size, inner, w.subarray(from));
        workspace.timesVector(vs.data.subarray(from), n, p, size, inner, vDots);
        workspace.timesVector(ws.data.subarray(from), n, p, size, inner, wDots);
        for (let q = 0; q < p; q++) {
          const vq = vs.data.subarray(q * n, (q + 1) * n);
          const wq = ws.data.subarray(q * n, (q + 1) * n);
          const [a1, a2] = [wDots[q], vDots[q]];
          for (let j = from; j < n; j++) w[j] -= a1 * vq[j] + a2 * wq[j];
        }
        const half = 0.5 * tau.factor * tau.factor * workspace.dot(w.subarray(from), inner, size);
        for (let j = from; j < n; j++) w[j] = tau.factor * w[j] - half * v[j];
      }
      if (end < n)
        for (const [left, right] of [
          [vs, ws],
          [ws, vs],
        ])
          workspace.addProduct(-1, turned(view(left, { left: end })), view(right, { left: end }), a, {
            row: end,
            column: end,
          });
    }
  });
  return { diagonal, beside, reflectors: a, factors };
}

/** Makes x[from..to) the vector v of a reflector (v₀ = 1) that maps the old one to a multiple of the first axis. */
function reflect(x: Float64Array, from: number, to: number): { factor: number; beside: number } {
  let tail = 0;
  let largest = 0;
  for (let j = from; j < to; j++) largest = Math.max(largest, Math.abs(x[j]));
  const first = x[from];
  if (largest > 0) for (let j = from + 1; j < to; j++) tail += (x[j] / largest) ** 2;
  x[from] = 1;
  if (tail === 0) {
    x.fill(0, from + 1, to);
    return { factor: 0, beside: first };
  }
  const norm = largest * Math.sqrt(tail + (first / largest) ** 2);
  const beside = first > 0 ? -norm : norm;
  const scale = 1 / (first - beside);
  for (let j = from + 1; j < to; j++) x[j] *= scale;
  return { factor: (beside - first) / beside, beside };
}

/** Replaces every row s of `rows` by Q s: eigenvectors of T become eigenvectors of A. */
export function applyReflectors(
  workspace: Workspace,
  { reflectors, factors }: Tridiagonal,
  rows: Matrix,
): void {
  const n = reflectors.rows;
  for (let start = PANEL * Math.floor(Math.max(0, n - 2) / PANEL); start >= 0; start -= PANEL) {
    const end = Math.min(n - 1, start + PANEL);
    if (end <= start) continue;
    workspace.temporarily(() => {
      const count = end - start;
      const left = start + 1;
      // H₀ H₁ … = I − Vᵀ T V with T upper triangular (Schreiber and Van Loan 1989).
      const v = view(reflectors, { from: start, to: end, left });
      const dots = workspace.matrix(count, count);
      workspace.addProduct(1, v, turned(v), dots);
      const t = workspace.matrix(count, count);
      for (let j = 0; j < count; j++) {
        const factor = factors[start + j];
        t.data[j * count + j] = factor;
        for (let i = 0; i < j; i++) {
          let sum = 0;
          for (let q = i; q < j; q++) sum += t.data[i * count + q] * dots.data[q * count + j];
          t.data[i * count + j] = -factor * sum;
        }
      }
      const along = workspace.matrix(rows.rows, count);
      workspace.addProduct(1, view(rows, { left }), turned(v), along);
      const mixed = workspace.matrix(rows.rows, count);
      workspace.addProduct(1, view(along), turned(view(t)), mixed);
      workspace.addProduct(-1, view(mixed), v, rows, { column: left });
    });
  }
}
