import { expect, test } from "vitest";
import type { Weights } from "../../../src/sparsity/tickets/masks.ts";
import {
  density,
  jaccardDistance,
  magnitudeMasks,
  mapValues,
  weightsOf,
} from "../../../src/sparsity/tickets/masks.ts";
import { norms } from "../../../src/sparsity/tickets/norms.ts";
import { buildModel, QUICK } from "../../../src/sparsity/tickets/settings.ts";
import { createTrace, inputSide } from "../../../src/sparsity/tickets/trace.ts";

const settings = { ...QUICK, p: 7, width: 6, hidden: 4, ratio: 0.5 };
const initial = weightsOf(buildModel(settings, 0));
/** Weights that turn slowly into those of another network. */
const at = (step: number): Weights => {
  const other = weightsOf(buildModel(settings, 1));
  return mapValues(initial, (w, name) => w.map((v, i) => v + (step / 5000) * (other.get(name)![i] - v)));
};

test("what a point says is what the weights of its step say, whatever became of the live arrays", () => {
  const trace = createTrace(settings);
  const live = mapValues(initial, (w) => w.slice());
  for (const step of [0, 1000, 4000]) {
    for (const [name, w] of at(step)) live.get(name)!.set(w);
    trace.observe({ step, train: 0, test: 0 }, live);
  }
  const points = trace.finish(at(5000));
  expect(points.map((q) => q.step)).toEqual([0, 1000, 4000]);
  const final = magnitudeMasks(at(5000), 0.5);
  for (const point of points) {
    const weights = at(point.step);
    const masks = magnitudeMasks(weights, 0.5);
    expect(point).toMatchObject({ ...norms(weights), density: density(masks).layers });
    expect(point.jaccard).toBe(jaccardDistance(masks, final));
    point.neurons.forEach((share, n) => {
      const row = masks.get("inproj")!.subarray(6 * n, 6 * n + 6);
      expect(share).toBeCloseTo(row.reduce((a, b) => a + b, 0) / 6, 12);
      expect(point.picture.digits.slice(6 * n, 6 * n + 6)).toBe([...row].map((m) => 9 * m).join(""));
    });
  }
  expect(points[0].jaccard).toBeGreaterThan(points[2].jaccard);
});

test("however long a run is, at most 64 points, evenly spaced, the first among them", () => {
  const trace = createTrace(settings);
  for (let step = 0; step <= 30_000; step += 10) trace.observe({ step, train: 0, test: 0 }, initial);
  const steps = trace.finish(initial).map((q) => q.step);
  expect(steps.length).toBeLessThanOrEqual(64);
  expect(steps.length).toBeGreaterThanOrEqual(32);
  const gap = steps[1];
  expect(steps).toEqual(steps.map((_, i) => gap * i));
  expect(steps[steps.length - 1]).toBeGreaterThan(30_000 - gap - 1);
});

test("the input side is W_I W_E, for a transformer the embedding", () => {
  const [embed, inproj] = [initial.get("embed")!, initial.get("inproj")!];
  const { data, rows, columns } = inputSide(initial, settings);
  expect([rows, columns]).toEqual([4, 7]);
  for (let n = 0; n < 4; n++)
    for (let x = 0; x < 7; x++) {
      let sum = 0;
      for (let k = 0; k < 6; k++) sum += inproj[6 * n + k] * embed[7 * k + x];
      expect(data[7 * n + x]).toBeCloseTo(sum, 6);
    }
  const model = "transformer" as const;
  const transformer = weightsOf(buildModel({ ...settings, model }, 0));
  expect([...inputSide(transformer, { ...settings, model }).data]).toEqual([...transformer.get("embed")!]);
});
