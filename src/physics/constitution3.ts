import type { Law } from "./constitution.ts";
import { SMALLEST_STRETCH } from "./constitution.ts";
import type { Particles } from "./particles.ts";
import { SVD3, svd3 } from "./svd3.ts";

const svd = new Float64Array(SVD3.length);
const strain = new Float64Array(3);

/** {@link constitutionOf} in 3D. */
export function constitution3(law: Law, p: Particles, start: number, end: number): void {
  const { family } = law;
  if (family === "elastic") elastic(law, p, start, end);
  else if (family === "newtonian") newtonian(law, p, start, end);
  else hencky(law, p, start, end);
}

function elastic({ mu, lambda }: Law, { f, stress }: Particles, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    svd3(f, 9 * i, svd);
    const s1 = svd[SVD3.s];
    const s2 = svd[SVD3.s + 1];
    const s3 = svd[SVD3.s + 2];
    const j = s1 * s2 * s3;
    const pressure = lambda * j * (j - 1);
    // (F−R)Fᵀ has the same U, and (σ−1)σ for its values.
    const t1 = 2 * mu * (s1 - 1) * s1 + pressure;
    const t2 = 2 * mu * (s2 - 1) * s2 + pressure;
    const t3 = 2 * mu * (s3 - 1) * s3 + pressure;
    principalStress(t1, t2, t3, stress, 9 * i);
  }
}

function newtonian(
  { lambda, viscosity, flow }: Law,
  { f, c, stress }: Particles,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    const at = 9 * i;
    const determinant =
      f[at] * (f[at + 4] * f[at + 8] - f[at + 5] * f[at + 7]) -
      f[at + 1] * (f[at + 3] * f[at + 8] - f[at + 5] * f[at + 6]) +
      f[at + 2] * (f[at + 3] * f[at + 7] - f[at + 4] * f[at + 6]);
    const j = Math.max(determinant, SMALLEST_STRETCH ** 3);
    if (flow) {
      f.fill(0, at, at + 9);
      f[at] = f[at + 4] = f[at + 8] = Math.cbrt(j);
    }
    const pressure = lambda * j * (j - 1);
    const shear = viscosity * j;
    stress[at] = pressure + 2 * shear * c[at];
    stress[at + 4] = pressure + 2 * shear * c[at + 4];
    stress[at + 8] = pressure + 2 * shear * c[at + 8];
    stress[at + 1] = stress[at + 3] = shear * (c[at + 1] + c[at + 3]);
    stress[at + 2] = stress[at + 6] = shear * (c[at + 2] + c[at + 6]);
    stress[at + 5] = stress[at + 7] = shear * (c[at + 5] + c[at + 7]);
  }
}

function hencky({ mu, lambda, returnMap }: Law, { f, stress }: Particles, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    const at = 9 * i;
    svd3(f, at, svd);
    for (let k = 0; k < 3; k++) strain[k] = Math.log(Math.max(svd[SVD3.s + k], SMALLEST_STRETCH));
    if (returnMap(strain)) {
      const s1 = Math.exp(strain[0]);
      const s2 = Math.exp(strain[1]);
      const s3 = Math.exp(strain[2]);
      for (let row = 0; row < 3; row++) {
        const u1 = svd[3 * row] * s1;
        const u2 = svd[3 * row + 1] * s2;
        const u3 = svd[3 * row + 2] * s3;
        for (let k = 0; k < 3; k++)
          f[at + 3 * row + k] = u1 * svd[SVD3.vt + k] + u2 * svd[SVD3.vt + 3 + k] + u3 * svd[SVD3.vt + 6 + k];
      }
    }
    const pressure = lambda * (strain[0] + strain[1] + strain[2]);
    const twice = 2 * mu;
    principalStress(
      twice * strain[0] + pressure,
      twice * strain[1] + pressure,
      twice * strain[2] + pressure,
      stress,
      at,
    );
  }
}

/** U diag(t) Uᵀ with the U of the last decomposition. */
function principalStress(t1: number, t2: number, t3: number, stress: Float64Array, at: number): void {
  const a = svd[0];
  const b = svd[1];
  const c = svd[2];
  const d = svd[3];
  const e = svd[4];
  const f = svd[5];
  const g = svd[6];
  const h = svd[7];
  const k = svd[8];
  stress[at] = a * a * t1 + b * b * t2 + c * c * t3;
  stress[at + 4] = d * d * t1 + e * e * t2 + f * f * t3;
  stress[at + 8] = g * g * t1 + h * h * t2 + k * k * t3;
  stress[at + 1] = stress[at + 3] = a * d * t1 + b * e * t2 + c * f * t3;
  stress[at + 2] = stress[at + 6] = a * g * t1 + b * h * t2 + c * k * t3;
  stress[at + 5] = stress[at + 7] = d * g * t1 + e * h * t2 + f * k * t3;
}
