import { random } from "../../../random.ts";

export interface TemporalMemoryOptions {
  columns: number;
  /** Default 32. */
  cellsPerColumn?: number;
  /** Active connected synapses from which on a segment is active. Default 13. */
  activationThreshold?: number;
  /** Active synapses, connected or not, from which on a segment matches and may learn. Default 10. */
  learningThreshold?: number;
  /** Default 0.21. */
  initialPermanence?: number;
  /** From this permanence on a synapse is connected. Default 0.5. */
  connectedPermanence?: number;
  /** Most active synapses that a segment is grown to. Default 20. */
  synapseSampleSize?: number;
  /** Default 0.1. */
  permanenceIncrement?: number;
  /** Default 0.1. */
  permanenceDecrement?: number;
  /** What a segment loses that expected a column which stayed silent. Default 0. */
  predictedDecrement?: number;
  /** Default 0. */
  seed?: number;
}

/** A dendrite of a cell: presynaptic cell → permanence. */
export interface Segment {
  readonly cell: number;
  readonly synapses: Map<number, number>;
}

/** Learns transitions between sets of columns, each in its context; cell = column · cellsPerColumn + place. */
export interface TemporalMemory {
  readonly segments: readonly Segment[];
  /** One step of the episode that goes on since the last `reset`. */
  compute(activeColumns: readonly number[], learn: boolean): void;
  /** Cells that are active, and those of them that stand for their column when others learn, since the last `compute`. */
  activeCells(): ReadonlySet<number>;
  winnerCells(): readonly number[];
  /** Columns with a cell that expects to be active next, in rising order. */
  predictedColumns(): number[];
  /** The next step is the first of an episode. */
  reset(): void;
}

/** What the active cells of a step do to the segments. */
interface Dendrites {
  active: number[];
  matching: number[];
  /** Active synapses, connected or not. */
  potential: ReadonlyMap<number, number>;
}

const NOTHING: Dendrites = { active: [], matching: [], potential: new Map() };

/**
 * The temporal memory of hierarchical temporal memory (Hawkins et al., Biological and Machine Intelligence, chapter on
 * the temporal memory algorithm; Hawkins & Ahmad 2016, Front. Neural Circuits 10:23). A column that was expected
 * activates the cells that expected it, any other all its cells. Defaults are those of Numenta's own program; segments
 * and synapses are neither bounded in number nor removed.
 */
export function createTemporalMemory(options: TemporalMemoryOptions): TemporalMemory {
  const {
    cellsPerColumn = 32,
    activationThreshold = 13,
    learningThreshold = 10,
    initialPermanence = 0.21,
    connectedPermanence = 0.5,
    synapseSampleSize = 20,
    permanenceIncrement = 0.1,
    permanenceDecrement = 0.1,
    predictedDecrement = 0,
    seed = 0,
  } = options;
  const rng = random(seed);
  const segments: Segment[] = [];
  const segmentsOfCell = new Map<number, number>();
  /** Of each cell the segments that have a synapse from it. */
  const listeners = new Map<number, number[]>();
  let active = new Set<number>();
  let winners: number[] = [];
  let dendrites = NOTHING;

  const columnOf = (segment: number) => Math.floor(segments[segment].cell / cellsPerColumn);
  const byColumn = (some: readonly number[]) => {
    const groups = new Map<number, number[]>();
    for (const segment of some) {
      const column = columnOf(segment);
      const group = groups.get(column);
      if (group) group.push(segment);
      else groups.set(column, [segment]);
    }
    return groups;
  };

  const reinforce = (segment: number, before: ReadonlySet<number>) => {
    const { synapses } = segments[segment];
    for (const [cell, permanence] of synapses)
      synapses.set(
        cell,
        before.has(cell)
          ? Math.min(1, permanence + permanenceIncrement)
          : Math.max(0, permanence - permanenceDecrement),
      );
  };
  const weaken = (segment: number, before: ReadonlySet<number>) => {
    const { synapses } = segments[segment];
    for (const [cell, permanence] of synapses)
      if (before.has(cell)) synapses.set(cell, Math.max(0, permanence - predictedDecrement));
  };
  const grow = (segment: number, from: readonly number[]) => {
    const { synapses } = segments[segment];
    let wanted = synapseSampleSize - (dendrites.potential.get(segment) ?? 0);
    for (const place of rng.permutation(from.length)) {
      if (wanted <= 0) return;
      const cell = from[place];
      if (synapses.has(cell)) continue;
      synapses.set(cell, initialPermanence);
      const some = listeners.get(cell);
      if (some) some.push(segment);
      else listeners.set(cell, [segment]);
      wanted--;
    }
  };
  const growSegment = (cell: number) => {
    segmentsOfCell.set(cell, (segmentsOfCell.get(cell) ?? 0) + 1);
    return segments.push({ cell, synapses: new Map() }) - 1;
  };
  const leastUsedCell = (column: number) => {
    const cells = Array.from({ length: cellsPerColumn }, (_, i) => column * cellsPerColumn + i);
    const uses = cells.map((cell) => segmentsOfCell.get(cell) ?? 0);
    const fewest = Math.min(...uses);
    const candidates = cells.filter((_, i) => uses[i] === fewest);
    return candidates[rng.integer(candidates.length)];
  };

  /** Which segments the active cells make active, and which match. */
  const depolarize = (): Dendrites => {
    const potential = new Map<number, number>();
    const connected = new Map<number, number>();
    for (const cell of active)
      for (const segment of listeners.get(cell) ?? []) {
        potential.set(segment, (potential.get(segment) ?? 0) + 1);
        if (segments[segment].synapses.get(cell)! >= connectedPermanence)
          connected.set(segment, (connected.get(segment) ?? 0) + 1);
      }
    return {
      active: [...connected].filter(([, n]) => n >= activationThreshold).map(([segment]) => segment),
      matching: [...potential].filter(([, n]) => n >= learningThreshold).map(([segment]) => segment),
      potential,
    };
  };

  const compute: TemporalMemory["compute"] = (activeColumns, learn) => {
    const [cellsBefore, winnersBefore] = [active, winners];
    [active, winners] = [new Set(), []];
    const expected = byColumn(dendrites.active);
    const matching = byColumn(dendrites.matching);
    const learnt: number[] = [];
    for (const column of activeColumns) {
      const predicted = expected.get(column);
      if (predicted) {
        const cells = new Set(predicted.map((segment) => segments[segment].cell));
        for (const cell of cells) active.add(cell);
        winners.push(...cells);
        learnt.push(...predicted);
        continue;
      }
      for (let i = 0; i < cellsPerColumn; i++) active.add(column * cellsPerColumn + i);
      const best = matching
        .get(column)
        ?.reduce((a, b) => (dendrites.potential.get(b)! > dendrites.potential.get(a)! ? b : a));
      const winner = best === undefined ? leastUsedCell(column) : segments[best].cell;
      winners.push(winner);
      if (best !== undefined) learnt.push(best);
      else if (learn && winnersBefore.length > 0) learnt.push(growSegment(winner));
    }
    if (learn) {
      for (const segment of learnt) {
        reinforce(segment, cellsBefore);
        grow(segment, winnersBefore);
      }
      const present = new Set(activeColumns);
      for (const [column, wrong] of matching)
        if (!present.has(column)) for (const segment of wrong) weaken(segment, cellsBefore);
    }
    dendrites = depolarize();
  };

  return {
    segments,
    compute,
    activeCells: () => active,
    winnerCells: () => winners,
    predictedColumns: () => [...byColumn(dendrites.active).keys()].sort((a, b) => a - b),
    reset: () => {
      active = new Set();
      winners = [];
      dendrites = NOTHING;
    },
  };
}
