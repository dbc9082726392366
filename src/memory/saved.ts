import { bytesOf, dataView } from "../data/bytes.ts";
import { crc32 } from "../data/crc32.ts";
import { Problem } from "../problem.ts";
import { random } from "../random.ts";
import { recountSynapses } from "./crosstalk.ts";
import type { Inflection } from "./inflection.ts";
import { addClass, createLabelField, type LabelField } from "./label-field.ts";
import { type NetworkOptions, resolveLevels, sizesOf } from "./levels.ts";
import type { Mac } from "./mac.ts";
import { cellCount, createNetwork, type Network } from "./network.ts";
import type { Synapses } from "./synapses.ts";

/*
 * A saved memory. All numbers are little-endian.
 *
 *   8 bytes   89 46 4C 47 4D 45 4D 0A ("\x89FLGMEM\n")
 *   uint32    version: 2, 3 where macs have neighbours, 4 where codes are kept
 *   uint32    length of the header in bytes
 *   header    JSON, padded with spaces to a multiple of 4 bytes: `Header` below
 *   per mac   uint32[N]    how often each input was active
 *             synapses     from its N inputs, then from its own cells, from each parent's and from each neighbour's, where
 *                          they were learnt
 *   per class uint32[cells] how often each cell of the memory was active in it
 *             uint32[]      its weights, one bit a cell as in synapses
 *             int32[items][modules] where codes are kept: the active cells of every item, filled up with -1
 *   uint32    CRC-32 (as in gzip) of everything before
 *
 * Synapses are one row a presynaptic unit, one bit a cell, the lowest first, padded with zeros to a multiple of 32.
 * Where weights fade they are uint32[rows][cells], the frame of the last coincidence counted from 1, and
 * uint8[rows][cells], the stiffness, padded to a multiple of 4.
 *
 * Codes that are active in the middle of an episode are not saved: a loaded memory begins a new one.
 */
const MAGIC = Uint8Array.from([0x89, 0x46, 0x4c, 0x47, 0x4d, 0x45, 0x4d, 0x0a]);
const VERSION = 2;
const WITH_NEIGHBOURS = 3;
const WITH_CODES = 4;
const START = MAGIC.length + 8;

interface Header {
  options: NetworkOptions;
  /** Frames learnt, and active inputs of all of them. */
  frames: number;
  activeTotal: number;
  /** State of the random numbers of queries. */
  random: number;
  macs: MacHeader[];
  labels: { name: string; items: number }[];
}

interface MacHeader {
  presentations: number;
  frozen: boolean;
  random: number;
  /** Whether there are synapses from its own cells, and from those of each parent. */
  horizontal: boolean;
  down: boolean[];
  /** From those of each neighbour; absent where it has none. */
  side?: boolean[];
  /** Where its sigmoid moves. */
  inflection?: Inflection;
}

/** All that a memory is between two episodes. */
export interface Stored {
  network: Network;
  labels: LabelField;
}

/** A memory in which nothing is stored. */
export function createStored(options: NetworkOptions): Stored {
  const network = createNetwork(options);
  return {
    network,
    labels: createLabelField(cellCount(network), options.keepCodes ? network.modules : undefined),
  };
}

export function writeMemory({ network, labels }: Stored): Uint8Array {
  const { options } = network;
  const header: Header = {
    options: {
      ...options,
      levels: options.levels?.map((level) => ({
        ...level,
        fields: level.fields?.map((field) => Array.from(field)),
        neighbours: level.neighbours?.map((list) => Array.from(list)),
      })),
    },
    frames: network.clock.now,
    activeTotal: network.activeTotal,
    random: network.rng.state(),
    macs: network.macs.map((mac) => ({
      presentations: mac.crosstalk.presentations,
      frozen: mac.frozen,
      random: mac.rng.state(),
      horizontal: mac.horizontal !== undefined,
      down: mac.down.map((synapses) => synapses !== undefined),
      inflection: mac.inflection,
      side: mac.side.length > 0 ? mac.side.map((synapses) => synapses !== undefined) : undefined,
    })),
    labels: labels.names.map((name, c) => ({ name, items: labels.items[c] })),
  };
  const hasNeighbours = network.macs.some((mac) => mac.side.length > 0);
  const version = labels.kept ? WITH_CODES : hasNeighbours ? WITH_NEIGHBOURS : VERSION;
  const text = padded(new TextEncoder().encode(JSON.stringify(header)), 0x20);
  const parts = [
    MAGIC,
    bytesOf(Uint32Array.of(version, text.length)),
    text,
    ...network.macs.flatMap((mac) => arraysOf(mac).map((array) => padded(bytesOf(array), 0))),
    ...labels.names.flatMap((_, c) => labelArrays(labels, c).map(bytesOf)),
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length + 4);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  dataView(bytes).setUint32(length, crc32(bytes.subarray(0, length)), true);
  return bytes;
}

/**
 * The reverse of `writeMemory`; a `Problem` for bytes that are not a whole, undamaged memory of this version.
 */
export function readMemory(bytes: Uint8Array, name: string): Stored {
  const view = dataView(bytes);
  if (bytes.length < START + 4 || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw new Problem(`${name}: not a saved memory of Filigree`);
  const version = view.getUint32(MAGIC.length, true);
  if (version < VERSION || version > WITH_CODES)
    throw new Problem(
      `${name}: a saved memory of version ${version}; this Filigree reads versions ${VERSION} to ${WITH_CODES}: use the one that wrote it`,
    );
  const end = bytes.length - 4;
  if (crc32(bytes.subarray(0, end)) !== view.getUint32(end, true))
    throw new Problem(`${name}: the saved memory is damaged or cut short (CRC-32); restore it from a copy`);
  const headerLength = view.getUint32(START - 4, true);
  if (headerLength % 4 !== 0 || headerLength > end - START)
    throw new Problem(`${name}: the header of the saved memory is damaged`);
  try {
    const header = JSON.parse(
      new TextDecoder().decode(bytes.subarray(START, START + headerLength)),
    ) as Header;
    return restore(header, bytes.subarray(START + headerLength, end));
  } catch (error) {
    if (error instanceof Problem) throw new Problem(`${name}: ${error.message}`);
    throw new Problem(
      `${name}: the header of the saved memory is damaged (${(error as Error).message.split("\n")[0]})`,
    );
  }
}

function restore(header: Header, body: Uint8Array): Stored {
  // What the header claims is compared with what is there before anything of that size is made.
  if (expectedBytes(header, body.length) !== body.length)
    throw new Problem("the saved memory is damaged: its header does not fit its contents");
  const { network, labels } = createStored(header.options);
  network.clock.now = whole(header.frames);
  network.activeTotal = whole(header.activeTotal);
  network.rng = random(whole(header.random));
  let at = 0;
  const fill = (array: ArrayBufferView) => {
    bytesOf(array).set(body.subarray(at, at + array.byteLength));
    at += 4 * Math.ceil(array.byteLength / 4);
  };
  for (const [m, mac] of network.macs.entries()) {
    const saved = header.macs[m];
    mac.frozen = saved.frozen === true;
    mac.rng = random(whole(saved.random));
    if (mac.inflection) {
      const { center, highest } = saved.inflection ?? mac.inflection;
      mac.inflection = { center: finite(center), highest: finite(highest) };
    }
    if (saved.horizontal) mac.horizontal = mac.createSynapses(mac.q * mac.k);
    for (const [p, learnt] of saved.down.entries())
      if (learnt) mac.down[p] = mac.createSynapses(mac.parents[p]);
    for (const [n, learnt] of (saved.side ?? []).entries())
      if (learnt) mac.side[n] = mac.createSynapses(mac.q * mac.k);
    for (const array of arraysOf(mac)) fill(array);
    for (const synapses of synapsesOf(mac)) checkPadding(synapses);
    mac.increased = mac.up.increased();
    mac.crosstalk.presentations = whole(saved.presentations);
    if (mac.crosstalk.inputCounts.some((count) => count > saved.presentations))
      throw new Problem("the saved memory is damaged: an input was active more often than there were inputs");
    recountSynapses(mac.crosstalk, mac.up.connected);
  }
  for (const label of header.labels) readLabel(labels, label, fill);
  return { network, labels };
}

function readLabel(
  labels: LabelField,
  { name, items }: Header["labels"][number],
  fill: (array: ArrayBufferView) => void,
): void {
  if (typeof name !== "string" || labels.names.includes(name))
    throw new Problem("the saved memory is damaged: its classes must have different names");
  const c = addClass(labels, name);
  labels.items[c] = whole(items);
  if (labels.kept) {
    const { width, codes } = labels.kept;
    codes[c] = Array.from({ length: items }, () => new Int32Array(width));
  }
  labelArrays(labels, c).forEach(fill);
  if (labels.kept?.codes[c].some((code) => code.some((cell) => cell < -1 || cell >= labels.cells)))
    throw new Problem("the saved memory is damaged: a code has cells that do not exist");
}

/** Every array of a class that is saved, in the order of the file. */
const labelArrays = ({ counts, weights, kept }: LabelField, c: number): ArrayBufferView[] => [
  counts[c],
  weights[c].words,
  ...(kept?.codes[c] ?? []),
];

const synapsesOf = ({ up, horizontal, down, side }: Mac): Synapses[] =>
  [up, horizontal, ...down, ...side].filter((synapses) => synapses !== undefined);

/** Every array of a mac that is saved, in the order of the file. */
function arraysOf(mac: Mac): ArrayBufferView[] {
  return [
    mac.crosstalk.inputCounts,
    ...synapsesOf(mac).flatMap(({ state }): ArrayBufferView[] =>
      "words" in state ? [state.words] : [state.last, state.stiffness],
    ),
  ];
}

/** Bytes behind the header; NaN where the header makes no sense. `available` bounds what may be looked at. */
function expectedBytes({ options, macs, labels }: Header, available: number): number {
  // An input that a mac sees takes eight bytes at least; some may be seen by none.
  if (!(options.inputs <= 2 ** 20 + available)) return Number.NaN;
  const fading = options.decay !== undefined;
  const rows = (units: number, cells: number) =>
    fading ? 4 * units * cells + 4 * Math.ceil((units * cells) / 4) : 4 * units * Math.ceil(cells / 32);
  let bytes = 0;
  let m = 0;
  let all = 0;
  let modules = 0;
  const levels = resolveLevels(options);
  for (const [l, { cells, units, neighbours, parentCells }] of sizesOf(levels).entries())
    for (const [place, n] of units.entries()) {
      const { horizontal, down, side = [] } = macs[m++];
      all += cells;
      modules += levels[l].q;
      bytes += 4 * n + rows(n, cells) + (horizontal ? rows(cells, cells) : 0);
      if (down.length !== parentCells[place].length || side.length !== neighbours[place]) return Number.NaN;
      bytes += side.filter(Boolean).length * rows(cells, cells);
      for (const [p, learnt] of down.entries()) if (learnt) bytes += rows(parentCells[place][p], cells);
    }
  if (m !== macs.length) return Number.NaN;
  const codes = options.keepCodes ? labels.reduce((sum, { items }) => sum + whole(items), 0) : 0;
  return bytes + 4 * labels.length * (all + Math.ceil(all / 32)) + 4 * modules * codes;
}

/** Bits behind the last cell would be counted as weights. */
function checkPadding({ state }: Synapses): void {
  if (!("words" in state) || state.columns % 32 === 0) return;
  const { words, stride, columns } = state;
  for (let at = stride - 1; at < words.length; at += stride)
    if (words[at] >>> (columns & 31) !== 0)
      throw new Problem("the saved memory is damaged: weights beyond the last cell");
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new Problem("the saved memory is damaged: a number is none");
  return value;
}

function whole(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Problem("the saved memory is damaged: a count is not a whole number");
  return value;
}

/** `bytes` filled up to a multiple of four. */
function padded(bytes: Uint8Array, fill: number): Uint8Array {
  if (bytes.length % 4 === 0) return bytes;
  const out = new Uint8Array(4 * Math.ceil(bytes.length / 4)).fill(fill);
  out.set(bytes);
  return out;
}
