import { describe, expect, it } from "vitest";
import { measureScale, type Split } from "../../src/data/dataset.ts";
import { glyphs } from "../../src/data/synthetic/glyphs.ts";
import { teacherStudent } from "../../src/data/synthetic/teacher-student.ts";
import vectors from "../vectors/teacher-student.json" with { type: "json" };

/** Share of test samples whose nearest class mean is their own. */
function nearestMeanAccuracy(train: Split, test: Split): number {
  const size = train.inputs.data.length / train.labels.length;
  const means = Array.from({ length: 10 }, () => new Float64Array(size));
  const counts = new Float64Array(10);
  train.labels.forEach((label, n) => {
    counts[label]++;
    for (let i = 0; i < size; i++) means[label][i] += train.inputs.data[n * size + i];
  });
  let right = 0;
  test.labels.forEach((label, n) => {
    const distances = means.map((mean, k) =>
      mean.reduce((sum, m, i) => sum + (m / counts[k] - test.inputs.data[n * size + i]) ** 2, 0),
    );
    if (distances.indexOf(Math.min(...distances)) === label) right++;
  });
  return right / test.labels.length;
}

describe("glyphs", () => {
  const data = glyphs();

  it("has the sizes, balance and scale of the protocol", () => {
    expect(data.train.inputs.shape).toEqual([3000, 1, 16, 16]);
    expect(data.test.inputs.shape).toEqual([2000, 1, 16, 16]);
    for (let digit = 0; digit < 10; digit++)
      expect(data.train.labels.filter((l) => l === digit).length).toBe(300);
    const { mean, std } = measureScale(data.train.inputs);
    // The protocol's (x − .2)/.4 is a round figure for its own font.
    expect(Math.abs(mean[0] - 0.2)).toBeLessThan(0.1);
    expect(Math.abs(std[0] - 0.4)).toBeLessThan(0.1);
  });

  it("has noise of 0.25 where there is no ink: in the corners", () => {
    const corners = Array.from({ length: 3000 }, (_, n) => data.train.inputs.data[n * 256]);
    const mean = corners.reduce((a, b) => a + b) / 3000;
    const deviation = Math.sqrt(corners.reduce((a, b) => a + (b - mean) ** 2, 0) / 3000);
    // Standard error of the deviation: 0.25/√6000 = 0.003; a few corners are touched by the most shifted digits.
    expect(Math.abs(deviation - 0.25)).toBeLessThan(0.015);
    expect(Math.abs(mean)).toBeLessThan(0.02);
  });

  it("has digits that can be told apart, and labels that belong to them", () => {
    // Chance is 0.1 with a standard error of 0.007.
    expect(nearestMeanAccuracy(data.train, data.test)).toBeGreaterThan(0.3);
    const shifted = { ...data.test, labels: data.test.labels.map((l) => (l + 3) % 10) };
    expect(nearestMeanAccuracy(data.train, shifted)).toBeLessThan(0.2);
  });

  it("is its seed's alone, and test differs from train", () => {
    const small = { train: 20, test: 20 };
    expect(glyphs({ ...small, seed: 5 })).toEqual(glyphs({ ...small, seed: 5 }));
    expect(glyphs({ ...small, seed: 5 }).train).not.toEqual(glyphs({ ...small, seed: 6 }).train);
    expect(glyphs(small).train).not.toEqual(glyphs(small).test);
    expect(data.train.inputs.data.subarray(0, 20 * 256)).toEqual(glyphs(small).train.inputs.data);
  });
});

describe("teacherStudent", () => {
  const { train, test, teacher } = teacherStudent();
  const worst = (ours: Float64Array, theirs: number[]) =>
    Math.max(...theirs.map((v, i) => Math.abs(v - ours[i]) / Math.max(1, Math.abs(v))));

  it("draws the teacher and the data of the vectors, number by number", () => {
    // The vectors have ten digits.
    expect(worst(teacher.weights, vectors.W0)).toBeLessThan(1e-9);
    expect(worst(teacher.biases, vectors.b)).toBeLessThan(1e-9);
    expect(worst(teacher.outputs, vectors.v)).toBeLessThan(1e-9);
    expect(worst(train.inputs.data, vectors.X0)).toBeLessThan(1e-9);
    expect(worst(train.targets.data, vectors.Y_first3)).toBeLessThan(1e-9);
    const y = test.targets.data;
    const mean = y.reduce((a, b) => a + b) / y.length;
    const variance = y.reduce((a, b) => a + (b - mean) ** 2, 0) / y.length;
    expect(Math.abs(variance - vectors.Yt_var)).toBeLessThan(1e-8);
  });

  it("draws other data from other seeds, for the same teacher", () => {
    const other = teacherStudent({ seed: 1 });
    expect(other.teacher).toEqual(teacher);
    expect(worst(other.train.targets.data, vectors.Y_first3)).toBeGreaterThan(1e-3);
    expect(teacherStudent({ noise: 0 }).train.targets).not.toEqual(train.targets);
  });
});
