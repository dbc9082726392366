import { type Shape, sizeOf, type Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";

/** What samples are given as, [samples, ...shape]: pixels 0..255 as uint8, ids as int32, or anything as float32. */
export type SampleTensor = Tensor<"float32" | "uint8" | "int32">;

/** Labelled samples, [samples, ...inputShape]. */
export interface Split {
  inputs: SampleTensor;
  /**
   * What a network of several inputs takes besides, in the order of its inputs. Where this is there, even without any, all
   * inputs are fed as they are.
   */
  others?: readonly SampleTensor[];
  labels: Int32Array;
}

/**
 * How stored inputs become what a network sees: (x − mean) / std per channel, where uint8 inputs are first divided by
 * 255. One entry a channel; inputs that are not [channels, height, width] count as one channel. Ids are fed as they are.
 */
export interface Scale {
  mean: number[];
  std: number[];
}

/** A classification data set with labels 0 .. classes.length − 1. */
export interface Dataset {
  name: string;
  train: Split;
  test: Split;
  classes: string[];
  /** Shape of one sample, channels first. */
  inputShape: Shape;
  scale: Scale;
}

/** Channels of a sample of this shape, see {@link Scale}. */
export function channelsOf(inputShape: Shape): number {
  return inputShape.length === 3 ? inputShape[0] : 1;
}

/** Factor that brings stored values to the units of {@link Scale}: 1/255 for pixels. */
export function unitOf(inputs: Split["inputs"]): number {
  return inputs.dtype === "uint8" ? 1 / 255 : 1;
}

/** Whether samples are fed as they are, rather than scaled. */
export function isFedAsIs({ inputs, others }: Split): boolean {
  return inputs.dtype === "int32" || others !== undefined;
}

/** The scale that changes nothing. */
export function unscaled(inputShape: Shape): Scale {
  const channels = channelsOf(inputShape);
  return { mean: new Array<number>(channels).fill(0), std: new Array<number>(channels).fill(1) };
}

/** Mean and standard deviation (over all pixels and samples) of each channel, in the units of {@link Scale}. */
export function measureScale(inputs: Split["inputs"]): Scale {
  const [samples, ...inputShape] = inputs.shape;
  const channels = channelsOf(inputShape);
  const plane = sizeOf(inputShape) / channels;
  const unit = unitOf(inputs);
  const count = samples * plane;
  const mean = new Array<number>(channels).fill(0);
  const std = new Array<number>(channels).fill(0);
  const { data } = inputs;
  for (let start = 0, c = 0; start < data.length; start += plane, c = (c + 1) % channels)
    for (let i = start; i < start + plane; i++) mean[c] += (data[i] * unit) / count;
  for (let start = 0, c = 0; start < data.length; start += plane, c = (c + 1) % channels)
    for (let i = start; i < start + plane; i++) std[c] += (data[i] * unit - mean[c]) ** 2 / count;
  // A constant channel carries nothing: dividing by 1 leaves it at zero.
  for (let c = 0; c < channels; c++) std[c] = Math.sqrt(std[c]) || 1;
  return { mean, std };
}

/** Throws a Problem unless inputs, labels, classes and shapes of the data set fit together. */
export function checkDataset(data: Dataset): Dataset {
  const { name, classes, inputShape, scale } = data;
  const channels = channelsOf(inputShape);
  if (scale.mean.length !== channels || scale.std.length !== channels)
    throw new Problem(`${name}: the scale must have one mean and std for each of the ${channels} channels`);
  for (const part of ["train", "test"] as const) {
    const { inputs, others = [], labels } = data[part];
    if (labels.length === 0) throw new Problem(`${name}: there are no ${part} samples; give at least one`);
    const shapes = [inputShape, ...(data.train.others ?? []).map((t) => t.shape.slice(1))];
    for (const [i, { dtype, shape, data: values }] of [inputs, ...others].entries()) {
      if (`${shape.slice(1)}` !== `${shapes[i]}`)
        throw new Problem(`${name}: ${part} inputs are [${shape}], expected [samples, ${shapes[i]}]`);
      if (shape[0] !== labels.length)
        throw new Problem(`${name}: ${part} has ${shape[0]} inputs but ${labels.length} labels`);
      const lost = dtype === "float32" ? values.findIndex((x) => !Number.isFinite(x)) : -1;
      if (lost >= 0)
        throw new Problem(
          `${name}: ${part} sample ${Math.floor(lost / sizeOf(shape.slice(1)))} holds ${values[lost]}; replace what is not a finite number, or leave such samples out`,
        );
    }
    const wrong = labels.findIndex((label) => label < 0 || label >= classes.length);
    if (wrong >= 0)
      throw new Problem(
        `${name}: ${part} label ${wrong} is ${labels[wrong]}; there are ${classes.length} classes, counted from 0`,
      );
  }
  return data;
}
