/**
 * Five families of continuum materials. Units are SI in a unit box: pascal, kilogram per cubic metre, second; in 2D the
 * laws are plane strain.
 *
 * A yield stress bounds the Frobenius norm of the deviatoric Kirchhoff stress, |dev τ|, without the factor √(2/3) that
 * some books put in front.
 */
export type Material = {
  /** Young's modulus, Pa. */
  young: number;
  /** Poisson's ratio, below 0.5. */
  poisson: number;
  /** kg/m³. */
  density: number;
} & (
  | { family: "elastic" }
  /** A slightly compressible fluid; `viscosity` in Pa·s. */
  | { family: "newtonian"; viscosity: number }
  /** Flows only above `yieldStress`; Herschel–Bulkley with power `exponent`, which is Bingham's law at 1. */
  | { family: "nonNewtonian"; yieldStress: number; viscosity: number; exponent: number }
  /** Drucker–Prager: `frictionAngle` in degrees, `cohesion` as a volumetric strain per axis. */
  | { family: "granular"; frictionAngle: number; cohesion: number }
  /** Von Mises. */
  | { family: "elastoplastic"; yieldStress: number }
);

/** One of each family, with the parameters of the public NCLaw code; those of goop's flow are our own choice. */
export const MATERIALS = {
  jelly: { family: "elastic", young: 1e5, poisson: 0.2, density: 1000 },
  water: { family: "newtonian", young: 1e5, poisson: 0.3, density: 1000, viscosity: 0 },
  goop: {
    family: "nonNewtonian",
    young: 1e5,
    poisson: 0.3,
    density: 1000,
    yieldStress: 50,
    viscosity: 200,
    exponent: 1,
  },
  sand: { family: "granular", young: 1e6, poisson: 0.2, density: 1000, frictionAngle: 25, cohesion: 0 },
  plasticine: { family: "elastoplastic", young: 3e5, poisson: 0.25, density: 1000, yieldStress: 5e3 },
} as const satisfies Record<string, Material>;

export type MaterialName = keyof typeof MATERIALS;

export const MATERIAL_NAMES = Object.keys(MATERIALS) as MaterialName[];

/** Lamé's parameters in Pa: μ = E/(2(1+ν)), λ = Eν/((1+ν)(1−2ν)). */
export function lame({ young, poisson }: Material): { mu: number; lambda: number } {
  return {
    mu: young / (2 * (1 + poisson)),
    lambda: (young * poisson) / ((1 + poisson) * (1 - 2 * poisson)),
  };
}

/** Speed of pressure waves in m/s, √((λ+2μ)/ρ): nothing in the material is faster. */
export function soundSpeed(material: Material): number {
  const { mu, lambda } = lame(material);
  return Math.sqrt((lambda + 2 * mu) / material.density);
}
