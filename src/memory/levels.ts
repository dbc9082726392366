import { Problem } from "../problem.ts";
import { checkDecay, type Decay } from "./decay.ts";
import { checkKnown, type PresetName, type Rules, resolveRules } from "./rules.ts";

export interface LevelOptions {
  /**
   * What each mac of the level sees: inputs on the first level, macs of the level below on the others. Default: one
   * mac that sees everything.
   */
  fields?: readonly ArrayLike<number>[];
  /**
   * Of each mac: other macs of the level whose codes of a frame ago support it like its own code does, `neighbourMacs` for
   * example. Default: none.
   */
  neighbours?: readonly ArrayLike<number>[];
  /** Modules a mac. Default 24, or 8 where there are several macs. */
  q?: number;
  /** Cells a module. Default 16, or 32 where there are several macs. */
  k?: number;
  /** Frames for which a code stays. Default: 1 on the first level, twice that of the level below on the others. */
  persistence?: number;
  /** Fewest and most active inputs (above: active macs) at which a mac switches on. Default: any. */
  band?: readonly [number, number];
  /** First frame of an episode in which the level may be active, counted from 1. Default 1. */
  minFrame?: number;
  preset?: PresetName;
  rules?: Partial<Rules>;
}

export interface NetworkOptions {
  /** Binary inputs of a pattern. */
  inputs: number;
  /** From the inputs upwards. Default: one level with its defaults, a single field. */
  levels?: readonly LevelOptions[];
  /** Of every level that has none of its own. Default `robust`. */
  preset?: PresetName;
  /** For every level; its own rules come on top. */
  rules?: Partial<Rules>;
  /** Lets weights fade; needs raw evidence and no freezing. Default: weights are permanent. */
  decay?: Decay;
  /**
   * Keeps the code of every item that has a class, four bytes a module, for the read-out `nearestCode`. Default false:
   * nothing grows with the number of items.
   */
  keepCodes?: boolean;
  /** Default 0. */
  seed?: number;
  /** Whatever should be found again in a saved memory, such as how its inputs are encoded. */
  notes?: Readonly<Record<string, string>>;
}

/** A level with every default filled in. */
export type ResolvedLevel = Required<
  Omit<LevelOptions, "preset" | "rules" | "fields" | "neighbours" | "band">
> & {
  fields: Uint32Array[];
  neighbours: Uint32Array[];
  rules: Rules;
  band?: readonly [number, number];
};

const LEVEL_OPTIONS: { readonly [O in keyof Required<LevelOptions>]: true } = {
  fields: true,
  neighbours: true,
  q: true,
  k: true,
  persistence: true,
  band: true,
  minFrame: true,
  preset: true,
  rules: true,
};

const OPTIONS: { readonly [O in keyof Required<NetworkOptions>]: true } = {
  inputs: true,
  levels: true,
  preset: true,
  rules: true,
  decay: true,
  keepCodes: true,
  seed: true,
  notes: true,
};

/** The levels of a network; a `Problem` where they make none. */
export function resolveLevels(options: NetworkOptions): ResolvedLevel[] {
  const { inputs, levels: wanted = [{}], decay } = options;
  checkKnown("option", Object.keys(options), Object.keys(OPTIONS));
  checkCount("inputs", inputs);
  if (wanted.length === 0) throw new Problem("memory: levels is empty; leave it out for a single field");
  if (decay) checkDecay(decay);
  const resolved: ResolvedLevel[] = [];
  for (const [l, level] of wanted.entries()) {
    checkKnown(`option of level ${l + 1}`, Object.keys(level), Object.keys(LEVEL_OPTIONS));
    const units = l === 0 ? inputs : resolved[l - 1].fields.length;
    const fields = (level.fields ?? [Array.from({ length: units }, (_, i) => i)]).map((field, m) => {
      checkUnits(field, units, `field ${m} of level ${l + 1}`);
      if (field.length === 0) throw new Problem(`memory: field ${m} of level ${l + 1} is empty`);
      return Uint32Array.from(field);
    });
    if (fields.length === 0) throw new Problem(`memory: level ${l + 1} has no fields`);
    const neighbours = resolveNeighbours(level.neighbours, fields.length, l + 1);
    const several = fields.length > 1;
    const { q = several ? 8 : 24, k = several ? 32 : 16, minFrame = 1, band } = level;
    const persistence = level.persistence ?? (l === 0 ? 1 : 2 * resolved[l - 1].persistence);
    for (const [name, value] of Object.entries({ q, k, minFrame, persistence }))
      checkCount(`${name} of level ${l + 1}`, value);
    if (band && !(band.length === 2 && band.every(Number.isFinite) && band[0] >= 0 && band[1] >= band[0]))
      throw new Problem(
        `memory: band of level ${l + 1} is [${band}]; expected [fewest, most], two finite numbers`,
      );
    const rules = resolveRules(level.preset ?? options.preset, { ...options.rules, ...level.rules });
    if (decay && (rules.evidence !== "raw" || rules.freezeAt !== null))
      throw new Problem(
        'memory: decay goes with raw evidence and without freezing; set a raw preset such as "capacity" and freezeAt: null',
      );
    resolved.push({ fields, neighbours, q, k, minFrame, persistence, band, rules });
  }
  return resolved;
}

function resolveNeighbours(
  wanted: readonly ArrayLike<number>[] | undefined,
  macs: number,
  level: number,
): Uint32Array[] {
  const lists = wanted ?? Array.from({ length: macs }, () => []);
  if (lists.length !== macs)
    throw new Problem(
      `memory: level ${level} has ${macs} macs, but neighbours of ${lists.length}; give one list a mac`,
    );
  return lists.map((list, m) => {
    checkUnits(list, macs, `the neighbours of mac ${m} of level ${level}`);
    const own = Uint32Array.from(list);
    if (own.includes(m))
      throw new Problem(`memory: mac ${m} of level ${level} is its own neighbour; leave it out`);
    return own;
  });
}

/** Sizes of every level: cells of a mac, and per mac its inputs, its neighbours and the cells of its parents. */
export function sizesOf(levels: readonly ResolvedLevel[]) {
  return levels.map(({ fields, neighbours, q, k }, l) => {
    const below = levels[l - 1];
    const above = levels[l + 1];
    const unitCells = below ? below.q * below.k : 1;
    return {
      cells: q * k,
      units: fields.map((field) => field.length * unitCells),
      neighbours: neighbours.map((list) => list.length),
      parentCells: parentsOf(fields.length, above).map((parents) => parents.map(() => above.q * above.k)),
    };
  });
}

/** Which macs of the level above see each mac. */
export function parentsOf(macs: number, above: ResolvedLevel | undefined): number[][] {
  const parents = Array.from({ length: macs }, () => [] as number[]);
  for (const [p, field] of above?.fields.entries() ?? []) for (const m of field) parents[m].push(p);
  return parents;
}

export function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Problem(`memory: ${name} is ${value}; expected a whole number of at least 1`);
}

/** Throws a Problem unless these are different whole numbers below `limit`. */
export function checkUnits(units: ArrayLike<number>, limit: number, what: string): void {
  const seen = new Int32Array((limit + 31) >>> 5);
  for (let i = 0; i < units.length; i++) {
    const unit = units[i];
    if (!(Number.isInteger(unit) && unit >= 0 && unit < limit))
      throw new Problem(`memory: ${what} names unit ${unit}; units are whole numbers from 0 to ${limit - 1}`);
    const bit = 1 << (unit & 31);
    if (seen[unit >>> 5] & bit) throw new Problem(`memory: ${what} names unit ${unit} twice`);
    seen[unit >>> 5] |= bit;
  }
}
