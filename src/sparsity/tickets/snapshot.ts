import type { CurvePoint } from "./detector.ts";
import type { Masks, Weights } from "./masks.ts";
import { magnitudeMasks } from "./masks.ts";
import type { Picture } from "./picture.ts";
import { pool } from "./picture.ts";
import type { ExperimentSettings } from "./settings.ts";
import { wavesOfTask } from "./settings.ts";
import type { Waves } from "./trace.ts";
import { neuronLayer, wavesOf } from "./trace.ts";

/** What a live view shows of a network while it trains. */
export interface Snapshot extends CurvePoint, Partial<Waves> {
  /** The layer before the neurons, one row a neuron, pooled to at most 48 × 144. */
  mask: Picture;
  /** Of the neurons that it has. */
  neuronsAlive: number;
  neurons: number;
  /** Names of the spectrum's waves, where they are more than numbers. */
  waveNames?: readonly string[];
}

/** Looks at a network through `masks`, or through the magnitude mask that it would give now. */
export function snapshotOf(
  settings: ExperimentSettings,
  point: CurvePoint,
  weights: Weights,
  masks: Masks = magnitudeMasks(weights, settings.ratio),
): Snapshot {
  const layer = masks.get(neuronLayer(settings))!;
  const columns = layer.length / settings.hidden;
  const mask = pool(layer, settings.hidden, columns, 48, 144);
  const waves = wavesOfTask(settings);
  let neuronsAlive = 0;
  for (let i = 0; i < settings.hidden; i++)
    neuronsAlive += Number(layer.subarray(i * columns, (i + 1) * columns).includes(1));
  return {
    ...point,
    mask,
    neuronsAlive,
    neurons: settings.hidden,
    ...wavesOf(weights, settings),
    waveNames: waves?.kind === "representation" ? waves.names : undefined,
  };
}
