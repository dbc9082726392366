import { solveDefinite } from "../../linalg/definite.ts";

/**
 * The matrix that gives the coefficients z, [modes], of the least squares fit A z ≈ u: (AᵀA + ridge · mean diagonal · I)⁻¹ Aᵀ, for A
 * [rows, modes]; [modes, rows].
 */
export function ridgeInverse(a: ArrayLike<number>, rows: number, modes: number, ridge: number): Float64Array {
  const gram = new Float64Array(modes * modes);
  const right = new Float64Array(modes * rows);
  for (let i = 0; i < rows; i++)
    for (let r = 0; r < modes; r++) {
      right[r * rows + i] = a[i * modes + r];
      for (let s = 0; s <= r; s++) gram[r * modes + s] += a[i * modes + r] * a[i * modes + s];
    }
  let trace = 0;
  for (let r = 0; r < modes; r++) trace += gram[r * modes + r];
  for (let r = 0; r < modes; r++) gram[r * modes + r] += (ridge * trace) / modes || 1e-12;
  solveDefinite(gram, modes, right, rows);
  return right;
}
