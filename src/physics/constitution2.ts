import type { Law } from "./constitution.ts";
import { SMALLEST_STRETCH } from "./constitution.ts";
import type { Particles } from "./particles.ts";
import { SVD2, svd2 } from "./svd2.ts";

const svd = new Float64Array(SVD2.length);
const strain = new Float64Array(2);

/** {@link constitutionOf} in 2D. */
export function constitution2(law: Law, p: Particles, start: number, end: number): void {
  const { family } = law;
  if (family === "elastic") elastic(law, p, start, end);
  else if (family === "newtonian") newtonian(law, p, start, end);
  else hencky(law, p, start, end);
}

function elastic({ mu, lambda }: Law, { f, stress }: Particles, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    const at = 4 * i;
    const a = f[at];
    const b = f[at + 1];
    const c = f[at + 2];
    const d = f[at + 3];
    // The nearest rotation in closed form.
    const e = a + d;
    const h = c - b;
    const length = Math.sqrt(e * e + h * h);
    const cos = length > 0 ? e / length : 1;
    const sin = length > 0 ? h / length : 0;
    const j = a * d - b * c;
    const pressure = lambda * j * (j - 1);
    const off = 2 * mu * ((a - cos) * c + (b + sin) * d);
    stress[at] = 2 * mu * ((a - cos) * a + (b + sin) * b) + pressure;
    stress[at + 1] = off;
    stress[at + 2] = off;
    stress[at + 3] = 2 * mu * ((c - sin) * c + (d - cos) * d) + pressure;
  }
}

function newtonian(
  { lambda, viscosity, flow }: Law,
  { f, c, stress }: Particles,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    const at = 4 * i;
    const j = Math.max(f[at] * f[at + 3] - f[at + 1] * f[at + 2], SMALLEST_STRETCH ** 2);
    if (flow) {
      const side = Math.sqrt(j);
      f[at] = side;
      f[at + 1] = 0;
      f[at + 2] = 0;
      f[at + 3] = side;
    }
    const pressure = lambda * j * (j - 1);
    const shear = viscosity * j;
    stress[at] = pressure + 2 * shear * c[at];
    stress[at + 1] = stress[at + 2] = shear * (c[at + 1] + c[at + 2]);
    stress[at + 3] = pressure + 2 * shear * c[at + 3];
  }
}

function hencky({ mu, lambda, returnMap }: Law, { f, stress }: Particles, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    const at = 4 * i;
    svd2(f, at, svd);
    const cos = svd[SVD2.cosU];
    const sin = svd[SVD2.sinU];
    strain[0] = Math.log(Math.max(svd[SVD2.s], SMALLEST_STRETCH));
    strain[1] = Math.log(Math.max(svd[SVD2.s + 1], SMALLEST_STRETCH));
    if (returnMap(strain)) {
      const s1 = Math.exp(strain[0]);
      const s2 = Math.exp(strain[1]);
      const vc = svd[SVD2.cosV];
      const vs = svd[SVD2.sinV];
      f[at] = cos * s1 * vc - sin * s2 * vs;
      f[at + 1] = -cos * s1 * vs - sin * s2 * vc;
      f[at + 2] = sin * s1 * vc + cos * s2 * vs;
      f[at + 3] = -sin * s1 * vs + cos * s2 * vc;
    }
    const pressure = lambda * (strain[0] + strain[1]);
    const t1 = 2 * mu * strain[0] + pressure;
    const t2 = 2 * mu * strain[1] + pressure;
    const off = cos * sin * (t1 - t2);
    stress[at] = cos * cos * t1 + sin * sin * t2;
    stress[at + 1] = off;
    stress[at + 2] = off;
    stress[at + 3] = sin * sin * t1 + cos * cos * t2;
  }
}
