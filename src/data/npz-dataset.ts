import type { Tensor } from "../engine/tensor.ts";
import { Problem } from "../problem.ts";
import { checkDataset, type Dataset, measureScale, type Split } from "./dataset.ts";
import { readNpz } from "./npz.ts";

/**
 * A data set from an .npz file with x_train, y_train, x_test and y_test (the names of Keras' own files). Inputs are
 * uint8 or float32 with samples first and channels before height and width; images [samples, height, width] count as
 * grey. Labels are integers from 0; classes are called by their numbers.
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
  return checkDataset({
    name: name.replace(/\.npz$/, ""),
    train,
    test,
    classes: Array.from({ length: highest + 1 }, (_, i) => `${i}`),
    inputShape: train.inputs.shape.slice(1),
    scale: measureScale(train.inputs),
  });
}

function splitOf(arrays: Map<string, Tensor>, part: string, name: string): Split {
  const array = (key: string) => {
    const found = arrays.get(key);
    if (!found) throw new Problem(`${name}: has no array ${key}; found ${[...arrays.keys()].join(", ")}`);
    return found;
  };
  const x = array(`x_${part}`);
  const y = array(`y_${part}`);
  if ((x.dtype !== "uint8" && x.dtype !== "float32") || x.shape.length < 2)
    throw new Problem(
      `${name}: x_${part} is ${x.dtype} [${x.shape}]; expected uint8 or float32 [samples, ...]`,
    );
  if (y.dtype.startsWith("float") || y.dtype === "bool" || y.shape.length !== 1)
    throw new Problem(`${name}: y_${part} is ${y.dtype} [${y.shape}]; expected integers [samples]`);
  const [samples, ...rest] = x.shape;
  const shape = rest.length === 2 ? [samples, 1, ...rest] : x.shape;
  return { inputs: { ...x, shape } as Split["inputs"], labels: Int32Array.from(y.data, toLabel) };
}

/** −1, which no data set accepts, for what does not fit into an int32. */
function toLabel(value: number | bigint): number {
  return value >= 0 && value < 2 ** 31 ? Number(value) : -1;
}
