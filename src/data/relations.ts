import { Problem } from "../problem.ts";

/** Pairs (descendant, ancestor) of a hierarchy, with all that follow from others: its transitive closure. */
export interface Relations {
  names: readonly string[];
  /** Indices of names, two a pair. */
  pairs: Uint32Array;
}

/** Lines "descendant⇥ancestor"; what stands behind a second tab is left out, as are empty lines and comments (#). */
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
  if (pairs.length === 0) throw new Problem(`${name}: holds no pairs`);
  return { names: [...ids.keys()], pairs: Uint32Array.from(pairs) };
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
