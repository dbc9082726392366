import { expect, test } from "vitest";
import { createCalibration } from "../../src/nn/calibration.ts";
import { random } from "../../src/random.ts";

test("by hand: two bins, weighted by their samples", () => {
  const calibration = createCalibration();
  expect(calibration.error()).toBe(0);
  // .5 in bin 7, right once of two: no error. .9 in bin 13, right once of four: .65 too sure.
  for (const right of [true, false]) calibration.add(0.5, right);
  for (const right of [true, false, false, false]) calibration.add(0.9, right);
  expect(calibration.error()).toBeCloseTo((2 * 0 + 4 * 0.65) / 6, 12);
});

test("who is right as often as they say has no error; who says too much, as much as they overstate", () => {
  const rng = random(1);
  const [honest, boastful] = [createCalibration(), createCalibration()];
  for (let i = 0; i < 100_000; i++) {
    const confidence = 0.2 + 0.7 * rng.uniform();
    const right = rng.uniform() < confidence;
    honest.add(confidence, right);
    boastful.add(confidence + 0.1, right);
  }
  expect(honest.error()).toBeLessThan(0.006);
  expect(boastful.error()).toBeCloseTo(0.1, 2);
});

test("certainty itself has a place", () => {
  const calibration = createCalibration();
  calibration.add(1, true);
  calibration.add(0, false);
  expect(calibration.error()).toBe(0);
});
