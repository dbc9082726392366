import { describe, expect, test } from "vitest";
import { createCellList } from "../../src/physics/cell-list.ts";
import { nearestNeighbors } from "../../src/physics/nearest-neighbors.ts";
import type { Dim } from "../../src/physics/particles.ts";
import { countComponents, radiusNeighbors } from "../../src/physics/radius-graph.ts";
import { farthestPoints, randomPoints } from "../../src/physics/sampling.ts";
import { random } from "../../src/random.ts";
import { block, flat, vectors } from "./support.ts";

const { uniform, normal } = random(19);
const clouds: [string, (dim: Dim) => Float64Array][] = [
  ["uniform", (dim) => Float64Array.from({ length: 300 * dim }, uniform)],
  [
    "two far clusters",
    (dim) => Float64Array.from({ length: 200 * dim }, (_, i) => (i % 2) * 1e3 + 0.1 * normal()),
  ],
  ["a lattice, full of ties", (dim) => block(dim, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5].slice(0, dim), 1 / 16)],
  ["a line", (dim) => Float64Array.from({ length: 100 * dim }, (_, i) => (i % dim === 0 ? uniform() : 0.3))],
  ["all in one place", (dim) => new Float64Array(40 * dim).fill(0.25)],
  ["one", (dim) => new Float64Array(dim).fill(0.5)],
];

function squaredDistance(
  a: ArrayLike<number>,
  i: number,
  b: ArrayLike<number>,
  j: number,
  dim: number,
): number {
  let d = 0;
  for (let k = 0; k < dim; k++) d += (a[i * dim + k] - b[j * dim + k]) ** 2;
  return d;
}

/** The definition, without any grid. */
function withinRadius(points: Float64Array, queries: Float64Array, dim: number, radius: number): number[][] {
  const indices = Array.from({ length: points.length / dim }, (_, j) => j);
  return Array.from({ length: queries.length / dim }, (_, i) =>
    indices.filter((j) => squaredDistance(queries, i, points, j, dim) <= radius * radius),
  );
}

const listsOf = ({ starts, senders }: ReturnType<typeof radiusNeighbors>) =>
  Array.from({ length: starts.length - 1 }, (_, i) => [...senders.subarray(starts[i], starts[i + 1])]);

describe.each([2, 3] as const)("in %iD", (dim) => {
  describe.each(clouds)("%s", (_, make) => {
    const points = make(dim);
    const n = points.length / dim;
    const queries = Float64Array.from({ length: 60 * dim }, () => 3 * uniform() - 1);

    test("everything within a radius, as brute force finds it", () => {
      for (const radius of [0.02, 0.0625, 0.3, 5]) {
        expect(listsOf(radiusNeighbors(points, dim, radius))).toEqual(
          withinRadius(points, points, dim, radius),
        );
        expect(listsOf(radiusNeighbors(points, dim, radius, queries))).toEqual(
          withinRadius(points, queries, dim, radius),
        );
      }
    });

    test("the nearest, as sorting finds them", () => {
      const k = Math.min(8, n);
      for (const asked of [points, queries]) {
        const { indices, squaredDistances } = nearestNeighbors(points, asked, dim, k);
        for (let q = 0; q < asked.length / dim; q++) {
          const all = Array.from({ length: n }, (_, j) => ({
            j,
            d: squaredDistance(points, j, asked, q, dim),
          }));
          const expected = all.sort((a, b) => a.d - b.d || a.j - b.j).slice(0, k);
          expect([...indices.subarray(q * k, (q + 1) * k)]).toEqual(expected.map(({ j }) => j));
          expect([...squaredDistances.subarray(q * k, (q + 1) * k)]).toEqual(expected.map(({ d }) => d));
        }
      }
    });

    test("the farthest, by the definition", () => {
      const chosen = farthestPoints(points, dim, Math.min(12, n), n - 1);
      expect(chosen[0]).toBe(n - 1);
      for (let s = 1; s < chosen.length; s++) {
        const distance = (i: number) =>
          Math.min(...Array.from(chosen.subarray(0, s), (j) => squaredDistance(points, i, points, j, dim)));
        const all = Array.from({ length: n }, (_, i) => distance(i));
        expect(chosen[s]).toBe(all.indexOf(Math.max(...all)));
      }
    });

    test("no cell list has many more cells than points", () => {
      expect(createCellList(points, dim, 1e-9).starts.length).toBeLessThan(100 * (n + 1));
    });
  });
});

test("the vectors' graph", () => {
  const { points, fps6_start0, radius, edges_recv_send_with_self, degree, coverage_radius } =
    vectors.fps_graph;
  const all = Float64Array.from(flat(points));
  const chosen = farthestPoints(all, 2, 6);
  expect([...chosen]).toEqual(fps6_start0);
  const sparse = Float64Array.from([...chosen].flatMap((i) => points[i]));
  const lists = listsOf(radiusNeighbors(sparse, 2, radius));
  expect(lists.flatMap((senders, i) => senders.map((j) => [i, j]))).toEqual(edges_recv_send_with_self);
  expect(lists.map((senders) => senders.length)).toEqual(degree);
  const { squaredDistances } = nearestNeighbors(sparse, all, 2, 1);
  expect(Math.sqrt(Math.max(...squaredDistances))).toBeCloseTo(coverage_radius, 11);
});

test("parts of a graph", () => {
  const points = Float64Array.of(0, 0, 0.1, 0, 0.2, 0, 1, 1, 1.1, 1);
  expect(countComponents(radiusNeighbors(points, 2, 0.11))).toBe(2);
  expect(countComponents(radiusNeighbors(points, 2, 0.05))).toBe(5);
  expect(countComponents(radiusNeighbors(points, 2, 2))).toBe(1);
});

/** Protocol P2 of the spec: a 26 × 26 block, in units of the spacing √(area / n). */
test("farthest points cover better than random ones and hang together", () => {
  const points = block(2, [0.5, 0.5], [0.40625, 0.40625], 1 / 64);
  const pick = (chosen: Uint32Array) =>
    Float64Array.from([...chosen].flatMap((i) => [points[2 * i], points[2 * i + 1]]));
  const coverage = (sparse: Float64Array) =>
    Math.sqrt(Math.max(...nearestNeighbors(sparse, points, 2, 1).squaredDistances));
  const spacing = Math.sqrt(676 / 64) / 64;
  const even = pick(farthestPoints(points, 2, 64));
  const scattered = pick(randomPoints(676, 64, 1));
  expect(coverage(even)).toBeCloseTo(0.047, 3);
  expect(coverage(scattered)).toBeGreaterThan(1.3 * coverage(even));
  expect(countComponents(radiusNeighbors(even, 2, 2.2 * spacing))).toBe(1);
  // Control: a radius of one spacing.
  expect(countComponents(radiusNeighbors(even, 2, spacing))).toBeGreaterThan(1);
});

test("random samples have no index twice and depend on the seed alone", () => {
  const sample = randomPoints(50, 20, 4);
  expect(new Set(sample).size).toBe(20);
  expect(sample).toEqual(randomPoints(50, 20, 4));
  expect(sample).not.toEqual(randomPoints(50, 20, 5));
});

test("what cannot be done is said", () => {
  expect(() => radiusNeighbors([0, Number.NaN], 2, 1)).toThrow("point 0 is at NaN on axis y");
  expect(() => nearestNeighbors([0, 0], [0, 0], 2, 2)).toThrow("ask for at most 1");
  expect(() => farthestPoints([0, 0], 2, 2)).toThrow("cannot choose 2 of 1 points");
  expect(() => farthestPoints([0, 0], 2, 1, 3)).toThrow("no point 3");
});
