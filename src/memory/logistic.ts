/** Beyond, the result is 0 or 1 to all digits that count, and 2ⁿ stays within what a number can hold. */
const LIMIT = 700;
/** Added and subtracted again, it rounds to a whole number, halves to even. */
const ROUND = 6755399441055744;
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/**
 * 1 / (1 + exp(y)), the logistic function of −y, within 1e-15 of its value. The same bits in every engine and in kernels/codes.ts, which `Math.exp`
 * does not promise: draws, and so codes, depend on them.
 *
 * With y = n·ln 2 + r and R = r·coth(r/2) it is (R − r)/((R − r) + 2ⁿ(R + r)), because exp(r) = (R + r)/(R − r). R is
 * the series 2·Σ B₂ₘ r²ᵐ/(2m)! of the Bernoulli numbers; after r¹² it is exact to 1e-17 for |r| ≤ ln 2 / 2.
 */
export function logistic(y: number): number {
  y = Math.max(-LIMIT, Math.min(LIMIT, y));
  const n = y * Math.LOG2E + ROUND - ROUND;
  const r = y - n * LN2_HIGH - n * LN2_LOW;
  const t = r * r;
  let sum = -691 / 653837184000;
  for (const coefficient of [1 / 23950080, -1 / 604800, 1 / 15120, -1 / 360, 1 / 6, 2])
    sum = sum * t + coefficient;
  const low = sum - r;
  return low / (low + (sum + r) * 2 ** n);
}
