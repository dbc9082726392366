import { type Shape, sizeOf, type Tensor, zeros } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { deriveSeed, random } from "../random.ts";
import { channelsOf, isFedAsIs, type SampleTensor, type Scale, type Split, unitOf } from "./dataset.ts";

type IntegerType = "int32" | "int64";

/** Element types that a network is fed samples in: floats, or ids. */
export type InputType = "float32" | IntegerType;

/** Arrays for one batch. They are allocated once and overwritten by every step. */
export interface Batch<L extends IntegerType = IntegerType, I extends InputType = "float32"> {
  /** Inputs [batch, ...inputShape], floats normalised. */
  readonly inputs: Tensor<I>;
  /** Further inputs of a network that takes several, see {@link Split.others}. */
  readonly others?: readonly Tensor<InputType>[];
  /** Class numbers [batch]. */
  readonly labels: Tensor<L>;
  /** Rows that hold samples; the rest, in the last batch of an evaluation, is zeros. */
  count: number;
  /** Number of this batch within its epoch, from 0. */
  step: number;
}

export interface Augment {
  /** Pixels of zero padding on each side, from which a window of the original size is cut at random. */
  crop?: number;
  /** Mirrors every other image, left to right, at random. */
  flip?: boolean;
}

type AnyBatch = Batch<IntegerType, InputType>;

export interface Epoch<B extends AnyBatch = Batch> {
  /** Filled anew for every step; its first dimension is the batch size. */
  batch: B;
  scale: Scale;
  seed: number;
  epoch: number;
  augment?: Augment;
  /** First step to yield, to resume within an epoch. Default 0. */
  from?: number;
}

export function allocateBatch<L extends IntegerType, I extends InputType = "float32">(
  size: number,
  inputShape: Shape,
  labelType: L,
  inputType: I = "float32" as I,
): Batch<L, I> {
  return {
    inputs: zeros([size, ...inputShape], inputType),
    labels: zeros([size], labelType),
    count: 0,
    step: 0,
  };
}

/** Training steps in an epoch: samples that do not fill a batch are left out (others are, next epoch). */
export function stepsPerEpoch(split: Split, batchSize: number): number {
  return Math.floor(split.labels.length / batchSize);
}

/**
 * The shuffled training batches of one epoch. What step s of epoch e holds depends on (seed, e, s) alone, so training
 * resumes exactly from these two numbers.
 *
 * Augmentation acts on stored pixels before they are normalised: padding is a stored zero.
 */
export function* batchesOfEpoch<B extends AnyBatch = Batch>(split: Split, options: Epoch<B>): Generator<B> {
  const { batch, scale, seed, epoch, augment = {}, from = 0 } = options;
  const size = batch.labels.shape[0];
  const steps = stepsPerEpoch(split, size);
  if (steps === 0)
    throw new Problem(`a batch of ${size} is larger than the training set of ${split.labels.length} samples`);
  const fill = rowFiller(split, batch, scale);
  const order = random(deriveSeed(seed, "order", epoch)).permutation(split.labels.length);
  const { crop = 0, flip = false } = augment;
  const { shape } = split.inputs;
  if ((crop || flip) && (shape.length !== 4 || isFedAsIs(split)))
    throw new Problem(
      `crop and flip need images [channels, height, width], not ${isFedAsIs(split) ? "ids or several inputs " : ""}[${shape.slice(1)}]`,
    );
  batch.count = size;
  for (let step = from; step < steps; step++) {
    const draw = random(deriveSeed(seed, "augment", epoch, step));
    batch.step = step;
    for (let row = 0; row < size; row++) {
      const down = crop ? draw.integer(2 * crop + 1) - crop : 0;
      const right = crop ? draw.integer(2 * crop + 1) - crop : 0;
      fill(row, order[step * size + row], down, right, flip && draw.uniform() < 0.5);
    }
    yield batch;
  }
}

/** All samples in their order, for evaluation; the last batch is padded with zero rows, see {@link Batch.count}. */
export function* batchesInOrder<B extends AnyBatch>(split: Split, batch: B, scale: Scale): Generator<B> {
  const size = batch.labels.shape[0];
  const samples = split.labels.length;
  const fill = rowFiller(split, batch, scale);
  for (let step = 0; step * size < samples; step++) {
    batch.step = step;
    batch.count = Math.min(size, samples - step * size);
    for (let row = 0; row < batch.count; row++) fill(row, step * size + row, 0, 0, false);
    if (batch.count < size) {
      for (const { shape, data } of [batch.inputs, ...(batch.others ?? [])]) {
        const from = batch.count * sizeOf(shape.slice(1));
        if (data instanceof BigInt64Array) data.fill(0n, from);
        else data.fill(0, from);
      }
      for (let row = batch.count; row < size; row++) setLabel(batch, row, 0);
    }
    yield batch;
  }
}

type FillRow = (row: number, sample: number, down: number, right: number, mirror: boolean) => void;

/** Copies one sample into a row: pixels and floats as they are scaled, anything else as it is. */
function rowFiller(split: Split, batch: AnyBatch, scale: Scale): FillRow {
  const others = split.others ?? [];
  checkFits(split.inputs, batch.inputs);
  const { data } = batch.inputs;
  const fill =
    data instanceof Float32Array && !isFedAsIs(split)
      ? pixelCopier(split, data, scale)
      : copier(split.inputs, data);
  const fillOthers = (batch.others ?? []).map((to, i) => {
    checkFits(others[i], to);
    return copier(others[i], to.data);
  });
  return (row, sample, down, right, mirror) => {
    fill(row, sample, down, right, mirror);
    for (const fillOther of fillOthers) fillOther(row, sample);
    setLabel(batch, row, split.labels[sample]);
  };
}

function checkFits(from: SampleTensor, to: Tensor<InputType>): void {
  const [given, taken] = [from, to].map(({ shape }) => `${shape.slice(1)}`);
  if (taken !== given) throw new Problem(`the batch holds samples of shape [${taken}], the data [${given}]`);
  if ((to.dtype === "float32") === (from.dtype === "int32"))
    throw new Problem(
      `the batch holds ${to.dtype}, the data ${from.dtype}; ids are fed as integers, anything else as float32`,
    );
}

function copier(
  { data, shape }: SampleTensor,
  to: Float32Array | Int32Array | BigInt64Array,
): (row: number, sample: number) => void {
  const size = sizeOf(shape.slice(1));
  return (row, sample) => {
    const [source, target] = [sample * size, row * size];
    if (to instanceof BigInt64Array) for (let i = 0; i < size; i++) to[target + i] = BigInt(data[source + i]);
    else for (let i = 0; i < size; i++) to[target + i] = data[source + i];
  };
}

/** Window moved by (down, right), mirrored, normalised, in one pass. */
function pixelCopier({ inputs }: Split, to: Float32Array, scale: Scale): FillRow {
  const shape = inputs.shape.slice(1);
  const channels = channelsOf(shape);
  const size = sizeOf(shape);
  const width = shape.at(-1) ?? 1;
  const height = size / channels / width;
  const from = inputs.data;
  const unit = unitOf(inputs);
  return (row, sample, down, right, mirror) => {
    for (let c = 0; c < channels; c++) {
      const gain = unit / scale.std[c];
      const bias = -scale.mean[c] / scale.std[c];
      for (let y = 0; y < height; y++) {
        const source = sample * size + (c * height + y + down) * width;
        const target = row * size + (c * height + y) * width;
        const inside = y + down >= 0 && y + down < height;
        for (let x = 0; x < width; x++) {
          const sx = (mirror ? width - 1 - x : x) + right;
          to[target + x] = (inside && sx >= 0 && sx < width ? from[source + sx] : 0) * gain + bias;
        }
      }
    }
  };
}

function setLabel({ labels }: AnyBatch, row: number, label: number): void {
  if (labels.dtype === "int64") (labels.data as BigInt64Array)[row] = BigInt(label);
  else (labels.data as Int32Array)[row] = label;
}
