import { describe, expect, it } from "vitest";
import { evaluate } from "../../../src/engine/evaluate.ts";
import type { Graph } from "../../../src/engine/graph.ts";
import { createGraph, input, output } from "../../../src/engine/graph.ts";
import { exportModel } from "../../../src/engine/onnx/export.ts";
import { importModel } from "../../../src/engine/onnx/import.ts";
import { rebatch } from "../../../src/engine/replay.ts";
import { createSession } from "../../../src/engine/session.ts";
import { tensor, toNumbers } from "../../../src/engine/tensor.ts";
import { svd } from "../../../src/linalg/svd.ts";
import { layers } from "../../../src/nn/layers.ts";
import { random } from "../../../src/random.ts";
import { truncateByLatency } from "../../../src/runs/spectral-forms.ts";
import { inputMoments } from "../../../src/sparsity/spectral/calibrate.ts";
import { linearMaps } from "../../../src/sparsity/spectral/linear-maps.ts";
import { createSpectralTraining } from "../../../src/sparsity/spectral/spectral-training.ts";
import { keptRank, truncateSpectra } from "../../../src/sparsity/spectral/truncate.ts";
import vectors from "../../vectors/sst.json" with { type: "json" };
import { images, MAPS, network } from "./network.ts";
import { distance, expectClose } from "./support.ts";

function outputsOf(graph: Graph): Float64Array {
  const { x } = images();
  const found = evaluate(graph, { x: { shape: x.shape, data: toNumbers(x) } });
  return found[graph.outputs[0]].data;
}

const oneLayer = (weight: number[][], rows = 1) => {
  const graph = createGraph("one");
  const x = input(graph, "x", [rows, weight[0].length]);
  const initial = tensor("float32", [weight.length, weight[0].length], weight.flat());
  output(layers(graph, 0).linear("map", x, weight.length, { bias: false, initializer: () => initial }));
  return graph;
};

describe("truncation", () => {
  it("the vector: what stays, what it costs, and the matrix itself", () => {
    const { W, S, keep, W2, frob_error, spectral_energy_kept } = vectors.truncate;
    const { graph, layers } = truncateSpectra(oneLayer(W), {
      rule: { kind: "rank", rank: keep },
      layers: ["map.weight"],
      form: () => "merged",
    });
    expect(layers[0].error).toBeCloseTo(frob_error, 6);
    expectClose(graph.parameters.get("map.weight/cut")!.data, W2.flat(), 1e-6);
    expect(keptRank(S, { kind: "energy", share: spectral_energy_kept - 1e-9 })).toBe(2);
    expect(keptRank(S, { kind: "energy", share: spectral_energy_kept + 1e-9 })).toBe(3);
  });

  it("keeps the fewest values that reach the share", () => {
    const values = [4, 3, 2, 1];
    const ranks = (kind: "sum" | "energy", shares: number[]) =>
      shares.map((share) => keptRank(values, { kind, share }));
    expect(ranks("sum", [0.1, 0.4, 0.41, 0.7, 0.9, 0.91, 1])).toEqual([1, 1, 2, 2, 3, 4, 4]);
    expect(ranks("energy", [0.5, 16 / 30, 0.54, 25 / 30, 1])).toEqual([1, 1, 2, 2, 4]);
  });

  it("all values kept: the same network; merged or factored: the same outputs", () => {
    const plain = outputsOf(network());
    const whole = truncateSpectra(network(), { rule: { kind: "sum", share: 1 } });
    expectClose(outputsOf(whole.graph), plain, 1e-12);
    expect(whole.layers.map((l) => l.weight)).toEqual(MAPS);
    const rule = { kind: "rank", rank: 2 } as const;
    const merged = outputsOf(truncateSpectra(network(), { rule, form: () => "merged" }).graph);
    const factored = truncateSpectra(network(), { rule, form: () => "factors" });
    expectClose(outputsOf(factored.graph), merged, 1e-6);
    expect(distance(merged, plain)).toBeGreaterThan(1e-3);
    expect(factored.layers.every((l) => l.form === "factors" && l.rank === 2)).toBe(true);
  });

  it("layers that are to stay whole stay to the bit, and so do those that lose no value", () => {
    const rule = { kind: "rank", rank: 2 } as const;
    const { graph, layers } = truncateSpectra(network(), {
      rule,
      form: ({ weight }) => (weight === "flat.weight" ? "merged" : "whole"),
    });
    for (const weight of MAPS.filter((w) => w !== "flat.weight"))
      expect(graph.parameters.get(weight)).toEqual(network().parameters.get(weight));
    expect(layers.map((l) => l.error > 0)).toEqual(MAPS.map((w) => w === "flat.weight"));
    const all = truncateSpectra(network(), { rule: { kind: "sum", share: 1 }, form: () => "factors" });
    expect(all.layers.every((l) => l.form === "whole")).toBe(true);
    expect([...all.graph.parameters]).toEqual([...network().parameters]);
  });

  it("stores factors as layers read them, so that a file's can be factored again", () => {
    const rule = { kind: "rank", rank: 3 } as const;
    const { graph } = truncateSpectra(network(), { rule, form: () => "factors" });
    expect(graph.parameters.get("wide.weight/right")!.shape).toEqual([3, 3, 3, 3]);
    expect(graph.parameters.get("wide.weight/left")!.shape).toEqual([4, 3, 1, 1]);
    expect(graph.nodes.filter((n) => graph.parameters.has(n.inputs[0])).map((n) => n.op)).toEqual([]);
    const again = linearMaps(importModel(exportModel(graph))).map((m) => m.weight);
    for (const weight of MAPS)
      for (const part of ["left", "right"]) expect(again).toContain(`${weight}/${part}`);
  });

  it("the file that it makes is smaller and runs in ONNX Runtime", async () => {
    const rng = random(3);
    const wide = Array.from({ length: 64 }, () => Array.from({ length: 64 }, () => rng.normal()));
    const one = { rule: { kind: "rank", rank: 8 }, layers: ["map.weight"] } as const;
    const smaller = exportModel(truncateSpectra(oneLayer(wide), one).graph).length;
    expect(smaller / exportModel(oneLayer(wide)).length).toBeLessThan(0.3);
    const { graph } = truncateSpectra(network(), { rule: { kind: "rank", rank: 1 } });
    const bytes = exportModel(graph);
    const session = await createSession(rebatch(importModel(bytes), 2));
    const found = await session.run(images());
    await session.release();
    expectClose(found[graph.outputs[0]].data as Float32Array, outputsOf(graph), 1e-5);
  });

  it("with moments of the inputs, loses least on those inputs", async () => {
    const rng = random(1);
    const weight = Array.from({ length: 6 }, () => Array.from({ length: 8 }, () => rng.normal()));
    const graph = oneLayer(weight, 64);
    // Inputs that are strong in few directions, other than those in which W is.
    const x = tensor(
      "float32",
      [64, 8],
      Float32Array.from({ length: 64 * 8 }, (_, i) => rng.normal() * 0.3 ** (i % 8)),
    );
    const options = { rule: { kind: "rank", rank: 2 }, layers: ["map.weight"] } as const;
    const moments = await inputMoments(graph, [{ x }], { layers: ["map.weight"] });
    const feeds = { x: { shape: x.shape, data: toNumbers(x) } };
    const run = (g: Graph) => evaluate(g, feeds)[g.outputs[0]].data;
    const plain = run(graph);
    const lost = (g: Graph) => distance(run(g), plain);
    const calibrated = lost(truncateSpectra(graph, { ...options, moments }).graph);
    const byWeights = lost(truncateSpectra(graph, options).graph);
    expect(calibrated).toBeLessThan(0.5 * byWeights);
    // No map of rank 2 can do better on these inputs than the tail of the spectrum of their outputs.
    expect(calibrated).toBeCloseTo(Math.hypot(...svd(plain, 64, 6).values.subarray(2)), 3);
    const whole = truncateSpectra(graph, { ...options, rule: { kind: "sum", share: 1 }, moments });
    expectClose(run(whole.graph), plain, 1e-5);
  });

  it("moments of a convolution's patches", async () => {
    const moments = await inputMoments(network(), [images()], { layers: ["wide.weight"] });
    const { x } = images();
    // By hand, for the first kernel cell that is never padding: its mean square over all windows.
    const at = (n: number, c: number, i: number, j: number) => x.data[((n * 3 + c) * 6 + i) * 6 + j];
    let sum = 0;
    for (let n = 0; n < 2; n++)
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++) sum += at(n, 1, 2 * i, 2 * j) * at(n, 2, 2 * i, 2 * j);
    const [first, second] = [9 + 4, 18 + 4];
    expect(moments.get("wide.weight")![first * 27 + second]).toBeCloseTo(sum / 18, 5);
  });

  it("measures which form is quicker, and takes it", async () => {
    const rng = random(2);
    const wide = Array.from({ length: 256 }, () => Array.from({ length: 256 }, () => rng.normal()));
    const graph = oneLayer(wide, 64);
    // One thread: several wait for each other where other work has a processor, in runs of all lengths alike.
    const timed = await truncateByLatency(
      graph,
      { rule: { kind: "rank", rank: 4 }, layers: ["map.weight"] },
      { threads: 1 },
    );
    const [{ latencyMs, form }] = timed.layers;
    expect(form).toBe(latencyMs!.factors < latencyMs!.merged ? "factors" : "whole");
    expect(latencyMs!.factors).toBeLessThan(latencyMs!.merged);
    // With nearly all values kept, two products are larger than one: they are not tried.
    const large = { rule: { kind: "rank", rank: 250 }, layers: ["map.weight"] } as const;
    for (const others of ["whole", "merged"] as const)
      expect((await truncateByLatency(graph, large, { others })).layers).toMatchObject([
        { form: others, latencyMs: undefined },
      ]);
  });

  it("refuses shares and ranks that keep nothing or more than there is", () => {
    expect(() => truncateSpectra(network(), { rule: { kind: "sum", share: 0 } })).toThrow("share is 0");
    expect(() => truncateSpectra(network(), { rule: { kind: "energy", share: 1.5 } })).toThrow(
      "share is 1.5",
    );
    for (const rank of [0, -1, 1.5, Number.NaN])
      expect(() => truncateSpectra(network(), { rule: { kind: "rank", rank } })).toThrow(`rank is ${rank}`);
  });

  it("names a weight that has no numbers in it, unless it is not to be cut", () => {
    const model = network();
    model.parameters.get("deep.weight")!.data[3] = Number.NaN;
    const rule = { kind: "rank", rank: 2 } as const;
    expect(() => truncateSpectra(model, { rule })).toThrow('the weight "deep.weight" has the entry NaN');
    expect(() => truncateSpectra(model, { rule, layers: ["flat.weight"] })).not.toThrow();
    expect(() => createSpectralTraining(model, { rank: 2 })).toThrow('sst: the weight "deep.weight"');
  });
});
