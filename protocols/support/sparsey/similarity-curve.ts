/** P2 of sparsey.md: how the overlap of codes follows the similarity of inputs in a memory that holds one item. */
import { agreement } from "../../../src/memory/memory.ts";
import type { PresetName, Rules } from "../../../src/memory/rules.ts";
import { expansivity, winWeight } from "../../../src/memory/win-weights.ts";
import { random } from "../../../src/random.ts";
import { singleField } from "./one-field.ts";
import { corrupt, randomPattern } from "./patterns.ts";
import { average } from "./statistics.ts";

const ACTIVE = 12;
const SIZE = { inputs: 144, q: 24, k: 8 };

/** Equal winners of 24, by shared features 0 … 12: mean of `repeats` codes, and what the closed form expects. */
export function similarityCurve(seed: number, preset: PresetName, repeats: number) {
  const memory = singleField(SIZE, preset, seed);
  const rng = random(seed);
  const item = randomPattern(rng, SIZE.inputs, ACTIVE);
  const { code } = memory.learn(item);
  const { rules } = memory.network.macs[0];
  const shares = Array.from({ length: ACTIVE + 1 }, (_, shared) => shared);
  return {
    measured: shares.map(
      (shared) =>
        SIZE.q *
        average(
          Array.from({ length: repeats }, () => {
            const near = corrupt(rng, item, SIZE.inputs, ACTIVE - shared);
            return agreement(memory.recognize(near, { soft: true }).code, code);
          }),
        ),
    ),
    expected: shares.map((shared) => SIZE.q * winnerStays(shared / ACTIVE, rules)),
  };
}

/** ρ = ψ(V)/(ψ(V) + (K − 1)·ψ(0)) with V = G = share^λ. */
function winnerStays(share: number, rules: Rules): number {
  const support = share ** rules.lambdaU0;
  const eta = expansivity(support, SIZE.k, rules);
  const own = winWeight(support, SIZE.k, eta, rules.sigmoid);
  return own / (own + (SIZE.k - 1) * winWeight(0, SIZE.k, eta, rules.sigmoid));
}
