/** From here on Stirling's series is exact to double precision. */
const FAR = 12;
const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI);

/** ln Γ(x) for x > 0, by recurrence and Stirling's series (Abramowitz and Stegun 6.1.41). */
export function logGamma(x: number): number {
  let product = 1;
  for (; x < FAR; x++) product *= x;
  const t = 1 / (x * x);
  const series =
    (1 / 12 - t * (1 / 360 - t * (1 / 1260 - t * (1 / 1680 - t * (1 / 1188 - (t * 691) / 360360))))) / x;
  return (x - 0.5) * Math.log(x) - x + HALF_LOG_2PI + series - Math.log(product);
}

/** ψ(x) = d/dx ln Γ(x) for x > 0, likewise (6.3.18). */
export function digamma(x: number): number {
  let below = 0;
  for (; x < FAR; x++) below += 1 / x;
  const t = 1 / (x * x);
  const series =
    t * (1 / 12 - t * (1 / 120 - t * (1 / 252 - t * (1 / 240 - t * (1 / 132 - (t * 691) / 32760)))));
  return Math.log(x) - 0.5 / x - series - below;
}
