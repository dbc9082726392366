/** Something that costs and is worth something. */
export interface Offer {
  cost: number;
  worth: number;
}

/** Costs that differ by less than this share count as equal: budgets are not met to the last operation. */
export const SAME_COST = 0.02;

/**
 * The offers that beat one: they cost no more, to within `SAME_COST`, and are worth more. An offer is on the Pareto front where
 * there is none.
 */
export function betterThan<T extends Offer>(own: T, all: readonly T[]): T[] {
  return all.filter(
    (other) => other !== own && other.cost <= own.cost * (1 + SAME_COST) && other.worth > own.worth,
  );
}
