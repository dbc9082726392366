import {
  normalizeAxis,
  numberAttribute,
  numbersAttribute,
  stringAttribute,
} from "../../engine/operators/operator.ts";
import type { Shape } from "../../engine/tensor.ts";
import { sizeOf, tensor } from "../../engine/tensor.ts";
import type { Atoms, Ids } from "./atoms.ts";
import { mergeAxes, splitAxis } from "./atoms.ts";
import { blockAll, broadcastFlow, fixed } from "./elementwise.ts";
import type { Axes, ConstantCall, FlowCall, ResizeCall } from "./rule.ts";
import { defineChannelRule } from "./rule.ts";

/** Elements only move: whatever they are, they stay. */
const moved = (call: ConstantCall) => call.known(0);

const vector = (values: readonly number[]) => tensor("int64", [values.length], values);

// Reshape and its relatives ------------------------------------------------------------------------------------------

/** One axis cut into several lengths. */
function cut(atoms: Atoms, ids: Ids, lengths: Shape, why: string): Ids[] {
  if (lengths.length < 2) return lengths.map(() => ids);
  const [rows, rest] = splitAxis(atoms, ids, lengths[0], sizeOf(lengths.slice(1)), why);
  return [rows, ...cut(atoms, rest, lengths.slice(1), why)];
}

/** Atoms of the same elements in another shape: runs of axes with equal products are joined and cut again. */
export function reshapeFlow(atoms: Atoms, x: Axes, to: Shape, why: string): Axes {
  const result: Ids[] = [];
  let from = 0;
  while (from < x.length || result.length < to.length) {
    let [end, last] = [from + 1, result.length + 1];
    const size = () => sizeOf(x.slice(from, end).map((ids) => ids.length));
    const made = () => sizeOf(to.slice(result.length, last));
    // What is left over on one side alone has length 1, and so does the empty product on the other.
    while (size() !== made())
      if (size() < made()) end++;
      else last++;
    result.push(...cut(atoms, mergeAxes(atoms, x.slice(from, end)), to.slice(result.length, last), why));
    from = end;
  }
  return result;
}

defineChannelRule(["Reshape", "Flatten", "Squeeze", "Unsqueeze"], {
  flow: (call) => {
    const [shape] = call.outputShapes;
    if (sizeOf(shape) === 0) return blockAll(call, "has no elements");
    return [reshapeFlow(call.atoms, call.inputs[0]!, shape, `${call.label} cuts it apart`)];
  },
  constant: moved,
  resize: ({ node, inputs: [x], outputs: [shape], constant }) => {
    if (node.op === "Reshape") {
      const target = constant(1)!.map((d, i) => (d === -1 || (d === 0 && x![i] === shape[i]) ? d : shape[i]));
      return { inputs: { 1: vector(target) } };
    }
    // Without axes a Squeeze would also take a channel axis that has shrunk to length 1.
    if (node.op === "Squeeze" && !node.inputs[1]) return { inputs: { 1: vector(squeezedAxes(x!, shape)) } };
    return {};
  },
});

/** Axes of length 1 of `x` that leave `shape`, which may have such axes left. */
function squeezedAxes(x: Shape, shape: Shape): number[] {
  let excess = x.length - shape.length;
  return x.flatMap((d, axis) => (d === 1 && excess-- > 0 ? [axis] : []));
}

defineChannelRule("Transpose", {
  flow: ({ inputs: [x], attributes }) => {
    const perm = numbersAttribute(attributes, "perm") ?? x!.map((_, i) => x!.length - 1 - i);
    return [perm.map((p) => x![p])];
  },
  constant: moved,
});

// Repetition ---------------------------------------------------------------------------------------------------------

defineChannelRule("Expand", {
  flow: ({ inputs: [x], outputShapes: [shape], atoms }) => [
    shape.map((length, axis) => {
      const own = x![axis - shape.length + x!.length];
      // Copies of one element are as many as their readers want.
      return own?.length === length ? own : atoms.fresh(length);
    }),
  ],
  constant: moved,
  resize: ({ outputs: [shape], constant }) => {
    const target = constant(1)!;
    const lead = shape.length - target.length;
    return { inputs: { 1: vector(target.map((d, i) => (d === 1 ? 1 : shape[lead + i]))) } };
  },
});

defineChannelRule("ConstantOfShape", {
  flow: ({ outputShapes: [shape], atoms }) => [shape.map((length) => atoms.fresh(length))],
  resize: ({ outputs: [shape] }) => ({ inputs: { 0: vector(shape) } }),
});

defineChannelRule("Tile", {
  flow: ({ inputs: [x], outputShapes: [shape], atoms }) => [
    shape.map((length, axis) => mergeAxes(atoms, [fixed(length / x![axis].length), x![axis]])),
  ],
  constant: moved,
});

// Joining and cutting ------------------------------------------------------------------------------------------------

defineChannelRule("Concat", {
  flow: (call) => {
    const inputs = call.inputs as Axes[];
    const at = normalizeAxis(numberAttribute(call.attributes, "axis", 0), inputs[0].length);
    const across = inputs.map((axes) => axes.map((ids, axis) => (axis === at ? fixed(1) : ids)));
    const shape = across[0].map((ids) => ids.length);
    return [
      broadcastFlow(call, across, shape).map((ids, axis) =>
        axis === at ? inputs.flatMap((axes) => axes[at]) : ids,
      ),
    ];
  },
  constant: (call) => {
    const values = call.node.inputs.flatMap((_, input) => {
      const rank = call.inputTypes[input]!.shape.length;
      const concerned = Array.from({ length: rank }, (_, axis) => call.has({ input, axis })).some(Boolean);
      return concerned ? [call.known(input)] : [];
    });
    return values.every((v) => v === values[0]) ? values[0] : undefined;
  },
});

defineChannelRule("Split", {
  flow: ({ inputs: [x], outputShapes, attributes }) => {
    const at = normalizeAxis(numberAttribute(attributes, "axis", 0), x!.length);
    let start = 0;
    return outputShapes.map((shape) => {
      const part = x!.map((ids, axis) => (axis === at ? ids.slice(start, start + shape[at]) : ids));
      start += shape[at];
      return part;
    });
  },
  constant: moved,
  resize: ({ outputs, attributes }) => {
    const at = normalizeAxis(numberAttribute(attributes, "axis", 0), outputs[0].length);
    return { inputs: { 1: vector(outputs.map((shape) => shape[at])) } };
  },
});

/** Start and step of a Slice along the axes that it names; undefined where they are computed at run time. */
function sliceRanges(
  call: Pick<FlowCall | ResizeCall, "node" | "constant">,
  shape: Shape,
): { axis: number; start: number; step: number }[] | undefined {
  const given = [1, 3, 4].map((i) => (call.node.inputs[i] ? call.constant(i) : []));
  if (given.some((g) => g === undefined)) return undefined;
  const [starts, axes, steps] = given as number[][];
  return starts.map((from, i) => {
    const axis = normalizeAxis(axes[i] ?? i, shape.length);
    const step = steps[i] ?? 1;
    const start = Math.max(0, from < 0 ? from + shape[axis] : from);
    return { axis, start: Math.min(start, step > 0 ? shape[axis] : shape[axis] - 1), step };
  });
}

defineChannelRule("Slice", {
  flow: (call) => {
    const [x] = call.inputs as [Axes];
    const ranges = sliceRanges(
      call,
      x.map((ids) => ids.length),
    );
    if (!ranges) return blockAll(call, "takes ranges that are computed at run time");
    const result = [...x];
    for (const { axis, start, step } of ranges) {
      if (step !== 1) call.block(x[axis], "takes it in steps");
      result[axis] = Array.from({ length: call.outputShapes[0][axis] }, (_, i) => x[axis][start + i * step]);
    }
    return [result];
  },
  constant: moved,
  resize: (call) => {
    const before = call.before[0]!;
    const narrowed = sliceRanges(call, before)!.map(({ axis, start }) => {
      if (call.inputs[0]![axis] === before[axis]) return undefined;
      const first = call.kept(call.node.inputs[0], axis).filter((k) => k < start).length;
      return { start: first, end: first + call.outputs[0][axis] };
    });
    const [starts, ends, ...rest] = [1, 2, 3, 4].map((i) => call.constant(i));
    // All four are written anew, for they must be of one type.
    const ranges = [
      starts!.map((s, i) => narrowed[i]?.start ?? s),
      ends!.map((e, i) => narrowed[i]?.end ?? e),
      ...rest,
    ];
    return {
      inputs: Object.fromEntries(ranges.flatMap((r, i) => (r ? [[i + 1, vector(r)]] : []))),
    };
  },
});

defineChannelRule("Gather", {
  flow: (call) => {
    const [x, at] = call.inputs as [Axes, Axes];
    const axis = normalizeAxis(numberAttribute(call.attributes, "axis", 0), x.length);
    const indices = call.constant(1);
    if (!indices) {
      call.block(x[axis], "picks from it at run time");
      return [[...x.slice(0, axis), ...at, ...x.slice(axis + 1)]];
    }
    const picked = indices.map((i) => x[axis][i < 0 ? i + x[axis].length : i]);
    const lengths = call.outputShapes[0].slice(axis, axis + at.length);
    if (at.length === 0) call.block(picked, "picks it");
    const cuts = at.length ? cut(call.atoms, picked, lengths, `${call.label} picks a table from it`) : [];
    return [[...x.slice(0, axis), ...cuts, ...x.slice(axis + 1)]];
  },
  constant: moved,
  resize: (call) => {
    const indices = call.constant(1);
    if (!indices) return {};
    const [x, at] = call.before as Shape[];
    const axis = normalizeAxis(numberAttribute(call.attributes, "axis", 0), x.length);
    const kept = call.kept(call.node.inputs[0], axis);
    const places = at.map((_, d) => call.kept(call.node.outputs[0], axis + d));
    let chosen = [0];
    places.forEach((place, d) => {
      chosen = chosen.flatMap((c) => place.map((p) => c * at[d] + p));
    });
    const values = chosen.map((c) => {
      const i = indices[c];
      return kept.indexOf(i < 0 ? i + x[axis] : i);
    });
    return {
      inputs: {
        1: tensor(
          "int64",
          places.map((p) => p.length),
          values,
        ),
      },
    };
  },
});

defineChannelRule("Pad", {
  flow: (call) => {
    const [x] = call.inputs as [Axes];
    const pads = call.constant(1);
    if (!pads) return blockAll(call, "pads by amounts that are computed at run time");
    return [
      x.map((ids, axis) => {
        if (pads[axis] === 0 && pads[x.length + axis] === 0) return ids;
        call.block(ids, "pads or cuts it");
        return fixed(call.outputShapes[0][axis]);
      }),
    ];
  },
  constant: (call) => {
    const value = call.known(0);
    if (stringAttribute(call.attributes, "mode", "constant") !== "constant") return value;
    const fill = call.node.inputs[2] ? call.known(2) : 0;
    return fill === value ? value : undefined;
  },
});

// Depth and space ----------------------------------------------------------------------------------------------------

defineChannelRule("DepthToSpace", {
  flow: (call) => {
    const [[batch, channels]] = call.inputs as [Axes];
    const [, count, height, width] = call.outputShapes[0];
    const block = channels.length / count;
    const outermost = stringAttribute(call.attributes, "mode", "DCR") === "CRD";
    const why = `${call.label} turns it into pixels`;
    const [rows, columns] = outermost
      ? splitAxis(call.atoms, channels, count, block, why)
      : splitAxis(call.atoms, channels, block, count, why);
    call.block(outermost ? columns : rows, "turns it into pixels");
    return [[batch, outermost ? rows : columns, fixed(height), fixed(width)]];
  },
  constant: moved,
});

defineChannelRule("SpaceToDepth", {
  flow: (call) => {
    const [[batch, channels, ...space]] = call.inputs as [Axes];
    const [, count, height, width] = call.outputShapes[0];
    for (const ids of space) call.block(ids, "turns it into channels");
    const copies = fixed(count / channels.length);
    return [[batch, mergeAxes(call.atoms, [copies, channels]), fixed(height), fixed(width)]];
  },
  constant: moved,
});
