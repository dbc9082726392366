import { describe, expect, it } from "vitest";
import type { Random } from "../../../src/random.ts";
import { random } from "../../../src/random.ts";
import type { Atoms, Id, Ids } from "../../../src/sparsity/channels/atoms.ts";
import { createAtoms, FIXED, mergeAxes, splitAxis } from "../../../src/sparsity/channels/atoms.ts";

const sets = (atoms: Atoms, ids: Ids) => ids.map((id) => [...atoms.free(id)]);
const fixed = (length: number) => new Array<Id>(length).fill(FIXED);

describe("axes that are joined and cut", () => {
  it("come back as they were", () => {
    const atoms = createAtoms();
    const [heads, features] = [atoms.fresh(3), atoms.fresh(4)];
    const [rows, columns] = splitAxis(atoms, mergeAxes(atoms, [heads, features]), 3, 4, "");
    expect(sets(atoms, rows)).toEqual(sets(atoms, heads));
    expect(sets(atoms, columns)).toEqual(sets(atoms, features));
  });

  it("leave pixels without atoms", () => {
    const atoms = createAtoms();
    const channels = atoms.fresh(3);
    const flat = mergeAxes(atoms, [channels, fixed(4)]);
    const [rows, columns] = splitAxis(atoms, flat, 3, 4, "");
    expect(sets(atoms, rows)).toEqual(sets(atoms, channels));
    expect(columns).toEqual(fixed(4));
    const [pixels, back] = splitAxis(atoms, mergeAxes(atoms, [fixed(4), channels]), 4, 3, "");
    expect(pixels).toEqual(fixed(4));
    expect(sets(atoms, back)).toEqual(sets(atoms, channels));
  });

  it("of plain channels become rows times columns", () => {
    const atoms = createAtoms();
    const channels = atoms.fresh(6);
    const [rows, columns] = splitAxis(atoms, channels, 2, 3, "");
    channels.forEach((id, k) => {
      const [row, column] = [atoms.free(rows[Math.floor(k / 3)]), atoms.free(columns[k % 3])];
      expect([...atoms.free(id)].sort()).toEqual([...row, ...column].sort());
      expect([row.length, column.length]).toEqual([1, 1]);
    });
  });

  it("of blocked channels keep the reason", () => {
    const atoms = createAtoms();
    const [rows] = splitAxis(atoms, atoms.fresh(6, "a reason"), 2, 3, "");
    const [other] = atoms.fresh(1);
    atoms.unify(rows[0], other, "another");
    expect(atoms.free(other)).toEqual([]);
    expect(atoms.reason(atoms.roots(other)[0])).toBe("a reason");
  });

  it("in two ways that contradict each other are one piece", () => {
    const atoms = createAtoms();
    const channels = atoms.fresh(6);
    splitAxis(atoms, channels, 2, 3, "");
    splitAxis(atoms, channels, 3, 2, "");
    expect(new Set(channels.flatMap((id) => atoms.free(id).length)).size).toBe(1);
    const all = sets(atoms, channels).map((s) => s.join());
    expect(new Set(all).size).toBe(1);
  });
});

/** A world of axes under random operations, with every equality that was demanded. */
function randomWorld(r: Random) {
  const atoms = createAtoms();
  const pool: Ids[] = [
    atoms.fresh(12),
    atoms.fresh(12),
    fixed(12),
    atoms.fresh(12, "blocked"),
    atoms.fresh(4),
    atoms.fresh(3),
  ];
  const pick = (length?: number) => {
    const fitting = pool.filter((ids) => length === undefined || ids.length === length);
    return fitting[r.integer(fitting.length)];
  };
  const equal: [Id[], Id[]][] = [];
  for (let step = 0; step < 8; step++) {
    const kind = r.integer(4);
    if (kind === 0) {
      const a = pick();
      const b = pick(a.length);
      a.forEach((id, i) => {
        atoms.unify(id, b[i], "unify");
        equal.push([[id], [b[i]]]);
      });
    } else if (kind === 1) {
      const [a, b] = [pick(4), pick(3)];
      const merged = mergeAxes(atoms, [a, b]);
      merged.forEach((id, k) => equal.push([[id], [a[Math.floor(k / 3)], b[k % 3]]]));
      pool.push(merged);
    } else if (kind === 2) {
      const ids = pick(12);
      const [rows, columns] = r.uniform() < 0.5 ? [3, 4] : [4, 3];
      const [a, b] = splitAxis(atoms, ids, rows, columns, "split");
      ids.forEach((id, k) => equal.push([[id], [a[Math.floor(k / columns)], b[k % columns]]]));
      pool.push(a, b);
    } else atoms.block(pick()[0], "now blocked");
  }
  return { atoms, pool, equal };
}

it("whatever may go, what was tied goes together", () => {
  let free = 0;
  for (let seed = 0; seed < 500; seed++) {
    const r = random(seed);
    const { atoms, pool, equal } = randomWorld(r);
    const open = [...new Set(pool.flat().flatMap((id) => [...atoms.free(id)]))];
    free += open.length;
    for (let trial = 0; trial < 10; trial++) {
      const gone = new Set(open.filter(() => r.uniform() < 0.3));
      const alive = (ids: readonly Id[]) =>
        ids.every((id) => !atoms.roots(id).some((root) => gone.has(root)));
      const parted = equal.filter(([a, b]) => alive(a) !== alive(b));
      expect(parted, `seed ${seed}`).toEqual([]);
    }
  }
  // Blocking everything would satisfy the above.
  expect(free).toBeGreaterThan(500 * 3);
});
