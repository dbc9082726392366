import { describe, expect, test } from "vitest";
import { Problem } from "../../src/problem.ts";
import { readCustomGroups } from "../../src/runs/custom-groups.ts";
import { editDistance, nearest } from "../../src/runs/nearest.ts";
import { formatRecipe, parseRecipe, recipeDifference } from "../../src/runs/recipe.ts";

const parse = (yaml: string) => parseRecipe(yaml, "r.yaml", { name: "r", threads: 3 });
const SHORT = "model: lenet\ndata: mnist\n";

function problemOf(yaml: string): string {
  try {
    parse(yaml);
  } catch (error) {
    expect(error).toBeInstanceOf(Problem);
    expect((error as Problem).message).not.toContain("\n");
    return (error as Problem).message;
  }
  throw new Error("no problem was found");
}

describe("a recipe", () => {
  test("is complete once parsed", () => {
    const recipe = parse(`${SHORT}optimizer: adam\nsparsifier: { method: wgsef, keep: { conv1: 6 } }`);
    expect(recipe).toMatchObject({
      name: "r",
      threads: 3,
      seed: 0,
      learningRate: 0.001,
      clipNorm: null,
      optimizer: { kind: "adam", betas: [0.9, 0.999], epsilon: 1e-8 },
      sparsifier: { keep: { conv1: 6 }, warmup: 0.15, select: 0.5, lambdaStart: 0.01, lambdaEnd: 3 },
    });
    expect(JSON.stringify(recipe)).not.toContain("undefined");
    expect(parse(SHORT).learningRate).toBe(0.05);
    const { earlyStopping } = parse(`${SHORT}validation: 0.1\nearlyStopping: { patience: 5 }`);
    expect(earlyStopping).toEqual({ metric: "validationLoss", patience: 5, restoreBest: true });
  });

  test("is the same after it was written and read", () => {
    for (const extra of [
      "",
      "optimizer: { kind: rmsprop, momentum: 0.5 }",
      "schedule: { kind: step, milestones: [0.5] }",
      "validation: 0.1\nearlyStopping: { patience: 5 }",
    ]) {
      const recipe = parse(SHORT + extra);
      const again = parseRecipe(formatRecipe(recipe), "again.yaml", { name: "other", threads: 99 });
      expect(again).toEqual(recipe);
      expect(recipeDifference(recipe, again)).toBeUndefined();
    }
  });

  test("names the first difference to another, versions aside", () => {
    const a = parse(`${SHORT}epochs: 3`);
    expect(recipeDifference(a, parse(`${SHORT}epochs: 4`))).toBe("epochs: 3 against 4");
    expect(recipeDifference(a, { ...a, versions: { node: "1" } })).toBeUndefined();
    expect(recipeDifference(a, parse(`${SHORT}epochs: 3\nsparsifier: { method: wgsef, keep: 0.5 }`))).toMatch(
      /^sparsifier/,
    );
  });

  test.each([
    ["lerningRate: 1", 'r.yaml:3: lerningRate: unknown key; did you mean "learningRate"?'],
    ["batch: many", 'r.yaml:3: batch: expected a whole number of at least 1, found "many"'],
    ["batch: 2.5", "r.yaml:3: batch: expected a whole number of at least 1, found 2.5"],
    ["learningRate: 0", "r.yaml:3: learningRate: expected a number above 0, found 0"],
    ["learningRate: .nan", "expected a number above 0, found NaN"],
    ["weightDecay: -1", "of at least 0, found -1"],
    [
      "optimizer: adm",
      'r.yaml:3: optimizer.kind: expected one of sgd, adam, adamw, adamax, rmsprop, found "adm"; did you mean "adam"?',
    ],
    ["optimizer: { kind: sgd, betas: [1, 2] }", "optimizer.betas: unknown key"],
    ["optimizer: { kind: adam, betas: [0.9] }", "optimizer.betas: expected a list of 2, found a list of 1"],
    [
      "optimizer: { kind: adam, betas: [0.9, 2] }",
      "optimizer.betas.1: expected a number of at least 0 and of at most 1, found 2",
    ],
    [
      "sparsifier:\n  method: wgsef\n  keep:\n    conv1: six",
      "r.yaml:6: sparsifier.keep.conv1: expected a whole number",
    ],
    [
      "earlyStopping: { patience: 5 }",
      "r.yaml:3: earlyStopping: it looks at held-out samples: give validation",
    ],
    ["validation: 0.1\nearlyStopping: { patience: 0 }", "earlyStopping.patience: expected a whole number"],
    [
      "validation: 0.1\nearlyStopping: { patience: 5, metric: testLoss }",
      "earlyStopping.metric: expected one of validationLoss, validationAccuracy",
    ],
    [
      "validation: 0.1\nearlyStopping: { patience: 5 }\nlowMemory: { method: lora, rank: 2 }",
      "earlyStopping: training that drives weights to zero, or holds less than all of them, has phases",
    ],
    ["sparsifier: { method: wgsef }", "sparsifier: say how small: either keep or budget"],
    ["augment: 3", "augment: expected keys with values, found 3"],
    ["name: ../x", "cannot name a folder"],
    ["epochs: 1\nepochs: 2", "r.yaml:4: not YAML"],
    ["x: [", "not YAML"],
    ["x: &a [*a, *a]", "unknown key"],
  ])("with %j is refused in one line", (extra, message) => {
    expect(problemOf(SHORT + extra)).toContain(message);
  });

  test("without what it is about is refused", () => {
    expect(problemOf("data: mnist")).toBe("r.yaml: model: is missing; expected a text");
    expect(problemOf("")).toContain("model: is missing");
    expect(problemOf("- 1")).toContain("expected keys with values, found a list of 1");
  });
});

test.each([
  ["[", /^lists\.json: not JSON: /],
  ["[]", "lists.json: expected keys with values, found a list of 0"],
  ['{"a": 1}', "lists.json: a: expected a list, found 1"],
  ['{"a": [{"w": [1.5]}]}', "lists.json: a.0.w.0: expected a whole number of at least 0, found 1.5"],
])("lists of groups like %s are refused in one line", (text, message) => {
  expect(() => readCustomGroups(text, "lists.json")).toThrow(message);
});

test("the edit distance is that of its definition", () => {
  const plain = (a: string, b: string): number => {
    if (!a || !b) return a.length + b.length;
    const swap = a.length > 1 && b.length > 1 && a[0] === b[1] && a[1] === b[0];
    return Math.min(
      plain(a.slice(1), b) + 1,
      plain(a, b.slice(1)) + 1,
      plain(a.slice(1), b.slice(1)) + Number(a[0] !== b[0]),
      swap ? plain(a.slice(2), b.slice(2)) + 1 : Number.POSITIVE_INFINITY,
    );
  };
  for (const a of ["", "a", "abc", "bca", "seed", "sede", "batch"])
    for (const b of ["", "b", "acb", "cab", "deed", "seeds", "catch"])
      expect(editDistance(a, b)).toBe(plain(a, b));
  expect(nearest("bacth", ["epochs", "batch"])).toBe("batch");
  expect(nearest("zebra", ["epochs", "batch"])).toBeUndefined();
});
