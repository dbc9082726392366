import { checkNotNegative, checkNumbers, checkPositive, checkWhole } from "../physics/checks.ts";
import { Problem } from "../problem.ts";
import { checkFrames } from "./check-frames.ts";
import type { StepperConfig } from "./config.ts";
import type { Setting } from "./setting.ts";
import type { TrainStepperOptions } from "./train-stepper.ts";

/** Throws a `Problem` where the parts of a training do not fit together. */
export function checkTraining(options: TrainStepperOptions): void {
  const {
    config,
    setting,
    training,
    validation = [],
    horizon = 1,
    steps,
    stepsPerEpoch = 1,
    batch = 1,
    positionLossWeight = 0,
  } = options;
  for (const [name, value] of Object.entries({ horizon, steps, stepsPerEpoch, batch }))
    checkWhole(name, value, 1);
  checkNotNegative("positionLossWeight", positionLossWeight);
  checkConfig(config);
  checkSetting(setting, config);
  for (const [i, { frames, types }] of training.entries())
    checkFrames(`training trajectory ${i}`, frames, types, config);
  const least = config.history + 2;
  for (const [i, { frames, types }] of validation.entries()) {
    if (frames.length < least)
      throw new Problem(
        `validation trajectory ${i} has ${frames.length} frames; a rollout that is compared needs ${least}`,
      );
    checkFrames(`validation trajectory ${i}`, frames, types, config);
  }
}

function checkConfig({ dim, hidden, layers, history, types, latent }: StepperConfig): void {
  checkWhole("dim of the network", dim, 2, 3);
  checkWhole("hidden of the network", hidden, 1);
  checkWhole("history of the network", history, 1);
  checkWhole("types of the network", types, 0);
  for (const rounds of layers) checkWhole("layers of the network", rounds, 0);
  if (latent) checkWhole("size of the latent grid", latent.size, 2);
}

const STATISTICS = ["velocityMean", "velocityStd", "accelerationMean", "accelerationStd"] as const;

function checkSetting(setting: Setting, { dim, latent }: StepperConfig): void {
  const { bounds, radius, latentRadius, statistics, gravity, noise, frameInterval } = setting;
  if (bounds.length !== dim)
    throw new Problem(`bounds of the setting are of ${bounds.length} axes, the network is of ${dim}`);
  for (const [low, high] of bounds)
    if (!(high > low && Number.isFinite(high - low)))
      throw new Problem(
        `bounds of the setting are ${low} to ${high} on an axis; take two numbers, the lower one first`,
      );
  checkPositive("radius of the setting", radius);
  if (latent && latent.transfer !== "splines") checkPositive("latentRadius of the setting", latentRadius);
  for (const name of STATISTICS) checkNumbers(`${name} of the statistics`, statistics[name], dim);
  if (gravity) checkNumbers("gravity of the setting", gravity, dim);
  checkNotNegative("noise of the setting", noise);
  checkPositive("frameInterval of the setting", frameInterval);
}
