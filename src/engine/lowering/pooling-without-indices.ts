import type { Graph, Node, Value } from "../graph.ts";
import { constant } from "../graph.ts";
import { mul } from "../operators/arithmetic.ts";
import { cast } from "../operators/cast.ts";
import { equal } from "../operators/comparison.ts";
import { convTranspose } from "../operators/convolution.ts";
import { pad, slice } from "../operators/cutting.ts";
import { concat } from "../operators/joining.ts";
import { poolWindows } from "../operators/pooling.ts";
import { reduceMax } from "../operators/reduction.ts";
import { reshape } from "../operators/reshape.ts";
import { transpose } from "../operators/transpose.ts";
import type { Windows } from "../operators/windows.ts";
import { unreached, windowOptions } from "../operators/windows.ts";
import { forEachIndex } from "../shapes.ts";
import { sizeOf, tensor } from "../tensor.ts";
import { lowerNodes } from "./plain.ts";

/** Lowers a graph for devices whose `MaxPool` has no output of indices. */
export function lowerWithoutPoolIndices(graph: Graph): Graph {
  return lowerNodes(graph, (node, inputs) =>
    node.op === "MaxPoolGradient" ? [maxPoolGradient(node, inputs as Value[])] : undefined,
  );
}

/**
 * Every tap of every window on an axis of its own: the gradient goes to the tap that equals the window's maximum, the
 * first where several do, and back to the cell where the tap lies.
 */
function maxPoolGradient({ attributes }: Node, [x, dy]: Value[]): Value {
  const windows = poolWindows(attributes, x.shape);
  const { unfold, fold } = sideBySide(windows) ? tiles(windows) : overlapping(windows);
  const taps = unfold(x);
  const count = taps.shape[2];
  // The earlier a tap, the higher its rank; 0 where it is not the maximum.
  const descending = constant(
    x.graph,
    tensor(
      "float32",
      [count, ...windows.output.map(() => 1)],
      Float32Array.from({ length: count }, (_, i) => count - i),
    ),
  );
  const rank = mul(cast(equal(taps, largest(taps)), "float32"), descending);
  const wins = cast(equal(rank, largest(rank)), "float32");
  return fold(mul(wins, reshape(dy, [...dy.shape.slice(0, 2), 1, ...windows.output])), x.shape);
}

const largest = (taps: Value) => reduceMax(taps, [2], { keepDims: true });

interface Folding {
  /** [n, c, …] → [n, c, taps, windows…] */
  unfold(x: Value): Value;
  /** The adjoint of `unfold`: what lies on one cell adds up. */
  fold(taps: Value, shape: readonly number[]): Value;
}

function sideBySide(windows: Windows): boolean {
  const { kernel, strides, dilations, before } = windows;
  return (
    kernel.every((k, i) => strides[i] === k && (k === 1 || dilations[i] === 1) && before[i] === 0) &&
    unreached(windows).every((rest, i) => rest >= windows.after[i])
  );
}

/** Windows that neither overlap nor leave gaps: unfolding is a transposition. */
function tiles({ kernel, output, input }: Windows): Folding {
  const rank = kernel.length;
  const covered = output.map((o, i) => o * kernel[i]);
  // [n, c, o₀, k₀, o₁, k₁, …] ↔ [n, c, k₀, k₁, …, o₀, o₁, …]
  const axes = output.map((_, i) => 2 * i + 2);
  const apart = [0, 1, ...axes.map((a) => a + 1), ...axes];
  const together = [0, 1, ...kernel.flatMap((_, i) => [2 + rank + i, 2 + i])];
  return {
    unfold: (x) => {
      const planes = x.shape.slice(0, 2);
      const whole = covered.every((d, i) => d === input[i])
        ? x
        : slice(x, Object.fromEntries(covered.map((end, i) => [i + 2, { end }])));
      const split = reshape(whole, [...planes, ...output.flatMap((o, i) => [o, kernel[i]])]);
      return reshape(transpose(split, apart), [...planes, sizeOf(kernel), ...output]);
    },
    fold: (taps, shape) => {
      const planes = shape.slice(0, 2);
      const split = transpose(reshape(taps, [...planes, ...kernel, ...output]), together);
      const nothing = shape.map(() => 0);
      return pad(
        reshape(split, [...planes, ...covered]),
        nothing,
        shape.map((d, i) => (i < 2 ? 0 : d - covered[i - 2])),
      );
    },
  };
}

/** Any windows: a slice for each tap, and a transposed convolution that puts each tap's values back. */
function overlapping(windows: Windows): Folding {
  const { kernel, output, strides, dilations, before } = windows;
  const rest = unreached(windows);
  const after = windows.after.map((a, i) => a - Math.min(0, rest[i]));
  return {
    unfold: (x) => {
      const padded = pad(x, [0, 0, ...before], [0, 0, ...after], Number.NEGATIVE_INFINITY);
      const taps: Value[] = [];
      forEachIndex(kernel, (k) => {
        const ranges = output.map((o, i) => {
          const start = k[i] * dilations[i];
          return [i + 2, { start, end: start + (o - 1) * strides[i] + 1, step: strides[i] }];
        });
        taps.push(reshape(slice(padded, Object.fromEntries(ranges)), [...x.shape.slice(0, 2), 1, ...output]));
      });
      return concat(taps, 2);
    },
    fold: (taps, [n, channels]) => {
      const count = sizeOf(kernel);
      const places = new Float32Array(channels * count * count);
      for (let i = 0; i < channels * count; i++) places[i * count + (i % count)] = 1;
      const weights = constant(taps.graph, tensor("float32", [channels * count, 1, ...kernel], places));
      return convTranspose(reshape(taps, [n, channels * count, ...output]), weights, {
        ...windowOptions({ ...windows, after }),
        outputPadding: rest.map((r) => Math.max(0, r)),
        group: channels,
      });
    },
  };
}
