import { Problem } from "../problem.ts";
import type { InflectionRatchet } from "./inflection.ts";
import type { Expansion, Sigmoid } from "./win-weights.ts";

/** Every constant of the Code Selection Algorithm and of its plasticity; plain JSON, so that a file can hold it. */
export interface Rules extends Expansion {
  /** What U is: the share of active inputs that a cell knows, or that share less what any input would get (3.11). */
  evidence: "raw" | "corrected";
  /** n₀ of the corrected evidence: pseudo-items with evenly spread features, ≥ 0. */
  priorItems: number;
  /**
   * What a raw U sum is divided by: the number of active inputs, which makes the familiarity blind to missing
   * features and sensitive to wrong ones, or a constant, which does the reverse.
   */
  normalizer: "active" | number;
  /** Exponents of the evidences; `lambdaU0` serves where there is no H, as in the first frame of an episode. */
  lambdaU: number;
  lambdaU0: number;
  lambdaH: number;
  lambdaD: number;
  /** Whether H and D take part at all. */
  useHorizontal: boolean;
  useTopDown: boolean;
  sigmoid: Sigmoid;
  /** Lets the centre of a logistic sigmoid rise as a mac fills; null = it stays. */
  inflectionRatchet: InflectionRatchet | null;
  /** How a code is chosen while learning. `argmax`, without noise, is a control: similar inputs collapse. */
  learning: "soft" | "argmax";
  /** V_ζ: support from which on a cell counts as a competing hypothesis. */
  hypothesisThreshold: number;
  /** A of F(ζ) = ζ^A; 0 ignores the number of hypotheses. */
  hypothesisExponent: number;
  /** B: sources with more hypotheses than this are ignored; null = none is. */
  hypothesisLimit: number | null;
  /** Γ₁, Γ₂, Γ₃: familiarity from which on evidence of 1, 2, 3 kinds is accepted (3.5); null = no back-off. */
  backoff: readonly [number, number, number] | null;
  /** Whether the back-off may also leave out the input and read what was expected: HD, H and D. */
  backoffWithoutInput: boolean;
  /** θ_sat: density of U at which a mac stops learning; null = never. */
  freezeAt: number | null;
  /** Whether the mac freezes whole, or each cell by the density of its own inputs. */
  freezeBy: "mac" | "cell";
  /** Inputs at least this familiar are recognised instead of stored again; null = store everything. */
  skipIfFamiliar: number | null;
  /** A code that stays for several frames associates with itself, too. */
  selfWhilePersisting: boolean;
}

const classic: Rules = {
  evidence: "raw",
  priorItems: 20,
  normalizer: "active",
  lambdaU: 1,
  lambdaU0: 1,
  lambdaH: 1,
  lambdaD: 1,
  useHorizontal: true,
  useTopDown: true,
  sigmoid: { kind: "logistic", steepness: 32, center: 1 - Math.log(10) / 4 },
  inflectionRatchet: null,
  chi: 100,
  gamma: 2,
  familiarityFloor: 0.1,
  learning: "soft",
  hypothesisThreshold: 0.95,
  hypothesisExponent: 1,
  hypothesisLimit: null,
  backoff: null,
  backoffWithoutInput: false,
  freezeAt: 0.5,
  freezeBy: "mac",
  skipIfFamiliar: null,
  selfWhilePersisting: false,
};

const logistic = (steepness: number, center: number): Sigmoid => ({ kind: "logistic", steepness, center });

/** Presets of `specs/sparsey.md` 3.12; `uniform` and `argmax` are controls that must do worse. */
export const PRESETS = {
  /** Natural inputs, all-round: the default. */
  robust: { ...classic, evidence: "corrected", sigmoid: logistic(12, 0.5) },
  /** Image classification: narrower generalisation, more distinct codes. */
  robustSteep: { ...classic, evidence: "corrected", sigmoid: logistic(32, 0.7) },
  /** As published: raw evidence, for fidelity. */
  classic,
  /** Graded similarity of few items. */
  graded: { ...classic, sigmoid: logistic(8, 0.5), chi: 10 },
  /** Most items and exact replay. */
  capacity: { ...classic, lambdaU: 3, lambdaU0: 3, lambdaH: 3, sigmoid: logistic(32, 0.7) },
  /** Control: codes drawn without regard to the input. */
  uniform: { ...classic, chi: 0 },
  /** Control: no noise while learning. */
  argmax: { ...classic, learning: "argmax" },
} as const satisfies Record<string, Rules>;

export type PresetName = keyof typeof PRESETS;

/** A preset with some rules replaced. A `Problem` where a rule is unknown or out of its range. */
export function resolveRules(preset: PresetName = "robust", changes: Partial<Rules> = {}): Rules {
  checkKnown("preset", [preset], Object.keys(PRESETS));
  checkKnown("rule", Object.keys(changes), Object.keys(classic));
  const rules: Rules = { ...PRESETS[preset], ...changes };
  // λ_U0 follows λ_U unless it is given itself.
  if (changes.lambdaU !== undefined && changes.lambdaU0 === undefined) rules.lambdaU0 = changes.lambdaU;
  checkRules(rules);
  return rules;
}

/** Throws a `Problem` for a name that is not among the known ones. */
export function checkKnown(kind: string, names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Problem(`memory: unknown ${kind} "${unknown}"; known: ${known.join(", ")}`);
}

type Check = readonly [expected: string, test: (value: unknown) => boolean];

const number = (expected: string, test: (value: number) => boolean): Check => [
  expected,
  (value) => typeof value === "number" && Number.isFinite(value) && test(value),
];
const orNull = ([expected, test]: Check): Check => [
  `${expected}, or null`,
  (value) => value === null || test(value),
];
const oneOf = (...words: string[]): Check => [
  `one of ${words.join(", ")}`,
  (value) => words.includes(value as string),
];
const notNegative = number("a number of at least 0", (x) => x >= 0);
const positive = number("a number above 0", (x) => x > 0);
const share = number("a number from 0 to 1", (x) => x >= 0 && x <= 1);

const boolean: Check = ["true or false", (value) => typeof value === "boolean"];

const CHECKS: { readonly [R in keyof Rules]: Check } = {
  evidence: oneOf("raw", "corrected"),
  priorItems: notNegative,
  normalizer: ['"active" or a number above 0', (value) => value === "active" || positive[1](value)],
  lambdaU: positive,
  lambdaU0: positive,
  lambdaH: positive,
  lambdaD: positive,
  useHorizontal: boolean,
  useTopDown: boolean,
  sigmoid: ["logistic, richards or odds with finite constants", isSigmoid],
  inflectionRatchet: orNull(["above, step and to, three numbers of at least 0", isRatchet]),
  chi: notNegative,
  gamma: positive,
  familiarityFloor: number("a number from 0 to below 1", (x) => x >= 0 && x < 1),
  learning: oneOf("soft", "argmax"),
  hypothesisThreshold: share,
  hypothesisExponent: notNegative,
  hypothesisLimit: orNull(positive),
  backoff: orNull([
    "three numbers",
    (value) => Array.isArray(value) && value.length === 3 && value.every(notNegative[1]),
  ]),
  backoffWithoutInput: boolean,
  freezeAt: orNull(share),
  freezeBy: oneOf("mac", "cell"),
  skipIfFamiliar: orNull(share),
  selfWhilePersisting: boolean,
};

const SIGMOIDS: Record<string, readonly string[]> = {
  logistic: ["steepness", "center"],
  richards: ["s1", "s2", "s3", "s4"],
  odds: ["cap"],
};

function isSigmoid(value: unknown): boolean {
  const sigmoid = value as Record<string, unknown> | null;
  const names = SIGMOIDS[String(sigmoid?.kind)];
  return names?.every((name) => Number.isFinite(sigmoid?.[name])) ?? false;
}

function isRatchet(value: unknown): boolean {
  const ratchet = value as Record<string, unknown> | undefined;
  return ["above", "step", "to"].every((name) => notNegative[1](ratchet?.[name]));
}

function checkRules(rules: Rules): void {
  for (const [name, [expected, test]] of Object.entries(CHECKS)) {
    const value = rules[name as keyof Rules];
    if (!test(value))
      throw new Problem(`memory: rule ${name} is ${JSON.stringify(value)}; expected ${expected}`);
  }
  if (rules.inflectionRatchet && rules.sigmoid.kind !== "logistic")
    throw new Problem(
      `memory: rule inflectionRatchet moves the centre of a logistic sigmoid, not of ${rules.sigmoid.kind}`,
    );
}
