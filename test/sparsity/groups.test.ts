import { describe, expect, it } from "vitest";
import { flatArrays } from "../../src/engine/parameters.ts";
import { random } from "../../src/random.ts";
import {
  type GroupPartition,
  groupNorms,
  groupRms,
  groupSizes,
  joinPartitions,
  moveGroups,
  scaleGroups,
  zeroGroups,
} from "../../src/sparsity/groups.ts";

/** Index sets straight from the definition: element (o, channel, i) of a part lies at start + (o·channels + channel)·inner + i. */
function indexSets({ groups, parts }: GroupPartition): { parameter: string; index: number }[][] {
  const sets: { parameter: string; index: number }[][] = Array.from({ length: groups }, () => []);
  for (const part of parts) {
    if ("labels" in part) {
      part.labels.forEach((j, index) => sets[j]?.push({ parameter: part.parameter, index }));
      continue;
    }
    const { parameter, outer, channels, inner, offset = 0, start = 0 } = part;
    for (let o = 0; o < outer; o++)
      for (let channel = 0; channel < channels; channel++)
        for (let i = 0; i < inner; i++)
          sets[channel - offset]?.push({ parameter, index: start + (o * channels + channel) * inner + i });
  }
  return sets;
}

function randomArrays(parts: GroupPartition["parts"], seed: number): Record<string, Float32Array> {
  const rng = random(seed);
  return Object.fromEntries(
    parts.map((part) => {
      const length =
        "labels" in part ? part.labels.length : (part.start ?? 0) + part.outer * part.channels * part.inner;
      return [part.parameter, Float32Array.from({ length }, () => rng.normal())];
    }),
  );
}

const partitions: Record<string, GroupPartition> = {
  "filters with bias and batch norm": {
    groups: 5,
    parts: [
      { parameter: "w", outer: 1, channels: 5, inner: 27 },
      { parameter: "bias", outer: 1, channels: 5, inner: 1 },
      { parameter: "gamma", outer: 1, channels: 5, inner: 1 },
    ],
  },
  "output neurons of a Gemm weight [in, out]": {
    groups: 4,
    parts: [{ parameter: "w", outer: 7, channels: 4, inner: 1 }],
  },
  "input channels with the reader of a flattened map": {
    groups: 3,
    parts: [
      { parameter: "conv", outer: 6, channels: 3, inner: 9 },
      { parameter: "fc", outer: 2, channels: 3, inner: 16 },
    ],
  },
  "a slice of a concatenation": {
    groups: 3,
    parts: [
      { parameter: "w", outer: 1, channels: 3, inner: 10 },
      { parameter: "gamma", outer: 1, channels: 8, inner: 1, offset: 4 },
      { parameter: "reader", outer: 5, channels: 8, inner: 9, offset: 4 },
    ],
  },
  "one group per layer": {
    groups: 2,
    parts: [
      { parameter: "first", outer: 1, channels: 1, inner: 11 },
      { parameter: "second", outer: 1, channels: 1, inner: 40, offset: -1 },
    ],
  },
  "2 × 3 tiles of a 4 × 6 matrix": {
    groups: 4,
    parts: [
      { parameter: "w", outer: 2, channels: 2, inner: 3 },
      { parameter: "w", outer: 2, channels: 2, inner: 3, offset: -2, start: 12 },
    ],
  },
  "labels in any order over two arrays, some elements free": {
    groups: 3,
    parts: [
      { parameter: "w", labels: Int32Array.of(2, 0, 0, -1, 1, 2, 0, -1) },
      { parameter: "bias", labels: Int32Array.of(1, -1, 0) },
    ],
  },
  "a slice of a flat parameter vector": {
    groups: 6,
    parts: [{ parameter: "all", outer: 1, channels: 6, inner: 8, start: 13 }],
  },
};

describe("groups", () => {
  for (const [name, partition] of Object.entries(partitions))
    it(name, () => {
      const arrays = randomArrays(partition.parts, 3);
      const before = structuredClone(arrays);
      const sets = indexSets(partition);
      expect([...groupSizes(partition)]).toEqual(sets.map((set) => set.length));

      const norms = groupNorms(partition, arrays);
      const rms = groupRms(
        partition,
        Object.fromEntries(Object.entries(arrays).map(([key, a]) => [key, a.map((v) => v * v)])),
      );
      sets.forEach((set, j) => {
        const norm = Math.hypot(...set.map(({ parameter, index }) => arrays[parameter][index]));
        expect(Math.abs(norms[j] / norm - 1)).toBeLessThan(1e-14);
        // The squares were rounded to float32.
        expect(Math.abs(rms[j] / (norm / Math.sqrt(set.length)) - 1)).toBeLessThan(1e-7);
      });

      const factors = Float64Array.from(sets, (_, j) => [0.3, 0, 1, 0.7][j % 4]);
      scaleGroups(partition, arrays, factors);
      const expected = structuredClone(before);
      sets.forEach((set, j) => {
        for (const { parameter, index } of set) {
          const exact = factors[j] === 0 ? 0 : before[parameter][index] * factors[j];
          // Three roundings to float32 (kernels/groups.ts); factors of 0 and 1 are exact.
          const rounding = factors[j] % 1 === 0 ? 0 : 1.5 * 2 ** -23 * Math.abs(exact);
          expect(Math.abs(arrays[parameter][index] - exact)).toBeLessThanOrEqual(rounding);
          expected[parameter][index] = arrays[parameter][index];
        }
      });
      // Nothing else has changed.
      expect(arrays).toEqual(expected);

      const directions = randomArrays(partition.parts, 5);
      const moved = randomArrays(partition.parts, 6);
      const aim = structuredClone(moved);
      moveGroups(partition, moved, before, directions, factors);
      sets.forEach((set, j) => {
        for (const { parameter, index } of set)
          aim[parameter][index] = before[parameter][index] + factors[j] * directions[parameter][index];
      });
      expect(moved).toEqual(aim);

      const masked = structuredClone(before);
      zeroGroups(
        partition,
        masked,
        Uint8Array.from(sets, (_, j) => j % 2),
      );
      sets.forEach((set, j) => {
        for (const { parameter, index } of set)
          expect(masked[parameter][index]).toBe(j % 2 ? before[parameter][index] : 0);
      });
    });

  it("works in the arrays of training as on copies of others, bit by bit, and on nothing beside them", () => {
    for (const partition of Object.values(partitions)) {
      const plain = randomArrays(partition.parts, 7);
      const flat = flatArrays(Object.entries(plain).map(([name, a]) => [name, [a.length]] as const));
      const neighbour = flatArrays([["next", [4]]], flat);
      for (const name in plain) flat.arrays[name].set(plain[name]);
      neighbour.values.fill(1);
      const inside = flat.arena.float64(partition.groups);
      const norms = groupNorms(partition, plain);
      expect([...groupNorms(partition, flat.arrays, inside)]).toEqual([...norms]);
      expect([...groupNorms(partition, flat.arrays)]).toEqual([...norms]);
      const factors = norms.map((norm) => 1 / (1 + norm));
      inside.set(factors);
      scaleGroups(partition, plain, factors);
      scaleGroups(partition, flat.arrays, inside);
      for (const name in plain) expect([...flat.arrays[name]]).toEqual([...plain[name]]);
      expect([...neighbour.values]).toEqual([1, 1, 1, 1]);
    }
  });

  it("joined are the groups of all, one after the other, whatever lies beside them", () => {
    const list = Object.values(partitions).map(({ groups, parts }, i) => ({
      groups,
      parts: parts.map((part) => ({ ...part, parameter: `${i}/${part.parameter}` })),
    }));
    const arrays = randomArrays(
      list.flatMap((p) => p.parts),
      4,
    );
    const joined = joinPartitions(list);
    expect([...groupSizes(joined)]).toEqual(list.flatMap((p) => [...groupSizes(p)]));
    expect([...groupNorms(joined, arrays)]).toEqual(list.flatMap((p) => [...groupNorms(p, arrays)]));
  });

  it("writes +0 for a factor of 0 and leaves the bits of a factor of 1", () => {
    const partition = { groups: 2, parts: [{ parameter: "w", outer: 1, channels: 2, inner: 9 }] };
    const w = new Float32Array(18).fill(-1);
    w[17] = -0;
    scaleGroups(partition, { w }, Float64Array.of(0, 1));
    for (let i = 0; i < 9; i++) expect(w[i]).toBe(0);
    expect(w[17]).toBe(-0);
  });

  it("feels a decay far below the precision of float32", () => {
    // Control: as a float32, the factor is more than a percent off in its distance to 1.
    expect(Math.abs((1 - Math.fround(1 - 1e-6)) / 1e-6 - 1)).toBeGreaterThan(0.01);
    const w = Float32Array.from({ length: 1 << 16 }, (_, i) => 1 + i / 70_000);
    const sum = () => w.reduce((a, b) => a + b, 0);
    const before = sum();
    const partition = { groups: 1, parts: [{ parameter: "w", outer: 1, channels: 1, inner: w.length }] };
    scaleGroups(partition, { w }, Float64Array.of(1 - 1e-6));
    expect(Math.abs((1 - sum() / before) / 1e-6 - 1)).toBeLessThan(0.005);
  });

  it("sums float32 weights in float64", () => {
    // 2^24 + 1 is not a float32: a float32 sum would lose every small term.
    const w = new Float32Array(1025).fill(1);
    w[0] = 4096;
    const partition = { groups: 1, parts: [{ parameter: "w", outer: 1, channels: 1, inner: 1025 }] };
    expect(groupNorms(partition, { w })[0]).toBe(Math.sqrt(2 ** 24 + 1024));
  });

  it("names the array that is missing or too short", () => {
    const partition = { groups: 2, parts: [{ parameter: "w", outer: 1, channels: 2, inner: 3 }] };
    expect(() => groupNorms(partition, {})).toThrow(/no array "w"/);
    expect(() => groupNorms(partition, { w: new Float32Array(5) })).toThrow(/"w" has 5 elements.*needs 6/);
    const labelled = { groups: 2, parts: [{ parameter: "w", labels: Int32Array.of(0, 1, 1) }] };
    expect(() => groupNorms(labelled, { w: new Float32Array(2) })).toThrow(/"w" has 2 elements.*needs 3/);
  });
});
