import { addRowSums, type BitMatrix, countOnes, createBitMatrix, getBit, setBit } from "./bit-matrix.ts";
import { type Decay, decayedWeight, stiffened } from "./decay.ts";
import type { Room } from "./room.ts";

/** Weights from presynaptic units to the cells of a mac; all 0 at first. */
export interface Synapses {
  /** Adds the weights that leave each of these units to `sums`, cell by cell. */
  addSums(units: ArrayLike<number>, sums: Float64Array): void;
  weight(unit: number, cell: number): number;
  /** Both are active together: the weight becomes 1. True where this synapse was never increased before. */
  connect(unit: number, cell: number): boolean;
  /** Whether this synapse was ever increased. */
  connected(unit: number, cell: number): boolean;
  /** Synapses that were ever increased. */
  increased(): number;
  /** What a file must hold. */
  readonly state: BitMatrix | FadingState;
}

/** When each synapse was last increased, and its stiffness, one row a presynaptic unit. */
export interface FadingState {
  /** Frame of the last coincidence, counted from 1; 0 = never. */
  readonly last: Uint32Array<ArrayBuffer>;
  readonly stiffness: Uint8Array<ArrayBuffer>;
}

/** Learning frames so far, of a whole memory. */
export interface Clock {
  now: number;
}

/** Permanent weights of one bit each. */
export function permanentSynapses(units: number, cells: number, room?: Room): Synapses {
  const bits = createBitMatrix(units, cells, room);
  return {
    addSums: (rows, sums) => addRowSums(bits, rows, sums),
    weight: (unit, cell) => getBit(bits, unit, cell),
    connect: (unit, cell) => setBit(bits, unit, cell),
    connected: (unit, cell) => getBit(bits, unit, cell) === 1,
    increased: () => countOnes(bits),
    state: bits,
  };
}

/** Weights that fade with the frames on `clock` since their last coincidence. */
export function fadingSynapses(
  units: number,
  cells: number,
  decay: Decay,
  clock: Clock,
  persistence: number,
): Synapses {
  const last = new Uint32Array(units * cells);
  const stiffness = new Uint8Array(units * cells);
  const at = (i: number) => (last[i] === 0 ? 0 : decayedWeight(decay, clock.now + 1 - last[i], stiffness[i]));
  return {
    addSums: (rows, sums) => {
      for (let r = 0; r < rows.length; r++)
        for (let i = 0; i < cells; i++)
          if (last[rows[r] * cells + i] !== 0) sums[i] += at(rows[r] * cells + i);
    },
    weight: (unit, cell) => at(unit * cells + cell),
    connect: (unit, cell) => {
      const i = unit * cells + cell;
      const fresh = last[i] === 0;
      if (!fresh) stiffness[i] = stiffened(decay, clock.now + 1 - last[i], stiffness[i], persistence);
      last[i] = clock.now + 1;
      return fresh;
    },
    connected: (unit, cell) => last[unit * cells + cell] > 0,
    increased: () => last.reduce((sum, frame) => sum + Number(frame > 0), 0),
    state: { last, stiffness },
  };
}
