import type { Tensor } from "../../engine/tensor.ts";
import { Problem } from "../../problem.ts";
import type { GrayImage } from "./images.ts";

/** A video with the number of its class and of who is seen. */
export interface Clip {
  label: number;
  person: number;
  frames: GrayImage[];
}

/**
 * The clips of a `.npz` in which they lie one behind the other: `frames` [all frames, height, width], `offsets` [clips + 1]
 * into it, `label` and `person` [clips]. With `length`, each is thinned out to so many frames, evenly spaced; a shorter
 * one repeats some. Frames are views of the array, not copies.
 *
 * Throws a `Problem` where an array is missing or they do not fit each other.
 */
export function clipsFromNpz(
  arrays: ReadonlyMap<string, Tensor>,
  { length, name = "clips" }: { length?: number; name?: string } = {},
): Clip[] {
  const [frames, offsets, labels, persons] = ["frames", "offsets", "label", "person"].map((key) => {
    const array = arrays.get(key);
    if (!array)
      throw new Problem(`${name}: there is no array "${key}"; clips need frames, offsets, label, person`);
    return array;
  });
  const [all, height, width] = frames.shape;
  const [starts, classes, people] = [offsets, labels, persons].map(({ data }) => Array.from(data, Number));
  const clips = classes.length;
  const { data } = frames;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array || frames.shape.length !== 3)
    throw new Problem(
      `${name}: frames are ${frames.dtype} [${frames.shape}]; expected numbers [all, height, width]`,
    );
  if (starts.length !== clips + 1 || people.length !== clips)
    throw new Problem(
      `${name}: ${starts.length} offsets, ${clips} labels and ${people.length} persons do not fit each other`,
    );
  return classes.map((label, c) => {
    const [from, to] = [starts[c], starts[c + 1]];
    if (!(from >= 0 && to > from && to <= all))
      throw new Problem(`${name}: clip ${c} goes from frame ${from} to ${to} of ${all}`);
    const count = length ?? to - from;
    return {
      label,
      person: people[c],
      frames: Array.from({ length: count }, (_, t) => {
        const at = (from + Math.floor((t * (to - from)) / count)) * height * width;
        return { width, height, data: data.subarray(at, at + height * width) };
      }),
    };
  });
}
