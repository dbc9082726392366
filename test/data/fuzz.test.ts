import { Script } from "node:vm";
import { gzipSync, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { readCifar10 } from "../../src/data/cifar.ts";
import { MAX_INFLATION } from "../../src/data/gzip.ts";
import { readIdx } from "../../src/data/idx.ts";
import { readNpy, writeNpy } from "../../src/data/npy.ts";
import { readNpz, writeNpz } from "../../src/data/npz.ts";
import { readSafetensors, writeSafetensors } from "../../src/data/safetensors.ts";
import { bytesPerElement, DTYPES, fromNumbers, sizeOf, type Tensor } from "../../src/engine/tensor.ts";
import { Problem } from "../../src/problem.ts";
import { deriveSeed, type Random, random } from "../../src/random.ts";

const CASES = 2000;
/** Fifty files take up to 0.4 s where others want the processor, too; the rest is room for a slow machine. */
const HANG_MS = 20_000;
/** Decode tables of DEFLATE, decoders and other small change that does not grow with what a file states. */
const SLACK = 2 ** 19;

interface Format {
  name: string;
  seeds: Uint8Array[];
  /** Packs a seed into the file that is read. */
  pack?: (seed: Uint8Array) => Uint8Array;
  read: (bytes: Uint8Array) => Iterable<Tensor>;
  /** Bytes that reading may allocate, per byte of the file: the factor that the reader's documentation states. */
  factor: number;
}

const sample = new Map<string, Tensor>(
  DTYPES.map((dtype) => [
    dtype,
    { dtype, shape: [3, 2, 4], data: fromNumbers(dtype, new Uint8Array(24).fill(1)) },
  ]),
);

const idx = Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 5, ...new Array(60).fill(7)]);
const idxWide = Uint8Array.from([0, 0, 14, 2, 0, 0, 0, 4, 0, 0, 0, 2, ...new Array(64).fill(3)]);
const npy = [...sample.values()].map(writeNpy);
const fortran = npy.map((bytes) => {
  const text = Buffer.from(bytes).toString("latin1").replace("False", "True ").replace("'<", "'>");
  return new Uint8Array(Buffer.from(text, "latin1"));
});
/** What costs most to read: float16, big endian, in Fortran order. */
const half = new Uint8Array(
  Buffer.from(Buffer.from(fortran[DTYPES.indexOf("int16")]).toString("latin1").replace("i2", "f2"), "latin1"),
);
const nested = new TextEncoder().encode(`........${'{"a":['.repeat(300)}`);
new DataView(nested.buffer).setBigUint64(0, BigInt(nested.length - 8), true);

const formats: Format[] = [
  { name: "idx", seeds: [idx, idxWide], read: (b) => [readIdx(b)], factor: 2 },
  {
    name: "idx.gz",
    seeds: [idx, idxWide],
    pack: (seed) => gzipSync(seed, { mtime: 0 }),
    read: (b) => [readIdx(b)],
    factor: 2 * MAX_INFLATION,
  },
  {
    name: "cifar",
    seeds: [new Uint8Array(2 * 3073).fill(5)],
    read: (bytes) => [readCifar10([{ name: "x", bytes }]).inputs],
    factor: 2,
  },
  { name: "npy", seeds: [...npy, ...fortran, half], read: (b) => [readNpy(b)], factor: 5 },
  {
    name: "npz entry",
    seeds: [...npy, ...fortran, half],
    pack: (seed) =>
      zipSync({ "a.npy": [seed, { level: seed.length % 2 ? 6 : 0, mtime: new Date(1980, 0, 1) }] }),
    read: (b) => readNpz(b).values(),
    factor: 6 * MAX_INFLATION,
  },
  {
    name: "npz",
    seeds: [writeNpz(sample), writeNpz(sample, { compress: false })],
    read: (b) => readNpz(b).values(),
    factor: 6 * MAX_INFLATION,
  },
  {
    name: "safetensors",
    seeds: [writeSafetensors(sample, { a: "b" }), nested],
    read: (b) => readSafetensors(b).tensors.values(),
    factor: 2,
  },
];

const EXTREMES = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 0x80000000, 0x10000];

/** One to four changes: cut, extended, bits flipped, a lying number written, a stretch repeated, digits made huge. */
function mutate(original: Uint8Array, rng: Random): Uint8Array {
  let bytes = original.slice();
  for (let n = 1 + rng.integer(4); n > 0; n--) {
    const at = rng.integer(Math.max(1, rng.uniform() < 0.5 ? Math.min(bytes.length, 80) : bytes.length));
    switch (rng.integer(7)) {
      case 0:
        bytes = bytes.slice(0, at);
        break;
      case 1:
        bytes = Uint8Array.from([...bytes, ...new Array(rng.integer(100)).fill(rng.integer(256))]);
        break;
      case 2:
        bytes[at] ^= 1 << rng.integer(8);
        break;
      case 3:
        bytes[at] = rng.integer(256);
        break;
      case 4:
        if (at + 4 <= bytes.length)
          new DataView(bytes.buffer).setUint32(
            at,
            EXTREMES[rng.integer(EXTREMES.length)],
            rng.uniform() < 0.5,
          );
        break;
      case 5: {
        const stretch = bytes.slice(at, at + rng.integer(40));
        bytes = Uint8Array.from([...bytes.slice(0, at), ...stretch, ...bytes.slice(at)]);
        break;
      }
      case 6: {
        // The numbers of text headers: shapes and offsets.
        for (let i = at; i < Math.min(bytes.length, at + 200); i++)
          if (bytes[i] >= 48 && bytes[i] <= 57) {
            const digits = new TextEncoder().encode(`${EXTREMES[rng.integer(EXTREMES.length)]}`);
            bytes = Uint8Array.from([...bytes.slice(0, i), ...digits, ...bytes.slice(i + 1)]);
            break;
          }
      }
    }
  }
  return bytes;
}

interface Outcome {
  read: number;
  refused: number;
  /** What must not happen, at most the first few. */
  faults: string[];
}

/** A script can be stopped from outside when it takes too long: the only way out of an endless loop. */
const guarded = new Script("globalThis.fuzzedWork()");
/** Watching costs a thread, so it is done for several cases together. */
const TOGETHER = 50;

function fuzz(format: Format, cases = CASES, timeout = HANG_MS): Outcome {
  const outcome: Outcome = { read: 0, refused: 0, faults: [] };
  let next = 0;
  Object.assign(globalThis, {
    fuzzedWork: () => {
      do runCase(format, next++, outcome);
      while (next % TOGETHER !== 0 && next < cases);
    },
  });
  while (next < cases && outcome.faults.length < 5)
    try {
      guarded.runInThisContext({ timeout });
    } catch (error) {
      outcome.faults.push(`case ${next - 1}: ${error}`);
    }
  return outcome;
}

function runCase({ name, seeds, pack, read, factor }: Format, number: number, outcome: Outcome): void {
  const rng = random(deriveSeed(1, name, number));
  const seed = seeds[number % seeds.length];
  // Damage within a valid package gets past the checksums, damage to the package itself does not.
  const bytes = pack && rng.uniform() < 0.5 ? pack(mutate(seed, rng)) : mutate(pack ? pack(seed) : seed, rng);
  const before = process.memoryUsage().arrayBuffers;
  try {
    for (const tensor of read(bytes)) checkTensor(tensor);
    outcome.read++;
  } catch (error) {
    if (error instanceof Problem && !error.message.includes("\n")) outcome.refused++;
    else outcome.faults.push(`case ${number}: ${error}`);
  }
  const allocated = process.memoryUsage().arrayBuffers - before;
  if (allocated > factor * bytes.length + SLACK)
    outcome.faults.push(`case ${number}: ${allocated} bytes allocated for a file of ${bytes.length}`);
}

function checkTensor({ dtype, shape, data }: Tensor): void {
  if (sizeOf(shape) !== data.length) throw new Error(`[${shape}] with ${data.length} elements`);
  if (data.BYTES_PER_ELEMENT !== bytesPerElement(dtype)) throw new Error(`${dtype} of another width`);
}

describe(`${CASES * formats.length} damaged files`, () => {
  it.each(formats)("$name: each one is read to a whole tensor or refused with a Problem", (format) => {
    const outcome = fuzz(format);
    expect(outcome.faults).toEqual([]);
    // Both ends must be reached, or the mutations test nothing.
    expect(outcome.refused).toBeGreaterThan(CASES / 10);
    expect(outcome.read).toBeGreaterThan(0);
    expect(outcome.read + outcome.refused).toBe(CASES);
  });

  it("the undamaged seeds are read", () => {
    for (const { read, seeds, pack } of formats)
      for (const seed of seeds)
        if (seed !== nested) expect(() => [...read(pack ? pack(seed) : seed)]).not.toThrow();
  });
});

describe("the harness finds what it looks for in readers that are broken on purpose", () => {
  const format = (read: Format["read"]): Format => ({ name: "broken", seeds: [idx], read, factor: 2 });
  const faults = (read: Format["read"], timeout?: number) =>
    fuzz(format(read), 400, timeout).faults.join("\n");

  it("memory taken on the word of the header", () => {
    const trusting = (bytes: Uint8Array): Tensor[] => {
      const words = [1, 2, 3].map((i) => new DataView(bytes.buffer).getUint32(4 * i));
      const data = new Uint8Array(Math.min(sizeOf(words), 2 ** 26));
      return [{ dtype: "uint8", shape: [data.length], data }];
    };
    expect(faults(trusting)).toMatch(/\d{8} bytes allocated/);
  });

  it("exceptions that are no Problem", () => {
    expect(
      faults((bytes) => [{ dtype: "float64", shape: [1], data: new Float64Array(bytes.buffer) }]),
    ).toMatch(/RangeError/);
  });

  it("tensors whose shape and data disagree", () => {
    expect(
      faults((data) => [{ dtype: "uint8", shape: [76], data: data as Uint8Array<ArrayBuffer> }]),
    ).toMatch(/\[76\] with \d+ elements/);
  });

  it("loops without end", () => {
    const endless = (bytes: Uint8Array): Tensor[] => {
      for (let at = 4; at < bytes.length; ) at += bytes[3] === 3 ? bytes.length : 0;
      return [];
    };
    expect(faults(endless, 50)).toMatch(/timed out after 50ms/);
  });
});
