// The adaptive code of packed models (src/sparsity/encoding/adaptive-code.ts): binary arithmetic coding (Witten, Neal and Cleary,
// CACM 30, 1987) of bits that are foretold in several contexts, mixed in log-odds by weights that learn (Mahoney, Adaptive weighing of
// context models, Florida Tech CS-2005-16). Writing and reading are one: `code` puts a bit down, or finds it. Who reads has to find
// the very numbers of who wrote, on any machine: sums, products and quotients of f64 are rounded alike everywhere. AssemblyScript.

// Between `low` and `high` lies the code, 32 bits of which are in view. A 1 takes the lower part of what is between; a first byte in
// which both agree is done with. At the end they differ in it, and one byte more with zeros behind it lies between, or none where
// `low` is 0.
let low: u32;
let high: u32;
let view: u32;
let begin: usize;
let next: usize;
let end: usize;
let reading: bool;
let failed: bool;

export function startWriting(code: usize, room: usize): void {
  begin = next = code;
  end = code + room;
  reading = failed = false;
  low = 0;
  high = 0xffffffff;
}

export function startReading(code: usize, length: usize): void {
  startWriting(code, length);
  reading = true;
  for (let i = 0; i < 4; i++) read();
}

/** Bytes that were written, or read, when nothing follows; −1 where there was no room, or the code ended too early. */
export function finish(): i32 {
  if (!reading && low > 0) put((low >>> 24) + 1);
  if (failed) return -1;
  return <i32>(next - begin) - (reading ? 4 - <i32>(low > 0) : 0);
}

/** Bytes so far. */
export function used(): i32 {
  return <i32>(next - begin);
}

/** How much is between what the code may be, of 2³². */
export function span(): f64 {
  return <f64>(high - low) + 1;
}

function put(byte: u32): void {
  if (next < end) store<u8>(next++, <u8>byte);
  else failed = true;
}

/** Only zeros of the end are not written: four bytes may be missing. */
function read(): void {
  view = (view << 8) | (next < end ? <u32>load<u8>(next) : 0);
  if (next++ >= end + 4) failed = true;
}

/** @param one Probability of a 1 in 65536ths, 1 to 65535. */
function code(bit: i32, one: u32): i32 {
  const middle = low + <u32>((<u64>(high - low) * one) >>> 16);
  if (reading) bit = <i32>(view <= middle);
  if (bit) high = middle;
  else low = middle + 1;
  while (low >>> 24 == high >>> 24) {
    if (reading) read();
    else put(low >>> 24);
    low <<= 8;
    high = (high << 8) | 255;
  }
  return bit;
}

// Tables, and what is learned. A context is its probability of a 1 and how often it came, two f64.
const STEPS = 4096;
const FARTHEST: f64 = 11;
const FINE: f64 = 256;
/** 2 · FARTHEST · FINE + 1. */
const SQUASHED: i32 = 5633;
const BUCKETS: i32 = 62;
const CONTEXT: usize = 16;
/** From here on the past fades. */
const MEMORY: f64 = 1023;

let stretched: usize;
let squashed: usize;
let neighbours: usize;
let counts: usize;
let signs: usize;
let steps: usize;
let afterLast: usize;
let afterAbove: usize;
let within: usize;
let maskMixers: usize;
let levelMixers: usize;
let perColumn: usize;

/** Bytes of the tables. */
export function tablesSize(): usize {
  return layOutTables(0);
}

/** Bytes of what is learned of matrices of so many columns. */
export function stateSize(columns: i32): usize {
  return layOutState(0) + (<usize>columns << 2);
}

function layOutTables(at: usize): usize {
  stretched = at;
  squashed = stretched + ((STEPS + 1) << 3);
  return squashed + (SQUASHED << 1);
}

function layOutState(at: usize): usize {
  neighbours = at;
  counts = neighbours + 32 * CONTEXT;
  signs = counts + 1024 * CONTEXT;
  steps = signs + 9 * CONTEXT;
  afterLast = steps + BUCKETS * CONTEXT;
  afterAbove = afterLast + BUCKETS * BUCKETS * CONTEXT;
  within = afterAbove + BUCKETS * BUCKETS * CONTEXT;
  maskMixers = within + 4 * BUCKETS * CONTEXT;
  levelMixers = maskMixers + 2 * 4 * 8;
  perColumn = levelMixers + 3 * 8 * BUCKETS;
  return perColumn;
}

/** Fills in the tables, once for all codes. */
export function prepare(tables: usize): void {
  layOutTables(tables);
  for (let i = 0; i <= STEPS; i++) {
    // Log-odds of the middle of each step, by Halley's steps towards e^x = odds; the last holds for 1, too.
    const step = <f64>min(i, STEPS - 1);
    const odds = (step + 0.5) / (<f64>STEPS - step - 0.5);
    let x: f64 = 0;
    for (let round = 0; round < 20; round++) {
      const e = exponential(x);
      x += (2 * (odds - e)) / (odds + e);
    }
    store<f64>(stretched + (<usize>i << 3), x);
  }
  for (let i = 0; i < SQUASHED; i++) {
    const p = Math.floor(65536 / (1 + exponential(FARTHEST - <f64>i / FINE)) + 0.5);
    store<u16>(squashed + (<usize>i << 1), <u16>Math.min(65535, Math.max(1, p)));
  }
}

/** Sets the state, which is all zeros, to where every code begins. */
export function start(state: usize): void {
  layOutState(state);
  for (let at = neighbours; at < maskMixers; at += CONTEXT) {
    store<f64>(at, 0.5);
    store<f64>(at + 8, 0.4);
  }
  for (let at = maskMixers; at < levelMixers; at += 8) store<f64>(at, 0.25);
  for (let at = levelMixers; at < perColumn; at += 8) store<f64>(at, 0.33);
}

/** e^x from a short series at x ÷ 1024, squared ten times. */
function exponential(x: f64): f64 {
  const small = x / 1024;
  let e = 1 + small * (1 + (small / 2) * (1 + (small / 3) * (1 + small / 4)));
  for (let i = 0; i < 10; i++) e *= e;
  return e;
}

function stretch(probability: f64): f64 {
  return load<f64>(stretched + (<usize>(<i32>(probability * STEPS)) << 3));
}

function squash(x: f64): u32 {
  const at = <i32>Math.floor((x + FARTHEST) * FINE + 0.5);
  return <u32>load<u16>(squashed + (<usize>max(0, min(at, SQUASHED - 1)) << 1));
}

/** After a bit: a mean of all that came, with less than one of either to begin with. */
function learn(context: usize, bit: i32): void {
  const p = load<f64>(context);
  const n = load<f64>(context, 8);
  store<f64>(context, p + (<f64>bit - p) / (n + 1.5));
  if (n < MEMORY) store<f64>(context, n + 1, 8);
}

/** Weights follow what a prediction got wrong. */
function adjust(weight: usize, input: f64, change: f64): void {
  store<f64>(weight, load<f64>(weight) + change * input);
}

/** 0 for 0, 1 for 1, 2 for 2 and 3, 3 for 4 to 7, at most 7. */
function magnitude(n: i32): i32 {
  return min(7, 32 - clz(n));
}

function whole(probability: f64): u32 {
  return <u32>max(1, min(65535, <i32>(65536 * probability)));
}

/** Which weights are in use, line by line; `mask` [lines, columns], a byte each, 0 or 1, is filled in where bits are read. */
export function codeMask(mask: usize, lines: i32, columns: i32): void {
  let inUse: f64 = 0;
  let seen: f64 = 0;
  for (let line = 0; line < lines && !failed; line++) {
    let inLine = 0;
    let gap = 0;
    for (let column = 0; column < columns; column++) {
      const counter = perColumn + (<usize>column << 2);
      const inColumn = load<i32>(counter);
      const left = column > 0 ? <i32>load<u8>(mask - 1) : 0;
      const above = line > 0 ? <i32>load<u8>(mask - columns) : 0;
      let shape = above | (left << 4);
      if (line > 0 && column > 0) shape |= <i32>load<u8>(mask - columns - 1) << 1;
      if (line > 0 && column + 1 < columns) shape |= <i32>load<u8>(mask - columns + 1) << 2;
      if (line > 1) shape |= <i32>load<u8>(mask - 2 * columns) << 3;
      const count =
        (magnitude(inLine) << 7) |
        (magnitude(inColumn) << 4) |
        (left << 3) |
        (above << 2) |
        min(3, magnitude(gap));
      const byShape = neighbours + <usize>shape * CONTEXT;
      const byCount = counts + <usize>count * CONTEXT;
      // Of lines and columns that have hardly begun, what the whole so far says.
      const density = (inUse + 0.4) / (seen + 0.8);
      const a = stretch(load<f64>(byShape));
      const b = stretch(load<f64>(byCount));
      const c = stretch((<f64>inLine + 2 * density) / (<f64>column + 2));
      const d = stretch((<f64>inColumn + 2 * density) / (<f64>line + 2));
      // One mixture behind a weight that is in use, and one behind others.
      const mixer = maskMixers + (<usize>left << 5);
      const one = squash(
        load<f64>(mixer) * a + load<f64>(mixer, 8) * b + load<f64>(mixer, 16) * c + load<f64>(mixer, 24) * d,
      );
      const bit = code(<i32>load<u8>(mask), one);
      const change = 0.002 * (<f64>bit - <f64>one / 65536);
      adjust(mixer, a, change);
      adjust(mixer + 8, b, change);
      adjust(mixer + 16, c, change);
      adjust(mixer + 24, d, change);
      learn(byShape, bit);
      learn(byCount, bit);
      store<u8>(mask++, <u8>bit);
      store<i32>(counter, inColumn + bit);
      inUse += <f64>bit;
      seen += 1;
      inLine += bit;
      gap = bit ? 0 : gap + 1;
    }
  }
  // For the levels above.
  memory.fill(perColumn, 0, <usize>columns << 2);
}

/**
 * Levels of the weights in use, line by line: whole numbers but 0, below 2³⁰. `levels` [lines, columns], an i32 each, is filled in
 * where bits are read.
 */
export function codeLevels(levels: usize, mask: usize, lines: i32, columns: i32): void {
  for (let line = 0; line < lines && !failed; line++) {
    let last = 0;
    for (let column = 0; column < columns; column++, levels += 4) {
      if (!load<u8>(mask++)) continue;
      const given = load<i32>(levels);
      const column0 = perColumn + (<usize>column << 2);
      const above = load<i32>(column0);
      const sign = signs + <usize>(3 * (signOf(last) + 1) + signOf(above) + 1) * CONTEXT;
      const negative = code(<i32>(given < 0), whole(load<f64>(sign)));
      learn(sign, negative);
      const size = abs(given);
      const beside = <usize>bucketOf(abs(last));
      const before = <usize>bucketOf(abs(above));
      const wanted = bucketOf(size);
      let bucket = 1;
      // Is it in a later one?
      for (; bucket < BUCKETS - 1; bucket++) {
        const own = steps + <usize>bucket * CONTEXT;
        const afterBeside = afterLast + (<usize>(bucket * BUCKETS) + beside) * CONTEXT;
        const afterBefore = afterAbove + (<usize>(bucket * BUCKETS) + before) * CONTEXT;
        const a = stretch(load<f64>(own));
        const b = stretch(load<f64>(afterBeside));
        const c = stretch(load<f64>(afterBefore));
        const mixer = levelMixers + <usize>bucket * 24;
        const one = squash(load<f64>(mixer) * a + load<f64>(mixer, 8) * b + load<f64>(mixer, 16) * c);
        const later = code(<i32>(wanted > bucket), one);
        const change = 0.01 * (<f64>later - <f64>one / 65536);
        adjust(mixer, a, change);
        adjust(mixer + 8, b, change);
        adjust(mixer + 16, c, change);
        learn(own, later);
        learn(afterBeside, later);
        learn(afterBefore, later);
        if (!later) break;
      }
      const first = firstOf(bucket);
      const offset = size - first;
      let value = first;
      let node = 1;
      // The highest two bits learn, the others are as good as random.
      for (let bit = widthOf(bucket) - 1; bit >= 0; bit--) {
        const context = within + <usize>(4 * bucket + node) * CONTEXT;
        const found = code((offset >> bit) & 1, node < 4 ? whole(load<f64>(context)) : 32768);
        if (node < 4) learn(context, found);
        node = min(4, 2 * node + found);
        value += found << bit;
      }
      last = negative ? -value : value;
      store<i32>(levels, last);
      store<i32>(column0, last);
    }
  }
}

function signOf(n: i32): i32 {
  return <i32>(n > 0) - <i32>(n < 0);
}

// Sizes of 1 to 4 have a bucket each, later ones two an octave.

function bucketOf(size: i32): i32 {
  if (size <= 4) return size;
  const octave = 31 - clz(size - 1);
  return 2 * octave - 1 + ((size - 1) >> (octave - 1));
}

/** Bits that say which number of its bucket a size is. */
function widthOf(bucket: i32): i32 {
  return bucket > 4 ? (bucket - 3) >> 1 : 0;
}

/** The least size of a bucket. */
function firstOf(bucket: i32): i32 {
  if (bucket <= 4) return bucket;
  const width = widthOf(bucket);
  return ((2 + ((bucket - 1) & 1)) << width) + 1;
}
