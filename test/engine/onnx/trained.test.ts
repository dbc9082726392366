import { expect, test } from "vitest";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { decodeModel, encodeModel } from "../../../src/engine/onnx/proto.ts";
import { learnableCurvature } from "../../../src/geometry/curvature.ts";
import { lorentzExp0 } from "../../../src/geometry/lorentz.ts";
import { lorentzLinear } from "../../../src/geometry/lorentz-layers.ts";
import { layers } from "../../../src/nn/layers.ts";
import { decoder } from "../../../src/nn/models/decoder.ts";
import { smallCnn } from "../../../src/nn/models/small-cnn.ts";

/** Its curvature and its scale are single numbers. */
function hyperbolic(): Graph {
  const graph = createGraph("hyperbolic");
  const build = layers(graph, 1);
  const c = learnableCurvature(build, "curvature", 0.7);
  output(lorentzLinear(build, "one", lorentzExp0(input(graph, "x", [4, 3]), c), 5, { curvature: c }));
  return graph;
}
/** Its table of positions is cut before it is added, that of tokens also turned for the output; a mask is added like a bias. */
const opt = () =>
  decoder({
    layout: "opt",
    ...{ vocabulary: 31, context: 8, width: 16, blocks: 1, heads: 2, mlpWidth: 32 },
    ...{ positions: 12, positionOffset: 2 },
  });

/** The file as another program may write it anew, or with other metadata. */
function withMetadata(
  bytes: Uint8Array,
  change: (metadata: Record<string, string>) => Record<string, string>,
) {
  const model = decodeModel(bytes);
  return encodeModel({ ...model, metadata: change(model.metadata) });
}

test.each([
  ["a decoder", opt, ["positions.weight"]],
  ["a hyperbolic layer", hyperbolic, ["curvature", "one.scale"]],
] as const)("%s has its parameters behind a file, all and no others", (_, build, hidden) => {
  const model = build();
  const file = exportModel(model, { metadata: { by: "me" } });
  const back = importModel(file);
  const byName = ({ parameters }: Graph) => Object.fromEntries([...parameters].map(([name, t]) => [name, t]));
  expect(byName(back)).toEqual(byName(model));
  const { metadata } = decodeModel(file);
  expect(decodeModel(exportModel(back, { metadata })).metadata).toEqual(metadata);
  // Control: without the metadata, operators alone tell what is a weight.
  const bare = importModel(withMetadata(file, () => ({})));
  expect([...model.parameters.keys()].filter((name) => !bare.parameters.has(name))).toEqual(hidden);
  const constants: string[] = JSON.parse(metadata["filigree.constants"] ?? "[]");
  expect([...bare.parameters.keys()]).toEqual(expect.arrayContaining(constants));
});

test("a file whose operators tell all of its parameters says no more", () => {
  expect(decodeModel(exportModel(smallCnn({ inputShape: [1, 8, 8], classes: 2 }))).metadata).toEqual({});
});

test.each(["", "{}", "[1]", '["conv'])("metadata that name no parameters are refused: %s", (text) => {
  const file = withMetadata(exportModel(opt()), () => ({ "filigree.parameters": text }));
  expect(() => importModel(file)).toThrow(/metadata "filigree\.parameters" are no list of names/);
});
