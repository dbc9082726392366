import { Problem } from "../../problem.ts";

interface Sizes {
  width: number;
  heads: number;
  /** All others, which must be whole numbers above 0. */
  [size: string]: number;
}

/** Throws a `Problem` for sizes that no transformer has. `evenHeads`: positions turn pairs of a head's numbers. */
export function checkTransformer(model: string, sizes: Sizes, { evenHeads = false } = {}): void {
  for (const [name, value] of Object.entries(sizes))
    if (!(Number.isInteger(value) && value > 0))
      throw new Problem(`${model}: ${name} is ${value}; take a whole number above 0`);
  const { width, heads } = sizes;
  const step = evenHeads ? 2 * heads : heads;
  if (width % step !== 0)
    throw new Problem(
      `${model}: a width of ${width} cannot be shared out to ${heads} heads${evenHeads ? " of an even width" : ""}; take a multiple of ${step}`,
    );
}
