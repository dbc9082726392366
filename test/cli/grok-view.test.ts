import { describe, expect, test } from "vitest";
import { bars, braille, sparkline } from "../../src/cli/glyphs.ts";
import { viewLine, viewLines } from "../../src/cli/grok-view.ts";
import type { Snapshot } from "../../src/sparsity/tickets/snapshot.ts";

describe("braille", () => {
  /** Unicode numbers the dots 1 2 3 7 down the left and 4 5 6 8 down the right; dot n is bit n − 1. */
  test("every dot is where Unicode has it", () => {
    const numbers = [
      [1, 4],
      [2, 5],
      [3, 6],
      [7, 8],
    ];
    numbers.forEach((row, r) => {
      row.forEach((n, c) => {
        const shares = Array.from({ length: 8 }, (_, i) => Number(i === 2 * r + c));
        expect(braille(shares, 4, 2)).toEqual([String.fromCodePoint(0x2800 + (1 << (n - 1)))]);
      });
    });
  });

  test("grey is so many dots, and edges stay empty", () => {
    const dots = (share: number) =>
      braille(new Array(64 * 64).fill(share), 64, 64)
        .join("")
        .split("")
        .reduce((sum, char) => {
          let bits = char.codePointAt(0)! - 0x2800;
          for (; bits > 0; bits >>= 1) sum += bits & 1;
          return sum;
        }, 0) /
      64 ** 2;
    for (const share of [0, 0.25, 0.5, 1]) expect(dots(share)).toBe(share);
    expect(braille([1], 1, 1)).toEqual(["⠁"]);
    expect(braille([1, 1, 1, 1, 1], 5, 1)).toEqual(["⡇", "⠁"]);
  });
});

test("bars", () => {
  expect(bars([0, 0.01, 0.5, 1, 2], 1)).toEqual([" ▁▄██"]);
  expect(bars([0, 0.5, 0.75, 1], 1, 2)).toEqual(["  ▄█", " ███"]);
  expect(bars([0, 0], 0)).toEqual(["  "]);
});

test("a sparkline has at most the width, and means of what falls together", () => {
  expect(sparkline([0, 1], 10, 1)).toBe(" █");
  expect(sparkline([0, 1, 1, 1], 2, 1)).toBe("▄█");
});

const snapshot: Snapshot = {
  step: 1200,
  train: 1,
  test: 0.34,
  mask: { rows: 8, columns: 4, shares: new Array(32).fill(1) },
  neurons: 8,
  neuronsAlive: 6,
  spectrum: [0.1, 0.7, 0.2],
  fourierEntropy: 0.8,
};

test("the view names run, accuracies, living neurons and the strongest frequency", () => {
  const lines = viewLines("seed 0 base", [{ ...snapshot, test: 0 }, snapshot], 24);
  expect(lines[0]).toMatch(/seed 0 base, step 1200 .*train .*100 % .*test ███░+ 34 %/);
  expect(lines[1]).toMatch(/8 neurons, 6 of them alive/);
  expect(lines.slice(2, 4)).toEqual(["⣿⣿", "⣿⣿"]);
  expect(lines.join("\n")).toMatch(/most at 2 \(70 %\), 3 \(20 %\)/);
  expect(lines.find((l) => l.startsWith("test accuracy"))).toMatch(/ {2}▃$/);
});

test("representations are named", () => {
  const lines = viewLines("seed 0 base", [{ ...snapshot, waveNames: ["sign", "4", "4′"] }], 24);
  expect(lines.join("\n")).toMatch(/power at representations sign 4 4′; most at 4 \(70 %\), 4′ \(20 %\)/);
});

test("a low terminal gets what fits", () => {
  const lines = viewLines("seed 0 base", [snapshot], 9);
  expect(lines.length).toBeLessThanOrEqual(9);
  expect(lines.join("\n")).not.toContain("⣿");
});

test("one line elsewhere", () => {
  expect(viewLine("seed 0 base", snapshot)).toBe(
    "seed 0 base, step  1200: train 100 %, test  34 %, 6 of 8 neurons alive, spectrum ▁█▂",
  );
});
