import type { FlatArrays } from "../../engine/parameters.ts";
import { flatArrays } from "../../engine/parameters.ts";
import type { Sparsifier } from "../../nn/sparsifier.ts";
import { Problem } from "../../problem.ts";
import type { Quantized } from "./quantize.ts";
import { multipleOf } from "./quantize.ts";

/**
 * How much more than half of a step a weight has to be beyond a multiple, to be rounded away from zero. Smaller multiples are more
 * frequent and take fewer bits, and what rounding down costs, training makes up for.
 */
const DEAD_ZONE = 0.2;

/**
 * Training of parameters as a file will hold them; zeros stay zero.
 *
 * - With a `step` the network has multiples of it in every run, while the optimiser moves weights of full precision behind them, along
 *   the gradients at the multiples (straight-through estimator; Courbariaux, Bengio and David 2015, algorithm 1).
 * - Without, those that share one of `values` go on sharing it: each value is one parameter, which moves by the mean gradient of all
 *   that have it (trained quantisation; Han, Mao and Dally 2016, section 3.2, where it is the sum).
 *
 * Throws a `Problem`, when training starts, for parameters that the model does not have.
 */
export function createQuantizedTraining(
  quantized: ReadonlyMap<string, Pick<Quantized, "values" | "step">>,
): Sparsifier {
  const shared = new Map<string, Sharing>();
  /** Of what has a step, by name. */
  const steps = new Map<string, number>();
  let full: FlatArrays;

  const round = ({ arrays }: FlatArrays) => {
    for (const [name, step] of steps) {
      const [rounded, exact] = [arrays[name], full.arrays[name]];
      for (let i = 0; i < rounded.length; i++) rounded[i] = multipleOf(exact[i], step, DEAD_ZONE);
    }
  };

  return {
    name: "quantized",
    createOptimizer: ({ parameters }, own) => {
      for (const [name, { values, step }] of quantized) {
        requireParameter(parameters, name, values.length);
        if (step === undefined) {
          shared.set(name, sharingOf(values));
          parameters.arrays[name].set(values);
        } else steps.set(name, step);
      }
      const exact = parameters.segments.filter(({ name }) => steps.has(name));
      full = flatArrays(
        exact.map(({ name, shape }) => [name, shape]),
        parameters,
      );
      for (const { name } of exact) full.arrays[name].set(parameters.arrays[name]);
      round(parameters);
      const optimizer = own();
      return Object.assign(optimizer, { state: { ...optimizer.state, full } });
    },
    beforeStep: ({ parameters, gradients }) => {
      for (const name of steps.keys()) {
        const [exact, gradient] = [full.arrays[name], gradients.arrays[name]];
        for (let i = 0; i < exact.length; i++) if (exact[i] === 0) gradient[i] = 0;
        parameters.arrays[name].set(exact);
      }
      for (const [name, sharing] of shared) average(gradients.arrays[name], sharing);
    },
    afterStep: ({ parameters }) => {
      for (const name of steps.keys()) full.arrays[name].set(parameters.arrays[name]);
      round(parameters);
      for (const [name, sharing] of shared) tie(parameters.arrays[name], sharing);
    },
  };
}

function requireParameter({ arrays }: FlatArrays, name: string, length: number): void {
  const found = arrays[name];
  if (!found) throw new Problem(`"${name}" is to be quantised, and the model has no such parameter`);
  if (found.length !== length)
    throw new Problem(`"${name}" has ${found.length} numbers; quantised were ${length}`);
}

/** Which numbers share a value. */
interface Sharing {
  /** For each its value's place among `first`, −1 for zeros. */
  value: Int32Array;
  /** The first number that has each value, and how many have it. */
  first: number[];
  counts: number[];
}

function sharingOf(values: Float32Array): Sharing {
  const places = new Map<number, number>();
  const first: number[] = [];
  const counts: number[] = [];
  const value = new Int32Array(values.length).fill(-1);
  values.forEach((v, i) => {
    if (v === 0) return;
    let place = places.get(v);
    if (place === undefined) {
      place = first.push(i) - 1;
      counts.push(0);
      places.set(v, place);
    }
    value[i] = place;
    counts[place]++;
  });
  return { value, first, counts };
}

/** Gives every number the mean of those that share its value, zeros nothing. */
function average(gradient: Float32Array, { value, counts }: Sharing): void {
  const sums = new Float64Array(counts.length);
  for (let i = 0; i < value.length; i++) if (value[i] >= 0) sums[value[i]] += gradient[i];
  for (let i = 0; i < value.length; i++) gradient[i] = value[i] < 0 ? 0 : sums[value[i]] / counts[value[i]];
}

/** Equal numbers with equal gradients stay equal but for rounding, which depends on where in a vector they lie. */
function tie(numbers: Float32Array, { value, first }: Sharing): void {
  for (let i = 0; i < value.length; i++) if (value[i] >= 0) numbers[i] = numbers[first[value[i]]];
}
