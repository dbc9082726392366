import { describe, expect, it } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import { initializer } from "../../../src/engine/graph.ts";
import { rebatch, replay } from "../../../src/engine/replay.ts";
import { forEachIndex, offsetOf, stridesOf } from "../../../src/engine/shapes.ts";
import type { Tensor } from "../../../src/engine/tensor.ts";
import { deriveSeed, random } from "../../../src/random.ts";
import { analyzeChannels } from "../../../src/sparsity/channels.ts";
import { shrink } from "../../../src/sparsity/shrink.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import {
  difference,
  exactDifference,
  masked,
  parameterCount,
  randomFeeds,
  randomMasks,
  runtimeDifference,
} from "./equality.ts";
import { MODELS } from "./models.ts";

// wgsef.md P4. The tolerances are the spec's: 1e-12 in double precision, 1e-5 in single.
const SEEDS = Array.from({ length: 6 }, (_, i) => i);

describe.each(Object.entries(MODELS))("%s", (kind, build) => {
  const modelOf = (seed: number) => {
    const r = random(deriveSeed(seed, kind));
    const graph = build(r);
    return { graph, masks: randomMasks(graph, r), feeds: randomFeeds(graph, r) };
  };

  it.each(SEEDS)("computes the same without its zero channels, seed %i", async (seed) => {
    const { graph, masks, feeds } = modelOf(seed);
    const sparse = masked(graph, masks);
    const small = shrink(sparse, masks);
    expect(parameterCount(small)).toBeLessThan(parameterCount(sparse));
    for (const side of ["inputs", "outputs"] as const) {
      expect(small[side]).toEqual(sparse[side]);
      for (const name of small[side]) expect(small.types.get(name)).toEqual(sparse.types.get(name));
    }
    expect(exactDifference(small, sparse, feeds)).toBeLessThan(1e-12);
    expect(await runtimeDifference(small, sparse, feeds)).toBeLessThan(1e-5);
  });

  it("loses something where the removed channels are not zero, and depends on its input", () => {
    // A few of these small random nets are dead (rectifiers that never fire), which nothing can show to differ. The
    // others differ by more than ten times what the equality checks let pass.
    const most = (differs: (seed: number) => boolean) =>
      expect(SEEDS.filter(differs).length).toBeGreaterThanOrEqual(SEEDS.length - 2);
    most((seed) => {
      const { graph, masks, feeds } = modelOf(seed);
      return exactDifference(shrink(graph, masks), graph, feeds) > 1e-4;
    });
    most((seed) => {
      const { graph, masks, feeds } = modelOf(seed);
      const small = shrink(graph, masks);
      const [a, b] = [feeds, randomFeeds(graph, random(seed))].map(
        (f) => evaluate(small, f)[small.outputs[0]],
      );
      return difference(a, b) > 1e-4;
    });
  });

  it.each(SEEDS)("finds the zero channels by itself, seed %i", (seed) => {
    const { graph, masks, feeds } = modelOf(seed);
    const sparse = masked(graph, masks);
    const { graph: small, removed } = shrinkZeros(sparse);
    const gone = new Map(removed.map((r) => [r.stream, r.channels]));
    for (const [stream, mask] of masks)
      for (const [i, kept] of mask.entries()) if (!kept) expect(gone.get(stream)).toContain(i);
    expect(exactDifference(small, sparse, feeds)).toBeLessThan(1e-12);
  });

  it.each(SEEDS)("finds channels that nobody reads, seed %i", (seed) => {
    const { graph, masks, feeds } = modelOf(seed);
    const sparse = masked(graph, masks, (member) => member.role === "reader");
    const { graph: small, removed } = shrinkZeros(sparse);
    const gone = new Map(removed.map((r) => [r.stream, r.channels]));
    for (const { name, members } of analyzeChannels(graph).streams)
      for (const [i, kept] of (masks.get(name) ?? []).entries())
        if (!kept && members.some((m) => m.role === "reader")) expect(gone.get(name)).toContain(i);
    expect(exactDifference(small, sparse, feeds)).toBeLessThan(1e-12);
  });

  it("still takes another batch", () => {
    const { graph, masks } = modelOf(0);
    const sparse = masked(graph, masks);
    const wide = rebatch(sparse, 3);
    expect(
      exactDifference(rebatch(shrink(sparse, masks), 3), wide, randomFeeds(wide, random(2))),
    ).toBeLessThan(1e-12);
  });

  it("leaves a dense model alone", () => {
    const { graph } = modelOf(0);
    const { graph: same, removed, stayed } = shrinkZeros(graph);
    expect(removed).toEqual([]);
    expect(stayed).toEqual([]);
    expect(parameterCount(same)).toBe(parameterCount(graph));
  });

  it("is caught when one reader keeps the wrong channels", () => {
    const caught = new Map<string, number>();
    for (const seed of SEEDS.slice(0, 6)) {
      const { graph, masks, feeds } = modelOf(seed);
      const sparse = masked(graph, masks);
      const small = shrink(sparse, masks);
      for (const stream of analyzeChannels(graph).streams)
        for (const { name, axis, role } of stream.members)
          if (role === "reader" && masks.has(stream.name) && initializer(small, name)!.shape[axis] > 1) {
            const wrong = movedOn(initializer(small, name)!, axis);
            const planted = replay(small, { tensor: (other, t) => (other === name ? wrong : t) });
            const found = exactDifference(planted, sparse, feeds);
            caught.set(name, Math.max(found, caught.get(name) ?? 0));
          }
    }
    expect(caught.size).toBeGreaterThan(2);
    expect(Math.min(...caught.values())).toBeGreaterThan(1e-4);
  });
});

/** The same slices, each one place further along the axis. */
function movedOn(t: Tensor, axis: number): Tensor {
  const strides = stridesOf(t.shape);
  const data = t.data.slice() as Float32Array;
  forEachIndex(t.shape, (index, flat) => {
    const from = index.map((v, i) => (i === axis ? (v + 1) % t.shape[axis] : v));
    data[flat] = Number(t.data[offsetOf(from, strides)]);
  });
  return { ...t, data } as Tensor;
}
