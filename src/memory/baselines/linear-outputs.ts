/** Outputs that are each a constant and a weight for every active input. */
export interface LinearOutputs {
  /** [inputs, outputs]. */
  weights: Float64Array;
  constants: Float64Array;
}

export function outputsFor({ weights, constants }: LinearOutputs, pattern: ArrayLike<number>): Float64Array {
  const values = constants.slice();
  for (let a = 0; a < pattern.length; a++)
    for (let o = 0; o < values.length; o++) values[o] += weights[pattern[a] * values.length + o];
  return values;
}
