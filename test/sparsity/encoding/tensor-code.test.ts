import fc from "fast-check";
import { expect, test } from "vitest";
import { random } from "../../../src/random.ts";
import { patternsOf } from "../../../src/sparsity/encoding/quantize.ts";
import { decodeTensor, encodeTensor, encodings } from "../../../src/sparsity/encoding/tensor-code.ts";

/** Runs or single weights; multiples of a step, a few values, or any. */
function matrix(
  rows: number,
  columns: number,
  keep: number,
  kind: "multiples" | "table" | "floats",
  seed: number,
) {
  const rng = random(seed);
  const table = Array.from({ length: 5 }, () => rng.normal());
  const value = {
    multiples: () => Math.round(3 * rng.normal()) * 0.125,
    table: () => table[rng.integer(5)],
    floats: () => rng.normal(),
  }[kind];
  let on = false;
  const values = Float32Array.from({ length: rows * columns }, () => {
    on = rng.uniform() < (on ? keep : 0.1);
    return on ? value() : 0;
  });
  return { rows, columns, patterns: patternsOf(values) };
}

test("both codes give the tensor back, each in the bytes that are known before, and the shorter one is taken", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(0, 0.1, 0.9, 1),
      fc.constantFrom("multiples" as const, "table" as const, "floats" as const),
      fc.integer(),
      (rows, columns, keep, kind, seed) => {
        const given = matrix(rows, columns, keep, kind, seed);
        const step = kind === "multiples" ? 0.125 : undefined;
        const { prefix, adaptive } = encodings(given, step);
        const written = prefix.write();
        expect(written.bytes.length).toBe(prefix.size);
        for (const code of [written, adaptive!]) {
          expect(decodeTensor(code, rows, columns)).toEqual(given.patterns);
          seen.add(`${code.index} ${code.values}`);
        }
        const taken = encodeTensor(given, step);
        expect(taken.bytes).toEqual(adaptive!.bytes.length < prefix.size ? adaptive!.bytes : written.bytes);
        seen.add(taken.index);
      },
    ),
    { numRuns: 200, seed: 1 },
  );
  for (const values of ["floats", "table", "multiples"])
    for (const index of ["runs", "bitmap", "adaptive"]) expect(seen).toContain(`${index} ${values}`);
  expect(seen).toContain("adaptive");
  expect(seen.has("runs") || seen.has("bitmap")).toBe(true);
});
