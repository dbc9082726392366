import { expect, test } from "vitest";
import { trainStudent } from "../../protocols/support/teacher-student.ts";

/**
 * Seed 0 of P2, whose errors an independent implementation in another language gave (wgsef.md 6): the same data, weights
 * and order of samples, so the same figures but for rounding over 6000 steps.
 */
test.each([
  ["debiased", {}, 0.0288],
  ["plain", { penalty: "wgsef-plain" }, 0.0205],
] as const)(
  "%s WGSEF leaves exactly the teacher's 6 neurons, at the reference's error",
  async (_, method, nmse) => {
    const found = await trainStudent({ seed: 0, k: 6, method });
    expect(found).toMatchObject({ neurons: 6, natural: 6, forced: 0 });
    expect(found.nmse / nmse).toBeGreaterThan(0.97);
    expect(found.nmse / nmse).toBeLessThan(1.03);
  },
);

test("with block Adam the fit is 300 times as good", async () => {
  const found = await trainStudent({ seed: 0, k: 6, adam: true });
  expect(found).toMatchObject({ neurons: 6, natural: 6, forced: 0 });
  expect(found.nmse).toBeLessThan(1e-4);
});

test("half-space steps stop at 6", async () => {
  const method = { penalty: "wgsef-plain", steps: "half-space", lambdaStart: 0.02, lambdaEnd: 0.02 } as const;
  expect(await trainStudent({ seed: 0, k: 6, method })).toMatchObject({ neurons: 6, natural: 6, forced: 0 });
});

test("control: 3 neurons are too few for a teacher of 6", async () => {
  const found = await trainStudent({ seed: 0, k: 3 });
  expect(found.neurons).toBe(3);
  expect(found.nmse).toBeGreaterThan(0.1);
});

test("control: magnitude pruning cuts by force, ruins the fit, and wins little of it back", async () => {
  const found = await trainStudent({ seed: 0, k: 6, method: { penalty: "none" } });
  expect(found).toMatchObject({ neurons: 6, natural: 40, forced: 34 });
  expect(found.nmseAfterCut).toBeGreaterThan(0.75);
  expect(found.nmse / 0.111).toBeGreaterThan(0.97);
  expect(found.nmse / 0.111).toBeLessThan(1.03);
});
