import { decodeModel } from "../engine/onnx/proto.ts";
import type { SessionOptions } from "../engine/session.ts";
import { openSession, toRuntime } from "../engine/session.ts";
import { Problem } from "../problem.ts";
import type { Window } from "./features.ts";
import { integrate, windowFeatures } from "./features.ts";
import type { PlaneMap } from "./neighborhood.ts";
import { allocateFeeds, fillFeeds, neighborhoods, sizeFor } from "./neighborhood.ts";
import type { StepperDescription } from "./stepper-file.ts";
import { describeStepper } from "./stepper-file.ts";

/** Gives the next positions, [points, dim], from a window of `history` + 1 past ones. */
export interface Simulator extends StepperDescription {
  step(window: Window, types?: ArrayLike<number>): Promise<Float64Array>;
  release(): Promise<void>;
}

/** A trained stepper from the bytes of its .onnx file, ready to step particles of any number. */
export async function openSimulator(bytes: Uint8Array, options: SessionOptions = {}): Promise<Simulator> {
  const { config, setting } = describeStepper(bytes);
  const { of, grid } = neighborhoods(config, setting, planeOf(bytes));
  const session = await openSession(bytes, options);
  return {
    config,
    setting,
    step: async (window, types) => {
      if (window.length !== config.history + 1)
        throw new Problem(`a step needs ${config.history + 1} frames of positions, found ${window.length}`);
      const hood = of(Float64Array.from(window[window.length - 1]));
      const feeds = allocateFeeds(config, sizeFor([hood], config));
      fillFeeds(feeds, [hood], config, setting, grid);
      windowFeatures(window, setting, feeds.features.data as Float32Array);
      if (feeds.types) (feeds.types.data as Int32Array).set(types ?? []);
      const inputs = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toRuntime(t)]));
      const { accelerations } = await session.run(inputs);
      return integrate(window, accelerations.data as Float32Array, setting);
    },
    release: () => session.release(),
  };
}

/** v1's map to a plane, where the file has one: it decides who is whose neighbour on the grid. */
function planeOf(bytes: Uint8Array): PlaneMap | undefined {
  const { initializers } = decodeModel(bytes).graph;
  const find = (name: string) =>
    initializers.find((i) => i.name === name)?.tensor.data as Float32Array | undefined;
  const [weight, bias] = [find("plane.weight"), find("plane.bias")];
  return weight && bias && (() => ({ weight, bias }));
}
