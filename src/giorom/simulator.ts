import { decodeModel } from "../engine/onnx/proto.ts";
import { openSession, toRuntime } from "../engine/runtime.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { checkFrames } from "./check-frames.ts";
import type { Window } from "./features.ts";
import { integrate, ruleOf, windowFeatures } from "./features.ts";
import { freeFlight } from "./free-flight.ts";
import type { PlaneMap } from "./neighborhood.ts";
import { allocateFeeds, fillFeeds, neighborhoods, sizeFor } from "./neighborhood.ts";
import type { StepperDescription } from "./stepper-file.ts";
import { describeStepper } from "./stepper-file.ts";

/** Gives the next positions, [points, dim], from a window of `history` + 1 past ones. */
export interface Simulator extends StepperDescription {
  /** `types` is needed where the network tells types apart. Rejects with a `Problem` for frames of different particles. */
  step(window: Window, types?: ArrayLike<number>): Promise<Float64Array>;
  release(): Promise<void>;
}

export interface SimulatorOptions extends SessionOptions {
  /** Changes what `neighborhood.ts` feeds the network, before each step: for experiments. */
  adjust?(feeds: Record<string, Tensor>): void;
}

/** A trained stepper from the bytes of its .onnx file, ready to step particles of any number. */
export async function openSimulator(
  bytes: Uint8Array,
  { adjust, ...options }: SimulatorOptions = {},
): Promise<Simulator> {
  const { config, setting } = describeStepper(bytes);
  const { of, grid } = neighborhoods(config, setting, planeOf(bytes));
  const session = await openSession(bytes, options);
  return {
    config,
    setting,
    step: async (window, types) => {
      if (window.length !== config.history + 1)
        throw new Problem(`a step needs ${config.history + 1} frames of positions, found ${window.length}`);
      checkFrames("the window of a step", window, types, config);
      const hood = of(Float64Array.from(window[window.length - 1]));
      const feeds = allocateFeeds(config, sizeFor([hood], config));
      fillFeeds(feeds, [hood], config, setting, grid);
      windowFeatures(window, setting, feeds.features.data as Float32Array);
      if (feeds.types) (feeds.types.data as Int32Array).set(types ?? []);
      adjust?.(feeds);
      const inputs = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toRuntime(t)]));
      const { accelerations } = await session.run(inputs);
      const next = integrate(window, accelerations.data as Float32Array, setting);
      if (!setting.gravity) return next;
      const free = freeFlight(window, setting, hood.edges);
      const known = ruleOf(setting)(window);
      return next.map((x, i) => (free[Math.floor(i / config.dim)] ? known[i] : x));
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
