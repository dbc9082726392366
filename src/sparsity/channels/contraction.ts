import { numberAttribute, stringAttribute } from "../../engine/operators/operator.ts";
import type { Shape } from "../../engine/tensor.ts";
import type { Ids } from "./atoms.ts";
import { mergeAxes, splitAxis } from "./atoms.ts";
import { blockAll, broadcastFlow, fixed } from "./elementwise.ts";
import type { Axes, ChannelRule, ConstantCall, FlowCall } from "./rule.ts";
import { defineChannelRule } from "./rule.ts";

/** 0 where a factor that does not have the atom is all zeros, or one is zero at the atom along one of its axes that stay. */
function productConstant(
  call: ConstantCall,
  factors: { input: number; axes: readonly number[] }[],
): 0 | undefined {
  for (const { input, axes } of factors) {
    if (isWholeZero(call, input)) return 0;
    for (const axis of axes)
      if (call.has({ input, axis }) && call.knownAlong({ input, axis }) === 0) return 0;
  }
  return undefined;
}

/** Whether all of an input is zero, as far as that can be told without the atom. */
function isWholeZero(call: ConstantCall, input: number): boolean {
  const axes = call.inputTypes[input]!.shape.keys();
  return call.known(input) === 0 && ![...axes].some((axis) => call.has({ input, axis }));
}

// Convolution --------------------------------------------------------------------------------------------------------

/**
 * The channels of a convolution in g groups are pairs: (group, input) on the way in, (group, output) on the way out. A
 * group goes as a whole, an input or output of all groups at once; the depthwise case has nothing but groups.
 */
function convolution(transposed: boolean): ChannelRule {
  const [inAxis, outAxis] = transposed ? [0, 1] : [1, 0];
  const groupsOf = (call: Pick<FlowCall, "attributes">) => numberAttribute(call.attributes, "group", 1);
  return {
    flow: (call) => {
      const [x, w, bias] = call.inputs as [Axes, Axes, Axes | undefined];
      const { atoms } = call;
      const groups = groupsOf(call);
      for (const ids of x.slice(2)) call.block(ids, "slides over it");
      for (const id of w.slice(2).flat()) atoms.fix(id);
      const why = `${call.label} has ${groups} groups, which need equal widths`;
      const [groupIds, inputIds] = splitAxis(atoms, x[1], groups, x[1].length / groups, why);
      // The weights hold the groups on axis 0, whichever side that is.
      const [weightGroups, within] = splitAxis(atoms, w[0], groups, w[0].length / groups, why);
      call.tie(groupIds, weightGroups);
      const [weightInputs, outputIds] = transposed ? [within, w[1]] : [w[1], within];
      call.tie(inputIds, weightInputs);
      const made = mergeAxes(atoms, [groupIds, outputIds]);
      if (bias) call.tie(made, bias[0]);
      call.contract({ input: 0, axis: 1, ids: inputIds }, { input: 1, axis: inAxis, ids: weightInputs });
      return [[x[0], made, ...call.outputShapes[0].slice(2).map(fixed)]];
    },
    constant: (call) => {
      const bias = () => (call.node.inputs[2] ? call.known(2) : 0);
      if (isWholeZero(call, 1)) return bias();
      if (!call.has({ input: 1, axis: 0 }) && !call.has({ input: 1, axis: 1 })) return undefined;
      if (call.has({ input: 1, axis: outAxis }) && call.knownAlong({ input: 1, axis: outAxis }) === 0)
        return bias();
      const isGroup =
        groupsOf(call) > 1 &&
        call.has({ input: 0, axis: 1 }) &&
        call.has({ input: 1, axis: 0 }) &&
        !call.has({ input: 1, axis: 1 });
      if (!isGroup) return undefined;
      return call.known(0) === 0 || call.knownAlong({ input: 1, axis: 0 }) === 0 ? bias() : undefined;
    },
    resize: (call) => {
      const groups = groupsOf(call);
      if (groups === 1) return {};
      const [x, w] = call.inputs as Shape[];
      const channels = transposed ? call.outputs[0][1] : x[1];
      return { attributes: { ...call.attributes, group: channels / w[1] } };
    },
  };
}

defineChannelRule("Conv", convolution(false));
defineChannelRule("ConvTranspose", convolution(true));

// Matrix products ----------------------------------------------------------------------------------------------------

defineChannelRule("MatMul", {
  flow: (call) => {
    const [a, b] = call.inputs as [Axes, Axes];
    const inner = { a: a.length - 1, b: Math.max(0, b.length - 2) };
    call.contract({ input: 0, axis: inner.a }, { input: 1, axis: inner.b });
    const [lead, others] = [a.slice(0, -2), b.slice(0, -2)];
    const rank = Math.max(lead.length, others.length);
    const shape = call.outputShapes[0].slice(0, rank);
    return [
      [
        ...broadcastFlow(call, [lead, others], shape),
        ...a.slice(-2, -1),
        ...(b.length > 1 ? b.slice(-1) : []),
      ],
    ];
  },
  constant: (call) => {
    const [a, b] = call.inputTypes.map((t) => t!.shape.length);
    const all = (rank: number, inner: number) =>
      Array.from({ length: rank }, (_, i) => i).filter((i) => i !== inner);
    return productConstant(call, [
      { input: 0, axes: all(a, a - 1) },
      { input: 1, axes: all(b, Math.max(0, b - 2)) },
    ]);
  },
});

const gemmAxes = (call: Pick<FlowCall, "attributes">) => ({
  rows: call.attributes.transA === 1 ? 1 : 0,
  columns: call.attributes.transB === 1 ? 0 : 1,
});

defineChannelRule("Gemm", {
  flow: (call) => {
    const [a, b, c] = call.inputs as [Axes, Axes, Axes | undefined];
    const { rows, columns } = gemmAxes(call);
    call.contract({ input: 0, axis: 1 - rows }, { input: 1, axis: 1 - columns });
    return [broadcastFlow(call, [[a[rows], b[columns]], c], call.outputShapes[0])];
  },
  constant: (call) => {
    const { rows, columns } = gemmAxes(call);
    const product = productConstant(call, [
      { input: 0, axes: [rows] },
      { input: 1, axes: [columns] },
    ]);
    if (product === undefined || !call.node.inputs[2]) return product;
    const added = call.known(2);
    return added === undefined ? undefined : Math.fround(numberAttribute(call.attributes, "beta", 1) * added);
  },
});

// Sums of products by labels -----------------------------------------------------------------------------------------

/** Labels of each operand and of the result; undefined for the spellings that hide some (ellipsis, no arrow, diagonals). */
function labelsOf(equation: string): { operands: string[]; result: string } | undefined {
  const [left, result] = equation.replaceAll(" ", "").split("->");
  const operands = left.split(",");
  const plain = [...operands, result].every(
    (t) => t !== undefined && !t.includes(".") && new Set(t).size === t.length,
  );
  return plain ? { operands, result } : undefined;
}

defineChannelRule("Einsum", {
  flow: (call) => {
    const inputs = call.inputs as Axes[];
    const equation = stringAttribute(call.attributes, "equation", "");
    const labels = labelsOf(equation);
    if (!labels) return blockAll(call, `"${equation}" is not analysed`);
    const places = new Map<string, { input: number; axis: number }[]>();
    labels.operands.forEach((term, input) =>
      [...term].forEach((label, axis) => {
        const list = places.get(label) ?? [];
        places.set(label, [...list, { input, axis }]);
      }),
    );
    const meeting = new Map<string, Ids>();
    for (const [label, list] of places) {
      const longest = Math.max(...list.map(({ input, axis }) => inputs[input][axis].length));
      const full = list.filter(({ input, axis }) => inputs[input][axis].length === longest);
      if (!labels.result.includes(label)) call.contract(...full);
      for (const { input, axis } of full) call.tie(inputs[full[0].input][full[0].axis], inputs[input][axis]);
      meeting.set(label, inputs[full[0].input][full[0].axis]);
    }
    return [[...labels.result].map((label) => meeting.get(label)!)];
  },
  constant: (call) => {
    const labels = labelsOf(stringAttribute(call.attributes, "equation", ""));
    if (!labels) return undefined;
    return productConstant(
      call,
      labels.operands.map((term, input) => ({
        input,
        axes: [...term].flatMap((label, axis) => (labels.result.includes(label) ? [axis] : [])),
      })),
    );
  },
});
