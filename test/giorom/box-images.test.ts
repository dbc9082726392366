import { expect, test } from "vitest";
import { randomImage } from "../../src/giorom/box-images.ts";
import type { Setting } from "../../src/giorom/setting.ts";
import { random } from "../../src/random.ts";

const CUBE: Setting["bounds"] = [
  [0.1, 0.9],
  [0, 1],
  [0.1, 0.9],
];

/** Every image of a point that 200 draws come upon, as text. */
function imagesOf(bounds: Setting["bounds"], point: number[]): string[] {
  const rng = random(3);
  const found = Array.from({ length: 200 }, () =>
    Array.from(randomImage(bounds, rng)(Float64Array.from(point)), (x) => x.toFixed(3)).join(" "),
  );
  return [...new Set(found)].sort();
}

test("a square floor has eight images, another one four, the plane two; heights never change", () => {
  expect(imagesOf(CUBE, [0.2, 0.3, 0.6])).toEqual(
    ["0.2", "0.8"]
      .flatMap((x) =>
        ["0.4", "0.6"].flatMap((z) => [
          [x, z],
          [z, x],
        ]),
      )
      .map(([x, z]) => `${x}00 0.300 ${z}00`)
      .sort(),
  );
  const oblong: Setting["bounds"] = [CUBE[0], CUBE[1], [0.1, 1.1]];
  expect(imagesOf(oblong, [0.2, 0.3, 0.6])).toEqual(["0.200 0.300 0.600", "0.800 0.300 0.600"]);
  expect(imagesOf(oblong, [0.2, 0.3, 0.5])).toHaveLength(4);
  expect(imagesOf(CUBE.slice(0, 2), [0.2, 0.3])).toEqual(["0.200 0.300", "0.800 0.300"]);
});

test("an image is the same for all particles: distances and the ways to the walls stay", () => {
  const rng = random(5);
  const cloud = Float64Array.from({ length: 30 }, () => 0.1 + 0.8 * rng.uniform());
  const between = (p: Float64Array, i: number, j: number) =>
    Math.hypot(...[0, 1, 2].map((k) => p[3 * i + k] - p[3 * j + k]));
  const walls = (p: Float64Array, i: number) =>
    [0, 2].flatMap((k) => [p[3 * i + k] - 0.1, 0.9 - p[3 * i + k]]).sort((a, b) => a - b);
  for (let draw = 0; draw < 20; draw++) {
    const image = randomImage(CUBE, rng)(cloud);
    for (let i = 0; i < 10; i++) {
      walls(cloud, i).forEach((way, w) => expect(walls(image, i)[w]).toBeCloseTo(way, 12));
      for (let j = 0; j < i; j++) expect(between(image, i, j)).toBeCloseTo(between(cloud, i, j), 12);
    }
  }
});
