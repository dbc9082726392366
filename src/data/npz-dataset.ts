import type { DType, Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { checkDataset, type Dataset, measureScale, type Split, unscaled } from "./dataset.ts";
import { readNpz } from "./npz.ts";

/**
 * A data set from an .npz file with x_train, y_train, x_test and y_test (the names of Keras' own files). Inputs are
 * uint8 or float32 with samples first and channels before height and width, where [samples, height, width] counts as
 * grey; or ids, int32 or int64, in any shape. Labels are integers from 0; classes are called by their numbers.
 */
export function datasetFromNpz(bytes: Uint8Array, name: string): Dataset {
  const arrays = readNpz(bytes, name);
  const train = splitOf(arrays, "train", name);
  const test = splitOf(arrays, "test", name);
  const highest = train.labels.reduce((a, b) => Math.max(a, b), 0);
  if (train.labels.length > 0 && highest >= train.labels.length)
    throw new Problem(
      `${name}: y_train goes up to ${highest} in ${train.labels.length} samples; count classes from 0`,
    );
  const inputShape = train.inputs.shape.slice(1);
  return checkDataset({
    name: name.replace(/\.npz$/, ""),
    train,
    test,
    classes: Array.from({ length: highest + 1 }, (_, i) => `${i}`),
    inputShape,
    scale: train.inputs.dtype === "int32" ? unscaled(inputShape) : measureScale(train.inputs),
  });
}

const INPUT_TYPES: readonly DType[] = ["uint8", "float32", "int32", "int64"];

function splitOf(arrays: Map<string, Tensor>, part: string, name: string): Split {
  const array = (key: string) => {
    const found = arrays.get(key);
    if (!found) throw new Problem(`${name}: has no array ${key}; found ${[...arrays.keys()].join(", ")}`);
    return found;
  };
  const x = array(`x_${part}`);
  const y = array(`y_${part}`);
  if (!INPUT_TYPES.includes(x.dtype) || x.shape.length < 2)
    throw new Problem(
      `${name}: x_${part} is ${x.dtype} [${x.shape}]; expected uint8 or float32 [samples, ...], or ids as int32 or int64`,
    );
  if (y.dtype.startsWith("float") || y.dtype === "bool" || y.shape.length !== 1)
    throw new Problem(`${name}: y_${part} is ${y.dtype} [${y.shape}]; expected integers [samples]`);
  const labels = Int32Array.from(y.data, toLabel);
  if (x.dtype === "int32" || x.dtype === "int64") return { inputs: idsOf(x, `${name}: x_${part}`), labels };
  const [samples, ...rest] = x.shape;
  const shape = rest.length === 2 ? [samples, 1, ...rest] : x.shape;
  return { inputs: { ...x, shape } as Split["inputs"], labels };
}

/** Ids as int32. */
function idsOf({ shape, data }: Tensor, what: string): Tensor<"int32"> {
  if (data instanceof Int32Array) return { dtype: "int32", shape, data };
  const ids = Int32Array.from(data, Number);
  const wrong = ids.findIndex((id, i) => id !== Number(data[i]));
  if (wrong >= 0) throw new Problem(`${what} holds ${data[wrong]}, which does not fit into an int32`);
  return { dtype: "int32", shape, data: ids };
}

/** −1, which no data set accepts, for what does not fit into an int32. */
function toLabel(value: number | bigint): number {
  return value >= 0 && value < 2 ** 31 ? Number(value) : -1;
}
