/**
 * Macs in levels written out from the formulas of the spec, slowly: weights are sets of pairs, baselines are counted
 * from the whole history. The fast path is compared with it.
 */
import type { Rules } from "../../src/memory/rules.ts";

export interface ReferenceLevel {
  fields: readonly (readonly number[])[];
  q: number;
  k: number;
  persistence: number;
  band: readonly [number, number];
  rules: Rules;
  /** Of each mac others of its level; their H has sources "mac.cell". */
  neighbours?: readonly (readonly number[])[];
}

interface Mac {
  level: number;
  place: number;
  /** "source>cell", where a source is an input, or "mac.cell" of the level below. */
  U: Set<string>;
  H: Set<string>;
  D: Set<string>;
  history: string[][];
  code?: number[];
  before?: number[];
  zeta: number;
  zetaBefore: number;
  age: number;
  V: number[];
  G?: number;
  /** The kinds of evidence that were used, sorted. */
  version?: string;
}

export interface ReferenceNetwork {
  step(
    active: readonly number[],
    mode: "learn" | "recognize",
    uniform: (level: number, mac: number) => number,
  ): void;
  reset(): void;
  readonly macs: readonly Mac[];
}

/**
 * Of all subsets of these kinds of evidence the one that back-off reads: by number of kinds, from all of them down, the most
 * familiar one if it reaches Γ; all of them if none does. Kinds come back sorted.
 */
export function trusted(
  kinds: readonly string[],
  { backoff, backoffWithoutInput }: Pick<Rules, "backoff" | "backoffWithoutInput">,
  familiarity: (version: string) => number,
): string {
  const all = [...kinds].sort().join("");
  if (!backoff) return all;
  const subsets = Array.from({ length: 2 ** kinds.length }, (_, mask) =>
    kinds.filter((_, i) => (mask >> i) & 1).join(""),
  );
  const allowed = subsets.filter((some) => some !== "" && (backoffWithoutInput || some.includes("U")));
  for (const size of [3, 2, 1]) {
    const ranked = allowed
      .filter((some) => some.length === size)
      .map((some) => ({ some: [...some].sort().join(""), g: familiarity(some) }))
      .sort((a, b) => b.g - a.g);
    if (ranked.length > 0 && ranked[0].g >= backoff[size - 1]) return ranked[0].some;
  }
  return all;
}

export function referenceNetwork(levels: readonly ReferenceLevel[]): ReferenceNetwork {
  const macs: Mac[] = levels.flatMap((l, level) =>
    l.fields.map((_, place) => ({
      level,
      place,
      U: new Set<string>(),
      H: new Set<string>(),
      D: new Set<string>(),
      history: [],
      zeta: 1,
      zetaBefore: 1,
      age: 0,
      V: [],
    })),
  );
  const at = (level: number, place: number) =>
    macs.find((mac) => mac.level === level && mac.place === place)!;
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

  function chooseCode(
    mac: Mac,
    active: readonly number[],
    mode: "learn" | "recognize",
    uniform: () => number,
  ) {
    const { q: Q, k: K, fields, persistence, band, rules } = levels[mac.level];
    const field = fields[mac.place];
    mac.G = undefined;
    // What it sees: [name, F] of each active unit.
    const below = mac.level > 0 ? field.map((place) => at(mac.level - 1, place)).filter((m) => m.code) : [];
    const seen: [string, number][] =
      mac.level === 0
        ? active.filter((j) => field.includes(j)).map((j) => [`${j}`, 1])
        : below.flatMap((m) =>
            m.code!.map((cell): [string, number] => [
              `${m.place}.${cell}`,
              m.zeta ** rules.hypothesisExponent,
            ]),
          );
    const sources = mac.level === 0 ? seen.length : below.length;
    const parents = macs.filter(
      (m) => m.level === mac.level + 1 && levels[m.level].fields[m.place].includes(mac.place) && m.before,
    );
    const beside = (levels[mac.level].neighbours?.[mac.place] ?? [])
      .map((place) => at(mac.level, place))
      .filter((m) => m.before);
    const fromSide = mac.before !== undefined || beside.length > 0;
    const held = mac.code !== undefined && mac.age < persistence;
    if (held) mac.age++;
    else if (sources === 0 || sources < band[0] || sources > band[1]) {
      mac.code = undefined;
      mac.age = 0;
      return;
    } else {
      const units = field.length * (mac.level === 0 ? 1 : levels[mac.level - 1].q * levels[mac.level - 1].k);
      const T = sum(mac.history.map((items) => items.length));
      const n = mac.history.length;
      const known = (i: number) => [...mac.U].filter((s) => s.endsWith(`>${i}`)).map((s) => s.split(">")[0]);
      const evidence = Array.from({ length: Q * K }, (_, i): Record<string, number> => {
        const share = Math.min(1, sum(seen.map(([u, f]) => (mac.U.has(`${u}>${i}`) ? f : 0))) / seen.length);
        let U = share;
        if (rules.evidence === "corrected" && T > 0 && share > 0) {
          const mine = known(i);
          const C = sum(mine.map((u) => mac.history.filter((items) => items.includes(u)).length));
          const b = ((n * C) / T + (rules.priorItems * mine.length) / units) / (n + rules.priorItems);
          U = b >= 1 - 1e-9 ? 0 : Math.max(0, (share - b) / (1 - b));
        }
        const kinds: Record<string, number> = { U };
        if (fromSide) {
          const F = (m: Mac) => m.zetaBefore ** rules.hypothesisExponent;
          const own = mac.before ? F(mac) * mac.before.filter((p) => mac.H.has(`${p}>${i}`)).length : 0;
          const others = beside.map(
            (m) => F(m) * m.before!.filter((p) => mac.H.has(`${m.place}.${p}>${i}`)).length,
          );
          const most = (mac.before ? Q - 1 : 0) + Q * beside.length;
          kinds.H = Math.min(1, (own + sum(others)) / most);
        }
        if (parents.length > 0) {
          const d = sum(
            parents.map(
              (p) =>
                p.zetaBefore ** rules.hypothesisExponent *
                p.before!.filter((cell) => mac.D.has(`${p.place}.${cell}>${i}`)).length,
            ),
          );
          kinds.D = Math.min(1, d / sum(parents.map((p) => levels[p.level].q)));
        }
        return kinds;
      });
      const supportOf = (version: string) =>
        evidence.map((kinds) =>
          [...version].reduce((V, kind) => {
            const { lambdaU, lambdaU0, lambdaH, lambdaD } = rules;
            const lambda = { U: version.includes("H") ? lambdaU : lambdaU0, H: lambdaH, D: lambdaD }[kind]!;
            return V * kinds[kind] ** lambda;
          }, 1),
        );
      const modulesOf = (V: number[]) => Array.from({ length: Q }, (_, q) => V.slice(q * K, (q + 1) * K));
      const familiarity = (V: number[]) => sum(modulesOf(V).map((v) => Math.max(...v))) / Q;
      const version = trusted(
        Object.keys(evidence[0]),
        mode === "recognize" ? rules : { ...rules, backoff: null },
        (some) => familiarity(supportOf(some)),
      );
      mac.version = version;
      mac.V = supportOf(version);
      const modules = modulesOf(mac.V);
      const G = familiarity(mac.V);
      mac.G = G;
      mac.zeta =
        mode === "learn"
          ? 1
          : Math.max(1, Math.floor(mac.V.filter((v) => v >= rules.hypothesisThreshold).length / Q + 0.5));
      const { chi, gamma, familiarityFloor: floor, sigmoid } = rules;
      const eta = 1 + (Math.max(0, G - floor) / (1 - floor)) ** gamma * chi * K;
      const s = (v: number) => {
        if (sigmoid.kind !== "logistic") throw new Error("the reference knows the logistic sigmoid only");
        return 1 / (1 + Math.exp(-sigmoid.steepness * (v - sigmoid.center)));
      };
      mac.code = modules.map((v, q) => {
        const x = uniform();
        if (mode === "recognize") {
          const best = v.flatMap((value, k) => (Math.abs(value - Math.max(...v)) <= 1e-9 ? [k] : []));
          return q * K + best[Math.floor(x * best.length)];
        }
        const psi = v.map((value) => 1 + (eta - 1) * s(value));
        const target = x * sum(psi);
        let total = 0;
        return q * K + psi.findIndex((p) => target < (total += p));
      });
      mac.age = 1;
    }
    if (mode === "recognize") return;
    for (const [u] of seen) for (const i of mac.code!) mac.U.add(`${u}>${i}`);
    if (seen.length > 0) mac.history.push(seen.map(([u]) => u));
    const module = (cell: number) => Math.floor(cell / K);
    if (mac.before && !held)
      for (const p of mac.before)
        for (const i of mac.code!) if (module(p) !== module(i)) mac.H.add(`${p}>${i}`);
    if (!held)
      for (const m of beside)
        for (const p of m.before!) for (const i of mac.code!) mac.H.add(`${m.place}.${p}>${i}`);
    for (const p of parents)
      for (const cell of p.before!) for (const i of mac.code!) mac.D.add(`${p.place}.${cell}>${i}`);
  }

  return {
    macs,
    reset: () => {
      for (const mac of macs) {
        mac.code = mac.before = undefined;
        mac.age = 0;
        mac.zeta = mac.zetaBefore = 1;
      }
    },
    step: (active, mode, uniform) => {
      for (const mac of macs) {
        mac.before = mac.code;
        mac.zetaBefore = mac.zeta;
      }
      for (const mac of macs) chooseCode(mac, active, mode, () => uniform(mac.level, mac.place));
    },
  };
}
