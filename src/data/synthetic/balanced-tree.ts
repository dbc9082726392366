import type { Relations } from "../relations.ts";

/** The closure of a tree whose inner nodes all have `branching` children, `depth` edges deep; node 0 is the root. */
export function balancedTree({ branching = 3, depth = 4 } = {}): Relations {
  const parents = [-1];
  let [first, last] = [0, 1];
  for (let level = 0; level < depth; level++) {
    for (let node = first; node < last; node++) for (let k = 0; k < branching; k++) parents.push(node);
    [first, last] = [last, parents.length];
  }
  const pairs: number[] = [];
  parents.forEach((parent, node) => {
    for (let above = parent; above >= 0; above = parents[above]) pairs.push(node, above);
  });
  return { names: parents.map((_, i) => `node${i}`), pairs: Uint32Array.from(pairs) };
}
