import type { Graph } from "../../engine/graph.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { Random } from "../../random.ts";
import { deriveSeed, random } from "../../random.ts";
import { smallestAt } from "./select.ts";

/** Which weights live, by parameter: 1 or 0 for each element in row-major order. */
export type Masks = ReadonlyMap<string, Uint8Array>;
/** Values of parameters, by name. */
export type Weights = ReadonlyMap<string, Float32Array>;
/** How much each weight matters, by parameter. */
export type Scores = ReadonlyMap<string, ArrayLike<number>>;

/** `global`: the lowest of all weights go; `local`: the same share of every layer. */
export type Scope = "global" | "local";

/**
 * Removes exactly the ⌊ratio·n⌋ lowest scores, of all weights or of each layer; among equal ones the first in the order
 * of layers and elements goes first (grokking.md sections 3 and 6). Throws a `Problem` for scores that are not numbers.
 */
export function keepLargest(scores: Scores, ratio: number, scope: Scope = "global"): Masks {
  if (!(ratio >= 0 && ratio <= 1))
    throw new Problem(`the pruning ratio must lie between 0 and 1, found ${ratio}`);
  if (scope !== "global" && scope !== "local")
    throw new Problem(`there is no pruning scope "${scope}"; take global or local`);
  const names = [...scores.keys()];
  const groups = scope === "global" ? [names] : names.map((name) => [name]);
  return new Map(groups.flatMap((group) => prune(group, scores, ratio)));
}

function prune(names: readonly string[], scores: Scores, ratio: number): [string, Uint8Array][] {
  const all = new Float64Array(names.reduce((n, name) => n + scores.get(name)!.length, 0));
  let at = 0;
  for (const name of names) {
    all.set(scores.get(name)!, at);
    at += scores.get(name)!.length;
  }
  if (all.some(Number.isNaN)) throw new Problem(`the scores of ${names.join(", ")} are not all numbers`);
  const count = Math.floor(ratio * all.length);
  // All below the limit go, and of those at the limit as many as are still missing.
  const limit = count < all.length ? smallestAt(all, count) : Number.POSITIVE_INFINITY;
  let missing = count;
  for (let i = 0; i < all.length; i++) if (all[i] < limit) missing--;
  return names.map((name) => {
    const values = scores.get(name)!;
    const mask = new Uint8Array(values.length);
    for (let i = 0; i < mask.length; i++)
      mask[i] = Number(values[i] > limit || (values[i] === limit && missing-- <= 0));
    return [name, mask];
  });
}

/**
 * The masks of the largest magnitudes, of all that is given: for a network with biases or normalisations give `prunable` of
 * its weights.
 */
export function magnitudeMasks(weights: Weights, ratio: number, scope: Scope = "global"): Masks {
  return keepLargest(
    mapValues(weights, (w) => w.map(Math.abs)),
    ratio,
    scope,
  );
}

/** Masks drawn by lot: exactly ⌊ratio·n⌋ weights go. */
export function randomMasks(weights: Weights, ratio: number, seed: number, scope: Scope = "global"): Masks {
  const draw = mapValues(weights, (w, name) => {
    const rng = random(deriveSeed(seed, "random-mask", name));
    return Float64Array.from(w, () => rng.uniform());
  });
  return keepLargest(draw, ratio, scope);
}

/** The same number of weights in each layer, in other places. */
export function shuffleMasks(masks: Masks, seed: number): Masks {
  return mapValues(masks, (mask, name) => {
    const rng: Random = random(deriveSeed(seed, "shuffled-mask", name));
    const order = rng.permutation(mask.length);
    return mask.map((_, i) => mask[order[i]]);
  });
}

/**
 * The weights that live in all of several masks; where one has nothing on a parameter, it lets all of it live. Throws a
 * `Problem` where two of them have a parameter in different sizes.
 */
export function composeMasks(...several: readonly Masks[]): Masks {
  const together = new Map<string, Uint8Array>();
  for (const masks of several)
    for (const [name, mask] of masks) {
      const before = together.get(name);
      if (before) requireFit(new Map([[name, mask]]), "the masks", together, "the masks before them");
      together.set(name, before ? mask.map((m, i) => m & before[i]) : mask.slice());
    }
  return together;
}

/** Share of weights that live, of everything and by layer. */
export function density(masks: Masks): { total: number; layers: Record<string, number> } {
  const alive = [...masks].map(([name, mask]) => ({
    name,
    size: mask.length,
    count: mask.reduce((a, b) => a + b, 0),
  }));
  const sum = (key: "size" | "count") => alive.reduce((a, layer) => a + layer[key], 0);
  return {
    total: sum("count") / sum("size"),
    layers: Object.fromEntries(alive.map(({ name, size, count }) => [name, count / size])),
  };
}

/**
 * 1 − |A ∩ B| / |A ∪ B| over all layers; 0 for two empty masks. Two independent ones of density ρ: 1 − ρ/(2 − ρ) on average.
 * Throws a `Problem` for masks of different models.
 */
export function jaccardDistance(a: Masks, b: Masks): number {
  requireFit(b, "the second masks", a, "the first", { whole: true });
  let both = 0;
  let either = 0;
  for (const [name, mask] of a) {
    const other = b.get(name)!;
    for (let i = 0; i < mask.length; i++) {
      both += mask[i] & other[i];
      either += mask[i] | other[i];
    }
  }
  return either === 0 ? 0 : 1 - both / either;
}

/** weight ∘ mask; weights without a mask stay. Throws a `Problem` for masks of another model. */
export function maskWeights(weights: Weights, masks: Masks): Weights {
  requireFit(masks, "the masks", weights, "the weights");
  return mapValues(weights, (w, name) => {
    const mask = masks.get(name);
    return mask ? w.map((v, i) => (mask[i] ? v : 0)) : w.slice();
  });
}

/**
 * A copy of all of a model's parameters as they are now, biases and normalisations among them: what `loadWeights` takes it back to.
 * To prune, take `prunable` of them.
 */
export function weightsOf({ parameters }: Graph): Weights {
  return mapValues(parameters, (t) => t.data.slice());
}

/** Writes weights into a model's own arrays: rewinding. Throws a `Problem` where they are those of another model. */
export function loadWeights({ parameters }: Graph, weights: Weights): void {
  requireFit(weights, "the weights", parameters, "the model", { whole: true });
  for (const [name, { data }] of parameters) data.set(weights.get(name)!);
}

/**
 * Of weights, scores or masks by parameter those of matrices and convolution kernels: what one prunes. Biases and
 * normalisations, which have one axis, are left out. Throws a `Problem` for names that the model does not have.
 */
export function prunable<T>(
  values: ReadonlyMap<string, T>,
  { parameters }: { parameters: ReadonlyMap<string, Tensor> },
): Map<string, T> {
  return new Map(
    [...values].filter(([name]) => {
      const own = parameters.get(name);
      if (!own) throw new Problem(`"${name}" is not in the model; what is pruned belongs to another`);
      return own.shape.length > 1;
    }),
  );
}

/**
 * Throws a `Problem` where values by parameter are not in `own`, or not of the size that they have there; with `whole` also
 * where `own` has more. `what` and `owner` name the two in the message.
 */
export function requireFit(
  values: ReadonlyMap<string, ArrayLike<number>>,
  what: string,
  own: ReadonlyMap<string, ArrayLike<number> | Tensor>,
  owner: string,
  { whole = false }: { whole?: boolean } = {},
): void {
  for (const name of [...(whole ? own.keys() : []), ...values.keys()]) {
    const [given, wanted] = [values.get(name), own.get(name)];
    const shape = wanted && ("shape" in wanted ? wanted.shape : [wanted.length]);
    if (given && shape && given.length === sizeOf(shape)) continue;
    throw new Problem(
      `"${name}" ${shape ? `has shape [${shape}] in` : "is not in"} ${owner}, ${what} hold ${given ? `${given.length} elements` : "nothing"} of it; they belong to another model`,
    );
  }
}

export function mapValues<A, B>(
  map: ReadonlyMap<string, A>,
  f: (value: A, name: string) => B,
): Map<string, B> {
  return new Map([...map].map(([name, value]) => [name, f(value, name)]));
}
