import { type Arena, createArena } from "../kernels/arena.ts";
import { canShareMemory } from "../kernels/team.ts";
import { Problem } from "../problem.ts";
import { deriveSeed, type Random, random } from "../random.ts";
import { bitMatrixBytes } from "./bit-matrix.ts";
import { learnCode } from "./learn-code.ts";
import {
  checkUnits,
  type NetworkOptions,
  parentsOf,
  type ResolvedLevel,
  resolveLevels,
  sizesOf,
} from "./levels.ts";
import { beginFrame, createMac, createScratch, type Mac, resetMac, scratchNumbers } from "./mac.ts";
import { ANYWHERE, type Room } from "./room.ts";
import {
  type CodeSource,
  type MacInput,
  type MacReport,
  type Mode,
  selectCode,
  sourceFactor,
} from "./select-code.ts";
import { type SharedSums, sharedSumsBytes, type TaskRoom } from "./shared-sums.ts";
import type { Clock } from "./synapses.ts";

interface Level {
  readonly macs: readonly Mac[];
  readonly fields: readonly Uint32Array[];
  /** Of every mac: others of the level that support it from the side. */
  readonly neighbours: readonly Uint32Array[];
  readonly minFrame: number;
  /** Of every mac: its parents, as places in the level above. */
  readonly parents: readonly (readonly number[])[];
  readonly seenBy: SeenBy;
  /** Room for the active units of each field. */
  readonly gathered: readonly Int32Array[];
  /** Made when threads are first used. */
  tasks?: TaskRoom;
}

/** Of every unit below the macs that see it. */
interface SeenBy {
  /** Where the entries of each unit begin in the other two; one more at the end. */
  readonly starts: Uint32Array;
  readonly macs: Uint32Array;
  /** Which unit of the mac's field it is. */
  readonly places: Uint32Array;
}

export interface Network {
  readonly options: NetworkOptions;
  readonly levels: readonly Level[];
  /** All macs, level by level. */
  readonly macs: readonly Mac[];
  /** Where each mac's modules begin in a code. */
  readonly offsets: readonly number[];
  /** Modules of all macs. */
  readonly modules: number;
  readonly clock: Clock;
  /** Active inputs of all frames that were learnt. */
  activeTotal: number;
  /** Frames of the episode so far. */
  frame: number;
  /** Of queries that need more chance than the macs' own. */
  rng: Random;
  /** Where the weights lie, if in one piece. */
  readonly arena?: Arena;
  /** Other threads that help with the sums. */
  team?: SharedSums;
}

/** What a memory did with one frame. */
export interface Frame {
  /** The winner of every module of every mac, level by level; −1 in a silent mac. */
  code: Int32Array;
  /** G in [0, 1], mean over the macs that chose a code; undefined where none did. */
  familiarity?: number;
  /** The same of all the evidence there was, without back-off: tells known frames in a wrong order. */
  orderFamiliarity?: number;
  /** Mac by mac, in the order of `code`. */
  macs: MacReport[];
}

export function createNetwork(options: NetworkOptions): Network {
  const { inputs, seed = 0, decay } = options;
  const clock = { now: 0 };
  const resolved = resolveLevels(options);
  const sizes = sizesOf(resolved);
  checkSize(sizes);
  const arena = arenaFor(options, resolved, sizes);
  const room: Room = arena ?? ANYWHERE;
  const levels = resolved.map((level, l): Level => {
    const { fields, neighbours, q, k, persistence, band, rules, minFrame } = level;
    const below = resolved[l - 1];
    const parents = parentsOf(fields.length, resolved[l + 1]);
    const scratch = createScratch(q, k, room);
    const { units, parentCells } = sizes[l];
    const macs = fields.map((_, m) =>
      createMac(
        {
          inputs: units[m],
          q,
          k,
          rules,
          persistence,
          band: band ?? [1, fields[m].length],
          neighbours: neighbours[m].length,
          parents: parentCells[m],
          decay,
        },
        random(deriveSeed(seed, "mac", l, m)),
        { clock, room, scratch },
      ),
    );
    const seenBy = seenByOf(fields, below ? below.fields.length : inputs);
    const gathered = fields.map((field) => new Int32Array(field.length));
    return { macs, fields, neighbours, minFrame, parents, seenBy, gathered };
  });
  const macs = levels.flatMap((level) => level.macs);
  const offsets: number[] = [];
  let modules = 0;
  for (const { q } of macs) {
    offsets.push(modules);
    modules += q;
  }
  const rng = random(deriveSeed(seed, "queries"));
  return { options, levels, macs, offsets, modules, clock, activeTotal: 0, frame: 0, rng, arena };
}

function seenByOf(fields: readonly Uint32Array[], units: number): SeenBy {
  const starts = new Uint32Array(units + 1);
  for (const field of fields) for (const unit of field) starts[unit + 1]++;
  for (let unit = 0; unit < units; unit++) starts[unit + 1] += starts[unit];
  const macs = new Uint32Array(starts[units]);
  const places = new Uint32Array(starts[units]);
  const next = starts.slice();
  for (const [mac, field] of fields.entries())
    for (const [place, unit] of field.entries()) {
      macs[next[unit]] = mac;
      places[next[unit]++] = place;
    }
  return { starts, macs, places };
}

/** Cells of all macs. */
export function cellCount({ macs }: Network): number {
  return macs.reduce((sum, { q, k }) => sum + q * k, 0);
}

/** Larger arrays of weights are beyond JavaScript. */
const MOST_BYTES = 2 ** 33;

function checkSize(sizes: ReturnType<typeof sizesOf>): void {
  const bytes = sizes.reduce(
    (sum, { cells, units }) => sum + units.reduce((n, inputs) => n + bitMatrixBytes(inputs, cells), 0),
    0,
  );
  if (!(bytes <= MOST_BYTES))
    throw new Problem(
      `memory: its weights would take ${Math.round(bytes / 1e9).toLocaleString("en-US")} GB; use fewer modules, cells or inputs`,
    );
}

/** Beyond this, weights lie anywhere and the kernels do without: a browser may not give so much address space. */
const LARGEST_ROOM = 2 ** 30;

/** An arena for all the weights that may ever be needed; pages that nobody writes to cost nothing. */
function arenaFor(
  { decay }: NetworkOptions,
  levels: readonly ResolvedLevel[],
  sizes: ReturnType<typeof sizesOf>,
): Arena | undefined {
  if (decay) return undefined;
  let bytes = 0;
  for (const [l, { cells, units, neighbours, parentCells }] of sizes.entries()) {
    bytes += 8 * scratchNumbers(cells, levels[l].q) + sharedSumsBytes(units.length, cells);
    for (const [m, inputs] of units.entries()) {
      bytes +=
        bitMatrixBytes(inputs, cells) +
        (1 + neighbours[m]) * bitMatrixBytes(cells, cells) +
        8 * (cells + 32) +
        4 * cells +
        64;
      for (const parent of parentCells[m]) bytes += bitMatrixBytes(parent, cells);
    }
  }
  return bytes <= LARGEST_ROOM ? createArena(bytes, canShareMemory()) : undefined;
}

/** The next frame is the first of an episode. */
export function resetNetwork(network: Network): void {
  network.macs.forEach(resetMac);
  network.frame = 0;
}

/**
 * One frame through all levels, each seeing what the level below does in this frame (`specs/sparsey.md` 3.4). `recall`
 * replays: the first level follows its own transitions and `active` is not looked at.
 */
export function runFrame(
  network: Network,
  active: ArrayLike<number>,
  mode: Mode,
  { soft, stopBelow }: { soft?: boolean; stopBelow?: number } = {},
): Frame {
  checkUnits(active, network.options.inputs, "a pattern");
  network.macs.forEach(beginFrame);
  network.frame++;
  const reports: MacReport[] = [];
  for (const [l, level] of network.levels.entries()) {
    const above = network.levels[l + 1];
    const seen: MacInput["groups"][number][][] = level.macs.map(() => []);
    const counts = new Uint32Array(level.macs.length);
    if (l === 0) gatherInputs(level, active, seen, counts);
    else gatherCodes(level, network.levels[l - 1], seen, counts);
    const summed = network.team?.sum(l, seen);
    for (const [m, mac] of level.macs.entries()) {
      const input: MacInput = {
        groups: seen[m],
        summed,
        activeSources: network.frame < level.minFrame ? 0 : counts[m],
        neighbours: Array.from(level.neighbours[m], (n) => earlierCode(level.macs[n])),
        parents: level.parents[m].map((p) => earlierCode(above.macs[p])),
        mode: mode === "recall" && l > 0 ? "recognize" : mode,
        soft,
        stopBelow,
      };
      const report = selectCode(mac, input);
      if (report.store) learnCode(mac, input, report);
      reports.push(report);
    }
  }
  if (mode === "learn") {
    network.clock.now++;
    network.activeTotal += active.length;
  }
  return {
    code: codeOf(network),
    familiarity: mean(reports, "familiarity"),
    orderFamiliarity: mean(reports, "orderFamiliarity"),
    macs: reports,
  };
}

type Groups = MacInput["groups"][number][];

function gatherInputs(level: Level, active: ArrayLike<number>, seen: Groups[], counts: Uint32Array): void {
  const { starts, macs, places } = level.seenBy;
  for (let a = 0; a < active.length; a++)
    for (let s = starts[active[a]]; s < starts[active[a] + 1]; s++)
      level.gathered[macs[s]][counts[macs[s]]++] = places[s];
  for (const [m, units] of level.gathered.entries())
    seen[m].push({ units: units.subarray(0, counts[m]), factor: 1 });
}

function gatherCodes(level: Level, below: Level, seen: Groups[], counts: Uint32Array): void {
  for (const [s, source] of below.macs.entries()) {
    if (!source.code) continue;
    const factor = sourceFactor(source, source.zeta);
    const { starts, macs, places } = level.seenBy;
    for (let i = starts[s]; i < starts[s + 1]; i++) {
      const mac = macs[i];
      const first = places[i] * source.q * source.k;
      seen[mac].push({ units: source.code.map((cell) => first + cell), factor });
      counts[mac]++;
    }
  }
}

function earlierCode(mac: Mac): CodeSource | undefined {
  return mac.previous && { code: mac.previous, modules: mac.q, factor: sourceFactor(mac, mac.previousZeta) };
}

function mean(reports: readonly MacReport[], key: "familiarity" | "orderFamiliarity"): number | undefined {
  let sum = 0;
  let count = 0;
  for (const { [key]: g } of reports)
    if (g !== undefined) {
      sum += g;
      count++;
    }
  return count ? sum / count : undefined;
}

function codeOf({ macs, offsets, modules }: Network): Int32Array {
  const code = new Int32Array(modules).fill(-1);
  for (const [m, { code: cells, k }] of macs.entries())
    cells?.forEach((cell, q) => {
      code[offsets[m] + q] = cell - q * k;
    });
  return code;
}
