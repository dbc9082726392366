import type { Allowance, Section } from "../allowance.ts";
import type { Choice } from "./choose.ts";
import { chooseWithin, costOf } from "./choose.ts";

/**
 * One budget over many layers (wgsef.md 3.1 and 3.7): their groups compete in one regulariser, with what each group's
 * absence saves as its cost c_j and with metric weights ∝ 1/|s_j|, so that layers with wide filters have no advantage. The
 * largest group of every layer is spared.
 *
 * Where costs do not add up, K and c_j are the budget and the slopes at the groups that lived when the epoch began. Costs
 * that are products of widths lie above their tangent there, so that the proximal step never removes too much.
 *
 * @param sizes number of weights of each group.
 */
export function createBudget(
  { ledger, sections, limit }: Pick<Choice, "ledger" | "limit"> & { sections: readonly Section[] },
  sizes: Float64Array,
): Allowance {
  const mean = sizes.reduce((a, b) => a + b, 0) / sizes.length;
  const weights = sizes.map((size) => mean / size);
  const weighted = (scores: Float64Array) => scores.map((s, j) => s * Math.sqrt(weights[j]));
  return {
    weights,
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
    choose: (scores) => chooseWithin({ ledger, sections, limit }, weighted(scores)),
    spared: (norms) => {
      const spared = new Uint8Array(norms.length);
      const values = weighted(norms);
      let start = 0;
      for (const { groups } of sections) {
        let best = start;
        for (let j = start + 1; j < start + groups; j++) if (values[j] > values[best]) best = j;
        spared[best] = 1;
        start += groups;
      }
      return spared;
    },
  };
}
