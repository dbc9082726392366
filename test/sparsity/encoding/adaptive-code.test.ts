import fc from "fast-check";
import { expect, test } from "vitest";
import { Problem } from "../../../src/problem.ts";
import type { Random } from "../../../src/random.ts";
import { random } from "../../../src/random.ts";
import { decodeAdaptive, encodeAdaptive } from "../../../src/sparsity/encoding/adaptive-code.ts";

const maskBits = (bits: Uint8Array, lines: number, columns: number) => {
  return encodeAdaptive({ lines, columns, bits }, Int32Array.from(bits)).maskBits;
};

const entropy = (p: number) => (p > 0 && p < 1 ? -p * Math.log2(p) - (1 - p) * Math.log2(1 - p) : 0);

function shuffled(mask: Uint8Array, rng: Random): Uint8Array {
  const copy = mask.slice();
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(rng.uniform() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

test.each([0, 1, 2])(
  "masks take hardly more than their entropy, seed %i; shuffled ones what their density says",
  (seed) => {
    const rng = random(seed);
    const [lines, columns] = [200, 300];
    // Lines and columns of their own density.
    const [byLine, byColumn] = [lines, columns].map((n) =>
      Array.from({ length: n }, () => Math.exp(rng.normal())),
    );
    const density = (i: number) =>
      Math.min(0.9, 0.03 * byLine[Math.floor(i / columns)] * byColumn[i % columns]);
    const uneven = Uint8Array.from({ length: lines * columns }, (_, i) => Number(rng.uniform() < density(i)));
    const truth = uneven.reduce((sum, _, i) => sum + entropy(density(i)), 0);
    const bits = maskBits(uneven, lines, columns);
    // Densities are not told but learned: half the logarithm of what is seen of each (Rissanen).
    const learning = (lines * Math.log2(columns) + columns * Math.log2(lines)) / 2;
    expect(bits).toBeLessThan(truth + learning);
    const used = uneven.reduce((a, b) => a + b, 0);
    const flat = lines * columns * entropy(used / (lines * columns));
    expect(bits).toBeLessThan(0.9 * flat);
    // Control: without that structure nothing is to be gained, and little lost.
    const control = maskBits(shuffled(uneven, rng), lines, columns);
    expect(control).toBeGreaterThan(0.99 * flat);
    expect(control).toBeLessThan(1.03 * flat);
  },
);

test("runs along lines and across them are found", () => {
  const rng = random(3);
  const [lines, columns] = [100, 200];
  const across = new Uint8Array(lines * columns);
  for (let column = 0; column < columns; column++) {
    let on = 0;
    for (let line = 0; line < lines; line++) {
      on = Number(rng.uniform() < (on ? 0.8 : 0.02));
      across[line * columns + column] = on;
    }
  }
  const along = new Uint8Array(across.length);
  for (let i = 0; i < across.length; i++) along[(i % columns) * lines + Math.floor(i / columns)] = across[i];
  const used = across.reduce((a, b) => a + b, 0);
  // Of a chain: a bit of each state's transitions.
  const truth = used * entropy(0.8) + (across.length - used) * entropy(0.02);
  // Some fifty contexts are learned, at about seven bits each.
  for (const [mask, rows, width] of [
    [across, lines, columns],
    [along, columns, lines],
  ] as const)
    expect(maskBits(mask, rows, width)).toBeLessThan(truth + 350);
  expect(maskBits(shuffled(across, rng), lines, columns)).toBeGreaterThan(1.5 * truth);
});

test("masks and levels of any matrix come back", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat(),
      fc.constantFrom(1, 4, 5, 100, 2 ** 20, 2 ** 30 - 1),
      (lines, columns, seed, most) => {
        const rng = random(seed);
        const density = rng.uniform();
        const levels = Int32Array.from({ length: lines * columns }, () =>
          rng.uniform() < density
            ? (rng.uniform() < 0.5 ? -1 : 1) *
              (1 + Math.floor(Math.exp(Math.log(most) * rng.uniform())) - 1 || 1)
            : 0,
        );
        const bits = Uint8Array.from(levels, (l) => Number(l !== 0));
        const { bytes } = encodeAdaptive({ lines, columns, bits }, levels);
        expect(decodeAdaptive(bytes, lines, columns)).toEqual({ bits, levels, read: bytes.length });
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

test("levels take hardly more than the entropy of how they were drawn", () => {
  const rng = random(4);
  const count = 20_000;
  // Geometric sizes, either sign.
  const levels = Int32Array.from(
    { length: count },
    () => (rng.uniform() < 0.5 ? -1 : 1) * (1 + Math.floor(Math.log(rng.uniform()) / Math.log(0.8))),
  );
  const truth = count * (1 + entropy(0.8) / 0.2);
  const all = { lines: count / 100, columns: 100, bits: new Uint8Array(count).fill(1) };
  const { bytes, maskBits } = encodeAdaptive(all, levels);
  const took = 8 * bytes.length - maskBits;
  expect(took).toBeGreaterThan(0.97 * truth);
  expect(took).toBeLessThan(1.04 * truth);
});

test("what was written once is read for ever", () => {
  const mask = Uint8Array.from({ length: 60 }, (_, i) => Number((i * i) % 7 < 3));
  const levels = mask.map((bit, i) => bit * (i % 5));
  const signed = Int32Array.from(levels, (l, i) => (mask[i] ? (i % 2 ? -l - 1 : l + 1) : 0));
  const { bytes } = encodeAdaptive({ lines: 5, columns: 12, bits: mask }, signed);
  expect(Buffer.from(bytes).toString("hex")).toMatchInlineSnapshot(
    `"4a0b08fdd552e0d5ca17edee27846821f94955d7874d"`,
  );
});

test("a code that was cut short is refused", () => {
  const rng = random(5);
  const bits = Uint8Array.from({ length: 4000 }, () => Number(rng.uniform() < 0.5));
  const { bytes } = encodeAdaptive({ lines: 40, columns: 100, bits }, Int32Array.from(bits));
  expect(() => decodeAdaptive(bytes.subarray(0, 400), 40, 100)).toThrow(Problem);
});

test("matrices too large for the shared memory, one after the other with small ones", () => {
  const rng = random(6);
  for (const [lines, columns] of [
    [3, 4],
    [1500, 1000],
    [5, 7],
  ]) {
    const bits = Uint8Array.from({ length: lines * columns }, () => Number(rng.uniform() < 0.02));
    const { bytes } = encodeAdaptive({ lines, columns, bits }, Int32Array.from(bits));
    expect(Buffer.compare(decodeAdaptive(bytes, lines, columns).bits, bits)).toBe(0);
  }
});
