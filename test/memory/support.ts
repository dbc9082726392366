import { readFileSync } from "node:fs";
import { join } from "node:path";
import { learnCode } from "../../src/memory/learn-code.ts";
import { beginFrame, createMac, type Mac, type MacOptions } from "../../src/memory/mac.ts";
import { type Rules, resolveRules } from "../../src/memory/rules.ts";
import { type MacReport, type Mode, selectCode } from "../../src/memory/select-code.ts";
import { type Random, random } from "../../src/random.ts";

/** Reference vectors of the spec, made by another program. */
export const vectors = JSON.parse(readFileSync(join(import.meta.dirname, "../vectors/sparsey.json"), "utf8"));

/** Draws these numbers, and complains when there are none left. */
export function scripted(uniforms: readonly number[] = []): Random & { push(...more: number[]): void } {
  const queue = [...uniforms];
  const uniform = () => {
    if (queue.length === 0) throw new Error("more draws than expected");
    return queue.shift()!;
  };
  return { ...random(0), uniform, push: (...more) => queue.push(...more) };
}

/** One mac without freezing, for inputs that come as plain lists. */
export function testMac(
  size: Pick<MacOptions, "inputs" | "q" | "k">,
  { rng = random(1), rules = {} }: { rng?: Random; rules?: Partial<Rules> } = {},
): Mac {
  return createMac({ ...size, rules: resolveRules("classic", { freezeAt: null, ...rules }) }, rng);
}

/** One frame of one mac. */
export function present(mac: Mac, active: readonly number[], mode: Mode, soft = false): MacReport {
  beginFrame(mac);
  const input = { groups: [{ units: active, factor: 1 }], activeSources: active.length, mode, soft };
  const report = selectCode(mac, input);
  if (report.store) learnCode(mac, input, report);
  return report;
}

export const winnersOf = ({ code, k }: Mac) => Array.from(code!, (cell) => cell % k);

/** `size` different numbers below `n`, in rising order. */
export function subset(rng: Random, n: number, size: number): number[] {
  return Array.from(rng.permutation(n).subarray(0, size)).sort((a, b) => a - b);
}

/** Expects every number to lie within `tolerance` of its counterpart. */
export function largestError(actual: ArrayLike<number>, expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return expected.reduce((worst, x, i) => Math.max(worst, Math.abs(x - actual[i])), 0);
}
