import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { crc32 } from "../../src/data/crc32.ts";
import { createMemory, type Memory, type MemoryOptions, memoryFromBytes } from "../../src/memory/memory.ts";
import { Problem } from "../../src/problem.ts";
import { random } from "../../src/random.ts";
import { loadMemory, saveMemory } from "../../src/runs/saved-memory.node.ts";
import { expectProblem, expectProblemLater } from "../data/support.ts";
import { subset } from "./support.ts";

const KINDS: Record<string, MemoryOptions> = {
  "a single field": { inputs: 50 },
  "a small odd field": { inputs: 50, levels: [{ q: 3, k: 5 }], preset: "classic", seed: 7 },
  "two levels": {
    inputs: 50,
    levels: [
      {
        fields: [Uint32Array.from([0, 1, 2, 3, 4, 30, 31]), Array.from({ length: 30 }, (_, i) => i + 10)],
        q: 4,
        k: 6,
      },
      { q: 5, k: 5, band: [1, 2] },
    ],
  },
  "neighbours from the side": {
    inputs: 50,
    levels: [
      {
        fields: [Array.from({ length: 25 }, (_, i) => i), Array.from({ length: 25 }, (_, i) => 25 + i)],
        neighbours: [[1], Uint32Array.from([0])],
        q: 4,
        k: 5,
      },
    ],
  },
  "codes of all items": { inputs: 50, levels: [{ q: 4, k: 6 }], keepCodes: true },
  "a sigmoid that moves": {
    inputs: 50,
    levels: [{ q: 3, k: 4 }],
    rules: { inflectionRatchet: { above: 0.05, step: 0.01, to: 0.9 }, freezeAt: null },
  },
  "fading weights": {
    inputs: 50,
    levels: [{ q: 3, k: 3 }],
    preset: "capacity",
    rules: { freezeAt: null },
    decay: { kind: "convex", horizon: 50, kappa: 1 },
  },
};

function use(memory: Memory, seed: number): string[] {
  const rng = random(seed);
  const codes: string[] = [];
  for (let episode = 0; episode < 8; episode++) {
    const frames = Array.from({ length: 3 }, () => subset(rng, 50, 3 + rng.integer(9)));
    const label = `class ${rng.integer(3)} ä`;
    for (const frame of memory.learnSequence(frames, { label }))
      codes.push(`${frame.code} ${frame.familiarity}`);
    codes.push(`${memory.recognize(frames[0], { soft: true }).code}`, memory.sample().join());
    const readout = memory.options.keepCodes ? "nearestCode" : "logLik";
    codes.push(JSON.stringify(memory.classifySequence(frames, { readout }).scores));
  }
  return codes;
}

function filled(options: MemoryOptions): Memory {
  const memory = createMemory(options);
  use(memory, 1);
  return memory;
}

describe("a loaded memory goes on as the saved one", () => {
  for (const [kind, options] of Object.entries(KINDS))
    it(kind, () => {
      const memory = filled(options);
      const bytes = memory.toBytes();
      const loaded = memoryFromBytes(bytes);
      expect(loaded.report()).toEqual(memory.report());
      expect(loaded.toBytes()).toEqual(bytes);
      expect(use(loaded, 2)).toEqual(use(memory, 2));
      expect(loaded.toBytes()).toEqual(memory.toBytes());
    });

  it("with neighbours or codes it is a file of a later version, which earlier programs refuse", () => {
    const version = (kind: string) => filled(KINDS[kind]).toBytes()[8];
    expect([
      version("two levels"),
      version("neighbours from the side"),
      version("codes of all items"),
    ]).toEqual([2, 3, 4]);
    const [mac] = filled(KINDS["neighbours from the side"]).network.macs;
    expect(mac.side[0]?.increased()).toBeGreaterThan(0);
  });

  it("with its sigmoid where it had come to", () => {
    const [mac] = filled(KINDS["a sigmoid that moves"]).network.macs;
    expect(mac.inflection?.center).toBeGreaterThan(0.51);
  });

  it("frozen, and empty", () => {
    const memory = filled(KINDS["two levels"]);
    memory.freeze(1);
    expect(memoryFromBytes(memory.toBytes()).report().frozen).toEqual([1, 0]);
    expect(memoryFromBytes(createMemory({ inputs: 5 }).toBytes()).report().frames).toBe(0);
  });
});

test("a bit costs a bit", () => {
  const memory = createMemory({ inputs: 1000, levels: [{ q: 16, k: 32 }] });
  memory.learn([1, 2, 3]);
  const bytes = memory.toBytes().length;
  expect(bytes).toBeGreaterThan((1000 * 512) / 8);
  expect(bytes).toBeLessThan((1000 * 512) / 8 + 4 * 1000 + 1000);
});

/** The file with its checksum made right again: what a checksum cannot notice. */
function resealed(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - 4;
  new DataView(bytes.buffer).setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}

describe("damaged and foreign files", () => {
  const files = Object.values(KINDS).map((options) => filled(options).toBytes());

  it("are refused in one line that says what they are", () => {
    const [good] = files;
    const changed = (at: number, value: number) => {
      const bytes = good.slice();
      bytes[at] = value;
      return bytes;
    };
    expectProblem(() => memoryFromBytes(new Uint8Array(0), "x.mem"), /^x.mem: not a saved memory/);
    expectProblem(
      () => memoryFromBytes(new TextEncoder().encode("PK\u0003\u0004 a zip archive of something"), "x"),
      /not a saved memory/,
    );
    expectProblem(
      () => memoryFromBytes(changed(8, 1), "x"),
      /version 1; this Filigree reads versions 2 to 4/,
    );
    expectProblem(
      () => memoryFromBytes(changed(good.length - 9, good[good.length - 9] ^ 1), "x"),
      /damaged or cut short \(CRC-32\)/,
    );
    expectProblem(() => memoryFromBytes(good.subarray(0, good.length - 1), "x"), /damaged or cut short/);
  });

  it("never trip the reader: 12,000 mutations, half of them with a right checksum", () => {
    const rng = random(31);
    const outcomes = { refused: 0, read: 0 };
    for (let i = 0; i < 12_000; i++) {
      let bytes: Uint8Array = files[i % files.length].slice();
      const kind = rng.integer(4);
      for (let edits = 1 + rng.integer(3); edits > 0; edits--) {
        // Headers are where lengths and types are: every other edit falls there.
        const at = rng.integer(2) ? rng.integer(bytes.length) : rng.integer(Math.min(bytes.length, 700));
        if (kind === 0) bytes[at] ^= 1 << rng.integer(8);
        else if (kind === 1) bytes[at] = 0x20 + rng.integer(0x5f);
        else if (kind === 2) bytes = bytes.slice(0, Math.max(1, at));
        else {
          const piece = bytes.slice(at, at + rng.integer(40));
          const joined = new Uint8Array(bytes.length + piece.length);
          joined.set(bytes.subarray(0, at));
          joined.set(piece, at);
          joined.set(bytes.subarray(at), at + piece.length);
          bytes = joined;
        }
      }
      const seal = i % 2 === 0 && bytes.length > 4;
      try {
        const memory = memoryFromBytes(seal ? resealed(bytes) : bytes);
        memory.recognize([0]);
        outcomes.read++;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        expect(error.message).not.toMatch(/\n/);
        outcomes.refused++;
      }
    }
    // Without its checksum a file is never accepted; with one, a change of a weight or a seed may be.
    expect(outcomes.refused).toBeGreaterThan(6000);
    expect(outcomes.read).toBeGreaterThan(500);
  });

  it("never make more than their size allows", () => {
    const [good] = files;
    const text = new TextDecoder("latin1").decode(good);
    for (const [from, to] of [
      ['"inputs":50', '"inputs":50000000'],
      ['"inputs":50', '"inputs":50,"levels":[{"q":60000,"k":60000}]'],
      ['"inputs":50', '"inputs":50,"levels":[{"q":"4"}]'],
      ['"inputs":50', '"inputs":50,"levels":7'],
      ['"down":[]', '"down":[true]'],
      ['"inputs":50', '"inputs":50,"keepCodes":true'],
    ]) {
      const header = text.slice(16, 16 + new DataView(good.buffer).getUint32(12, true)).replace(from, to);
      const padded = header.trimEnd().padEnd(4 * Math.ceil(header.trimEnd().length / 4));
      const bytes = Uint8Array.from(
        `${text.slice(0, 16)}${padded}${text.slice(16 + header.length - (to.length - from.length))}`,
        (c) => c.charCodeAt(0),
      );
      new DataView(bytes.buffer).setUint32(12, padded.length, true);
      const before = process.memoryUsage().rss;
      expectProblem(() => memoryFromBytes(resealed(bytes), "x"), /^x: /);
      expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    }
  });
});

test("files are saved whole or not at all, and say where they cannot be", async () => {
  const folder = await mkdtemp(join(tmpdir(), "filigree-memory-"));
  try {
    const path = join(folder, "a.mem");
    const memory = filled(KINDS["a single field"]);
    await saveMemory(path, memory);
    expect((await loadMemory(path)).toBytes()).toEqual(memory.toBytes());
    expect(await readdir(folder)).toEqual(["a.mem"]);
    await expectProblemLater(loadMemory(join(folder, "b.mem")), /cannot read .*b\.mem: no such file/);
    await expectProblemLater(saveMemory(folder, memory), /cannot write/);
    await writeFile(join(folder, "c.mem"), memory.toBytes().subarray(0, 500));
    await expectProblemLater(loadMemory(join(folder, "c.mem")), /c\.mem: the saved memory is damaged/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
