import { Problem } from "../problem.ts";

/**
 * What a field will do, before anything is stored: closed forms for random patterns and codes drawn without regard to
 * similarity (`specs/sparsey.md` 7, `capacityUniform` and `freeze`). Q does not matter to them: each module fails or
 * succeeds alone. Presets whose codes of random patterns soon collapse (`classic`, `graded`, `argmax`) do worse.
 */
export interface FieldLoad {
  /** N: inputs. */
  inputs: number;
  /** S: active inputs of a pattern. */
  active: number;
  /** K: cells a module. */
  k: number;
}

/** Expected share of bottom-up weights that are 1 after `items` patterns: 1 − (1 − S/(N·K))^M. */
export function expectedDensity({ inputs, active, k }: FieldLoad, items: number): number {
  return -Math.expm1(items * Math.log1p(-active / (inputs * k)));
}

/** Patterns after which the density reaches `theta`: ⌈ln(1 − θ)/ln(1 − S/(N·K))⌉. */
export function freezePoint({ inputs, active, k }: FieldLoad, theta: number): number {
  return Math.ceil(Math.log1p(-theta) / Math.log1p(-active / (inputs * k)));
}

/**
 * Standard deviation of that density over Q modules. A cell with n patterns has (1 − S/N)^n of its weights at 0, n is
 * binomial, and cells of one module share the patterns out between them.
 */
export function densityDeviation({ inputs, active, k }: FieldLoad, q: number, items: number): number {
  const f = active / inputs;
  const after = (share: number) => Math.exp(items * Math.log1p(-share / k));
  const zero = after(f);
  const ofCell = after(f * (2 - f)) - zero ** 2;
  const ofTwo = after(2 * f) - zero ** 2;
  const byInputs = (zero * (1 - zero)) / inputs;
  return Math.sqrt(Math.max(0, (ofCell + byInputs + (k - 1) * ofTwo) / (k * q)));
}

/** The chance that n random patterns together contain all active inputs of another one; remembers what it has worked out. */
export type Cover = (n: number) => number;

/** Chances less than this are left out. */
const NEGLIGIBLE = 1e-20;
/** Beyond so many active inputs they count as independent of each other: off by less than 0.005, in no time. */
const INDEPENDENT = 500;

/**
 * With so many patterns on another cell, that cell looks as familiar as the right one.
 *
 * The inputs still missing form a Markov chain with hypergeometric steps; unlike the alternating sum of the spec, this
 * loses no digits for large S.
 */
export function coverChance(inputs: number, active: number): Cover {
  if (active > INDEPENDENT) return (n) => (-Math.expm1(n * Math.log1p(-active / inputs))) ** active;
  const cover = [0];
  const steps: Float64Array[] = [];
  let chance = new Float64Array(active + 1);
  chance[active] = 1;
  return (n) => {
    for (let at = cover.length; at <= n; at++) {
      const next = new Float64Array(active + 1);
      for (let missing = 0; missing <= active; missing++) {
        if (chance[missing] < NEGLIGIBLE) continue;
        steps[missing] ??= hypergeometric(inputs, active, missing);
        for (const [hit, p] of steps[missing].entries()) next[missing - hit] += chance[missing] * p;
      }
      chance = next;
      cover.push(chance[0]);
    }
    return cover[n];
  };
}

/** Chances that a pattern of `active` out of `inputs` contains 0, 1, … of `special` given inputs. */
function hypergeometric(inputs: number, active: number, special: number): Float64Array {
  const p = new Float64Array(special + 1);
  for (let hit = 0; hit <= special; hit++)
    if (active - hit <= inputs - special)
      p[hit] = Math.exp(
        logChoose(special, hit) + logChoose(inputs - special, active - hit) - logChoose(inputs, active),
      );
  return p;
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

const logFactorials = [0];

/** ln n!, by Stirling's series where that is exact to the last digits. */
function logFactorial(n: number): number {
  if (n >= 256)
    return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + 1 / (12 * n) - 1 / (360 * n ** 3);
  for (let i = logFactorials.length; i <= n; i++) logFactorials.push(logFactorials[i - 1] + Math.log(i));
  return logFactorials[n];
}

/**
 * Expected share of modules that give back the winner of a stored pattern, when `items` are stored: with q the chance
 * that another cell is as familiar, (1 − (1 − q)^K)/(K·q).
 */
export function expectedAccuracy(
  { inputs, active, k }: FieldLoad,
  items: number,
  cover: Cover = coverChance(inputs, active),
): number {
  const others = Math.max(0, items - 1);
  const mean = others / k;
  // Loads of a cell beyond these bounds have no weight.
  const spread = 12 * Math.sqrt(mean * (1 - 1 / k)) + 12;
  const low = Math.max(0, Math.floor(mean - spread));
  const high = Math.min(others, Math.ceil(mean + spread));
  // An input is missing from all of n patterns with the chance (1 − S/N)^n: where that is next to none, all cells are alike.
  if (active * Math.exp(low * Math.log1p(-active / inputs)) < 1e-15) return 1 / k;
  let q = 0;
  for (let n = low; n <= high; n++)
    q += cover(n) * Math.exp(logChoose(others, n) - n * Math.log(k) + (others - n) * Math.log1p(-1 / k));
  q = Math.min(1, q);
  return q < 1e-15 ? 1 : -Math.expm1(k * Math.log1p(-q)) / (k * q);
}

export interface PlanOptions {
  /** Patterns to be stored. */
  items: number;
  inputs: number;
  /** Active inputs of a pattern. */
  active: number;
  /** Modules. Default 24. */
  q?: number;
  /** Cells a module, at least 2. Default: the fewest that do. */
  k?: number;
  /** Share of winners that must come back with all items stored. Default 0.97. */
  accuracy?: number;
  /** Density at which the field freezes. Default 0.5, or null = never. */
  freezeAt?: number | null;
}

export interface Plan {
  q: number;
  k: number;
  /** N·Q·K. */
  weights: number;
  /** Of the weights of patterns, packed. */
  bytes: number;
  /** Patterns that are stored: all, or those that come before it freezes. */
  stored: number;
  /** Share of weights that are 1 in the end. */
  density: number;
  /** Share of winners that come back of those stored, in the end. */
  accuracy: number;
  /** Patterns until it freezes; undefined where it never does. */
  freezesAfter?: number;
  /** Patterns it can hold at the wanted accuracy without freezing. */
  capacity: number;
}

/** Standard deviations of the density that a plan leaves room for. */
const MARGIN = 3;

/** Cells of a module that a plan will not go beyond. */
export const MOST_CELLS = 2 ** 16;

/** A field for so many random patterns; a `Problem` where none of a sensible size does. */
export function planField(options: PlanOptions): Plan {
  checkOptions(options);
  const { items, inputs, active, q = 24, accuracy = 0.97, freezeAt = 0.5 } = options;
  const cover = coverChance(inputs, active);
  const does = (k: number, count: number) => {
    const load = { inputs, active, k };
    // Chance must not freeze it before the last pattern.
    const before = count - 1;
    const densest = expectedDensity(load, before) + MARGIN * densityDeviation(load, q, before);
    return (freezeAt === null || densest < freezeAt) && expectedAccuracy(load, count, cover) >= accuracy;
  };
  const k = options.k ?? smallest(2, MOST_CELLS, (cells) => does(cells, items));
  if (k === undefined)
    throw new Problem(
      `plan: no field of up to ${MOST_CELLS} cells a module holds ${items} patterns of ${active} active inputs; ` +
        "use several macs, or fewer active inputs",
    );
  const load = { inputs, active, k };
  const freezesAfter = freezeAt === null ? undefined : freezePoint(load, freezeAt);
  const stored = Math.min(items, freezesAfter ?? items);
  // The largest load that does is one below the smallest that does not.
  const over = smallest(1, Number.MAX_SAFE_INTEGER, (count) => !does(k, count)) ?? Number.POSITIVE_INFINITY;
  return {
    q,
    k,
    weights: inputs * q * k,
    bytes: 4 * inputs * Math.ceil((q * k) / 32),
    stored,
    density: expectedDensity(load, stored),
    accuracy: expectedAccuracy(load, stored, cover),
    freezesAfter,
    capacity: over - 1,
  };
}

function checkOptions({
  items,
  inputs,
  active,
  q = 24,
  k = 2,
  accuracy = 0.97,
  freezeAt = 0.5,
}: PlanOptions): void {
  for (const [name, value] of Object.entries({ items, inputs, active, q }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new Problem(`plan: ${name} is ${value}; expected a whole number of at least 1`);
  if (!Number.isSafeInteger(k) || k < 2 || k > MOST_CELLS)
    throw new Problem(`plan: k is ${k}; expected a whole number from 2 to ${MOST_CELLS}`);
  if (active >= inputs)
    throw new Problem(`plan: ${active} of ${inputs} inputs are active; expected fewer than all`);
  if (!(accuracy > 0 && accuracy < 1))
    throw new Problem(`plan: accuracy is ${accuracy}; expected between 0 and 1`);
  if (freezeAt !== null && !(freezeAt > 0 && freezeAt < 1))
    throw new Problem(`plan: freezeAt is ${freezeAt}; expected between 0 and 1`);
}

/** The smallest whole number from `low` on that passes a test which, once passed, stays passed. */
function smallest(low: number, limit: number, passes: (x: number) => boolean): number | undefined {
  let high = low;
  while (!passes(high)) {
    low = high + 1;
    if (high >= limit) return undefined;
    high = Math.min(limit, 2 * high);
  }
  while (low < high) {
    const mid = Math.floor((low + high) / 2);
    if (passes(mid)) high = mid;
    else low = mid + 1;
  }
  return high;
}
