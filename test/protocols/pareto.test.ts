import { describe, expect, test } from "vitest";
import type { ImageRun } from "../../protocols/support/images-results.ts";
import { rowsOf, standingsOf } from "../../protocols/support/images-results.ts";
import { betterThan } from "../../protocols/support/pareto.ts";
import { random } from "../../src/random.ts";

describe("the Pareto front", () => {
  const offers = [
    { name: "cheap", cost: 1, worth: 5 },
    { name: "middle", cost: 2, worth: 7 },
    { name: "wasteful", cost: 3, worth: 6 },
    { name: "best", cost: 4, worth: 9 },
    { name: "twin of best", cost: 4.05, worth: 8.5 },
  ];
  const beaten = (name: string) =>
    betterThan(offers.find((o) => o.name === name)!, offers).map((o) => o.name);

  test("holds what nothing cheaper is better than", () => {
    expect(["cheap", "middle", "best"].map(beaten)).toEqual([[], [], []]);
  });

  test("control: a dearer and worse offer is not on it, nor one of the same cost", () => {
    expect(beaten("wasteful")).toEqual(["middle"]);
    expect(beaten("twin of best")).toEqual(["best"]);
  });

  test("a cost that is lower by less than 2 % buys no place on it", () => {
    const [a, b] = [
      { cost: 100, worth: 1 },
      { cost: 101, worth: 2 },
    ];
    expect(betterThan(a, [a, b])).toEqual([b]);
    expect(betterThan(a, [a, { ...b, cost: 103 }])).toEqual([]);
  });

  test("of random offers, those on it are just the ones that rise when sorted by cost", () => {
    const rng = random(3);
    // Costs far apart, so that none counts as equal.
    const many = Array.from({ length: 200 }, (_, i) => ({ cost: 1.05 ** i, worth: rng.uniform() }));
    const rising = many.filter(({ worth }, i) => many.slice(0, i).every((cheaper) => cheaper.worth < worth));
    expect(many.filter((o) => betterThan(o, many).length === 0)).toEqual(rising);
    expect(rising.length).toBeLessThan(20);
  });
});

describe("where a method stands", () => {
  const run = (method: string, macs: number, accuracies: number[]): ImageRun[] =>
    accuracies.map((accuracy, seed) => ({
      network: "net",
      method,
      macs,
      seed,
      result: {
        accuracy,
        macs: 1000 * macs,
        parameters: 1,
        bytes: 4000 * macs,
        groups: 8,
        natural: 4,
        kept: 4,
        processorSeconds: 1,
      },
    }));
  const standing = (others: ImageRun[]) =>
    standingsOf(rowsOf([...run("wgsef", 0.5, [0.8, 0.82, 0.84]), ...others]), "wgsef");

  test("on the front, beaten within the spread, clearly beaten; costs that nobody measured are left out", () => {
    expect(standing(run("random", 0.5, [0.7, 0.7, 0.7]))).toEqual(
      ["macs", "bytes"].map((cost) => ({
        network: "net",
        method: "wgsef",
        budget: 0.5,
        cost,
        beatenBy: [],
        clearlyBeatenBy: [],
      })),
    );
    const close = standing(run("taylor", 0.5, [0.81, 0.83, 0.85]))[0];
    expect(close).toMatchObject({ beatenBy: ["taylor 0.5"], clearlyBeatenBy: [] });
    const clear = standing(run("taylor", 0.3, [0.9, 0.9, 0.9]))[0];
    expect(clear).toMatchObject({ beatenBy: ["taylor 0.3"], clearlyBeatenBy: ["taylor 0.3"] });
    expect(standing(run("taylor", 0.7, [0.9, 0.9, 0.9]))[0].beatenBy).toEqual([]);
  });
});
