import type { Allowance, Section } from "../allowance.ts";
import { byNorm } from "../allowance.ts";
import type { Choice } from "./choose.ts";
import { chooseWithin, costOf } from "./choose.ts";

/**
 * One budget over many layers (wgsef.md 3.1 and 3.7): their groups compete in one regulariser, with what each group's
 * absence saves as its cost c_j. The largest groups of every layer are spared, as many as it keeps at least.
 *
 * Where costs do not add up, K and c_j are the budget and the slopes at the groups that lived when the epoch began. Costs
 * that are products of widths lie above their tangent there, so that the proximal step never removes too much.
 *
 * All metric weights d_j are 1, not ∝ 1/|s_j| as wgsef.md 3.7 suggests: with unequal ones the debiased metric reaches its
 * floor in layers of small groups first, and from αλd_j = 1 on every step divides their kept weights by αλd_j. Norms of
 * filters are comparable as they are, for initialisers scale weights by 1/√fan-in.
 */
export function createBudget({
  ledger,
  sections,
  limit,
}: Pick<Choice, "ledger" | "limit"> & { sections: readonly Section[] }): Allowance {
  return {
    sections,
    at: (live) => {
      const c = new Float64Array(live.length);
      live.forEach((alive, j) => {
        if (!alive) ledger.remove(j);
      });
      const now = ledger.cost();
      let [sum, count] = [0, 0];
      live.forEach((alive, j) => {
        if (!alive) return;
        ledger.remove(j);
        sum += c[j] = now - ledger.cost();
        ledger.restore(j);
        count++;
      });
      live.forEach((alive, j) => {
        if (!alive) ledger.restore(j);
      });
      // In units of the mean cost, so that k is a number of groups; what costs nothing may stay.
      const unit = sum / count || 1;
      const least = 1e-6;
      return {
        k: Math.max(least, (limit - now + sum) / unit),
        c: c.map((cost, j) => (live[j] ? Math.max(least, cost / unit) : 1)),
      };
    },
    met: (live) => costOf(ledger, live) <= limit * (1 + 1e-12),
    choose: (scores) => chooseWithin({ ledger, sections, limit }, scores),
    spared: (norms) => {
      const spared = new Uint8Array(norms.length);
      let start = 0;
      for (const { groups, least = 1 } of sections) {
        for (const j of byNorm(norms.subarray(start, start + groups)).slice(0, least)) spared[start + j] = 1;
        start += groups;
      }
      return spared;
    },
  };
}
