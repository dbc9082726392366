import { circularity } from "../../sparsity/tickets/circularity.ts";
import { communities } from "../../sparsity/tickets/communities.ts";
import {
  averageDegree,
  averagePathLength,
  bipartite,
  bipartiteClustering,
  expansion,
} from "../../sparsity/tickets/graph-measures.ts";
import type { Masks, Weights } from "../../sparsity/tickets/masks.ts";
import {
  density,
  jaccardDistance,
  magnitudeMasks,
  maskWeights,
  randomMasks,
  weightsOf,
} from "../../sparsity/tickets/masks.ts";
import type { ExperimentSettings } from "../../sparsity/tickets/settings.ts";
import { buildModel, wavesOfTask } from "../../sparsity/tickets/settings.ts";
import { inOrder } from "../../sparsity/tickets/token-waves.ts";
import { neuronLayer, wavesOf } from "../../sparsity/tickets/trace.ts";
import { readMoments } from "./experiment-directory.node.ts";

/** A mask, and the initial weights seen through it. */
export interface MaskFigures {
  label: string;
  density: Record<string, number>;
  /** Entropy of the input side of W(0)∘m: what the mask alone says about waves. Of tasks whose tokens have any. */
  fourierEntropy?: number;
  /** Of the layer between embedding and neurons, as a bipartite graph. */
  degree: number;
  pathLength: number;
  clustering: number;
  modularity: number;
  communities: number;
  ramanujanGap: number;
}

export interface MaskAnalysis {
  masks: MaskFigures[];
  /** Mean Jaccard distance between the tickets of two seeds, and what independent masks of their density have; undefined for one seed. */
  betweenSeeds?: { found: number; independent: number };
  /** Of the embedding, where tokens have frequencies: initial and at the end. */
  circularity?: { initial: number; final: number };
}

/** Compares the masks of the first seed with each other, and its ticket with those of the other seeds. */
export async function analyzeMasks(
  settings: ExperimentSettings,
  directory: string,
  seeds: readonly number[],
): Promise<MaskAnalysis> {
  const { ratio } = settings;
  const moments = await readMoments(directory, seeds[0]);
  const initial = weightsOf(buildModel(settings, seeds[0]));
  const candidates: [string, Weights | undefined][] = [
    ["ticket", moments.get("ticket")],
    ["at memorisation", moments.get("memorised")],
    ["at initialisation", initial],
  ];
  const masks = candidates.flatMap(([label, weights]) =>
    weights ? [{ label, masks: magnitudeMasks(weights, ratio) }] : [],
  );
  masks.push({ label: "random", masks: randomMasks(initial, ratio, seeds[0]) });
  const tickets: Masks[] = [];
  for (const seed of seeds)
    tickets.push(magnitudeMasks((await readMoments(directory, seed)).get("ticket")!, ratio));
  const distances = tickets.flatMap((a, i) => tickets.slice(i + 1).map((b) => jaccardDistance(a, b)));
  return {
    masks: masks.map(({ label, masks }) => describe(settings, label, masks, initial)),
    betweenSeeds: distances.length
      ? {
          found: distances.reduce((a, b) => a + b) / distances.length,
          independent: independentDistance(tickets[0]),
        }
      : undefined,
    circularity: circularityOf(settings, initial, moments.get("ticket")!),
  };
}

function circularityOf(settings: ExperimentSettings, initial: Weights, final: Weights) {
  const order = wavesOfTask(settings)?.order;
  if (!order) return undefined;
  const of = (weights: Weights) =>
    circularity(inOrder(weights.get("embed")!, settings.p, order), order.length);
  return { initial: of(initial), final: of(final) };
}

/** What two masks with the densities of this one's layers would be apart if they knew nothing of each other. */
function independentDistance(masks: Masks): number {
  let [both, either] = [0, 0];
  for (const mask of masks.values()) {
    const alive = mask.reduce((a, b) => a + b, 0);
    const shared = alive ** 2 / mask.length;
    both += shared;
    either += 2 * alive - shared;
  }
  return 1 - both / either;
}

function describe(settings: ExperimentSettings, label: string, masks: Masks, initial: Weights): MaskFigures {
  const layer = masks.get(neuronLayer(settings))!;
  const columns = layer.length / settings.hidden;
  const graph = bipartite(layer, settings.hidden, columns);
  const { count, modularity } = communities(graph, 0);
  return {
    label,
    density: density(masks).layers,
    fourierEntropy: wavesOf(maskWeights(initial, masks), settings)?.fourierEntropy,
    degree: averageDegree(graph),
    pathLength: averagePathLength(graph),
    clustering: bipartiteClustering(graph),
    modularity,
    communities: count,
    ramanujanGap: expansion(layer, settings.hidden, columns).ramanujanGapBipartite,
  };
}
