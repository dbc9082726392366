import { rowSpectra } from "./fourier.ts";
import { permutationPowers, REPRESENTATIONS } from "./permutation-waves.ts";
import type { TaskName } from "./tasks.ts";

/** What functions of a task's tokens are made of. */
export interface TokenWaves {
  kind: "frequency" | "representation";
  names: readonly string[];
  /** Power of each wave in each row of a matrix [rows, tokens]; row-major [rows, names.length]. */
  powers: (data: ArrayLike<number>) => Float64Array;
  /** Tokens in the order that the waves run in; undefined where they run in none. */
  order?: Int32Array;
}

/**
 * The characters of a task's operation. Addition and all that is made of it has frequencies over the residues. Products and
 * quotients modulo a prime add up exponents of a generator: they have frequencies over those, and 0, which has none, is left
 * out. Permutations have irreducible representations. Undefined for products modulo other numbers.
 */
export function tokenWaves(task: TaskName, p: number): TokenWaves | undefined {
  if (task === "s5") return { kind: "representation", names: REPRESENTATIONS, powers: permutationPowers };
  const isProduct = task === "modmul" || task === "moddiv";
  const order = isProduct ? powersOfGenerator(p) : Int32Array.from({ length: p }, (_, x) => x);
  if (!order || order.length < 2) return undefined;
  return {
    kind: "frequency",
    names: Array.from({ length: Math.floor(order.length / 2) }, (_, i) => String(i + 1)),
    powers: (data) => rowSpectra(inOrder(data, p, order), order.length),
    order,
  };
}

/** Columns of a matrix [rows, tokens] in an order; those that it lacks are left out. */
export function inOrder(data: ArrayLike<number>, tokens: number, order: Int32Array): Float64Array {
  const n = order.length;
  return Float64Array.from(
    { length: (data.length / tokens) * n },
    (_, i) => data[Math.floor(i / n) * tokens + order[i % n]],
  );
}

/** g⁰, g¹, … of the smallest g that makes all residues but 0; undefined where none does. */
function powersOfGenerator(p: number): Int32Array | undefined {
  for (let g = 1; g < p; g++) {
    const powers = new Set<number>();
    for (let power = 1; !powers.has(power); power = (power * g) % p) powers.add(power);
    if (powers.size === p - 1 && !powers.has(0)) return Int32Array.from(powers);
  }
  return undefined;
}
