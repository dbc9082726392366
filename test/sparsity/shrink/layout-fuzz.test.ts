import { describe, expect, it } from "vitest";
import type { Graph, Value } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import {
  add,
  concat,
  expand,
  gather,
  matmul,
  mul,
  pad,
  reduceMax,
  reduceSum,
  relu,
  reshape,
  slice,
  softmax,
  split,
  tanh,
  tile,
  transpose,
  unsqueeze,
} from "../../../src/engine/operators/index.ts";
import { sizeOf } from "../../../src/engine/tensor.ts";
import type { Random } from "../../../src/random.ts";
import { deriveSeed, random } from "../../../src/random.ts";
import { analyzeChannels } from "../../../src/sparsity/channels.ts";
import { shrink } from "../../../src/sparsity/shrink.ts";
import { shrinkZeros } from "../../../src/sparsity/shrink-zeros.ts";
import { exactDifference, masked, randomFeeds, randomMasks } from "./equality.ts";
import { weight } from "./models.ts";

/** Random ways to cut a length into up to three factors. */
function factors(length: number, r: Random): number[] {
  const divisors = Array.from({ length }, (_, i) => i + 1).filter((d) => length % d === 0);
  const first = divisors[r.integer(divisors.length)];
  if (r.uniform() < 0.4) return [first, length / first];
  return [first, ...factors(length / first, r)].slice(0, 4).reduce<number[]>((list, f, i, all) => {
    if (i < 3) list.push(i === 2 ? all.slice(2).reduce((a, b) => a * b, 1) : f);
    return list;
  }, []);
}

const STEPS: Record<string, (x: Value, r: Random, name: string) => Value | undefined> = {
  reshape: (x, r) => {
    const shape = factors(sizeOf(x.shape), r);
    return sizeOf(shape) === sizeOf(x.shape) ? reshape(x, shape) : undefined;
  },
  transpose: (x, r) => transpose(x, [...r.permutation(x.shape.length)]),
  "join two axes": (x) =>
    x.shape.length > 1 ? reshape(x, [x.shape[0] * x.shape[1], ...x.shape.slice(2)]) : undefined,
  rectify: (x) => relu(x),
  shift: (x, r, name) => {
    const axis = r.integer(x.shape.length);
    return add(
      x,
      weight({ graph: x.graph, random: r }, name, [x.shape[axis], ...x.shape.slice(axis + 1).map(() => 1)]),
    );
  },
  "scale by a table": (x, r, name) => mul(x, weight({ graph: x.graph, random: r }, name, x.shape)),
  multiply: (x, r, name) => {
    const inner = x.shape[x.shape.length - 1];
    return matmul(x, weight({ graph: x.graph, random: r }, name, [inner, 2 + r.integer(5)]));
  },
  "square residual": (x, r, name) => {
    const inner = x.shape[x.shape.length - 1];
    return add(x, relu(matmul(x, weight({ graph: x.graph, random: r }, name, [inner, inner]))));
  },
  "multiply with itself": (x) =>
    x.shape.length > 1
      ? matmul(
          x,
          transpose(
            x,
            [...x.shape.keys()].map((i, _, all) => (i < all.length - 2 ? i : 2 * all.length - 3 - i)),
          ),
        )
      : undefined,
  "add another shape of itself": (x, r) => {
    const shape = factors(sizeOf(x.shape), r);
    if (sizeOf(shape) !== sizeOf(x.shape)) return undefined;
    const turned = transpose(reshape(x, shape), [...r.permutation(shape.length)]);
    return add(x, reshape(turned, x.shape));
  },
  slice: (x, r) => {
    const axis = r.integer(x.shape.length);
    const start = r.integer(x.shape[axis]);
    return slice(x, { [axis]: { start, end: start + 1 + r.integer(x.shape[axis] - start) } });
  },
  "slice in steps": (x, r) => slice(x, { [r.integer(x.shape.length)]: { step: 2 } }),
  gather: (x, r) => {
    const axis = r.integer(x.shape.length);
    return gather(
      x,
      Array.from({ length: 1 + r.integer(x.shape[axis] + 1) }, () => r.integer(x.shape[axis])),
      axis,
    );
  },
  "split and swap": (x, r) => {
    const axis = r.integer(x.shape.length);
    if (x.shape[axis] < 2) return undefined;
    const first = 1 + r.integer(x.shape[axis] - 1);
    const [a, b] = split(x, [first, x.shape[axis] - first], axis);
    return concat([b, relu(a)], axis);
  },
  "join with itself": (x, r) => concat([x, tanh(x)], r.integer(x.shape.length)),
  tile: (x, r) =>
    tile(
      x,
      x.shape.map(() => 1 + r.integer(2)),
    ),
  expand: (x, r) => {
    const axis = r.integer(x.shape.length + 1);
    const wide = unsqueeze(x, [axis]);
    return expand(
      wide,
      wide.shape.map((d, i) => (i === axis ? 2 : d)),
    );
  },
  "sum over an axis": (x, r) => (x.shape.length > 1 ? reduceSum(x, [r.integer(x.shape.length)]) : undefined),
  "maximum over an axis": (x, r) =>
    x.shape.length > 1 ? reduceMax(x, [r.integer(x.shape.length)]) : undefined,
  softmax: (x, r) => softmax(x, r.integer(x.shape.length)),
  pad: (x, r) => {
    const axis = r.integer(x.shape.length);
    return pad(
      x,
      x.shape.map((_, i) => (i === axis ? 1 : 0)),
      x.shape.map(() => 0),
    );
  },
};

/** A linear layer, random steps that move, join and cut its features, a linear layer. */
function randomProgram(r: Random): { graph: Graph; steps: string[] } {
  const graph = createGraph("program");
  const builder = { graph, random: r };
  const lengths = [12, 16, 24, 36];
  let x = matmul(input(graph, "x", [1, 3]), weight(builder, "first.weight", [3, lengths[r.integer(4)]]));
  x = reshape(x, [x.shape[1]]);
  const steps: string[] = [];
  const names = Object.keys(STEPS);
  for (let attempt = 0; steps.length < 6; attempt++) {
    const step = names[r.integer(names.length)];
    const next = STEPS[step](x, r, `step${attempt}.weight`);
    if (!next || sizeOf(next.shape) > 400 || next.shape.length > 5) continue;
    steps.push(step);
    x = next;
  }
  x = tanh(reshape(x, [1, -1]));
  output(matmul(x, weight(builder, "last.weight", [x.shape[1], 3])));
  return { graph, steps };
}

describe("random programs of layout operators", () => {
  const SEEDS = 250;

  it(`compute the same without their zero channels, ${SEEDS} seeds`, () => {
    const used = new Set<string>();
    let shrunk = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const r = random(deriveSeed(seed, "layout"));
      const { graph, steps } = randomProgram(r);
      const masks = randomMasks(graph, r);
      const sparse = masked(graph, masks);
      const feeds = randomFeeds(graph, r);
      const label = `seed ${seed}: ${steps.join(", ")}`;
      const { graph: found, removed } = shrinkZeros(sparse);
      expect(exactDifference(found, sparse, feeds), label).toBeLessThan(1e-12);
      // A product without weights may see something else than 0 there (the softmax of zeros), which no mask can hide.
      const gone = new Map(removed.map(({ stream, channels }) => [stream, channels]));
      const invisible = [...masks].every(([stream, mask]) =>
        mask.every((kept, i) => kept || gone.get(stream)?.includes(i)),
      );
      if (!invisible) continue;
      expect(exactDifference(shrink(sparse, masks), sparse, feeds), label).toBeLessThan(1e-12);
      if ([...masks.values()].some((mask) => mask.includes(false))) {
        shrunk++;
        for (const step of steps) used.add(step);
      }
    }
    // The programs must not be blocked so often that nothing is tested.
    expect(shrunk).toBeGreaterThan(SEEDS / 4);
    expect([...used].sort()).toEqual(Object.keys(STEPS).sort());
  });

  it("are refused rather than torn where cuts contradict each other", () => {
    // 12 features as 3 × 4 and as 4 × 3 at once: no feature can go alone, and no row or column of either.
    const graph = createGraph("contradiction");
    const builder = { graph, random: random(1) };
    const x = matmul(input(graph, "x", [1, 3]), weight(builder, "first.weight", [3, 12]));
    const shifted = add(reshape(x, [3, 4]), weight(builder, "rows.weight", [3, 1]));
    const other = reshape(add(reshape(x, [4, 3]), weight(builder, "columns.weight", [1, 3])), [3, 4]);
    output(matmul(reshape(add(shifted, other), [1, 12]), weight(builder, "last.weight", [12, 2])));
    expect(analyzeChannels(graph).streams.filter((s) => s.blocked === undefined && s.count > 1)).toEqual([]);
  });
});
