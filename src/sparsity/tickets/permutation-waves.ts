import { permutationsOfFive } from "./tasks.ts";

/** Cycle lengths above 1 of the seven classes of S5. */
const CLASSES = ["", "2", "2,2", "3", "4", "5", "2,3"];

/**
 * Characters over those classes of all irreducible representations but the trivial one, named by their dimension; ′ marks
 * the product with the sign (Fulton and Harris 1991, section 3.1).
 */
const CHARACTERS: readonly (readonly [name: string, values: readonly number[]])[] = [
  ["sign", [1, -1, 1, 1, -1, 1, -1]],
  ["4", [4, 2, 0, 1, 0, -1, -1]],
  ["4′", [4, -2, 0, 1, 0, -1, 1]],
  ["5", [5, 1, 1, -1, -1, 0, 1]],
  ["5′", [5, -1, 1, -1, 1, 0, -1]],
  ["6", [6, 0, -2, 0, 0, 1, 0]],
];

/** Names of the representations, in the order of `permutationPowers`. */
export const REPRESENTATIONS: readonly string[] = CHARACTERS.map(([name]) => name);

/**
 * What frequencies are to functions of a residue, irreducible representations are to those of a permutation: the power of
 * each in each row of a matrix [rows, 120], (d/120) Σ_{g,h} f(g) f(h) χ(g⁻¹h) (Chughtai et al. 2023, section 3). Row-major
 * [rows, 6]; with the mean's, they add up to the row's sum of squares.
 */
export function permutationPowers(data: ArrayLike<number>): Float64Array {
  classOf ??= classesOfQuotients();
  const n = Math.sqrt(classOf.length);
  const rows = data.length / n;
  const powers = new Float64Array(rows * REPRESENTATIONS.length);
  for (let r = 0; r < rows; r++) {
    const byClass = new Float64Array(CLASSES.length);
    for (let g = 0; g < n; g++)
      for (let h = 0; h < n; h++) byClass[classOf[g * n + h]] += data[r * n + g] * data[r * n + h];
    CHARACTERS.forEach(([, character], i) => {
      const sum = character.reduce((a, value, c) => a + value * byClass[c], 0);
      // Rounding can leave a little below 0.
      powers[r * REPRESENTATIONS.length + i] = Math.max(0, (character[0] / n) * sum);
    });
  }
  return powers;
}

let classOf: Uint8Array | undefined;

/** The class of g⁻¹h at g·120 + h. */
function classesOfQuotients(): Uint8Array {
  const all = permutationsOfFive();
  const inverses = all.map((q) => q.map((_, k) => q.indexOf(k)));
  return Uint8Array.from(
    inverses.flatMap((inverse) => all.map((h) => CLASSES.indexOf(cyclesOf(h.map((k) => inverse[k]))))),
  );
}

function cyclesOf(permutation: readonly number[]): string {
  const seen = new Set<number>();
  const lengths: number[] = [];
  for (const start of permutation) {
    let length = 0;
    for (let k = start; !seen.has(k); k = permutation[k]) {
      seen.add(k);
      length++;
    }
    if (length > 1) lengths.push(length);
  }
  return lengths.sort((a, b) => a - b).join();
}
