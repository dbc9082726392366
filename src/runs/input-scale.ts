import type { Dataset, Scale } from "../data/dataset.ts";
import { channelsOf, isFedAsIs } from "../data/dataset.ts";
import { Problem } from "../problem.ts";

/**
 * What a network expects its inputs to be: `standard`, normalised by the data set's mean and standard deviation;
 * `unit`, pixels from 0 to 1; `bytes`, pixels from 0 to 255. Ids, and several inputs, are fed as they are: that is their `standard`.
 */
export const INPUT_SCALES = ["standard", "unit", "bytes"] as const;
export type InputScale = (typeof INPUT_SCALES)[number];

/** Entry of a model file's metadata that holds the scale it was trained with, as JSON. */
export const SCALE_KEY = "filigree.scale";

/** Throws a `Problem` where samples are to be scaled that are fed as they are. */
export function scaleFor(
  kind: InputScale,
  { name, scale, train }: Pick<Dataset, "name" | "scale" | "train">,
): Scale {
  if (kind === "standard") return scale;
  if (isFedAsIs(train))
    throw new Problem(
      `the samples of ${name} are ids or several inputs, which are not scaled; leave out the input scale ${kind}`,
    );
  const every = (value: number) => scale.mean.map(() => value);
  return { mean: every(0), std: every(kind === "unit" ? 1 : 1 / 255) };
}

/** What a model file takes: the kind that is asked for, else what its metadata say, else `standard`. */
export function scaleOfFile(
  metadata: Readonly<Record<string, string>>,
  data: Pick<Dataset, "name" | "scale" | "train" | "inputShape">,
  asked?: InputScale,
): Scale {
  const recorded =
    asked || isFedAsIs(data.train) ? undefined : recordedScale(metadata, channelsOf(data.inputShape));
  return recorded ?? scaleFor(asked ?? "standard", data);
}

/** The scale in a model file's metadata; undefined where there is none for so many channels. */
export function recordedScale(
  metadata: Readonly<Record<string, string>>,
  channels: number,
): Scale | undefined {
  const text = metadata[SCALE_KEY];
  if (text === undefined) return undefined;
  let scale: Partial<Scale> | null;
  try {
    scale = JSON.parse(text) as Partial<Scale> | null;
  } catch {
    scale = null;
  }
  const numbers = (list: unknown) =>
    Array.isArray(list) && list.length === channels && list.every((v) => Number.isFinite(v));
  if (!numbers(scale?.mean) || !numbers(scale?.std))
    throw new Problem(`the model's metadata "${SCALE_KEY}" is damaged; give --input-scale`);
  return scale as Scale;
}
