import { describe, expect, it } from "vitest";
import { imageEdges, imageSkeleton, resizeImage, videoEdges } from "../../src/memory/encoders/images.ts";
import { orientedEdges } from "../../src/memory/encoders/oriented-edges.ts";
import {
  categoryEncoder,
  encodeBits,
  joinEncoders,
  scalarEncoder,
  textEncoder,
} from "../../src/memory/encoders/values.ts";
import { createMemory } from "../../src/memory/memory.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";

const shared = (a: readonly number[], b: readonly number[]) => a.filter((x) => b.includes(x)).length;

/** '#' is 1. */
const picture = (...rows: string[]) => ({
  width: rows[0].length,
  height: rows.length,
  data: [...rows.join("")].map((c) => Number(c === "#")),
});

describe("values", () => {
  it("bits", () => {
    expect(encodeBits([0, 1, 0.4, 0.6], 0.5)).toEqual([1, 3]);
  });

  it("numbers share inputs as they are close, always equally many", () => {
    const { encode, size } = scalarEncoder({ min: -10, max: 10, size: 120, active: 20 });
    expect(size).toBe(120);
    for (let d = 0; d <= 20; d++) expect(shared(encode(-10), encode(-10 + d))).toBe(Math.max(0, 20 - 5 * d));
    expect(encode(-99)).toEqual(encode(-10));
    expect(encode(99).at(-1)).toBe(119);
    expectProblem(() => encode(Number.NaN), /not a number/);
    expectProblem(() => scalarEncoder({ min: 1, max: 1, size: 9, active: 2 }), /range 1 to 1 is empty/);
    expectProblem(() => scalarEncoder({ min: 0, max: 1, size: 9, active: 10 }), /10 active inputs of 9/);
  });

  it("categories share nothing", () => {
    const { encode, size } = categoryEncoder(["red", "green", "blue"], 5);
    expect(size).toBe(15);
    expect(new Set(["red", "green", "blue"].flatMap(encode)).size).toBe(15);
    expectProblem(() => encode("grene"), /unknown category "grene"; known: red, green, blue/);
    expectProblem(() => categoryEncoder(["a", "a"]), /named twice/);
  });

  it("texts share inputs as they share pieces", () => {
    const { encode } = textEncoder();
    expect(encode("The  Cat\n")).toEqual(encode("the cat"));
    expect(encode("  ")).toEqual([]);
    expect(encode("a").length).toBeGreaterThan(0);
    const near = shared(encode("associative memory"), encode("associative memories"));
    const far = shared(encode("associative memory"), encode("hungry wolves"));
    expect(near).toBeGreaterThan(24);
    expect(far).toBeLessThan(4);
  });

  it("side by side", () => {
    const { encode, size } = joinEncoders(
      scalarEncoder({ min: 0, max: 1, size: 10, active: 3 }),
      categoryEncoder(["a", "b"], 2),
    );
    expect(size).toBe(14);
    expect(encode([1, "b"])).toEqual([7, 8, 9, 12, 13]);
  });

  it("a memory of numbers is the more familiar the nearer", () => {
    const { encode, size } = scalarEncoder({ min: 0, max: 100, size: 400, active: 40 });
    const memory = createMemory({ inputs: size, seed: 1 });
    for (const value of [10, 50, 90]) memory.learn(encode(value));
    const g = [50, 52, 54, 57, 70].map((value) => memory.recognize(encode(value)).familiarity!);
    for (let i = 1; i < g.length; i++) expect(g[i]).toBeLessThan(g[i - 1]);
  });
});

describe("images", () => {
  it("are resized by area", () => {
    const data = Float64Array.from({ length: 28 * 28 }, random(1).uniform);
    const small = resizeImage({ width: 28, height: 28, data }, 14, 7);
    for (const [x, y] of [
      [0, 0],
      [13, 6],
      [5, 3],
    ]) {
      let sum = 0;
      for (let r = 0; r < 4; r++) for (let c = 0; c < 2; c++) sum += data[(4 * y + r) * 28 + 2 * x + c];
      expect(small.data[y * 14 + x]).toBeCloseTo(sum / 8, 12);
    }
    const odd = resizeImage({ width: 28, height: 28, data }, 16, 24);
    const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
    expect(mean(odd.data)).toBeCloseTo(mean(data), 12);
  });

  it("have edges where they change, one pixel wide, the strongest first", () => {
    const width = 12;
    const data = Array.from({ length: 12 * 12 }, (_, i) => (i % width < 4 ? 0 : i % width < 8 ? 100 : 130));
    const edges = imageEdges({ width, height: 12, data }, 12);
    expect(new Set(edges.map((i) => i % width))).toEqual(new Set([4]));
    expect(edges).toHaveLength(12);
    expect(new Set(imageEdges({ width, height: 12, data }, 99).map((i) => i % width))).toEqual(
      new Set([4, 8]),
    );
    expect(imageEdges({ width, height: 12, data: data.map(() => 7) }, 9)).toEqual([]);
    expectProblem(() => imageEdges({ width: 5, height: 5, data: [1] }, 3), /1 pixels are not 5×5/);
  });

  it("have oriented edges that tell dark to bright from bright to dark", () => {
    const side = 9;
    const step = (bright: (x: number, y: number) => boolean) => ({
      width: side,
      height: side,
      data: Array.from({ length: side * side }, (_, i) => Number(bright(i % side, Math.floor(i / side)))),
    });
    const directions = (image: ReturnType<typeof step>, n: number) => {
      const active = orientedEdges(image, { threshold: 3, directions: n });
      // Away from the border, which is an edge itself.
      const inner = active.filter((j) => {
        const [x, y] = [Math.floor(j / n) % side, Math.floor(j / n / side)];
        return x > 1 && y > 1 && x < side - 2 && y < side - 2;
      });
      expect(inner.length).toBeGreaterThan(4);
      return [...new Set(inner.map((j) => j % n))];
    };
    for (const [bright, eighth] of [
      [(x: number) => x > 4, 0],
      [(x: number, y: number) => x + y > 8, 1],
      [(_: number, y: number) => y > 4, 2],
      [(x: number) => x <= 4, 4],
      [(_: number, y: number) => y <= 4, 6],
    ] as const) {
      expect(directions(step(bright), 8)).toEqual([eighth]);
      if (eighth % 2 === 0) expect(directions(step(bright), 4)).toEqual([eighth / 2]);
    }
    const flat = step(() => false);
    expect(orientedEdges(flat, { threshold: 1 })).toEqual([]);
    expectProblem(() => orientedEdges({ ...flat, width: 4 }, { threshold: 1 }), /81 pixels are not 4×9/);
  });

  it("are thinned to lines that stay connected", () => {
    const bar = picture("..........", ".########.", ".########.", ".########.", "..........");
    expect(imageSkeleton(bar, 0.5).every((i) => Math.floor(i / 10) === 2)).toBe(true);
    expect(imageSkeleton(bar, 0.5).length).toBeGreaterThan(4);
    const line = picture(".....", ".###.", ".....");
    expect(imageSkeleton(line, 0.5)).toEqual([6, 7, 8]);
    const rng = random(5);
    for (let trial = 0; trial < 40; trial++) {
      const width = 14;
      const blob = new Uint8Array(width * width);
      for (let b = 0; b < 4; b++) {
        const [cx, cy, r] = [3 + 8 * rng.uniform(), 3 + 8 * rng.uniform(), 1.6 + 2 * rng.uniform()];
        for (let i = 0; i < blob.length; i++)
          if (Math.hypot((i % width) - cx, Math.floor(i / width) - cy) < r) blob[i] = 1;
      }
      const thin = imageSkeleton({ width, height: width, data: blob }, 0);
      expect(pieces(thin, width)).toBe(pieces(encodeBits(blob), width));
      for (const i of thin) expect(blob[i]).toBe(1);
      expect(thin.length).toBeLessThan(encodeBits(blob).length);
    }
  });

  it("in clips show what moves and not what stands", () => {
    const frames = Array.from({ length: 9 }, (_, t) => ({
      width: 20,
      height: 10,
      // A pillar that stands at 15, and a square that walks from 1 to 9.
      data: Array.from({ length: 200 }, (_, i) => {
        const [x, y] = [i % 20, Math.floor(i / 20)];
        return x === 15 ? 200 : x >= t + 1 && x < t + 4 && y >= 3 && y < 7 ? 100 : 10;
      }),
    }));
    for (const [t, edges] of videoEdges(frames, 30).entries()) {
      expect(edges.length).toBeGreaterThan(5);
      for (const i of edges) expect(Math.abs((i % 20) - t - 2)).toBeLessThanOrEqual(3);
    }
    expect(videoEdges([], 3)).toEqual([]);
    expectProblem(() => videoEdges([frames[0], picture("##")], 3), /20×10 and 2×1 in one clip/);
  });
});

/** Connected parts, diagonals included. */
function pieces(pixels: readonly number[], width: number): number {
  const left = new Set(pixels);
  let count = 0;
  for (const start of pixels) {
    if (!left.delete(start)) continue;
    count++;
    for (const queue = [start]; queue.length > 0; ) {
      const i = queue.pop()!;
      for (const dy of [-1, 0, 1])
        for (const dx of [-1, 0, 1]) {
          const x = (i % width) + dx;
          const next = i + dy * width + dx;
          if (x >= 0 && x < width && left.delete(next)) queue.push(next);
        }
    }
  }
  return count;
}
