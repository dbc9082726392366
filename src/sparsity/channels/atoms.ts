/**
 * What decides whether an index of an axis survives: a set of *atoms*, all of which must be kept. A channel of a
 * convolution is one atom; an index of an axis that joins heads and features is the set {head, feature}. Atoms that
 * operators tie together are unified, so that after a pass over the graph two indices with the same atoms live and die
 * together. A blocked atom is always kept and knows why.
 */
export interface Atoms {
  /** `length` new atoms, one an index; blocked from the start where a reason is given. */
  fresh(length: number, reason?: string): Ids;
  /** A reference to the union of several sets. */
  product(parts: readonly Id[]): Id;
  /** Demands that `a` and `b` survive together. `why` becomes the reason where one of the two cannot go. */
  unify(a: Id, b: Id, why: string): void;
  /** Demands that the index stays. */
  block(id: Id, reason: string): void;
  /** The same where nobody would ask why: the index loses its atoms, as a kernel's row does. */
  fix(id: Id): void;
  /** The atoms behind a reference, sorted; blocked ones are among them. */
  roots(id: Id): readonly Id[];
  /** Those that may go. */
  free(id: Id): readonly Id[];
  /** Why an atom stays, if it must. */
  reason(root: Id): string | undefined;
}

/** A reference to a set of atoms. */
export type Id = number;
/** One reference for each index of an axis. */
export type Ids = readonly Id[];

/** The empty set: an index that always stays, such as a pixel's. */
export const FIXED: Id = 0;

const NONE: readonly Id[] = [];

export function createAtoms(): Atoms {
  // A node is a root, a link to another node, or bound to a set of nodes.
  const link: Id[] = [FIXED];
  const parts = new Map<Id, readonly Id[]>();
  const reasons = new Map<Id, string>();

  const add = () => link.push(link.length) - 1;

  const end = (id: Id): Id => {
    while (link[id] !== id) id = link[id] = link[link[id]];
    return id;
  };

  const roots = (id: Id): readonly Id[] => {
    const at = end(id);
    if (at === FIXED) return NONE;
    const bound = parts.get(at);
    if (!bound) return [at];
    return [...new Set(bound.flatMap(roots))].sort((a, b) => a - b);
  };

  const free = (id: Id) => roots(id).filter((r) => !reasons.has(r));

  const join = (a: Id, b: Id) => {
    const [low, high] = a < b ? [a, b] : [b, a];
    if (low === high) return;
    link[high] = low;
    const reason = reasons.get(low) ?? reasons.get(high);
    reasons.delete(high);
    if (reason !== undefined) reasons.set(low, reason);
  };

  const blockAll = (list: readonly Id[], reason: string) => {
    for (const r of list) reasons.set(r, reason);
  };

  const unify = (a: Id, b: Id, why: string) => {
    if (end(a) === end(b)) return;
    const [left, right] = [roots(a), roots(b)];
    if (left.length === 1 && right.length === 1) return join(left[0], right[0]);
    const only = (list: readonly Id[], other: readonly Id[]) =>
      list.filter((r) => !reasons.has(r) && !other.includes(r));
    const [p, q] = [only(left, right), only(right, left)];
    const cause = (list: readonly Id[]) => reasons.get(list.find((r) => reasons.has(r)) ?? FIXED) ?? why;
    if (p.length === 0) blockAll(q, cause(left));
    else if (q.length === 0) blockAll(p, cause(right));
    else if (p.length === 1 && q.length === 1) join(p[0], q[0]);
    else if (p.length === 1) parts.set(p[0], q);
    else if (q.length === 1) parts.set(q[0], p);
    // Two sets that share nothing may correspond in several ways; that all survive together satisfies every one.
    else for (const r of [...p, ...q]) join(end(r), end(p[0]));
  };

  return {
    fresh: (length, reason) =>
      Array.from({ length }, () => {
        const id = add();
        if (reason !== undefined) reasons.set(id, reason);
        return id;
      }),
    product: (list) => {
      const open = list.filter((id) => free(id).length > 0);
      if (open.length === 0) return list.find((id) => end(id) !== FIXED) ?? FIXED;
      if (open.length === 1) return open[0];
      const id = add();
      parts.set(id, open);
      return id;
    },
    unify,
    block: (id, reason) => blockAll(free(id), reason),
    fix: (id) => {
      for (const r of free(id)) parts.set(r, NONE);
    },
    roots,
    free,
    reason: (root) => reasons.get(root),
  };
}

/** References of an axis that joins several, the last of them running fastest. */
export function mergeAxes(atoms: Atoms, axes: readonly Ids[]): Ids {
  return axes.reduce<Ids>(
    (merged, axis) => merged.flatMap((m) => axis.map((id) => atoms.product([m, id]))),
    [FIXED],
  );
}

/**
 * The two axes [rows, columns] that a joined axis is cut into. Where its indices are not a product of rows and columns
 * already, they become one: index (i, j) survives when row i and column j do.
 */
export function splitAxis(atoms: Atoms, ids: Ids, rows: number, columns: number, why: string): [Ids, Ids] {
  if (rows === 1) return [[FIXED], ids];
  if (columns === 1) return [ids, [FIXED]];
  const sets = ids.map((id) => atoms.free(id));
  const at = (i: number, j: number) => sets[i * columns + j];
  const common = (count: number, set: (k: number) => readonly Id[]) => {
    let shared = set(0);
    for (let k = 1; k < count && shared.length > 0; k++) {
      const next = set(k);
      shared = shared.filter((r) => next.includes(r));
    }
    return shared;
  };
  const ofRow = Array.from({ length: rows }, (_, i) => common(columns, (j) => at(i, j)));
  const ofColumn = Array.from({ length: columns }, (_, j) => common(rows, (i) => at(i, j)));
  const rest = sets.map((set, k) => {
    const [row, column] = [ofRow[Math.floor(k / columns)], ofColumn[k % columns]];
    return set.filter((r) => !row.includes(r) && !column.includes(r));
  });
  if (rest.every((r) => r.length === 0)) {
    // Where nothing is free, an index that is blocked lends its reason.
    const blocked = ids.find((id, k) => sets[k].length === 0 && atoms.roots(id).length > 0) ?? FIXED;
    const reference = (set: readonly Id[]) => (set.length ? atoms.product(set) : blocked);
    return [ofRow.map(reference), ofColumn.map(reference)];
  }
  const [freshRows, freshColumns] = [atoms.fresh(rows), atoms.fresh(columns)];
  rest.forEach((set, k) => {
    const pair = atoms.product([freshRows[Math.floor(k / columns)], freshColumns[k % columns]]);
    atoms.unify(set.length ? atoms.product(set) : FIXED, pair, why);
  });
  return [
    ofRow.map((set, i) => atoms.product([...set, freshRows[i]])),
    ofColumn.map((set, j) => atoms.product([...set, freshColumns[j]])),
  ];
}
