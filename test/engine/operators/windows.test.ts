import fc from "fast-check";
import { expect, test } from "vitest";
import { averagePool, conv, convTranspose, maxPool } from "../../../src/engine/operators/index.ts";
import type { GradientCase } from "./gradient-check.ts";
import { gradientError } from "./gradient-check.ts";
import { runtimeError } from "./runtime-check.ts";

const setting = fc.integer({ min: 1, max: 2 }).chain((rank) => {
  const each = (min: number, max: number, count = rank) =>
    fc.array(fc.integer({ min, max }), { minLength: count, maxLength: count });
  return fc.record({
    spatial: each(2, 7),
    kernel: each(1, 3),
    strides: each(1, 3),
    dilations: each(1, 2),
    pads: each(0, 2, 2 * rank),
    autoPad: fc.constantFrom("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
    group: fc.integer({ min: 1, max: 3 }),
    flag: fc.boolean(),
    ceilMode: fc.boolean(),
  });
});
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

const families: Record<string, (s: Setting) => GradientCase> = {
  conv: ({ spatial, kernel, group, ...o }) => ({
    shapes: [
      [1, 2 * group, ...spatial],
      [group, 2, ...kernel],
    ],
    build: ([x, w]) => conv(x, w, { ...windowed(o), group }),
  }),
  convTranspose: ({ spatial, kernel, group, flag, ...o }) => ({
    shapes: [
      [1, group, ...spatial.map((d) => Math.min(d, 4))],
      [group, 2, ...kernel],
    ],
    build: ([x, w]) =>
      convTranspose(x, w, { ...windowed(o), group, outputPadding: o.strides.map((s) => (flag ? s - 1 : 0)) }),
  }),
  maxPool: ({ spatial, kernel, ceilMode, ...o }) => ({
    shapes: [[1, 2, ...spatial]],
    build: ([x]) => maxPool(x, kernel, { ...windowed(o), ceilMode }),
  }),
  averagePool: ({ spatial, kernel, ceilMode, flag, ...o }) => ({
    shapes: [[1, 2, ...spatial]],
    build: ([x]) =>
      averagePool(x, kernel, { ...windowed({ ...o, dilations: [] }), ceilMode, countIncludePad: flag }),
  }),
};

function windowed({
  strides,
  dilations,
  pads,
  autoPad,
}: Pick<Setting, "strides" | "dilations" | "pads" | "autoPad">) {
  return {
    strides,
    ...(dilations.length > 0 && { dilations }),
    ...(autoPad === "NOTSET" ? { pads } : { autoPad }),
  };
}

/** Settings that make no sense are refused with these words while the graph is built. */
const refusals = /does not fit into|must be smaller than the kernel|larger than the|leave nothing of/;

test.each(Object.entries(families))(
  "%s agrees with ONNX Runtime and itself whatever the windows",
  async (_, family) => {
    let checked = 0;
    await fc.assert(
      fc.asyncProperty(setting, async (s) => {
        let found: number;
        try {
          found = gradientError(family(s));
        } catch (error) {
          expect((error as Error).message).toMatch(refusals);
          return;
        }
        checked++;
        expect(found).toBeLessThan(1e-6);
        expect(await runtimeError(family(s))).toBeLessThan(1e-5);
      }),
      { numRuns: 40, seed: 11 },
    );
    expect(checked).toBeGreaterThan(15);
  },
);
