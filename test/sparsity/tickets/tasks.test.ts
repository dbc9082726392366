import { describe, expect, test } from "vitest";
import { Problem } from "../../../src/problem.ts";
import { modularMlp } from "../../../src/sparsity/tickets/modular-mlp.ts";
import { createTask, splitTask, taskFeeds, vocabularyOf } from "../../../src/sparsity/tickets/tasks.ts";
import { vectors } from "./vectors.ts";

const triples = (task: ReturnType<typeof createTask>) =>
  Array.from(task.labels, (label, i) => [task.pairs[2 * i], task.pairs[2 * i + 1], label]);

test("sizes of the splits are those of the vectors", () => {
  for (const { p, unorderedWithDiagonal, fraction, train, test: held } of vectors.split) {
    const task = createTask("modadd", p);
    expect(task.labels.length).toBe(unorderedWithDiagonal);
    const split = splitTask(task, fraction, 3);
    expect([split.train.length, split.test.length]).toEqual([train, held]);
    expect(new Set([...split.train, ...split.test]).size).toBe(unorderedWithDiagonal);
  }
});

test("seeds split differently, the same seed alike", () => {
  const task = createTask("modadd", 31);
  expect(splitTask(task, 0.7, 1)).toEqual(splitTask(task, 0.7, 1));
  expect(splitTask(task, 0.7, 1)).not.toEqual(splitTask(task, 0.7, 2));
});

describe("operations against their definitions, by search", () => {
  const p = 7;
  test.each([
    ["modadd", (x: number, y: number, z: number) => (x + y - z) % p === 0],
    ["modsub", (x: number, y: number, z: number) => (z + y - x) % p === 0],
    ["modmul", (x: number, y: number, z: number) => (x * y - z) % p === 0],
    ["moddiv", (x: number, y: number, z: number) => y !== 0 && (z * y - x) % p === 0],
    ["squares", (x: number, y: number, z: number) => (x ** 2 + y ** 2 - z) % p === 0],
    ["quadratic", (x: number, y: number, z: number) => (x ** 2 + x * y + y ** 2 - z) % p === 0],
  ] as const)("%s", (name, holds) => {
    const task = createTask(name, p);
    for (const [x, y, z] of triples(task)) expect(holds(x, y, z)).toBe(true);
    const wanted = { modadd: 28, modmul: 28, squares: 28, quadratic: 28, modsub: 49, moddiv: 42 }[name];
    expect(task.labels.length).toBe(wanted);
  });
});

test("S5 is a group: identity, associativity, every row and column a permutation", () => {
  const task = createTask("s5", 0);
  const times = (a: number, b: number) => task.labels[a * 120 + b];
  for (let a = 0; a < 120; a++) {
    expect(times(0, a)).toBe(a);
    expect(new Set(Array.from({ length: 120 }, (_, b) => times(a, b))).size).toBe(120);
    for (const [b, c] of [
      [5, 77],
      [13, 101],
    ])
      expect(times(times(a, b), c)).toBe(times(a, times(b, c)));
  }
  expect(times(1, 2)).not.toBe(times(2, 1));
});

test("S5 against all five-digit numbers without repetition, composed digit by digit", () => {
  const { labels } = createTask("s5", 0);
  const all: string[] = [];
  for (let n = 0; n < 5 ** 5; n++) {
    const digits = n.toString(5).padStart(5, "0");
    if (new Set(digits).size === 5) all.push(digits);
  }
  expect(all.length).toBe(120);
  all.forEach((x, a) => {
    all.forEach((y, b) => {
      if (all[labels[120 * a + b]] !== [...y].map((k) => x[Number(k)]).join(""))
        throw new Error(`${x} after ${y} is not ${all[labels[120 * a + b]]}`);
    });
  });
});

test("counts tell x from y only where order matters", () => {
  for (const [name, columns] of [
    ["modadd", [3, 4]],
    ["modsub", [3, 9]],
  ] as const) {
    const task = createTask(name, 5);
    const model = modularMlp({ vocabulary: vocabularyOf(task), classes: 5, batch: 1, width: 2, hidden: 2 });
    const i = triples(task).findIndex(([x, y]) => x === 3 && y === 4);
    const { counts, labels } = taskFeeds(task, Uint32Array.of(i), model);
    expect(Array.from(counts.data as Float32Array).flatMap((v, j) => (v ? [j] : []))).toEqual(columns);
    expect(labels.data[0]).toBe(task.labels[i]);
  }
});

test("wrong requests name what is wrong", () => {
  expect(() => createTask("moddiv", 6)).toThrow(/6 is not prime/);
  expect(() => createTask("modadd", 1)).toThrow(Problem);
  expect(() => createTask("nothing" as "modadd", 5)).toThrow(/known: modadd/);
  expect(() => splitTask(createTask("modadd", 5), 0, 0)).toThrow(/training share/);
});
