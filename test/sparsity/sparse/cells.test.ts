import { expect, test } from "vitest";
import { createRoom, isCompact, reserveCells } from "../../../src/sparsity/sparse/cells.ts";

const shape = { channels: 8, height: 16, width: 16, lanes: 4 };

test("planes a high power of two apart are spread over the places of a cache, others and compact ones are not", () => {
  const room = createRoom();
  const spread = reserveCells(room, shape);
  expect(spread.plane).toBe(16 * 16 * 4 * 4 + 64);
  expect(isCompact(spread)).toBe(false);
  // Of 64 places, each as wide as a cache line, planes 4096 bytes apart would share one.
  const places = Array.from({ length: 64 }, (_, channel) => ((channel * spread.plane) / 64) % 64);
  expect(new Set(places).size).toBe(64);
  const compact = reserveCells(room, shape, { compact: true });
  expect(compact.plane).toBe(4096);
  expect(isCompact(compact)).toBe(true);
  expect(reserveCells(room, { ...shape, width: 15 }).plane).toBe(15 * 16 * 16);
  expect(reserveCells(room, { ...shape, height: 1, width: 1 }).plane).toBe(16);
});
