import { countPresentation, countSynapse } from "./crosstalk.ts";
import { densityOf, type Mac } from "./mac.ts";
import type { MacInput, MacReport } from "./select-code.ts";

/**
 * Stores the mac's code in one presentation (`specs/sparsey.md` 3.3): the weights from what was active to the cells of
 * the code become 1. Call it right after `selectCode`, when its report
 * says `store`.
 */
export function learnCode(mac: Mac, { groups, parents = [] }: MacInput, { state }: MacReport): void {
  const { code, previous, rules, crosstalk, up } = mac;
  if (!code) return;
  countInputs(mac, groups);
  const closed = rules.freezeBy === "cell" && rules.freezeAt !== null ? rules.freezeAt * mac.inputs : null;
  const { fanIn } = crosstalk;
  for (let m = 0; m < code.length; m++) {
    const cell = code[m];
    for (const { units } of groups)
      for (let a = 0; a < units.length && (closed === null || fanIn[cell] <= closed); a++)
        if (up.connect(units[a], cell)) {
          countSynapse(crosstalk, units[a], cell);
          mac.increased++;
        }
  }

  if (previous && (state === "active" || rules.selfWhilePersisting)) {
    mac.horizontal ??= mac.createSynapses(mac.q * mac.k);
    for (const [p, from] of previous.entries())
      for (const [q, to] of code.entries()) if (p !== q) mac.horizontal.connect(from, to);
  }
  for (const [p, parent] of parents.entries()) {
    if (!parent) continue;
    mac.down[p] ??= mac.createSynapses(mac.parents[p]);
    for (const from of parent.code) for (const to of code) mac.down[p].connect(from, to);
  }
  if (rules.freezeBy === "mac" && rules.freezeAt !== null && densityOf(mac) >= rules.freezeAt)
    mac.frozen = true;
}

/** One more presentation; `selectCode` has left the sums. */
function countInputs({ crosstalk, scratch }: Mac, groups: MacInput["groups"]): void {
  const units = groups.length === 1 ? groups[0].units : groups.flatMap((group) => Array.from(group.units));
  if (units.length > 0) countPresentation(crosstalk, units, scratch.sums);
}
