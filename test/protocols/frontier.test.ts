import { expect, test } from "vitest";
import type { StoredRow } from "../../protocols/support/turbo/frontier.ts";
import { frontierFigure, frontOf, storedPoints } from "../../protocols/support/turbo/frontier.ts";

const row = (method: string, storage: string, seed: number, bytes: number, error: number): StoredRow => ({
  method,
  storage,
  seed,
  bytes,
  error,
});

test("rows become the means over their seeds, under the name before the comma", () => {
  const rows = [
    row("chain", "no loss", 0, 1000, 2),
    row("chain", "no loss", 1, 3000, 1),
    row("chain, λ = 0.4", "no loss", 0, 5000, 1.4),
    row("chain", "4 bits", 0, 500, 3),
  ];
  expect(storedPoints(rows)).toEqual([
    { family: "chain", bytes: 2000, error: 1.5 },
    { family: "chain", bytes: 5000, error: 1.4 },
    { family: "chain", bytes: 500, error: 3 },
  ]);
});

test("a front holds what nothing beats: brute force over random points", () => {
  const points = Array.from({ length: 60 }, (_, i) => ({
    family: "x",
    bytes: 100 * 1.1 ** ((i * 37) % 60),
    error: 1 + ((i * 23) % 60) / 20,
  }));
  const front = frontOf(points);
  const beaten = points.filter((p) => points.some((q) => q.bytes <= p.bytes && q.error < p.error));
  expect(new Set(front)).toEqual(new Set(points.filter((p) => !beaten.includes(p))));
  expect(beaten.length).toBeGreaterThan(30);
  for (let i = 1; i < front.length; i++) {
    expect(front[i].bytes).toBeGreaterThan(front[i - 1].bytes);
    expect(front[i].error).toBeLessThan(front[i - 1].error);
  }
});

test("the figure names every family once, and leaves out what errs too much", () => {
  const rows = [
    row("dense", "no loss", 0, 1e6, 1.9),
    row("chain", "no loss", 0, 2e4, 1.8),
    row("chain", "2 bits", 0, 5e3, 2.2),
    row("vibnet, strength 3", "no loss", 0, 3e4, 40),
  ];
  const { html } = frontierFigure(rows, 2.6);
  expect(html.match(/Turbo-VBI, chain/g)).toHaveLength(1);
  expect(html).toContain("dense");
  expect(html).not.toContain("VIBNet");
  expect(frontierFigure(rows, 50).html).toContain("VIBNet");
});
