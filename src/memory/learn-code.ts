import { countPresentation, countSynapse } from "./crosstalk.ts";
import { densityOf, type Mac } from "./mac.ts";
import type { MacInput, MacReport } from "./select-code.ts";
import type { Synapses } from "./synapses.ts";

/**
 * Stores the mac's code in one presentation (`specs/sparsey.md` 3.3): the weights from what was active to the cells of
 * the code become 1. Call it right after `selectCode`, when its report
 * says `store`.
 */
export function learnCode(
  mac: Mac,
  { groups, neighbours = [], parents = [] }: MacInput,
  { state }: MacReport,
): void {
  const { code, previous, rules, crosstalk, up } = mac;
  if (!code) return;
  countInputs(mac, groups);
  const closed = rules.freezeBy === "cell" && rules.freezeAt !== null ? rules.freezeAt * mac.inputs : null;
  const { fanIn } = crosstalk;
  // Input by input: what leaves one lies together.
  for (const { units } of groups)
    for (let a = 0; a < units.length; a++) {
      const unit = units[a];
      for (let m = 0; m < code.length; m++) {
        const cell = code[m];
        if ((closed === null || fanIn[cell] <= closed) && up.connect(unit, cell)) {
          countSynapse(crosstalk, unit, cell);
          mac.increased++;
        }
      }
    }

  if (state === "active" || rules.selfWhilePersisting) {
    if (previous) {
      mac.horizontal ??= mac.createSynapses(mac.q * mac.k);
      for (const [p, from] of previous.entries())
        for (const [q, to] of code.entries()) if (p !== q) mac.horizontal.connect(from, to);
    }
    connectCodes(neighbours, code, (n) => (mac.side[n] ??= mac.createSynapses(mac.q * mac.k)));
  }
  connectCodes(parents, code, (p) => (mac.down[p] ??= mac.createSynapses(mac.parents[p])));
  if (rules.freezeBy === "mac" && rules.freezeAt !== null && densityOf(mac) >= rules.freezeAt)
    mac.frozen = true;
}

function connectCodes(
  sources: NonNullable<MacInput["parents"]>,
  code: Uint32Array,
  synapsesOf: (source: number) => Synapses,
): void {
  for (const [s, source] of sources.entries()) {
    if (!source) continue;
    const synapses = synapsesOf(s);
    for (const from of source.code) for (const to of code) synapses.connect(from, to);
  }
}

/** One more presentation; `selectCode` has left the sums. */
function countInputs({ crosstalk, scratch }: Mac, groups: MacInput["groups"]): void {
  const units = groups.length === 1 ? groups[0].units : groups.flatMap((group) => Array.from(group.units));
  if (units.length > 0) countPresentation(crosstalk, units, scratch.sums);
}
