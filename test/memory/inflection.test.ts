import { expect, test } from "vitest";
import { createMemory } from "../../src/memory/memory.ts";
import { random } from "../../src/random.ts";
import { expectProblem } from "../data/support.ts";
import { present, subset, testMac, winnersOf } from "./support.ts";

const RATCHET = { above: 0.3, step: 0.01, to: 0.58 };
const SIZE = { inputs: 30, q: 3, k: 4 };
const sigmoid = { kind: "logistic", steepness: 32, center: 0.5 } as const;

test("the centre rises by a step whenever the mean support is higher than ever, and codes are drawn with it", () => {
  const rng = random(6);
  const draws = random(9);
  const uniforms = random(9);
  const mac = testMac(SIZE, { rng: draws, rules: { sigmoid, chi: 5, inflectionRatchet: RATCHET } });
  let center = 0.5;
  let highest = 0;
  let withoutIt = 0;
  let lower = 0;
  for (let item = 0; item < 120; item++) {
    const active = subset(rng, 30, 3 + rng.integer(8));
    mac.code = undefined;
    const { familiarity } = present(mac, active, "learn");
    const V = Array.from(mac.scratch.support);
    const mean = V.reduce((a, b) => a + b) / 12;
    if (mean > 0.3 && mean > highest) {
      highest = mean;
      center = Math.min(0.58, center + 0.01);
    } else if (mean > 0.3) lower++;
    expect(mac.inflection!.center).toBeCloseTo(center, 12);

    const eta = 1 + (Math.max(0, familiarity! - 0.1) / 0.9) ** 2 * 5 * 4;
    const drawn = (x: number, q: number, c: number) => {
      const psi = V.slice(4 * q, 4 * q + 4).map((v) => 1 + (eta - 1) / (1 + Math.exp(-32 * (v - c))));
      const target = x * psi.reduce((a, b) => a + b);
      let sum = 0;
      return psi.findIndex((p) => target < (sum += p));
    };
    const numbers = [0, 1, 2].map(() => uniforms.uniform());
    const winners = winnersOf(mac);
    expect(winners).toEqual(numbers.map((x, q) => drawn(x, q, center)));
    withoutIt += Number(numbers.some((x, q) => drawn(x, q, 0.5) !== winners[q]));

    // Looking at something changes nothing; its draws are no part of the comparison.
    const before = { ...mac.inflection };
    mac.rng = random(item);
    mac.code = undefined;
    present(mac, subset(rng, 30, 5), "recognize");
    mac.rng = draws;
    expect(mac.inflection).toEqual(before);
  }
  // It went all the way, did not go further, paused in between, and other codes would have come without it.
  expect(center).toBeCloseTo(0.58, 12);
  expect(lower).toBeGreaterThan(20);
  expect(withoutIt).toBeGreaterThan(5);
});

test("it is for a logistic sigmoid only", () => {
  const rules = { sigmoid: { kind: "odds", cap: 100 }, inflectionRatchet: RATCHET } as const;
  expectProblem(
    () => createMemory({ inputs: 9, rules }),
    /moves the centre of a logistic sigmoid, not of odds/,
  );
  const wrong = { inflectionRatchet: { above: 0.3, step: -1, to: 0.9 } };
  expectProblem(
    () => createMemory({ inputs: 9, rules: wrong }),
    /inflectionRatchet is .*expected above, step and to/,
  );
});
