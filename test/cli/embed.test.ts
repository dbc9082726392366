import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readRelations } from "../../src/data/relations.ts";
import { lorentzPoints } from "../../src/geometry/lorentz-points.ts";
import { reconstruction } from "../../src/geometry/tree-embedding.ts";
import { temporaryFolder } from "../runs/support.ts";
import { build, filigree, start } from "./support.ts";

beforeAll(build);

/** A tree of 40 nodes, every inner one with three children. */
const TREE = Array.from({ length: 39 }, (_, i) => `n${i + 1}\tn${Math.floor(i / 3)}\n`).join("");

function folderWith(text: string): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "tree.tsv"), text);
  return folder;
}

test("embed writes the coordinates that it has measured, and draws them", async () => {
  const folder = folderWith(TREE);
  const args = ["embed", "tree.tsv", "--epochs", "100", "--negatives", "20", "--disk", "tree.svg"];
  const { code, stdout } = await filigree([...args, "--json"], folder);
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({
    nodes: 40,
    pairs: 3 + 2 * 9 + 3 * 27,
    output: "tree-points.tsv",
    disk: "tree.svg",
  });
  expect(result.map).toBeGreaterThan(0.9);
  // The figures are those of the file, and its points lie on the hyperboloid.
  const relations = readRelations(TREE);
  const points = new Map(
    readFileSync(join(folder, "tree-points.tsv"), "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split("\t"))
      .map(([name, ...numbers]) => [name, Float64Array.from(numbers, Number)] as const),
  );
  const at = relations.names.map((name) => points.get(name)!);
  for (const [t, x, y] of at) expect(Math.abs((t * t - x * x - y * y - 1) / (t * t))).toBeLessThan(1e-12);
  const { meanRank, map } = reconstruction(relations, (u, v) => lorentzPoints().distance(at[u], at[v]));
  expect([result.meanRank, result.map]).toEqual([meanRank, map]);
  const svg = readFileSync(join(folder, "tree.svg"), "utf8");
  expect(svg.match(/<path/g)).toHaveLength(39);
  // The root is in the centre, and named.
  expect(svg).toMatch(/<circle cx="450" cy="450" r="4"/);
  expect(svg).toContain(">n0</text>");
  const help = await filigree(["embed", "--help"], folder);
  for (const key of Object.keys(result)) expect(help.stdout).toContain(key);
});

test.each<[string, string[], number, RegExp]>([
  ["a\tb\nb\ta\n", [], 1, /tree\.tsv: "a" is below "b" and above it too/],
  ["a b\n", [], 1, /tree\.tsv, line 1: expected two names with a tab/],
  ["", [], 1, /tree\.tsv: holds no pairs; expected lines of two different names/],
  [TREE, ["-o", "tree.tsv"], 1, /tree\.tsv is named twice; what is written needs a file of its own/],
  [TREE, ["-o", "x.svg", "--disk", "./x.svg"], 1, /x\.svg is named twice/],
  [
    TREE,
    ["--dimension", "3", "--disk", "x.svg"],
    2,
    /--disk is of two hyperbolic dimensions; this is lorentz in 3/,
  ],
  [TREE, ["--space", "poincaré"], 2, /did you mean "poincare"/],
  [TREE, ["--learning-rate", "nan"], 2, /expected a number above 0/],
  [TREE, ["--dimension", "0"], 2, /a whole number of at least 1/],
])("what cannot be embedded is said, and nothing is written: %#", async (text, more, expected, message) => {
  const folder = folderWith(text);
  const { code, stderr } = await filigree(["embed", "tree.tsv", "--epochs", "1", ...more], folder);
  expect([code, stderr]).toEqual([expected, expect.stringMatching(message)]);
  expect(existsSync(join(folder, "tree-points.tsv"))).toBe(false);
});

test("Ctrl-C stops after an epoch and says that nothing was written", async () => {
  const folder = folderWith(TREE);
  const child = start(["embed", "tree.tsv", "--epochs", "1000000", "--disk", "tree.svg"], folder);
  while (!child.stderr().includes("epochs")) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");
  const { code, signal, stderr } = await child.done;
  expect([code, signal]).toEqual([130, null]);
  expect(stderr).toMatch(/stopping after this epoch/);
  expect(stderr).toMatch(/\nfiligree: stopped after epoch \d+: nothing was written;.*\n$/);
  expect(readdirSync(folder)).toEqual(["tree.tsv"]);
}, 60_000);
