import type { CurvePoint } from "./detector.ts";
import { amplitudeEntropy, powerShares } from "./fourier.ts";
import type { Weights } from "./masks.ts";
import { density, jaccardDistance, magnitudeMasks, mapValues } from "./masks.ts";
import { norms } from "./norms.ts";
import { pool } from "./picture.ts";
import type { ExperimentSettings } from "./settings.ts";
import { isModular, wavesOfTask } from "./settings.ts";
import { effectiveRank } from "./singular.ts";

/** A network's weights at one step of its training, seen through the magnitude mask it would give there. */
export interface TracePoint extends Partial<Waves> {
  step: number;
  /** Norms of all weights. */
  l1: number;
  l2: number;
  /** Living share of each layer, and of each neuron's weights. */
  density: Record<string, number>;
  neurons: number[];
  /** The layer before the neurons, pooled to at most 48 × 72; a digit from 0 to 9 for each living share. */
  picture: { rows: number; columns: number; digits: string };
  /** Distance of the mask from that at the end. */
  jaccard: number;
}

/** The input side of a network, each neuron over the tokens, as `tokenWaves`. */
export interface Waves {
  /** Share of power in each wave. */
  spectrum: number[];
  fourierEntropy: number;
  effectiveRank: number;
}

export type Trace = TracePoint[];

const MOST_POINTS = 64;

/** Follows the weights of a run at evenly spaced steps: at most 64 of them, however long it is. */
export function createTrace(
  settings: Pick<ExperimentSettings, "task" | "p" | "model" | "blocks" | "ratio" | "width" | "hidden">,
) {
  let points: { step: number; weights: Weights }[] = [];
  let interval = 0;
  return {
    observe: ({ step }: CurvePoint, live: Weights) => {
      if (points.length > 0 && step < points[points.length - 1].step + interval) return;
      points.push({ step, weights: mapValues(live, (w) => w.slice()) });
      if (points.length < MOST_POINTS) return;
      points = points.filter((_, i) => i % 2 === 0);
      interval = points[1].step - points[0].step;
    },
    finish: (last: Weights): Trace => {
      const final = magnitudeMasks(last, settings.ratio);
      return points.map(({ step, weights }) => {
        const masks = magnitudeMasks(weights, settings.ratio);
        const neurons = masks.get(neuronLayer(settings))!;
        const perNeuron = neurons.length / settings.hidden;
        const { shares, ...size } = pool(neurons, settings.hidden, perNeuron, 48, 72);
        return {
          step,
          ...norms(weights),
          ...wavesOf(weights, settings),
          density: density(masks).layers,
          neurons: Array.from({ length: settings.hidden }, (_, i) => {
            const row = neurons.subarray(i * perNeuron, (i + 1) * perNeuron);
            return row.reduce((a, b) => a + b, 0) / perNeuron;
          }),
          picture: { ...size, digits: shares.map((v) => Math.round(9 * v)).join("") },
          jaccard: jaccardDistance(masks, final),
        };
      });
    },
  };
}

/** The parameter before the (first) neurons [hidden, width]. */
export function neuronLayer({
  model,
  task,
  blocks = 1,
}: Pick<ExperimentSettings, "model" | "task" | "blocks">): string {
  if (!isModular(task)) return "fc1.weight";
  if (model === "mlp") return "inproj";
  return blocks > 1 ? "block1.mlp.in" : "mlp.in";
}

/** Undefined where there are no tokens, or they have no waves. */
export function wavesOf(
  weights: Weights,
  settings: Pick<ExperimentSettings, "task" | "p" | "model" | "width" | "hidden">,
): Waves | undefined {
  const waves = wavesOfTask(settings);
  if (!waves) return undefined;
  const { data, rows, columns } = inputSide(weights, settings);
  // Where x and y have tokens of their own, a neuron has a row for each.
  const powers = waves.powers(data);
  return {
    spectrum: powerShares(powers, waves.names.length),
    fourierEntropy: amplitudeEntropy(powers, waves.names.length),
    effectiveRank: effectiveRank(data, rows, columns),
  };
}

/** What each neuron sees of each token, W_I W_E [hidden, tokens]; for a transformer the embedding itself. */
export function inputSide(
  weights: Weights,
  { model, width, hidden }: Pick<ExperimentSettings, "model" | "width" | "hidden">,
): { data: Float64Array; rows: number; columns: number } {
  const embed = weights.get("embed")!;
  if (model === "transformer") {
    return { data: Float64Array.from(embed), rows: width, columns: embed.length / width };
  }
  const inproj = weights.get("inproj")!;
  const columns = embed.length / width;
  const data = new Float64Array(hidden * columns);
  for (let h = 0; h < hidden; h++)
    for (let k = 0; k < width; k++) {
      const w = inproj[h * width + k];
      if (w !== 0) for (let x = 0; x < columns; x++) data[h * columns + x] += w * embed[k * columns + x];
    }
  return { data, rows: hidden, columns };
}
