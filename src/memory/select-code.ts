import { correctedEvidence } from "./crosstalk.ts";
import { backOff, localSupport, type Version, versionOf } from "./evidence.ts";
import { raiseInflection, sigmoidOf } from "./inflection.ts";
import type { Mac } from "./mac.ts";
import { clear } from "./room.ts";
import { expansivity } from "./win-weights.ts";
import { compensation, countHypotheses, drawWinners, familiarityOf, pickBest } from "./winners.ts";

/** How a frame is read: stored, recognised, or (without bottom-up evidence) replayed. */
export type Mode = "learn" | "recognize" | "recall";

/** A code of a frame ago that supports a mac from the side or from above, and its F(ζ). */
export interface CodeSource {
  code: Uint32Array;
  modules: number;
  factor: number;
}

/** What reaches a mac in one frame. */
export interface MacInput {
  /** Active units of the receptive field; level 1 has one group with factor 1, above there is one a source mac. */
  groups: readonly { units: ArrayLike<number>; factor: number }[];
  /** The bottom-up sums of all groups are in the mac's scratch already. */
  summed?: boolean;
  /** Active pixels, or active macs, in the receptive field. */
  activeSources: number;
  /** Codes of its neighbours and of its parents a frame ago; undefined for one that was silent. */
  neighbours?: readonly (CodeSource | undefined)[];
  parents?: readonly (CodeSource | undefined)[];
  mode: Mode;
  /** Draws from the win probabilities instead of taking the best cells, when recognising. */
  soft?: boolean;
  /** Recall falls silent where no cell has at least this evidence from the frame before. */
  stopBelow?: number;
}

/** What a mac did in a frame. */
export interface MacReport {
  state: "silent" | "held" | "active";
  /** G of the evidence that was used; undefined unless a code was chosen. */
  familiarity?: number;
  /** G of all the evidence there was: it falls for known frames in a wrong order, which a back-off would hide. */
  orderFamiliarity?: number;
  /** The evidence that was used. */
  version?: Version;
  /** ζ. */
  hypotheses?: number;
  /** Whether this choice is to be stored. */
  store: boolean;
}

const SILENT: MacReport = { state: "silent", store: false };

/**
 * The Code Selection Algorithm for one mac and one frame (Rinkus 2014; `specs/sparsey.md` 3.2). Sets the mac's code, ζ
 * and age; `beginFrame` must have been called. Weights stay as they are.
 */
export function selectCode(mac: Mac, input: MacInput): MacReport {
  const { mode } = input;
  const learning = mode === "learn" && !mac.frozen;
  if (mac.code && mac.age < mac.persistence) {
    mac.age++;
    if (learning) sumInputs(mac, input);
    return { state: "held", store: learning };
  }
  mac.age = 0;
  mac.code = undefined;
  const { activeSources } = input;
  const recalling = mode === "recall";
  const [least, most] = mac.band;
  if (!recalling && (activeSources === 0 || activeSources < least || activeSources > most)) return SILENT;

  const full = versionOf(
    horizontal(mac, input.neighbours),
    !recalling && bottomUp(mac, input),
    topDown(mac, input.parents),
  );
  if (recalling && drive(mac, full) < (input.stopBelow ?? 0)) return SILENT;
  const { rules, q, k, scratch, rng } = mac;
  const { support, best } = scratch;
  const familiarity = (version: Version) => {
    localSupport(version, scratch, rules, support);
    return familiarityOf(support, k, best);
  };
  const orderFamiliarity = familiarity(full);
  const known = rules.skipIfFamiliar !== null && orderFamiliarity >= rules.skipIfFamiliar;
  const store = learning && !known;
  const version =
    rules.backoff && !store && !recalling
      ? backOff(full, rules.backoff, familiarity, rules.backoffWithoutInput)
      : full;
  const g = version === full && !rules.backoff ? orderFamiliarity : familiarity(version);
  mac.zeta = store ? 1 : countHypotheses(support, q, rules.hypothesisThreshold);

  const { inflectionRatchet } = rules;
  if (store && inflectionRatchet && mac.inflection)
    raiseInflection(mac.inflection, inflectionRatchet, support);
  const sigmoid = sigmoidOf(rules.sigmoid, mac.inflection);
  const code = new Uint32Array(q);
  if (store ? rules.learning === "soft" : input.soft)
    drawWinners(support, k, expansivity(g, k, rules), sigmoid, rng, scratch.weights, code);
  else pickBest(support, k, best, rng, code);
  mac.code = code;
  mac.age = 1;
  return { state: "active", familiarity: g, orderFamiliarity, version, hypotheses: mac.zeta, store };
}

/** Largest horizontal evidence, or from above where the mac was silent; −1 where there is neither. */
function drive({ scratch }: Mac, version: Version): number {
  if (version === "") return -1;
  return (version.includes("H") ? scratch.H : scratch.D).reduce((a, b) => Math.max(a, b), 0);
}

/** F(ζ) of a mac's code as a source, in the frame it was chosen in or in the one after. */
export function sourceFactor({ rules }: Mac, zeta: number): number {
  return compensation(zeta, rules.hypothesisExponent, rules.hypothesisLimit);
}

/** u of every cell, which learning needs too, whatever the evidence. */
function sumInputs({ scratch: { sums }, up }: Mac, { groups, summed }: MacInput): void {
  if (summed) return;
  clear(sums);
  for (const { units } of groups) up.addSums(units, sums);
}

/** U of every cell; false where nothing active is to be heeded. */
function bottomUp(mac: Mac, input: MacInput): boolean {
  const { scratch, rules } = mac;
  const { groups } = input;
  const { U, sums, weighted } = scratch;
  const plain = groups.every(({ factor }) => factor === 1);
  if (plain) sumInputs(mac, input);
  else weightedSums(mac, groups);
  let units = 0;
  for (const group of groups) if (group.factor > 0) units += group.units.length;
  if (units === 0) return false;
  const u = plain ? sums : weighted;
  const scale = 1 / (rules.normalizer === "active" ? units : rules.normalizer);
  if (rules.evidence === "corrected") correctedEvidence(mac.crosstalk, rules.priorItems, u, scale, U);
  else for (let i = 0; i < U.length; i++) U[i] = Math.min(1, u[i] * scale);
  return true;
}

/** u, and u in which every source counts F(ζ) times. */
function weightedSums({ scratch, up }: Mac, groups: MacInput["groups"]): void {
  const { sums, weighted, U: part } = scratch;
  clear(sums);
  clear(weighted);
  for (const { units, factor } of groups) {
    clear(part);
    up.addSums(units, part);
    for (let i = 0; i < part.length; i++) {
      sums[i] += part[i];
      weighted[i] += factor * part[i];
    }
  }
}

/** H of every cell, from the codes of the mac and its neighbours a frame ago; false where there were none. */
function horizontal(mac: Mac, neighbours: MacInput["neighbours"] = []): boolean {
  const { previous, q, scratch, rules, side } = mac;
  if (!rules.useHorizontal || (!previous && neighbours.length === 0)) return false;
  const { H, weighted } = scratch;
  clear(H);
  let modules = 0;
  const factor = sourceFactor(mac, mac.previousZeta);
  if (previous && q > 1 && factor > 0) {
    mac.horizontal?.addSums(previous, H);
    if (factor !== 1) for (let i = 0; i < H.length; i++) H[i] *= factor;
    // A cell has no connections within its own module, hence Q − 1 at most.
    modules = q - 1;
  }
  return shareOfModules(modules + addCodes(side, neighbours, weighted, H), H);
}

/** D of every cell, from the parents' codes a frame ago; false where there were none. */
function topDown(mac: Mac, parents: MacInput["parents"] = []): boolean {
  if (parents.length === 0) return false;
  const { D, weighted } = mac.scratch;
  clear(D);
  const modules = addCodes(mac.down, parents, weighted, D);
  return mac.rules.useTopDown && shareOfModules(modules, D);
}

/** Adds what each code gives to every cell to `sums`; returns the modules of all codes, which is the most there could be. */
function addCodes(
  synapses: Mac["down"],
  sources: readonly (CodeSource | undefined)[],
  part: Float64Array,
  sums: Float64Array,
): number {
  let modules = 0;
  for (const [s, source] of sources.entries()) {
    if (!source || source.factor === 0) continue;
    modules += source.modules;
    clear(part);
    synapses[s]?.addSums(source.code, part);
    for (let i = 0; i < sums.length; i++) sums[i] += source.factor * part[i];
  }
  return modules;
}

/** Sums become shares of what they could be at most; false where there is nothing they could come from. */
function shareOfModules(modules: number, sums: Float64Array): boolean {
  if (modules === 0) return false;
  for (let i = 0; i < sums.length; i++) sums[i] = Math.min(1, sums[i] / modules);
  return true;
}
