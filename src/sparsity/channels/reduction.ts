import { normalizeAxis, numberAttribute, numbersAttribute } from "../../engine/operators/operator.ts";
import { blockAll, fixed } from "./elementwise.ts";
import type { Axes, FlowCall } from "./rule.ts";
import { defineChannelRule } from "./rule.ts";

/** Atoms of a value once axes are folded. */
function withoutAxes(x: Axes, axes: readonly number[], keepDims: boolean): Axes {
  return x.flatMap((ids, axis) => (!axes.includes(axis) ? [ids] : keepDims ? [fixed(1)] : []));
}

function reducedAxes(call: FlowCall): number[] {
  const rank = call.inputs[0]!.length;
  const given = call.node.inputs[1] ? call.constant(1) : numbersAttribute(call.attributes, "axes");
  if (given?.length) return given.map((a) => normalizeAxis(a, rank));
  return call.attributes.noop_with_empty_axes === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

function reduceFlow(call: FlowCall, vanish: boolean): Axes[] {
  const [x] = call.inputs as [Axes];
  const axes = reducedAxes(call);
  for (const axis of axes)
    if (vanish) call.contract({ input: 0, axis });
    else call.block(x[axis], "its result depends on how many there are");
  return [withoutAxes(x, axes, numberAttribute(call.attributes, "keepdims", 1) !== 0)];
}

/** A zero vector gives zero under all of these. */
const zeroToZero = {
  constant: (call: { known(i: number): number | undefined }) => (call.known(0) === 0 ? 0 : undefined),
};

defineChannelRule(["ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2"], {
  flow: (call) => reduceFlow(call, true),
  ...zeroToZero,
});
defineChannelRule(["ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"], {
  flow: (call) => reduceFlow(call, false),
  ...zeroToZero,
});
defineChannelRule("ReduceLogSumExp", { flow: (call) => reduceFlow(call, false) });

defineChannelRule(["ArgMax", "ArgMin"], {
  flow: (call) => {
    const [x] = call.inputs as [Axes];
    const axis = normalizeAxis(numberAttribute(call.attributes, "axis", 0), x.length);
    call.block(x[axis], "gives positions along it");
    return [withoutAxes(x, [axis], numberAttribute(call.attributes, "keepdims", 1) !== 0)];
  },
});

defineChannelRule("TopK", {
  flow: (call) => {
    const [x] = call.inputs as [Axes];
    const at = normalizeAxis(numberAttribute(call.attributes, "axis", -1), x.length);
    call.block(x[at], "sorts along it");
    return call.outputShapes.map((shape) => x.map((ids, axis) => (axis === at ? fixed(shape[at]) : ids)));
  },
});

defineChannelRule("Trilu", {
  flow: (call) => {
    const [x] = call.inputs as [Axes];
    for (const ids of x.slice(-2)) call.block(ids, "cuts along its diagonal");
    return [x];
  },
  ...zeroToZero,
});

defineChannelRule(["Shape", "Size"], { flow: (call) => blockAll(call, "reads its length") });
