import { Problem } from "../problem.ts";

/** Pairs (descendant, ancestor) of a hierarchy, with all that follow from others: its transitive closure. */
export interface Relations {
  names: readonly string[];
  /** Indices of names, two a pair. */
  pairs: Uint32Array;
}

/**
 * Lines "descendant⇥ancestor"; what stands behind a second tab is left out, as are empty lines and comments (#). Children with
 * their parents are enough: what follows from them is added. Throws a `Problem` where something is above itself.
 */
export function readRelations(text: string, name = "relations"): Relations {
  const ids = new Map<string, number>();
  const idOf = (label: string) => {
    if (!ids.has(label)) ids.set(label, ids.size);
    return ids.get(label)!;
  };
  const pairs: number[] = [];
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "" || line.startsWith("#")) return;
    const [from, to] = line.replace("\r", "").split("\t");
    if (!from || !to)
      throw new Problem(
        `${name}, line ${i + 1}: expected two names with a tab between them, found "${line}"`,
      );
    if (from !== to) pairs.push(idOf(from), idOf(to));
  });
  if (pairs.length === 0)
    throw new Problem(
      `${name}: holds no pairs; expected lines of two different names with a tab between them`,
    );
  const names = [...ids.keys()];
  return { names, pairs: closed(names, pairs, name) };
}

/** The pairs, each once, and behind them those that follow. */
function closed(names: readonly string[], pairs: readonly number[], name: string): Uint32Array {
  const given = names.map(() => new Set<number>());
  const all: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const [from, to] = [pairs[i], pairs[i + 1]];
    if (given[from].has(to)) continue;
    given[from].add(to);
    all.push(from, to);
  }
  names.forEach((label, from) => {
    const above = new Set(given[from]);
    // A set is walked through to what is added on the way.
    for (const to of above)
      for (const next of given[to]) {
        if (next === from)
          throw new Problem(
            `${name}: "${label}" is below "${names[to]}" and above it too, so this is no hierarchy; take one of the two out`,
          );
        if (!above.has(next)) all.push(from, next);
        above.add(next);
      }
  });
  return Uint32Array.from(all);
}

/** Every node's relations with its ancestors, in the order of the pairs. */
export function ancestorsOf({ names, pairs }: Relations): number[][] {
  const ancestors = names.map(() => [] as number[]);
  for (let i = 0; i < pairs.length; i += 2) ancestors[pairs[i]].push(pairs[i + 1]);
  return ancestors;
}

/** The pairs that follow from no others: (child, parent). */
export function directRelations(relations: Relations): [child: number, parent: number][] {
  const ancestors = ancestorsOf(relations).map((list) => new Set(list));
  return ancestors.flatMap((above, child) =>
    [...above]
      .filter((parent) => ![...above].some((between) => between !== parent && ancestors[between].has(parent)))
      .map((parent): [number, number] => [child, parent]),
  );
}
