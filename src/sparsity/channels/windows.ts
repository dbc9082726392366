import { fixed } from "./elementwise.ts";
import type { Axes, FlowCall } from "./rule.ts";
import { defineChannelRule } from "./rule.ts";

// Operators that treat every channel (axis 1) alone and mix what lies behind it.

function perChannel(call: FlowCall, reason: string): Axes[] {
  const [x] = call.inputs as [Axes];
  for (const ids of x.slice(2)) call.block(ids, reason);
  return call.outputShapes.map((shape) => [x[0], x[1], ...shape.slice(2).map(fixed)]);
}

defineChannelRule(["MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"], {
  flow: (call) => {
    // Indices count elements of all channels.
    if (call.outputShapes.length > 1) call.block(call.inputs[0]![1], "gives positions across it");
    return perChannel(call, "pools over it");
  },
  constant: (call) => {
    const value = call.known(0);
    if (call.output > 0) return undefined;
    // Means are exact for zero only, and padding is zero too; a maximum never takes the padding.
    return value === 0 || call.node.op.endsWith("MaxPool") ? value : undefined;
  },
});

defineChannelRule("Resize", {
  flow: (call) => {
    const [x] = call.inputs as [Axes];
    return [
      call.outputShapes[0].map((length, axis) => {
        if (length === x[axis].length && axis < 2) return x[axis];
        call.block(x[axis], "interpolates along it");
        return fixed(length);
      }),
    ];
  },
  constant: (call) => (call.known(0) === 0 ? 0 : undefined),
  resize: ({ node, outputs: [shape] }) =>
    node.inputs[3]
      ? { inputs: { 3: { dtype: "int64", shape: [shape.length], data: BigInt64Array.from(shape, BigInt) } } }
      : {},
});

// Normalisation ------------------------------------------------------------------------------------------------------

defineChannelRule("BatchNormalization", {
  flow: (call) => {
    const [x, ...vectors] = call.inputs as Axes[];
    for (const v of vectors) call.tie(x[1], v[0]);
    return call.outputShapes.map((_, k) => (k === 0 ? x : [x[1]]));
  },
  constant: (call) => {
    if (call.output > 0 || call.attributes.training_mode === 1) return undefined;
    const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map(call.known);
    if (scale === 0 || (x !== undefined && x === mean)) return bias;
    if ([x, scale, bias, mean, variance].some((v) => v === undefined)) return undefined;
    const epsilon = (call.attributes.epsilon as number | undefined) ?? 1e-5;
    return Math.fround(((x! - mean!) * scale!) / Math.sqrt(variance! + epsilon) + bias!);
  },
});

defineChannelRule("InstanceNormalization", {
  flow: (call) => {
    const [x, ...vectors] = call.inputs as Axes[];
    for (const v of vectors) call.tie(x[1], v[0]);
    for (const ids of x.slice(2)) call.block(ids, "normalises over it: fewer would change its statistics");
    return [x];
  },
  constant: (call) => (call.known(0) === 0 || call.known(1) === 0 ? call.known(2) : undefined),
});

defineChannelRule("LayerNormalization", {
  flow: (call) => {
    const [x, ...vectors] = call.inputs as [Axes, ...(Axes | undefined)[]];
    const axis = x.length - vectors[0]!.length;
    for (const ids of [...x.slice(axis), ...vectors.flatMap((v) => v ?? [])])
      call.block(ids, "normalises over it: fewer would change its statistics");
    return call.outputShapes.map((shape) => x.map((ids, i) => (i < axis ? ids : fixed(shape[i]))));
  },
  constant: (call) => {
    if (call.output > 0 || call.known(1) !== 0) return undefined;
    return call.node.inputs[2] ? call.known(2) : 0;
  },
});

defineChannelRule("LRN", {
  flow: (call) => {
    call.block(call.inputs[0]![1], "normalises over neighbouring channels");
    return [call.inputs[0]!];
  },
  constant: (call) => (call.known(0) === 0 ? 0 : undefined),
});
