import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ancestorsOf, directRelations, readRelations } from "../../src/data/relations.ts";
import { balancedTree } from "../../src/data/synthetic/balanced-tree.ts";
import { drawDisk } from "../../src/geometry/disk.ts";
import { euclideanPoints } from "../../src/geometry/euclidean-points.ts";
import { drawHierarchy } from "../../src/geometry/hierarchy-disk.ts";
import { lorentzPoints } from "../../src/geometry/lorentz-points.ts";
import type { Manifold } from "../../src/geometry/manifold.ts";
import { poincarePoints } from "../../src/geometry/poincare-points.ts";
import { embedTree, reconstruction } from "../../src/geometry/tree-embedding.ts";
import { random } from "../../src/random.ts";
import { expectProblem, SHARED_DATA } from "../data/support.ts";

describe("relations", () => {
  it("are read from lines; a line that is no pair is named", () => {
    const relations = readRelations(
      "# a header\ndog\tcanine\ndog\tmammal\r\ncanine\tmammal\nmammal\tmammal\n\n",
    );
    expect(relations.names).toEqual(["dog", "canine", "mammal"]);
    expect([...relations.pairs]).toEqual([0, 1, 0, 2, 1, 2]);
    expect(directRelations(relations)).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expectProblem(() => readRelations("a\tb\nc\n", "file.tsv"), /^file\.tsv, line 2: /);
    expectProblem(() => readRelations("# nothing"), /holds no pairs/);
  });

  it("children with their parents are enough; what is given twice counts once; circles are named", () => {
    const tree = balancedTree({ branching: 3, depth: 3 });
    const lines = directRelations(tree).map(
      ([child, parent]) => `${tree.names[child]}\t${tree.names[parent]}`,
    );
    const found = readRelations([...lines, ...lines].join("\n"));
    const named = ({ names, pairs }: typeof tree) =>
      Array.from(
        { length: pairs.length / 2 },
        (_, i) => `${names[pairs[2 * i]]} ${names[pairs[2 * i + 1]]}`,
      ).sort();
    expect(named(found)).toEqual(named(tree));
    // Two ways up, of which one is longer.
    expect(readRelations("a\tb\na\tc\nb\td\nc\td\n").pairs).toHaveLength(10);
    expectProblem(
      () => readRelations("a\tb\nb\tc\nc\ta\n", "t.tsv"),
      /^t\.tsv: "a" is below "c" and above it/,
    );
  });

  it("of a balanced tree", () => {
    const tree = balancedTree({ branching: 2, depth: 3 });
    expect(tree.names).toHaveLength(15);
    // Σ over levels of level · 2^level.
    expect(tree.pairs.length / 2).toBe(2 + 2 * 4 + 3 * 8);
    expect(directRelations(tree)).toHaveLength(14);
    expect(ancestorsOf(tree)[14]).toEqual([6, 2, 0]);
  });

  it.skipIf(!existsSync(SHARED_DATA))("of WordNet's mammals", () => {
    const mammals = readRelations(readFileSync(join(SHARED_DATA, "wordnet/mammal_closure.tsv"), "utf8"));
    expect(mammals.names).toHaveLength(1181);
    expect(mammals.pairs.length / 2).toBe(6541);
  });
});

describe("reconstruction", () => {
  it("counts ranks and precisions as by hand", () => {
    // From 0 the order is 3, 1, 4, 2, with 1 and 2 its ancestors; from 1 it is 2 first.
    const relations = { names: ["0", "1", "2", "3", "4"], pairs: Uint32Array.of(0, 1, 0, 2, 1, 2) };
    const places = [
      [0, 2, 4, 1, 3],
      [9, 0, 1, 5, 6],
    ];
    const found = reconstruction(relations, (u, v) => places[u][v]);
    expect(found.meanRank).toBeCloseTo((2 + 3 + 1) / 3, 14);
    expect(found.map).toBeCloseTo(((1 / 2 + 2 / 4) / 2 + 1) / 2, 14);
  });

  it("of a collapsed or random embedding is bad", () => {
    const tree = balancedTree({ branching: 3, depth: 3 });
    const collapsed = reconstruction(tree, () => 0);
    expect(collapsed.meanRank).toBeGreaterThan(30);
    expect(collapsed.map).toBeLessThan(0.15);
    expectProblem(() => reconstruction(tree, () => Number.NaN), /a distance from "/);
    const rng = random(1);
    const [x, y] = [0, 1].map(() => tree.names.map(() => rng.normal()));
    expect(reconstruction(tree, (u, v) => Math.hypot(x[u] - x[v], y[u] - y[v])).map).toBeLessThan(0.3);
  });
});

describe("embedding", () => {
  const tree = balancedTree({ branching: 3, depth: 3 });
  const embed = (m: Manifold, seed = 0) => {
    const points = embedTree(m, tree, { dimension: 2, epochs: 200, negatives: 20, burnIn: 10, seed });
    return { points, ...reconstruction(tree, (u, v) => m.distance(points[u], points[v])) };
  };

  it("a tree fits into the hyperbolic plane, in both models; less well into the flat one", () => {
    const [ball, sheet, flat] = [poincarePoints(), lorentzPoints(), euclideanPoints].map((m) => embed(m));
    for (const { map, meanRank } of [ball, sheet]) {
      expect(map).toBeGreaterThan(0.95);
      expect(meanRank).toBeLessThan(1.3);
    }
    expect(flat.map).toBeLessThan(Math.min(ball.map, sheet.map) - 0.05);
    // The root ends innermost, leaves outermost.
    const radius = (p: Float64Array) => Math.hypot(...p);
    expect(radius(ball.points[0])).toBeLessThan(radius(ball.points[1]));
    expect(radius(ball.points[1])).toBeLessThan(radius(ball.points[39]));
  });

  it("chains end, whose last node has no unrelated one", () => {
    for (const text of ["a\tb\n", "a\tb\nb\tc\nx\tc\n"]) {
      const relations = readRelations(text);
      const points = embedTree(lorentzPoints(), relations, { dimension: 2, epochs: 30, negatives: 3 });
      expect(points.flatMap((p) => [...p]).every(Number.isFinite)).toBe(true);
    }
  });

  it.each([
    [{ dimension: 0 }, "dimension is 0"],
    [{ dimension: 1.5 }, "dimension is 1.5"],
    [{ negatives: 0 }, "negatives is 0"],
    [{ epochs: -1 }, "epochs is -1"],
    [{ learningRate: Number.NaN }, "learningRate is NaN"],
    [{ learningRate: 1e9, burnIn: 0 }, "points left the space in epoch 1; take a learning rate below"],
  ])("%o is refused", (options, words) => {
    expectProblem(
      () => embedTree(euclideanPoints, tree, { dimension: 2, epochs: 3, ...options }),
      new RegExp(words),
    );
  });

  it("depends on the seed alone", () => {
    const once = embed(poincarePoints(), 3);
    expect(embed(poincarePoints(), 3).points).toEqual(once.points);
    expect(embed(poincarePoints(), 4).points).not.toEqual(once.points);
  });
});

describe("the disk", () => {
  it("draws geodesics: arcs through both points that meet the edge at right angles", () => {
    const [a, b] = [
      [0.5, 0.1],
      [-0.2, 0.6],
    ] as const;
    const svg = drawDisk({ points: [a, b], edges: [[0, 1]], labels: new Map([[0, "a & b"]]), size: 1024 });
    const scale = 500;
    const [, x1, y1, r, flag, x2, y2] = svg
      .match(/M([\d.]+) ([\d.]+)A([\d.]+) [\d.]+ 0 0 (\d) ([\d.]+) ([\d.]+)/)!
      .map(Number);
    const plane = (x: number, y: number) => [(x - 512) / scale, -(y - 512) / scale];
    expect(plane(x1, y1)[0]).toBeCloseTo(a[0], 4);
    expect(plane(x2, y2)[1]).toBeCloseTo(b[1], 4);
    const [p, q] = [plane(x1, y1), plane(x2, y2)];
    const radius = r / scale;
    const chord = Math.hypot(q[0] - p[0], q[1] - p[1]);
    const sagitta = radius - Math.sqrt(radius ** 2 - (chord / 2) ** 2);
    // Sweep 1 turns clockwise on the screen, so that the arc bulges to the left of its direction there.
    const side = flag === 1 ? 1 : -1;
    const bulge = [
      (p[0] + q[0]) / 2 - (side * sagitta * (q[1] - p[1])) / chord,
      (p[1] + q[1]) / 2 + (side * sagitta * (q[0] - p[0])) / chord,
    ];
    // The middle of the arc lies on the geodesic: no way between a and b through it is longer.
    const m = poincarePoints();
    const onGeodesic = (x: number[]) =>
      m.distance(Float64Array.from(a), Float64Array.from(x)) +
      m.distance(Float64Array.from(x), Float64Array.from(b)) -
      m.distance(Float64Array.from(a), Float64Array.from(b));
    expect(onGeodesic(bulge)).toBeLessThan(1e-4);
    expect(onGeodesic([(p[0] + q[0]) / 2, (p[1] + q[1]) / 2])).toBeGreaterThan(1e-2); // control: the chord
    expect(svg).toContain("a &amp; b");
  });

  it("writes names to the side where there is room", () => {
    const points = [
      [0.95, 0],
      [-0.95, 0],
    ] as const;
    const names = new Map([
      [0, "right"],
      [1, "left"],
    ]);
    const svg = drawDisk({ points, edges: [], labels: names });
    expect(svg).toMatch(/text-anchor="end"[^>]*>right</);
    expect(svg).not.toMatch(/text-anchor="end"[^>]*>left</);
  });

  it("of a hierarchy has the most general node in its centre, and keeps distances", () => {
    const tree = balancedTree({ branching: 2, depth: 2 });
    const m = lorentzPoints();
    const rng = random(2);
    const points = tree.names.map(() => {
      const p = new Float64Array(3);
      m.fromOrigin(
        Float64Array.from({ length: 2 }, () => rng.normal()),
        p,
      );
      return p;
    });
    const svg = drawHierarchy(tree, m, points);
    const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="[24]"/g)];
    const disk = poincarePoints();
    const drawn = circles.map(([, x, y]) =>
      Float64Array.of((Number(x) - 450) / 438, -(Number(y) - 450) / 438),
    );
    expect(drawn).toHaveLength(7);
    expect([...drawn[0]].map(Math.abs)).toEqual([0, 0]);
    // Coordinates are written to a hundredth of a pixel.
    for (let i = 1; i < 7; i++)
      expect(disk.distance(drawn[i], drawn[i - 1])).toBeCloseTo(m.distance(points[i], points[i - 1]), 2);
  });
});
